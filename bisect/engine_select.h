#pragma once

/// The next probe: the list whose outcome tells most about the explanation for each second it takes.

#include <vector>

#include "bisect/engine.h"
#include "bisect/engine_flight.h"
#include "bisect/engine_weights.h"
#include "stats/rng.h"

namespace flakebisect::bisect {

struct Choice {
  std::vector<TestIndex> subset;  ///< ascending
  double information = 0;         ///< expected, in nats, about which explanation holds
  double seconds = 0;             ///< expected cost
  double fail_probability = 0;    ///< predicted
  std::uint32_t victim_runs = 1;  ///< at most; chosen by the caller of choose_probe()
};

/// Nothing is taken to cost less.
inline constexpr double least_seconds = 1e-3;

/// Expected seconds of a probe of `subset`; above 0.
double probe_seconds(const Problem& problem, const std::vector<TestIndex>& subset);

/// The share of its probes that give something usable, as far as the tests decide that; never less than one
/// in twenty.
double usable_share(const Problem& problem, const std::vector<TestIndex>& subset);

/// What a test costs a list that holds it, in seconds; whoever makes a probe void costs more than any other.
double dearness(const Candidate& candidate);

/// Probability that a probe of `subset` fails.
double predict_failure(const Problem& problem, const Weights& weights, const std::vector<TestIndex>& subset);

/// Candidates enter in the order of what they add for each second; every length of that order is weighed, the
/// empty and the full list among them. O(n log n), with pairs O(n^2). `rng` breaks ties, so that equal
/// candidates are not always taken in the same order. `in_flight`: what is on its way already, and not to be
/// asked again.
Choice choose_probe(const Problem& problem, const Weights& weights, const Branches& in_flight,
                    bool count_probes, stats::Rng rng);

/// The ways in which probes of these lists may end; `self_rates` as Branches takes them.
Branches look_ahead(const Problem& problem, const Weights& weights,
                    const std::vector<const std::vector<TestIndex>*>& in_flight, stats::Rng rng,
                    SelfRates self_rates = {});

}  // namespace flakebisect::bisect
