#pragma once

/// An analysis for programs: JSON and CSV.

#include <string>

#include "analyzer/analyze/analysis.h"

namespace flakebisect::analyzer {

/// Schema "flakebisect/analysis/1": fields may be added, never removed. Times are seconds, dates seconds
/// since 1970, rates probabilities, intervals 95 % credible intervals. docs/analyze.md has the fields.
std::string render_analysis_json(const Analysis& analysis);

/// One line for each flaky test, as RFC 4180 has it; a field that a spreadsheet would take for a formula gets
/// an apostrophe in front.
std::string render_analysis_csv(const Analysis& analysis);

}  // namespace flakebisect::analyzer
