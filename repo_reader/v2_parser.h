#pragma once

/// Parser of subunit v2 bytes. Used through StreamDecoder.

#include <cstddef>
#include <string_view>
#include <vector>

#include "repo_reader/subunit_event.h"
#include "repo_reader/text_boundary.h"

namespace flakebisect::repo_reader {

class V2Parser {
 public:
  V2Parser(EventSink& sink, bool details) : sink_(sink), details_(details) {}

  /// Parses what is complete and returns how many bytes that took. The caller presents the rest again,
  /// followed by what came after it.
  std::size_t consume(std::string_view bytes);

  /// True if a signature byte, coming next, would begin a packet.
  bool expects_packet() const { return boundary_.at_boundary(); }

  /// End of the stream; `rest` is what consume() left.
  void finish(std::string_view rest);

 private:
  /// Length of the packet at the start of `bytes` (at least 1), having reported it; 0 if it is incomplete.
  std::size_t packet(std::string_view bytes);
  void body(std::string_view packet, std::size_t length_bytes);

  EventSink& sink_;
  bool details_;
  TextBoundary boundary_;
  std::vector<std::string_view> tags_;
};

/// True if `bytes`, which begin with a signature, look like a packet that the encoder would write: version 2,
/// no reserved flag, a length of 8 bytes or more. `unsure` is set where more bytes are needed to tell.
bool plausible_v2_packet(std::string_view bytes, bool& unsure);

}  // namespace flakebisect::repo_reader
