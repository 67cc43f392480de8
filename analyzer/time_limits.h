#pragma once

/// How long a test and a probe may take before they are taken for hung: from the durations the repository
/// has.

#include <memory>
#include <optional>

#include "analyzer/bisect_case.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

struct TimeLimits {
  /// For the tests whose durations are known; null: for none.
  std::shared_ptr<const bisect::TestLimits> own;
  double test_seconds = 0;   ///< for every other test, and between two tests; 0: none
  double probe_seconds = 0;  ///< for a whole probe; 0: none
};

/// A limit is for tests that hang, so it lies well above anything seen, machines under load included: for a
/// test 20 times its own longest duration, and at least half a minute and twice the longest duration of any
/// test (a test that runs first pays for fixtures that it shares with others). Where `test_timeout_seconds`
/// is given, it is the limit of every test.
TimeLimits time_limits(const BisectCase& facts, std::optional<double> test_timeout_seconds);

}  // namespace flakebisect::analyzer
