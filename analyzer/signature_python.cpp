/// Python tracebacks as the interpreter, unittest and testtools write them.

#include <algorithm>

#include "analyzer/signature_frames.h"

namespace flakebisect::analyzer {

namespace {

/// Takes the margin off a line of an exception group: "  | text", "  + text" at the group's own depth.
std::string_view without_group_margin(std::string_view line) {
  if (starts_with(line, "  | ") || starts_with(line, "  + ")) return line.substr(4);
  if (line == "  |") return {};
  return line;
}

bool is_header(std::string_view line) {
  return line == "Traceback (most recent call last):" ||
         line == "Exception Group Traceback (most recent call last):";
}

/// `  File "path", line 3, in function`
std::optional<Frame> parse_file_line(std::string_view line) {
  line = trim(line);
  if (!starts_with(line, "File \"")) return std::nullopt;
  line.remove_prefix(6);
  const auto quote = line.rfind("\", line ");
  if (quote == std::string_view::npos) return std::nullopt;
  Frame frame;
  frame.file = line.substr(0, quote);
  line.remove_prefix(quote + 8);
  const auto number = take_number(line);
  if (!number) return std::nullopt;
  frame.line = *number;
  if (starts_with(line, ", in ")) frame.function = line.substr(5);
  return frame;
}

bool is_marker(std::string_view line) {
  line = trim(line);
  return !line.empty() &&
         std::all_of(line.begin(), line.end(), [](char c) { return c == '^' || c == '~' || c == ' '; });
}

/// One traceback from its header on. `at` ends behind its exception line.
struct Block {
  std::vector<Frame> frames;
  std::string exception;
  std::string message;
};

Block parse_block(const std::vector<std::string_view>& lines, std::size_t& at) {
  Block block;
  bool may_have_source = false;
  for (++at; at < lines.size(); ++at) {
    const auto line = without_group_margin(lines[at]);
    if (is_header(line)) return block;
    if (line.empty()) continue;
    if (line[0] != ' ') {
      // The first line at the margin names the exception; what follows is its message, whatever it looks
      // like.
      ++at;
      if (auto named = parse_exception_line(line)) {
        block.exception = std::move(named->type);
        block.message = std::move(named->message);
      } else {
        block.exception = line;
      }
      return block;
    }
    if (auto frame = parse_file_line(line)) {
      block.frames.push_back(std::move(*frame));
      may_have_source = true;
    } else if (may_have_source && !is_marker(line) && !starts_with(trim(line), "[Previous line repeated")) {
      block.frames.back().source = trim(line);
      may_have_source = false;
    }
  }
  return block;
}

/// testtools shows details as "name: {{{", text, "}}}": those lines are not the failure unless their name
/// says so.
std::vector<bool> detail_lines(const std::vector<std::string_view>& lines) {
  std::vector<bool> inside(lines.size());
  bool open = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = trim(lines[i]);
    const bool opens = !open && line.size() > 5 && line.substr(line.size() - 5) == ": {{{";
    inside[i] = open || opens;
    if (opens) open = true;
    if (open && line == "}}}") open = false;
  }
  return inside;
}

}  // namespace

std::optional<ParsedFailure> parse_python_traceback(const std::vector<std::string_view>& lines) {
  const auto inside = detail_lines(lines);
  const auto find_header = [&](bool in_details) {
    for (std::size_t i = 0; i < lines.size(); ++i)
      if ((in_details || !inside[i]) && is_header(without_group_margin(lines[i]))) return i;
    return lines.size();
  };
  auto at = find_header(false);
  if (at == lines.size()) at = find_header(true);
  if (at == lines.size()) return std::nullopt;
  ParsedFailure failure;
  while (true) {
    auto block = parse_block(lines, at);
    failure.exception = std::move(block.exception);
    failure.message = std::move(block.message);
    failure.stacks.insert(failure.stacks.begin(), std::move(block.frames));
    // Another traceback belongs to this failure only where the interpreter says that it was chained.
    bool chained = false;
    for (; at < lines.size(); ++at) {
      const auto line = without_group_margin(lines[at]);
      if (is_chain(line)) chained = true;
      if (is_header(line)) break;
    }
    if (!chained || at >= lines.size()) return failure;
  }
}

}  // namespace flakebisect::analyzer
