#pragma once

/// An analysis as plain text, for terminals.

#include <string>

#include "analyzer/analyze/analysis.h"
#include "analyzer/report_text.h"

namespace flakebisect::analyzer {

/// Most actionable first. Text from tests is made visible: none of its control characters is passed on.
/// `verbose` lists the members of every group and all signatures.
std::string render_analysis_text(const Analysis& analysis, const TextStyle& style, bool verbose);

}  // namespace flakebisect::analyzer
