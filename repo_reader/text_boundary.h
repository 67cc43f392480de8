#pragma once

/// Where a v2 packet may begin in text: at a signature byte that is no part of a character.

#include <cstddef>
#include <string_view>

#include "repo_reader/utf8.h"

namespace flakebisect::repo_reader {

/// Follows text between packets the way the reference does, quirk included: after a byte that cannot continue
/// the character begun before, the decoder counts as being at a boundary, yet still remembers the beginning.
class TextBoundary {
 public:
  /// True where a signature byte begins a packet.
  bool at_boundary() const { return !inside_character_; }

  /// Length of the text before the next signature at a boundary; all of `bytes` if there is none.
  std::size_t scan(std::string_view bytes);

 private:
  void follow(std::string_view bytes);

  Utf8State state_ = utf8_boundary;
  bool inside_character_ = false;
};

}  // namespace flakebisect::repo_reader
