#include "analyzer/signature_frames.h"

#include <cctype>

namespace flakebisect::analyzer {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool is_chain(std::string_view line) {
  return line == "During handling of the above exception, another exception occurred:" ||
         line == "The above exception was the direct cause of the following exception:";
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::size_t digits = 0;
  std::uint64_t number = 0;
  while (digits < text.size() && digits < 18 && text[digits] >= '0' && text[digits] <= '9')
    number = number * 10 + static_cast<std::uint64_t>(text[digits++] - '0');
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

std::optional<ExceptionLine> parse_exception_line(std::string_view line) {
  line = trim(line);
  std::size_t end = 0;
  while (end < line.size() && (is_word(line[end]) || line[end] == '.' || line[end] == '$')) ++end;
  // Classes that are made in a function have a name such as "tests.test_x.make.<locals>.Error".
  for (constexpr std::string_view locals = "<locals>"; line.substr(end, locals.size()) == locals;) {
    end += locals.size();
    while (end < line.size() && (is_word(line[end]) || line[end] == '.')) ++end;
  }
  if (end == 0 || std::isdigit(static_cast<unsigned char>(line[0])) != 0) return std::nullopt;
  if (end < line.size() && line[end] != ':') return std::nullopt;
  ExceptionLine out;
  out.type = line.substr(0, end);
  if (end < line.size()) out.message = trim(line.substr(end + 1));
  return out;
}

}  // namespace flakebisect::analyzer
