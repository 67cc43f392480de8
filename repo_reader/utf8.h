#pragma once

/// UTF-8 as the reference implementation's language checks it: no surrogates, no overlong forms, nothing
/// above U+10FFFF.

#include <cstddef>
#include <string>
#include <string_view>

namespace flakebisect::repo_reader {

/// State of a decoder between bytes. 0: at a character boundary.
using Utf8State = unsigned char;

inline constexpr Utf8State utf8_boundary = 0;
inline constexpr Utf8State utf8_invalid = 0xFF;

/// The state after one more byte, or utf8_invalid.
Utf8State utf8_step(Utf8State state, unsigned char byte);

struct Utf8Check {
  bool valid = true;          ///< no byte sequence that cannot be UTF-8
  std::size_t undecoded = 0;  ///< bytes of an incomplete character at the end (valid otherwise)
  bool complete() const { return valid && undecoded == 0; }
};

Utf8Check check_utf8(std::string_view text);

/// True if no byte has its top bit set.
bool is_ascii(std::string_view text);

/// The text with each maximal invalid part replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace flakebisect::repo_reader
