#include "repo_reader/v1_parser.h"

#include <fmt/format.h>

#include "repo_reader/damage.h"
#include "repo_reader/iso_time.h"
#include "repo_reader/utf8.h"

namespace flakebisect::repo_reader {
namespace {

enum class Keyword { none, test, success, failure, error, skip, xfail, uxsuccess, tags, time, progress };

struct KeywordName {
  std::string_view name;
  Keyword keyword;
};

constexpr KeywordName keyword_names[] = {
    {"test", Keyword::test},       {"testing", Keyword::test},        {"success", Keyword::success},
    {"time", Keyword::time},       {"tags", Keyword::tags},           {"successful", Keyword::success},
    {"failure", Keyword::failure}, {"error", Keyword::error},         {"skip", Keyword::skip},
    {"xfail", Keyword::xfail},     {"uxsuccess", Keyword::uxsuccess}, {"progress", Keyword::progress}};

constexpr bool is_white_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// Position of the first white space (ASCII), npos if there is none. Faster than find_first_of() on short
/// words.
constexpr std::size_t find_space(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_white_space(text[i])) return i;
  }
  return std::string_view::npos;
}

/// The text without white space at both ends.
constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_white_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view without_colons(std::string_view word) {
  while (!word.empty() && word.back() == ':') word.remove_suffix(1);
  return word;
}

Keyword keyword_of(std::string_view word) {
  if (word.empty()) return Keyword::none;
  const char first = word.front();
  if (first < 'e' || first > 'x') return Keyword::none;
  word = without_colons(word);
  for (const KeywordName& known : keyword_names) {
    if (word == known.name) return known.keyword;
  }
  return Keyword::none;
}

/// True if a line that begins with `start`, which has no line end yet, can become a directive.
bool may_become_directive(std::string_view start) {
  if (start.size() > max_line_bytes) return false;
  const std::size_t space = find_space(start);
  const std::string_view word = start.substr(0, space);
  if (space != start.npos) return keyword_of(word) != Keyword::none;
  const std::string_view bare = without_colons(word);
  for (const KeywordName& known : keyword_names) {
    if (bare.size() == word.size() ? known.name.starts_with(bare) : known.name == bare) return true;
  }
  return false;
}

/// True for what a `progress:` directive may say: push, pop, or a number with an optional sign.
bool is_progress(std::string_view argument) {
  argument = trimmed(argument);
  if (argument.empty()) return false;
  if (argument == "push" || argument == "pop") return true;
  if (argument.front() == '+' || argument.front() == '-') argument.remove_prefix(1);
  return !argument.empty() && argument.find_first_not_of("0123456789") == argument.npos;
}

/// A run of program text inside the bytes at hand, reported in one piece.
class TextRun {
 public:
  TextRun(EventSink& sink, std::string_view bytes) : sink_(sink), bytes_(bytes) {}
  void extend(std::size_t from, std::size_t to) {
    if (begin_ == end_) begin_ = from;
    end_ = to;
  }
  void flush() {
    report_text(sink_, bytes_.substr(begin_, end_ - begin_));
    begin_ = end_ = 0;
  }

 private:
  EventSink& sink_;
  std::string_view bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

std::size_t V1Parser::consume(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const State before = state_;
    const std::string_view rest = bytes.substr(at);
    const std::size_t used = state_ == State::details ? consume_details(rest) : consume_lines(rest);
    at += used;
    if (state_ == before) break;  // nothing but an incomplete line is left
  }
  return at;
}

std::size_t V1Parser::consume_lines(std::string_view bytes) {
  TextRun text(sink_, bytes);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t newline = bytes.find('\n', at);
    if (newline == bytes.npos) {
      if (text_line_open_ || !may_become_directive(bytes.substr(at))) {
        text_line_open_ = true;
        text.extend(at, bytes.size());
        at = bytes.size();
      }
      break;
    }
    const std::string_view line = bytes.substr(at, newline + 1 - at);
    const std::size_t line_start = at;
    at = newline + 1;
    if (text_line_open_) {
      text_line_open_ = false;
      text.extend(line_start, at);
      continue;
    }
    const std::size_t space = find_space(line);  // there is one: the line end
    if (line.size() > max_line_bytes || keyword_of(line.substr(0, space)) == Keyword::none) {
      text.extend(line_start, at);
      continue;
    }
    text.flush();
    if (!directive(line)) {
      text.extend(line_start, at);
      continue;
    }
    directive_seen_ = true;
    if (state_ == State::details) return at;
  }
  text.flush();
  return at;
}

std::size_t V1Parser::consume_details(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::size_t used = 0;
    const V1Details::Result result = section_.consume(bytes.substr(at), used);
    at += used;
    if (result == V1Details::Result::need_more) break;
    if (result == V1Details::Result::damaged) {
      report_damage(sink_, section_.damaged_line(), section_.damage_message());
      continue;
    }
    end_test();
    break;
  }
  return at;
}

bool V1Parser::directive(std::string_view line) {
  const std::size_t space = find_space(line);
  if (space == line.npos || trimmed(line.substr(space)).empty()) return false;
  const std::string_view argument = line.substr(space + 1);
  // The last byte is the line end. On a last line without one the reference cuts off a byte all the same.
  const std::string_view name = argument.substr(0, argument.size() - 1);
  switch (keyword_of(line.substr(0, space))) {
    case Keyword::none:
      return false;
    case Keyword::test:
      if (state_ != State::outside) return false;
      start_test(name);
      return true;
    case Keyword::success:
      return outcome(Status::success, "success", name);
    case Keyword::failure:
      return outcome(Status::fail, "failure", name);
    case Keyword::error:
      return outcome(Status::fail, "error", name);
    case Keyword::skip:
      return outcome(Status::skip, "skip", name);
    case Keyword::xfail:
      return outcome(Status::xfail, "xfail", name);
    case Keyword::uxsuccess:
      return outcome(Status::uxsuccess, "uxsuccess", name);
    case Keyword::tags:
      if (state_ == State::in_test) {
        if (!local_tags_in_use_) local_tags_.assign(global_tags_);
        local_tags_in_use_ = true;
        local_tags_.change(argument);
      } else {
        global_tags_.change(argument);
      }
      return true;
    case Keyword::time: {
      const std::optional<Timestamp> time = parse_iso_time(name);
      if (time) time_ = time;
      return time.has_value();
    }
    case Keyword::progress:
      return is_progress(argument);
  }
  return false;
}

void V1Parser::start_test(std::string_view name) {
  state_ = State::in_test;
  name_ = name;
  id_ = name_;
  if (!check_utf8(name_).complete()) {
    id_replacement_ = replace_invalid_utf8(name_);
    id_ = id_replacement_;
  }
  status_ = Status::none;
  local_tags_in_use_ = false;
  Event event = test_event();
  event.status = Status::inprogress;
  sink_.on_event(event);
}

bool V1Parser::outcome(Status status, const char* label, std::string_view name) {
  if (state_ != State::in_test || !name.starts_with(name_)) return false;
  const std::string_view marker = name.substr(name_.size());
  status_ = status;
  label_ = label;
  if (marker.empty()) {
    section_.begin(V1Details::Kind::multipart, false);
    end_test();
    return true;
  }
  if (marker != " [" && marker != " [ multipart") return false;
  simple_details_ = marker == " [";
  section_.begin(simple_details_ ? V1Details::Kind::simple : V1Details::Kind::multipart, details_wanted_);
  state_ = State::details;
  return true;
}

void V1Parser::end_test() {
  Event event = test_event();
  for (const V1Details::Part& part : section_.parts()) {
    event.eof = true;
    event.file_name = part.name;
    event.mime_type = part.mime_type;
    if (simple_details_) {
      const bool plain = status_ == Status::skip || status_ == Status::success;
      event.file_name = status_ == Status::skip ? "reason" : plain ? "message" : "traceback";
      event.mime_type = plain ? "text/plain" : "text/x-traceback; charset=\"utf8\"";
    }
    event.file_bytes = section_.bytes_of(part);
    sink_.on_event(event);
  }
  event = test_event();
  event.status = status_;
  event.tags = tags().view();
  sink_.on_event(event);
  state_ = State::outside;
  local_tags_in_use_ = false;
}

void V1Parser::lost_connection() {
  const std::string in_report =
      state_ == State::details ? fmt::format("{} report of ", label_) : std::string();
  const std::string message = fmt::format(
      "testtools.testresult.real._StringException: lost connection during {}test '{}'\n", in_report, id_);
  Event event = test_event();
  event.eof = true;
  event.file_name = "traceback";
  event.mime_type = "text/x-traceback; charset=\"utf8\"; language=\"python\"";
  if (details_wanted_) event.file_bytes = message;
  sink_.on_event(event);
  event = test_event();
  event.status = Status::fail;
  event.tags = tags().view();
  sink_.on_event(event);
  state_ = State::outside;
}

void V1Parser::finish(std::string_view rest) {
  if (!rest.empty() && state_ != State::details && !directive(rest)) report_text(sink_, rest);
  if (state_ != State::outside) lost_connection();
}

Event V1Parser::test_event() const {
  Event event;
  event.test_id = id_;
  event.timestamp = time_;
  return event;
}

}  // namespace flakebisect::repo_reader
