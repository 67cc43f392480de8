#pragma once

/// The JSON form of a report, schema "flakebisect/report/1", as other programs rely on it: fields may be
/// added, never removed. Times are seconds, rates probabilities, intervals 95 % credible intervals.

#include <stdexcept>
#include <string>
#include <string_view>

#include "analyzer/report.h"

namespace flakebisect::analyzer {

/// The text is no report of a schema this program knows; the message says where and what was found.
struct ReportFormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Indented, with a newline at the end. Always valid UTF-8: bytes that are not become U+FFFD.
std::string render_json(const Report& report);

/// Reads a report back. Members that are missing keep their defaults, unknown ones are ignored; a member of
/// the wrong type, another schema or text that is not JSON throws ReportFormatError.
Report parse_report_json(std::string_view text);

}  // namespace flakebisect::analyzer
