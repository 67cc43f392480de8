#pragma once

/// Parser of subunit v1 text. Used through StreamDecoder.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "repo_reader/subunit_event.h"
#include "repo_reader/tag_set.h"
#include "repo_reader/v1_details.h"

namespace flakebisect::repo_reader {

class V1Parser {
 public:
  V1Parser(EventSink& sink, bool details) : sink_(sink), details_wanted_(details) {}

  /// Parses what is complete and returns how many bytes that took. The caller presents the rest again,
  /// followed by what came after it.
  std::size_t consume(std::string_view bytes);

  /// End of the stream; `rest` is what consume() left.
  void finish(std::string_view rest);

  /// True once a line was taken for a directive.
  bool directive_seen() const { return directive_seen_; }

 private:
  enum class State { outside, in_test, details };

  std::size_t consume_lines(std::string_view bytes);
  std::size_t consume_details(std::string_view bytes);

  /// False: the line is program text.
  bool directive(std::string_view line);
  bool outcome(Status status, const char* label, std::string_view name);
  void start_test(std::string_view name);
  void end_test();
  void lost_connection();

  Event test_event() const;
  const TagSet& tags() const { return local_tags_in_use_ ? local_tags_ : global_tags_; }

  EventSink& sink_;
  bool details_wanted_;
  State state_ = State::outside;
  bool text_line_open_ = false;  ///< the beginning of the current line was reported as text
  bool directive_seen_ = false;
  std::string name_;            ///< the open test as its directive spells it
  std::string id_replacement_;  ///< its id where the name is not UTF-8
  std::string_view id_;
  Status status_ = Status::none;  ///< state details: the outcome they belong to
  const char* label_ = "";
  bool simple_details_ = false;
  V1Details section_;
  std::optional<Timestamp> time_;
  TagSet global_tags_;
  TagSet local_tags_;
  bool local_tags_in_use_ = false;
};

}  // namespace flakebisect::repo_reader
