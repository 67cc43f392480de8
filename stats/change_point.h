#pragma once

/// When did a failure rate change? A Bayesian change point over a sequence of outcomes.

#include <cstddef>
#include <cstdint>
#include <span>

namespace flakebisect::stats {

struct ChangePoint {
  double probability = 0;       ///< posterior probability that the rate changed at all
  double log_bayes_factor = 0;  ///< of 'it changed' against 'it did not', natural logarithm
  /// Where it changed, if it did: the index of the first outcome of the new rate; the likeliest one and the
  /// shortest stretch of indices that holds 95 % of the posterior (both ends included).
  std::size_t at = 0;
  std::size_t low = 0, high = 0;
  double rate_before = 0, rate_after = 0;  ///< posterior means, given a change at `at`
  bool rises() const { return rate_after > rate_before; }
};

/// `failed` holds 1 for a failure and 0 for a pass, in the order of time. Two models:
///
///   no change:    one rate, Beta(1/2, 1/2)
///   change at k:  two independent rates, Beta(1/2, 1/2) each; k uniform on 1 .. n - 1
///
/// with prior probability `prior` of a change. P(outcomes | f failures of n, one rate) = B(f + 1/2, n - f +
/// 1/2) / B(1/2, 1/2) (the Beta-Bernoulli marginal; Smith 1975 for the change point). Fewer than two
/// outcomes: no change. Linear in the length, a few microseconds a hundred outcomes.
ChangePoint find_change_point(std::span<const std::uint8_t> failed, double prior = 0.2);

}  // namespace flakebisect::stats
