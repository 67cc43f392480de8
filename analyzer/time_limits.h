#pragma once

/// How long a test and a probe may take before they are taken for hung: from the durations the repository
/// has.

#include <cstdint>
#include <memory>
#include <optional>

#include "analyzer/bisect_case.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

struct TimeLimits {
  /// For the tests whose durations are known; null: for none.
  std::shared_ptr<const bisect::TestLimits> own;
  double test_seconds = 0;    ///< for every other test, and between two tests; 0: none
  double probe_seconds = 0;   ///< for a whole probe in which the victim runs once; 0: none
  double repeat_seconds = 0;  ///< more for each further run of the victim

  /// For a probe in which the victim runs up to `victim_runs` times; 0: none.
  double of_probe(std::uint32_t victim_runs) const {
    return probe_seconds > 0 && victim_runs > 1 ? probe_seconds + (victim_runs - 1) * repeat_seconds
                                                : probe_seconds;
  }
};

/// A limit is for tests that hang, so it lies well above anything seen, machines under load included: for a
/// test 20 times its own longest duration, and at least half a minute and twice the longest duration of any
/// test (a test that runs first pays for fixtures that it shares with others). Where `test_timeout_seconds`
/// is given, it is the limit of every test. Each further run of the victim in a probe adds what its first one
/// did: 20 times its usual duration, or the limit of a test where that is not known.
TimeLimits time_limits(const BisectCase& facts, std::optional<double> test_timeout_seconds);

}  // namespace flakebisect::analyzer
