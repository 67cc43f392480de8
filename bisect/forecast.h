#pragma once

/// What more time would buy: the search is played on from where it stands, many times, each time in a world
/// drawn from the posterior. Pure but for the clock that the caller brings.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::bisect {

struct ForecastInput {
  Problem problem;
  EngineOptions options;
  std::vector<Observation> seen;  ///< all evidence so far, in order
  std::size_t jobs = 1;           ///< probes at once
  std::uint64_t seed = 1;
  std::size_t most_trials = 100;
  std::size_t most_probes = 20'000;  ///< in one trial; one that needs more counts as unfinished
};

struct Forecast {
  std::size_t trials = 0;
  std::size_t unfinished = 0;  ///< of them, without a verdict within the limits
  /// Seconds of wall clock to a verdict: half of the trials took less. Nothing: too many did not finish.
  std::optional<double> median_seconds;
  std::optional<double> low_seconds;   ///< one trial in ten took less
  std::optional<double> high_seconds;  ///< one in ten took more
  /// What the unfinished trials had spent when they were given up, at the least: a lower bound where a
  /// quantile above is missing.
  double at_least_seconds = 0;
  std::vector<double> finished;  ///< seconds of the finished trials, sorted

  /// The share of the trials that had a verdict within `seconds`.
  double share_within(double seconds) const;
};

/// A world drawn from the posterior: how often the victim fails after a list of tests.
struct World {
  Kind kind = Kind::self;
  std::vector<TestIndex> tests;
  double with = 0;     ///< failure rate with the cause
  double without = 0;  ///< and without

  double rate(const std::vector<TestIndex>& ran, std::size_t candidates) const;
};

/// Rates are drawn from the Beta posteriors of the runs with and without the cause (Jeffreys prior); they are
/// drawn again until the cause matters in the direction its kind says. `uniform` gives numbers in [0, 1).
World draw_world(const std::vector<Explanation>& explanations, const std::vector<Observation>& seen,
                 const std::function<double()>& uniform);

/// Plays until `most_trials`, or `expired` says that the processor time is used up (it is asked between
/// probes). A trial in which time ran out counts as unfinished, unless several others had ended and one of
/// them took longer: then it is left out.
Forecast forecast(const ForecastInput& input, const std::function<bool()>& expired);

}  // namespace flakebisect::bisect
