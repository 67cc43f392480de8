/// Failures in other languages: the stacks of JavaScript, Java, Go, Rust and sanitizers, and the "file:line:"
/// that most test libraries of C and C++ print.

#include <algorithm>
#include <array>
#include <cctype>

#include "analyzer/signature_frames.h"

namespace flakebisect::analyzer {

namespace {

constexpr std::array<std::string_view, 26> source_endings = {
    ".c",  ".cc",  ".cpp", ".cxx", ".h",  ".hpp",  ".hh", ".m",  ".mm", ".go", ".js",    ".mjs", ".cjs",
    ".ts", ".tsx", ".jsx", ".rs",  ".rb", ".java", ".kt", ".cs", ".py", ".pl", ".swift", ".php", ".scala"};

bool is_source_file(std::string_view name) {
  return std::any_of(source_endings.begin(), source_endings.end(), [&](std::string_view ending) {
    return name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending;
  });
}

bool is_path_char(char c) {
  return c != ' ' && c != '(' && c != ')' && c != '\'' && c != '"' && c != '`' && c != ',' && c != ':' &&
         c != '<';
}

struct Found {
  Frame frame;
  std::size_t start = 0;  ///< of the path in the line
  std::size_t end = 0;    ///< behind the line number
};

/// The first "path.ext:12" or "path.ext(12" in a line.
std::optional<Found> find_location(std::string_view line) {
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] != ':' && line[at] != '(') continue;
    auto rest = line.substr(at + 1);
    const auto number = take_number(rest);
    if (!number) continue;
    std::size_t start = at;
    while (start > 0 && is_path_char(line[start - 1]) && line[start - 1] != '\t') --start;
    auto path = line.substr(start, at - start);
    if (starts_with(path, "file://")) path.remove_prefix(7);
    if (!is_source_file(path)) continue;
    return Found{{std::string(path), *number, {}, {}}, start, line.size() - rest.size()};
  }
  return std::nullopt;
}

/// "at function (path:1:2)", "at path:1:2", "at Class.method(File.java:1)"
std::optional<Frame> parse_at_frame(std::string_view line) {
  line = trim(line);
  if (!starts_with(line, "at ")) return std::nullopt;
  auto found = find_location(line);
  if (!found) return std::nullopt;
  auto function = line.substr(3, found->start > 3 ? found->start - 3 : 0);
  while (!function.empty() && (function.back() == '(' || function.back() == ' ')) function.remove_suffix(1);
  if (starts_with(function, "async ")) function.remove_prefix(6);
  if (starts_with(function, "file://")) function = {};
  found->frame.function = function;
  return found->frame;
}

/// "#1 0x55e in function /path/file.cc:12:3", as sanitizers and debuggers write frames.
std::optional<Frame> parse_numbered_frame(std::string_view line) {
  line = trim(line);
  if (!starts_with(line, "#") || line.size() < 2 || std::isdigit(static_cast<unsigned char>(line[1])) == 0)
    return std::nullopt;
  auto found = find_location(line);
  if (!found) return std::nullopt;
  if (const auto in = line.find(" in "); in != std::string_view::npos && in + 4 < found->start)
    found->frame.function = trim(line.substr(in + 4, found->start - in - 4));
  return found->frame;
}

/// `File "path", line 12 in function`, as Python's faulthandler writes frames, innermost first.
std::optional<Frame> parse_fault_frame(std::string_view line) {
  if (!starts_with(line, "File \"")) return std::nullopt;
  const auto quote = line.find("\", line ");
  if (quote == std::string_view::npos) return std::nullopt;
  Frame frame;
  frame.file = line.substr(6, quote - 6);
  line.remove_prefix(quote + 8);
  const auto number = take_number(line);
  if (!number) return std::nullopt;
  frame.line = *number;
  if (starts_with(line, " in ")) frame.function = line.substr(4);
  return frame;
}

/// The name behind `mark`, up to a space or one of the given ends.
std::string word_after(std::string_view line, std::string_view mark, std::string_view ends = " ") {
  const auto at = line.find(mark);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + mark.size());
  return std::string(line.substr(0, line.find_first_of(ends)));
}

/// The kind of failure that a line announces, where it is of a form that has one.
std::string announced(std::string_view line) {
  if (starts_with(line, "panic: ")) return "panic";
  if (line.find(" panicked at ") != std::string_view::npos) return "panic";
  if (starts_with(line, "Timeout (")) return "Timeout";
  if (starts_with(line, "Fatal Python error: ")) return std::string(line.substr(0, 80));
  if (auto type = word_after(line, "terminate called after throwing an instance of '", "'"); !type.empty())
    return type;
  for (const std::string_view sanitizer :
       {"AddressSanitizer", "ThreadSanitizer", "MemorySanitizer", "LeakSanitizer"})
    if (line.find(sanitizer) != std::string_view::npos && line.find(": ") != std::string_view::npos) {
      const auto what = word_after(line, std::string(sanitizer) + ": ");
      return std::string(sanitizer) + (what.empty() ? "" : ": " + what);
    }
  if (line.find(": Assertion `") != std::string_view::npos ||
      line.find("Assertion failed: ") != std::string_view::npos)
    return "assertion";
  return {};
}

/// A line that names an exception as JavaScript and Java do, and is not any line with a colon.
std::optional<ExceptionLine> parse_thrown(std::string_view line) {
  for (const std::string_view lead : {"Exception in thread \"main\" ", "Uncaught ", "Unhandled exception: "})
    if (starts_with(line, lead)) line.remove_prefix(lead.size());
  auto named = parse_exception_line(line);
  if (!named) return std::nullopt;
  for (const std::string_view word : {"Error", "Exception", "Failure", "Failed", "Throwable"})
    if (named->type.size() >= word.size() && named->type.substr(named->type.size() - word.size()) == word)
      return named;
  return std::nullopt;
}

/// What follows a line number: ":5: text" or ": text" or "): text" gives "text".
std::string_view without_column(std::string_view rest) {
  while (!rest.empty() && (rest[0] == ':' || rest[0] == ')' || rest[0] == ' ')) {
    rest.remove_prefix(1);
    if (auto after = rest; take_number(after) && starts_with(after, ":")) rest = after;
  }
  return rest;
}

/// Where some locations say what was checked, the others are only the headings of tests.
void keep_checks(std::vector<Frame>& locations) {
  const auto no_source = [](const Frame& frame) { return frame.source.empty(); };
  if (std::all_of(locations.begin(), locations.end(), no_source)) return;
  locations.erase(std::remove_if(locations.begin(), locations.end(), no_source), locations.end());
}

}  // namespace

ParsedFailure parse_other_failure(const std::vector<std::string_view>& lines) {
  ParsedFailure failure;
  std::vector<Frame> stack;      // "at" and numbered frames, innermost first as they stand
  std::vector<Frame> locations;  // any other "file:line"
  std::string first_line;
  std::string function_above;  // Go names the function on the line before the place
  bool stack_ended = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = lines[i];
    const auto text = trim(line);
    if (text.empty()) {
      // The first stack is the failure's; those of other threads and goroutines come after it.
      if (!stack.empty()) stack_ended = true;
      continue;
    }
    if (first_line.empty()) first_line = text;
    if (failure.message.empty() && starts_with(text, "what():")) failure.message = trim(text.substr(7));
    if (starts_with(text, "Caused by: ") && !stack.empty()) stack_ended = true;
    if (failure.exception.empty()) failure.exception = announced(text);
    if (failure.exception.empty())
      if (auto thrown = parse_thrown(text)) {
        failure.exception = std::move(thrown->type);
        failure.message = std::move(thrown->message);
      }
    auto frame = parse_at_frame(text);
    if (!frame) frame = parse_numbered_frame(text);
    if (!frame) frame = parse_fault_frame(text);
    if (frame) {
      if (!stack_ended) stack.push_back(std::move(*frame));
      continue;
    }
    if (auto found = find_location(line)) {
      const auto rest = trim(line.substr(found->end));
      if (line[0] == '\t' && !function_above.empty()) {
        found->frame.function = function_above.substr(0, function_above.rfind('('));
        if (!stack_ended) stack.push_back(std::move(found->frame));
        continue;
      }
      // "test.cc:12: Failure", "test.cpp:12: FAILED:" with what was checked on the next line.
      const auto verdict = without_column(rest);
      if (starts_with(verdict, "Failure") || starts_with(verdict, "FAILED")) {
        if (failure.exception.empty()) failure.exception = "failed check";
        for (std::size_t next = i + 1; next < lines.size() && found->frame.source.empty(); ++next)
          found->frame.source = trim(lines[next]);
      }
      if (failure.message.empty())
        failure.message = verdict.empty() && i + 1 < lines.size() ? trim(lines[i + 1]) : verdict;
      locations.push_back(std::move(found->frame));
    }
    function_above = text;
  }
  std::reverse(stack.begin(), stack.end());
  // The first location is where the first check failed: innermost last, so it goes last.
  keep_checks(locations);
  std::reverse(locations.begin(), locations.end());
  if (!stack.empty()) failure.stacks.push_back(std::move(stack));
  failure.stacks.push_back(std::move(locations));
  if (failure.message.empty()) failure.message = first_line;
  if (failure.exception.empty()) failure.exception = "failure";
  return failure;
}

}  // namespace flakebisect::analyzer
