#pragma once

/// Reports to render: an ordinary one of each kind, and one whose every text is hostile.

#include <string>

#include "analyzer/report.h"

namespace report_samples {

/// A polluter verdict with all sections filled: probes, evolution, alternatives, other failures.
flakebisect::analyzer::Report polluter();
/// A failure of its own, one run in thirty.
flakebisect::analyzer::Report self();
/// A short report of the given kind.
flakebisect::analyzer::Report of_kind(flakebisect::bisect::Kind kind);
/// Ids, tracebacks, commands and names that try to break out of every format.
flakebisect::analyzer::Report hostile();

/// How often `part` occurs in `text`.
std::size_t count(const std::string& text, const std::string& part);

/// Compares with tests/data/reports/NAME; with UPDATE_GOLDEN=1 in the environment writes it instead. Returns
/// what the file holds.
std::string golden(const std::string& name, const std::string& rendered);

}  // namespace report_samples
