#pragma once

/// What to tell the reader where the outcome depends on the process of a test server that a probe was forked
/// from.

#include <optional>
#include <string>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// A sentence where the runs of one warm server agree with each other far more than with those of other
/// servers (posterior at least 0.95, stats::process_spread); nothing otherwise. Only probes count in which
/// the verdict's tests make the failure possible: the culprits ran, or the state-setters did not.
std::optional<std::string> process_remark(const std::vector<bisect::Observation>& observations,
                                          const bisect::Verdict& verdict);

}  // namespace flakebisect::analyzer
