#include "repo_reader/config_toml.h"

#include <cstdint>
#include <utility>

#include "repo_reader/config.h"

namespace flakebisect::repo_reader {

namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view table, const std::string& name)
      : text_(text), table_(table), name_(name) {}

  std::map<std::string, TomlValue> read(bool& found) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    std::string prefix;
    for (;;) {
      skip_blank_lines();
      if (at_ >= text_.size()) break;
      if (peek() == '[') {
        prefix = header();
      } else {
        key_and_value(prefix);
      }
      skip_blanks();
      if (at_ < text_.size() && peek() != '\n' && peek() != '#' && !rest().starts_with("\r\n")) {
        fail("text behind a value");
      }
    }
    found = found_;
    return std::move(values_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(name_ + ":" + std::to_string(line()) + ": this is not TOML: " + what);
  }
  std::size_t line() const {
    std::size_t count = 1;
    for (const char c : text_.substr(0, at_)) count += c == '\n' ? 1 : 0;
    return count;
  }
  std::string_view rest() const { return text_.substr(at_); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char take() {
    if (at_ >= text_.size()) fail("the file ends too early");
    return text_[at_++];
  }
  void expect(char wanted) {
    if (take() != wanted) {
      --at_;
      fail(std::string("'") + wanted + "' is missing");
    }
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void skip_blank_lines() {
    for (;;) {
      while (at_ < text_.size() && std::string_view(" \t\r\n").find(peek()) != std::string_view::npos) ++at_;
      if (peek() != '#') return;
      while (at_ < text_.size() && peek() != '\n') ++at_;
    }
  }

  /// A key with its dots; parts are joined by dots, dots inside quoted parts become NUL so that they do not
  /// count.
  std::string key() {
    std::string joined;
    for (;;) {
      skip_blanks();
      std::string part;
      if (peek() == '"' || peek() == '\'') {
        part = text_value();
        for (char& c : part) c = c == '.' ? '\0' : c;
      } else {
        const auto bare = [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                 c == '-';
        };
        while (bare(peek())) part += take();
        if (part.empty()) fail("a key is missing");
      }
      joined += part;
      skip_blanks();
      if (peek() != '.') return joined;
      ++at_;
      joined += '.';
    }
  }

  std::string header() {
    expect('[');
    const bool array = peek() == '[';
    if (array) ++at_;
    std::string prefix = key();
    expect(']');
    if (array) {
      expect(']');
      prefix += "[]";  // no dotted key can name it
    } else if (prefix == table_) {
      found_ = true;
    }
    return prefix;
  }

  void key_and_value(const std::string& prefix) {
    const std::size_t key_line = line();
    std::string path = prefix;
    if (!path.empty()) path += '.';
    path += key();
    expect('=');
    skip_blanks();
    TomlValue parsed = value(path);
    parsed.line = key_line;
    if (path.size() <= table_.size() + 1 || !path.starts_with(table_) || path[table_.size()] != '.') return;
    const std::string name = path.substr(table_.size() + 1);
    found_ = true;
    if (name.find('.') != std::string::npos) return;
    if (!values_.emplace(name, std::move(parsed)).second) fail("'" + name + "' is set a second time");
  }

  TomlValue value(const std::string& path) {
    TomlValue parsed;
    if (peek() == '"' || peek() == '\'') {
      parsed.kind = TomlValue::Kind::text;
      parsed.text = text_value();
    } else if (peek() == '[') {
      array(path);
    } else if (peek() == '{') {
      inline_table(path);
    } else {
      std::string word;
      while (at_ < text_.size() && std::string_view(",]}#\r\n").find(peek()) == std::string_view::npos) {
        word += take();
      }
      word.erase(word.find_last_not_of(" \t") + 1);
      if (word.empty()) fail("a value is missing");
      if (word == "true" || word == "false") {
        parsed.kind = TomlValue::Kind::boolean;
        parsed.text = word;
      }
    }
    return parsed;
  }

  void array(const std::string& path) {
    if (++depth_ > 100) fail("values are nested too deep");
    expect('[');
    for (;;) {
      skip_blank_lines();
      if (peek() == ']') break;
      value(path + "[]");
      skip_blank_lines();
      if (peek() != ',') break;
      ++at_;
    }
    expect(']');
    --depth_;
  }

  void inline_table(const std::string& path) {
    if (++depth_ > 100) fail("values are nested too deep");
    expect('{');
    if (path == table_) found_ = true;
    skip_blank_lines();
    while (peek() != '}') {
      key_and_value(path);
      skip_blank_lines();
      if (peek() != ',') break;
      ++at_;
      skip_blank_lines();
    }
    expect('}');
    --depth_;
  }

  /// A string of any of the four kinds.
  std::string text_value() {
    const char quote = peek();
    const std::string triple(3, quote);
    const bool many_lines = rest().starts_with(triple);
    at_ += many_lines ? 3 : 1;
    if (many_lines) {
      if (rest().starts_with("\r\n")) ++at_;
      if (peek() == '\n') ++at_;
    }
    std::string contents;
    for (;;) {
      const char c = take();
      if (c == quote) {
        if (!many_lines) return contents;
        if (rest().starts_with(triple.substr(1))) {
          at_ += 2;
          // Up to two quotes may stand directly before the closing three.
          for (int extra = 0; extra < 2 && peek() == quote; ++extra) contents += take();
          return contents;
        }
        contents += c;
      } else if (c == '\\' && quote == '"') {
        escape(contents, many_lines);
      } else if (c == '\n' && !many_lines) {
        --at_;
        fail("a string is not closed");
      } else {
        contents += c;
      }
    }
  }

  void escape(std::string& contents, bool many_lines) {
    const char c = take();
    constexpr std::string_view letters = "btnfr\"\\";
    constexpr std::string_view meanings = "\b\t\n\f\r\"\\";
    if (const auto index = letters.find(c); index != std::string_view::npos) {
      contents += meanings[index];
    } else if (c == 'u' || c == 'U') {
      std::uint32_t code = 0;
      for (int i = 0; i < (c == 'u' ? 4 : 8); ++i) {
        const auto digit = std::string_view("0123456789abcdef").find(static_cast<char>(take() | 0x20));
        if (digit == std::string_view::npos) fail("\\" + std::string(1, c) + " without its digits");
        code = code * 16 + static_cast<std::uint32_t>(digit);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("an escape is no character");
      append_utf8(contents, code);
    } else if (many_lines && (c == '\n' || c == '\r' || c == ' ' || c == '\t')) {
      while (at_ < text_.size() && std::string_view(" \t\r\n").find(peek()) != std::string_view::npos) ++at_;
    } else {
      fail(std::string("unknown escape \\") + c);
    }
  }

  std::string_view text_;
  std::string_view table_;
  const std::string& name_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool found_ = false;
  std::map<std::string, TomlValue> values_;
};

}  // namespace

std::map<std::string, TomlValue> read_toml_table(std::string_view text, std::string_view table,
                                                 const std::string& name, bool& found) {
  return Reader(text, table, name).read(found);
}

}  // namespace flakebisect::repo_reader
