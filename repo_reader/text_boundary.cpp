#include "repo_reader/text_boundary.h"

#include "repo_reader/v2_wire.h"

namespace flakebisect::repo_reader {

std::size_t TextBoundary::scan(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t signature = bytes.find(wire::signature, at);
    if (signature == bytes.npos) {
      follow(bytes.substr(at));
      return bytes.size();
    }
    follow(bytes.substr(at, signature - at));
    if (at_boundary()) return signature;
    follow(bytes.substr(signature, 1));
    at = signature + 1;
  }
  return at;
}

void TextBoundary::follow(std::string_view bytes) {
  if (bytes.empty()) return;
  if (is_ascii(bytes)) {  // completes nothing that was begun, begins nothing
    inside_character_ = false;
    return;
  }
  for (char byte : bytes) {
    const Utf8State next = utf8_step(state_, static_cast<unsigned char>(byte));
    if (next == utf8_invalid) {
      inside_character_ = false;
    } else {
      state_ = next;
      inside_character_ = next != utf8_boundary;
    }
  }
}

}  // namespace flakebisect::repo_reader
