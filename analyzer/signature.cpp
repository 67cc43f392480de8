#include "analyzer/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>

#include "analyzer/report_escape.h"
#include "analyzer/signature_frames.h"

namespace flakebisect::analyzer {

namespace {

using Parts = std::vector<std::string_view>;

Parts split(std::string_view text, char separator) {
  Parts parts;
  while (true) {
    const auto end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string join(const Parts& parts, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < parts.size(); ++i) {
    if (i != from) out += '/';
    out += parts[i];
  }
  return out;
}

/// What a test id says about the file the test is in.
class OwnFile {
 public:
  explicit OwnFile(std::string_view id) {
    if (const auto colons = id.find("::"); colons != std::string_view::npos) {
      parts_ = split(id.substr(0, colons), '/');
      exact_ = true;
      return;
    }
    // "test_x (tests.module.Class)", as unittest's own words have it
    if (const auto open = id.find(" ("); open != std::string_view::npos && ends_with(id, ")"))
      id = id.substr(open + 2, id.size() - open - 3);
    // Scenarios and parameters follow the name: "tests.module.Class.test_x(scenario)", "...[parameter]"
    id = id.substr(0, id.find_first_of("([ "));
    parts_ = split(id, '.');
  }

  /// How many components of the path's end belong to the name of the test's module; 0 where the file is
  /// another.
  std::size_t match(const std::string& file) const {
    auto path = split(file, '/');
    if (!path.empty() && path.front() == ".") path.erase(path.begin());
    if (path.empty() || parts_.empty()) return 0;
    if (exact_) return common_end(path, parts_.size());
    std::string_view stem = path.back();
    if (ends_with(stem, ".pyc")) stem.remove_suffix(1);
    if (!ends_with(stem, ".py")) return 0;
    stem.remove_suffix(3);
    path.back() = stem;
    if (stem == "__init__" && path.size() > 1) {
      path.pop_back();
      return with_package(path) == 0 ? 0 : with_package(path) + 1;
    }
    return with_package(path);
  }

 private:
  /// The longest start of the id that the path ends with; a relative path may lack the start of it.
  std::size_t with_package(const Parts& path) const {
    for (std::size_t length = parts_.size(); length > 0; --length)
      if (const auto found = common_end(path, length); found != 0) return found;
    return 0;
  }

  /// The number of components where the path ends with the first `length` parts of the id, or is all of their
  /// end.
  std::size_t common_end(const Parts& path, std::size_t length) const {
    std::size_t same = 0;
    while (same < path.size() && same < length && path[path.size() - 1 - same] == parts_[length - 1 - same])
      ++same;
    return same == length || same == path.size() ? same : 0;
  }

  Parts parts_;
  bool exact_ = false;
};

/// Code that a failure passes through but that is nobody's own: interpreters, test libraries, packages.
bool is_library(const std::string& file) {
  static constexpr std::array<std::string_view, 15> marks = {
      "/site-packages/", "/dist-packages/",         "/lib/python", "/lib64/python", "<frozen ",
      "/_pytest/",       "/node_modules/",          "node:",       "/usr/include",  "/usr/lib/",
      "/usr/local/go",   "/src/testing/testing.go", "/rustc/",     "/.cargo/",      "/runtime/panic.go"};
  if (file.rfind("unittest/", 0) == 0 || file.rfind("testtools/", 0) == 0) return true;
  return std::any_of(marks.begin(), marks.end(),
                     [&](auto mark) { return file.find(mark) != std::string::npos; });
}

bool looks_like_a_test(const std::string& file) {
  const auto name = file.substr(file.rfind('/') == std::string::npos ? 0 : file.rfind('/') + 1);
  return name.find("test") != std::string::npos || name.find("Test") != std::string::npos ||
         name.find("spec") != std::string::npos;
}

/// The innermost frame that `wanted` likes, in the raised exception's stack first.
template <class F>
const Frame* innermost(const ParsedFailure& failure, F wanted) {
  for (const auto& stack : failure.stacks)
    for (auto frame = stack.rbegin(); frame != stack.rend(); ++frame)
      if (wanted(*frame)) return &*frame;
  return nullptr;
}

/// The part of a test runner's output that is about the test: pytest and unittest print all failures one
/// after another. All lines where no such part is found.
std::vector<std::string_view> section_of(const std::vector<std::string_view>& lines, std::string_view id) {
  // "path::Class::test" is headed "Class.test"
  std::string pytest_name;
  for (auto rest = id.substr(id.find("::") == std::string_view::npos ? 0 : id.find("::") + 2);
       !rest.empty();) {
    const auto colons = rest.find("::");
    pytest_name += rest.substr(0, colons);
    if (colons == std::string_view::npos) break;
    pytest_name += '.';
    rest.remove_prefix(colons + 2);
  }
  const auto heading = [&](std::string_view line) {
    if (starts_with(line, "ERROR: ") || starts_with(line, "FAIL: "))
      return line.find(id) != std::string_view::npos;
    return starts_with(line, "___") && ends_with(line, "___") &&
           line.find(" " + pytest_name + " ") != std::string_view::npos;
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (id.empty() || !heading(lines[i])) continue;
    const bool pytest = lines[i][0] == '_';
    std::size_t end = i + 1;
    while (end < lines.size() && !starts_with(lines[end], "======") &&
           !(pytest && starts_with(lines[end], "___") && ends_with(lines[end], "___")))
      ++end;
    return {lines.begin() + static_cast<std::ptrdiff_t>(i) + 1,
            lines.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  return lines;
}

std::string last_part(const std::string& dotted) {
  return dotted.substr(dotted.rfind('.') == std::string::npos ? 0 : dotted.rfind('.') + 1);
}

std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  text.resize(most);
  text += "...";
  return text;
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

/// The number behind `mark`, where the line has one.
std::optional<int> number_after(std::string_view line, std::string_view mark) {
  const auto at = line.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + mark.size());
  const auto number = take_number(line);
  if (!number || *number > 255) return std::nullopt;
  return static_cast<int>(*number);
}

/// How the process ended, where the text is what our runners say of a test that took its process with it or
/// never ended. Statuses and signals matter there, so these numbers must not be masked.
std::optional<Signature> process_end(const std::vector<std::string_view>& lines) {
  const auto first = std::find_if(lines.begin(), lines.end(), [](auto line) { return !trim(line).empty(); });
  if (first == lines.end()) return std::nullopt;
  const auto line = trim(*first);
  if (starts_with(line, "the test did not end within its time limit") || starts_with(line, "the test hangs"))
    return timeout_signature();
  const bool about_process = starts_with(line, "process ") ||
                             starts_with(line, "the process that ran the test ") ||
                             starts_with(line, "died with ") || starts_with(line, "ended with ") ||
                             starts_with(line, "was killed by ");
  if (!about_process) return std::nullopt;
  if (const auto number = number_after(line, "signal ")) return crash_signature(*number);
  if (const auto status = number_after(line, "exit status ")) return exit_signature(*status);
  return std::nullopt;
}

}  // namespace

Signature failure_signature(std::string_view traceback, std::string_view test_id) {
  if (const auto ended = process_end(split_lines(traceback.substr(0, 4096)))) return *ended;
  const auto lines = section_of(split_lines(traceback), test_id);
  auto parsed = parse_pytest_failure(lines);
  if (!parsed) parsed = parse_python_traceback(lines);
  if (!parsed) parsed = parse_other_failure(lines);
  Signature signature;
  signature.exception = parsed->exception.empty() ? "failure" : shortened(parsed->exception, 200);
  signature.message = shortened(mask_volatile(parsed->message.substr(0, 2000)), 400);
  const OwnFile own_file(test_id);
  const Frame* frame = innermost(*parsed, [&](const Frame& f) { return own_file.match(f.file) != 0; });
  signature.own = frame != nullptr;
  if (frame == nullptr)
    frame =
        innermost(*parsed, [](const Frame& f) { return !is_library(f.file) && looks_like_a_test(f.file); });
  if (frame == nullptr) frame = innermost(*parsed, [](const Frame& f) { return !is_library(f.file); });
  if (frame == nullptr) frame = innermost(*parsed, [](const Frame&) { return true; });
  if (frame == nullptr) return signature;
  const auto path = split(frame->file, '/');
  const std::size_t kept = std::min(path.size(), std::max<std::size_t>(own_file.match(frame->file), 2));
  signature.file = join(path, path.size() - kept);
  signature.function = frame->function;
  signature.source = frame->source;
  signature.line = frame->line;
  return signature;
}

Signature crash_signature(int signal_number) {
  Signature signature;
  signature.exception = fmt::format("killed by {}", signal_name(signal_number));
  return signature;
}

Signature exit_signature(int status) {
  Signature signature;
  signature.exception = fmt::format("exit status {}", status);
  return signature;
}

Signature timeout_signature() {
  Signature signature;
  signature.exception = "time limit";
  return signature;
}

std::string signature_text(const Signature& signature) {
  std::string text = signature.exception;
  if (signature.file.empty()) {
    if (!signature.message.empty()) text += fmt::format(": {}", shortened(signature.message, 160));
    return visible_line(text);
  }
  text += fmt::format(" in {}", signature.file);
  if (!signature.function.empty()) text += fmt::format(" {}", shortened(signature.function, 80));
  if (!signature.source.empty())
    text += fmt::format(": {}", shortened(signature.source, 160));
  else if (signature.line != 0)
    text += fmt::format(":{}", signature.line);
  return visible_line(text);
}

bool same_failure(const Signature& a, const Signature& b) {
  if (last_part(a.exception) != last_part(b.exception)) return false;
  if (a.file.empty() || b.file.empty()) return a.file == b.file && a.message == b.message;
  if (a.file != b.file || a.function != b.function) return false;
  if (a.source.empty() || b.source.empty()) return a.line == b.line;
  return a.source == b.source;
}

}  // namespace flakebisect::analyzer
