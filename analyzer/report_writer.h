#pragma once

/// Writes a report where the user wants it: in words on standard output, and in each format asked for.

#include <string>
#include <vector>

#include "analyzer/bisect_options.h"
#include "analyzer/report.h"

namespace flakebisect::analyzer {

/// Throws OutputError where a file cannot be written. When one of the requests takes standard output ("-"),
/// or `stdout_taken` says that something else does, the words go to standard error instead.
void write_reports(const Report& report, const std::vector<ReportRequest>& requests,
                   const CommonOptions& common, bool stdout_taken = false);

}  // namespace flakebisect::analyzer
