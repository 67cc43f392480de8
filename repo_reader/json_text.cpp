#include "repo_reader/json_text.h"

#include <fmt/format.h>

#include "repo_reader/utf8.h"

namespace flakebisect::repo_reader {

std::string json_string(std::string_view text) {
  std::string replaced;
  if (!check_utf8(text).complete()) {
    replaced = replace_invalid_utf8(text);
    text = replaced;
  }
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace flakebisect::repo_reader
