#pragma once

/// Which executions of a flaky test something was present in: the counts that all its possible causes are
/// judged by.

#include <cstdint>
#include <map>
#include <vector>

#include "analyzer/analyze/flaky_test.h"

namespace flakebisect::analyzer {

/// In how many failures and passes something was present.
struct Presence {
  std::uint32_t failures = 0;
  std::uint32_t passes = 0;
  std::uint32_t runs() const { return failures + passes; }
  void add(bool failed) { ++(failed ? failures : passes); }
};

/// What is known about each execution besides its outcome; ascending by the order of executions.
struct Circumstance {
  bool failed = false;
  std::uint32_t tests_before = 0;  ///< in the same process
  std::uint32_t worker = 0;
  double hour = -1;        ///< of the day, UTC; below 0 where unknown
  double run_seconds = 0;  ///< the run's length (FlakyCounts::run_seconds)
  float seconds = -1;      ///< of this execution; below 0 where unknown
  bool unfinished = false;
};

struct Exposure {
  Presence all;
  std::vector<Presence> before;   ///< by test: it ran before, in the same process
  std::vector<Presence> overlap;  ///< by test: another worker ran it at the same time; empty: no overlaps
  Presence concurrent;            ///< any other worker ran any test at the same time
  std::map<std::uint32_t, Presence> workers;
  std::vector<Circumstance> circumstances;
};

/// Counts over the test's executions [regime_first, regime_end). `run_seconds` are the lengths of the runs.
/// Thread-safe.
Exposure measure_exposure(const History& history, const std::vector<double>& run_seconds,
                          const FlakyTest& test);

/// Among the executions in which `polluter` ran before the test in the same process: those in which each test
/// ran between the two (of several executions of the polluter, the last counts). By test; `all` gets the
/// totals.
std::vector<Presence> measure_between(const History& history, const FlakyTest& test, std::uint32_t polluter,
                                      Presence& all);

}  // namespace flakebisect::analyzer
