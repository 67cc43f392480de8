#include "analyzer/report_escape.h"

#include <fmt/format.h>

#include <cstdint>

namespace flakebisect::analyzer {

namespace {

struct Decoded {
  std::uint32_t code = 0;
  std::size_t length = 0;  ///< 0: not UTF-8
};

/// The code point at the start of `text`, which is not empty. Overlong forms, surrogates and code points
/// beyond U+10FFFF are refused, as RFC 3629 wants it.
Decoded decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t length = 0;
  std::uint32_t code = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
    code = first & 0x1FU;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    code = first & 0x0FU;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    code = first & 0x07U;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  if (length == 3 && code < 0x800) return {};
  if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return {};
  if (code >= 0xD800 && code <= 0xDFFF) return {};
  return {code, length};
}

/// Characters that no reader sees but that change what the others look like, or how they are read.
bool is_invisible(std::uint32_t code) {
  return (code >= 0x80 && code <= 0x9F)                           // C1 controls: some terminals obey them
         || code == 0xAD || code == 0x61C                         // soft hyphen, Arabic letter mark
         || code == 0x180E                                        // Mongolian vowel separator
         || (code >= 0x200B && code <= 0x200F)                    // zero-width characters, direction marks
         || (code >= 0x2028 && code <= 0x202E)                    // line separators, embeddings and overrides
         || (code >= 0x2060 && code <= 0x206F)                    // word joiner, isolates
         || code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFB)  // byte order mark, annotations
         || (code & 0xFFFEU) == 0xFFFE                            // noncharacters, which XML forbids in part
         || (code >= 0xFDD0 && code <= 0xFDEF) || (code >= 0xE0000 && code <= 0xE007F);  // tags
}

std::string visible(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  std::size_t column = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\n') {
      out += keep_lines ? "\n" : "\\n";
      column = 0;
      ++at;
      continue;
    }
    if (keep_lines && c == '\r' && at + 1 < text.size() && text[at + 1] == '\n') {
      ++at;
      continue;
    }
    if (keep_lines && c == '\t') {
      const std::size_t spaces = 8 - column % 8;
      out.append(spaces, ' ');
      column += spaces;
      ++at;
      continue;
    }
    const auto decoded = decode_utf8(text.substr(at));
    std::string piece;
    if (decoded.length == 0) {
      piece = fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else if (c == '\t') {
      piece = "\\t";
    } else if (c == '\r') {
      piece = "\\r";
    } else if (decoded.code < 0x20 || decoded.code == 0x7F) {
      piece = fmt::format("\\x{:02x}", decoded.code);
    } else if (is_invisible(decoded.code)) {
      piece = decoded.code > 0xFFFF ? fmt::format("\\U{:08x}", decoded.code)
                                    : fmt::format("\\u{:04x}", decoded.code);
    } else {
      piece = text.substr(at, decoded.length);
    }
    column += decoded.length > 1 && piece.size() == decoded.length ? 1 : piece.size();
    out += piece;
    at += decoded.length == 0 ? 1 : decoded.length;
  }
  return out;
}

}  // namespace

std::string visible_line(std::string_view text) {
  return visible(text, false);
}

std::string visible_text(std::string_view text) {
  return visible(text, true);
}

std::string visible_command(std::string_view text) {
  std::string out;
  while (true) {
    const auto end = text.find('\n');
    out += visible_line(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string escape_markup(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace flakebisect::analyzer
