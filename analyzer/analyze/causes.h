#pragma once

/// Why does it fail? The posterior over possible causes of one flaky test, from stored runs alone.

#include "analyzer/analyze/exposure.h"
#include "analyzer/analyze/polluter_sets.h"

namespace flakebisect::analyzer {

/// Fills causes, strength, order_varied, time_out_probability, failed_median_seconds and cleaners of `test`.
/// `run_seconds` are FlakyCounts::run_seconds. docs/analyze.md has the model. Thread-safe for different
/// tests.
void judge_causes(const History& history, const std::vector<double>& run_seconds, FlakyTest& test);

/// The same from counts, but for cleaners, which need the orders. For tests.
void judge_causes(const Exposure& exposure, const Membership& membership, bool looks_like_time_out,
                  FlakyTest& test);

}  // namespace flakebisect::analyzer
