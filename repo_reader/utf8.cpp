#include "repo_reader/utf8.h"

#include <cstdint>
#include <cstring>

namespace flakebisect::repo_reader {
namespace {

// States name what may follow: how many continuation bytes, and the range of the next one where it is
// narrower than 80..BF (Unicode standard, table 3-7).
enum : Utf8State {
  boundary = utf8_boundary,
  one_more = 1,
  two_more = 2,
  three_more = 3,
  after_e0 = 4,  // A0..BF, then one more
  after_ed = 5,  // 80..9F, then one more
  after_f0 = 6,  // 90..BF, then two more
  after_f4 = 7,  // 80..8F, then two more
};

constexpr bool between(unsigned char byte, unsigned char low, unsigned char high) {
  return byte >= low && byte <= high;
}

}  // namespace

Utf8State utf8_step(Utf8State state, unsigned char byte) {
  switch (state) {
    case boundary:
      if (byte < 0x80) return boundary;
      if (between(byte, 0xC2, 0xDF)) return one_more;
      if (byte == 0xE0) return after_e0;
      if (byte == 0xED) return after_ed;
      if (between(byte, 0xE1, 0xEF)) return two_more;
      if (byte == 0xF0) return after_f0;
      if (between(byte, 0xF1, 0xF3)) return three_more;
      if (byte == 0xF4) return after_f4;
      return utf8_invalid;
    case one_more:
      return between(byte, 0x80, 0xBF) ? Utf8State{boundary} : utf8_invalid;
    case two_more:
      return between(byte, 0x80, 0xBF) ? Utf8State{one_more} : utf8_invalid;
    case three_more:
      return between(byte, 0x80, 0xBF) ? Utf8State{two_more} : utf8_invalid;
    case after_e0:
      return between(byte, 0xA0, 0xBF) ? Utf8State{one_more} : utf8_invalid;
    case after_ed:
      return between(byte, 0x80, 0x9F) ? Utf8State{one_more} : utf8_invalid;
    case after_f0:
      return between(byte, 0x90, 0xBF) ? Utf8State{two_more} : utf8_invalid;
    case after_f4:
      return between(byte, 0x80, 0x8F) ? Utf8State{two_more} : utf8_invalid;
    default:
      return utf8_invalid;
  }
}

bool is_ascii(std::string_view text) {
  const char* at = text.data();
  std::size_t left = text.size();
  constexpr std::uint64_t top_bits = 0x8080808080808080U;
  std::uint64_t word = 0;
  for (; left >= sizeof word; at += sizeof word, left -= sizeof word) {
    std::memcpy(&word, at, sizeof word);
    if ((word & top_bits) != 0) return false;
  }
  unsigned char rest = 0;
  for (; left > 0; ++at, --left) rest = static_cast<unsigned char>(rest | static_cast<unsigned char>(*at));
  return rest < 0x80;
}

Utf8Check check_utf8(std::string_view text) {
  if (is_ascii(text)) return {};
  Utf8State state = boundary;
  std::size_t character_start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (state == boundary) character_start = i;
    state = utf8_step(state, static_cast<unsigned char>(text[i]));
    if (state == utf8_invalid) return {false, 0};
  }
  return {true, state == boundary ? 0 : text.size() - character_start};
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t start = 0;
  Utf8State state = boundary;
  for (std::size_t i = 0; i < text.size();) {
    if (state == boundary) start = i;
    const Utf8State next = utf8_step(state, static_cast<unsigned char>(text[i]));
    if (next == utf8_invalid) {
      out += "\xEF\xBF\xBD";
      if (state == boundary) ++i;  // else: this byte may begin a character of its own
      state = boundary;
      continue;
    }
    state = next;
    ++i;
    if (state == boundary) out.append(text.substr(start, i - start));
  }
  if (state != boundary) out += "\xEF\xBF\xBD";
  return out;
}

}  // namespace flakebisect::repo_reader
