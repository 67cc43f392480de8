/// Failures in pytest's own styles. Long: the source with ">" at the line that raised and "E" lines below it,
/// then "path:12: Type". Short: "path:12: in function", the source, "E" lines. Line: "path:12: Type:
/// message".

#include <cctype>

#include "analyzer/signature_frames.h"

namespace flakebisect::analyzer {

namespace {

struct Location {
  std::string file;
  std::uint64_t line = 0;
  std::string_view rest;
};

/// "path.py:12: rest"
std::optional<Location> parse_location(std::string_view line) {
  const auto at = line.find(".py:");
  if (at == std::string_view::npos || line[0] == ' ') return std::nullopt;
  Location location;
  location.file = line.substr(0, at + 3);
  auto rest = line.substr(at + 4);
  const auto number = take_number(rest);
  if (!number || !starts_with(rest, ":")) return std::nullopt;
  location.line = *number;
  location.rest = trim(rest.substr(1));
  return location;
}

/// The function that a line of shown source defines; empty where it defines none.
std::string_view defined_function(std::string_view source) {
  for (const std::string_view def : {"def ", "async def "})
    if (starts_with(source, def)) return source.substr(def.size(), source.find('(') - def.size());
  return {};
}

class PytestParser {
 public:
  std::optional<ParsedFailure> parse(const std::vector<std::string_view>& lines) {
    out_.stacks.emplace_back();
    for (const auto line : lines) {
      if (line == "Traceback (most recent call last):" && !error_seen_) return std::nullopt;
      if (starts_with(line, "---") && line.find(" Captured ") != std::string_view::npos) break;
      if (starts_with(line, "===") && line.find(" FAILURES ") != std::string_view::npos) listed_ = true;
      // The line style has nothing but its location lines: the first of them is the failure.
      if (listed_ && !error_seen_ && take_line_style(line)) return out_;
      take(line);
    }
    if (!error_seen_ || out_.stacks.front().empty()) return std::nullopt;
    // A plain assert shows "E   assert 1 == 2" and, in the short style, no type.
    if (out_.exception.empty()) out_.exception = "AssertionError";
    return out_;
  }

 private:
  bool take_line_style(std::string_view line) {
    const auto location = parse_location(line);
    if (!location || starts_with(location->rest, "in ") || location->rest.empty()) return false;
    const auto named = parse_exception_line(location->rest);
    const bool plain_assert = starts_with(location->rest, "assert ");
    // In the long style only the type stands there, below its E lines.
    if (!plain_assert && (!named || named->message.empty())) return false;
    out_.exception = plain_assert ? "AssertionError" : named->type;
    out_.message = plain_assert ? std::string(location->rest) : named->message;
    out_.stacks.front().push_back({location->file, location->line, {}, {}});
    return true;
  }

  void take(std::string_view line) {
    if (is_chain(trim(line))) {
      out_.exception.clear();
      out_.message.clear();
      out_.stacks.insert(out_.stacks.begin(), std::vector<Frame>());
      error_seen_ = false;
    } else if (starts_with(line, "E  ")) {
      take_error(trim(line.substr(1)));
    } else if (starts_with(line, ">")) {
      source_ = trim(line.substr(1));
    } else if (!line.empty() && line[0] == ' ') {
      if (source_pending_) out_.stacks.front().back().source = trim(line);
      source_pending_ = false;
      if (const auto name = defined_function(trim(line)); !name.empty()) function_ = name;
    } else if (const auto location = parse_location(line)) {
      take_location(*location);
    }
  }

  void take_error(std::string_view text) {
    source_pending_ = false;
    if (error_seen_) return;
    error_seen_ = true;
    if (auto named = parse_exception_line(text)) {
      out_.exception = std::move(named->type);
      out_.message = std::move(named->message);
    } else {
      out_.message = text;
    }
  }

  void take_location(const Location& location) {
    Frame frame{location.file, location.line, function_, source_};
    source_pending_ = starts_with(location.rest, "in ");
    if (source_pending_) {
      frame.function = location.rest.substr(3);
      frame.source.clear();
    } else if (out_.exception.empty()) {
      if (const auto named = parse_exception_line(location.rest)) out_.exception = named->type;
    }
    source_.clear();
    out_.stacks.front().push_back(std::move(frame));
  }

  ParsedFailure out_;
  std::string function_;
  std::string source_;
  bool error_seen_ = false;
  bool listed_ = false;
  bool source_pending_ = false;
};

}  // namespace

std::optional<ParsedFailure> parse_pytest_failure(const std::vector<std::string_view>& lines) {
  return PytestParser().parse(lines);
}

}  // namespace flakebisect::analyzer
