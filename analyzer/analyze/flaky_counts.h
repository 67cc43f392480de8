#pragma once

/// Finds the flaky tests of a history: counting only, over all results.

#include <functional>
#include <string>
#include <vector>

#include "analyzer/analyze/flaky_test.h"

namespace flakebisect::analyzer {

/// A run in which nearly everything failed says nothing about single tests.
struct BrokenRun {
  std::uint32_t run = 0;  ///< index into History::runs
  std::uint64_t failures = 0;
  std::uint64_t tests = 0;
};

struct FlakyCounts {
  std::vector<FlakyTest> flaky;  ///< both passed and failed; by test number; not judged yet
  std::vector<std::uint32_t> always_failing;
  std::vector<BrokenRun> broken;  ///< left out of everything else
  /// By run: the time of its sound tests (that failed in at most one run of a hundred) as far as they passed,
  /// over all workers. Failures, whose durations differ from those of passes, hardly change it: it can be a
  /// cause of theirs, but no effect.
  std::vector<double> run_seconds;
  std::uint64_t tests = 0;    ///< that passed or failed at least once
  std::uint64_t results = 0;  ///< passes and failures
};

/// `wanted` says which tests to look at by their ids.
FlakyCounts count_flaky(const History& history, const std::function<bool(const std::string&)>& wanted);

}  // namespace flakebisect::analyzer
