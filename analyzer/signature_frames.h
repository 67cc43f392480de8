#pragma once

/// Reading the frames out of a failure's text. Internal to signature.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flakebisect::analyzer {

struct Frame {
  std::string file;
  std::uint64_t line = 0;
  std::string function;  ///< may be empty
  std::string source;    ///< may be empty
};

struct ParsedFailure {
  std::string exception;                   ///< may be empty
  std::string message;                     ///< the rest of the exception's line
  std::vector<std::vector<Frame>> stacks;  ///< the raised exception's first, then those it was chained to;
                                           ///< frames innermost last
};

/// A letter or digit of any language (as UTF-8), or '_'.
bool is_word(char c);

/// The text in lines, without their ends.
std::vector<std::string_view> split_lines(std::string_view text);

/// A Python traceback as the interpreter, unittest and testtools write it.
std::optional<ParsedFailure> parse_python_traceback(const std::vector<std::string_view>& lines);
/// A failure in one of pytest's own styles (long, short, line).
std::optional<ParsedFailure> parse_pytest_failure(const std::vector<std::string_view>& lines);
/// Other languages; always gives something.
ParsedFailure parse_other_failure(const std::vector<std::string_view>& lines);

/// "Type: message" or "Type" with a dotted name, as Python, JavaScript and Java write exceptions.
struct ExceptionLine {
  std::string type;
  std::string message;
};
std::optional<ExceptionLine> parse_exception_line(std::string_view line);

bool starts_with(std::string_view text, std::string_view start);
/// Whether the line says that the next Python exception was raised while the one above it was handled.
bool is_chain(std::string_view line);
std::string_view trim(std::string_view text);
/// The number at the start of `text`, which is cut off it; nothing where there is none.
std::optional<std::uint64_t> take_number(std::string_view& text);

}  // namespace flakebisect::analyzer
