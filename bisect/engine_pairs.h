#pragma once

/// Explanations by two tests that are needed together: every pair of a pool of candidates, exactly. Pairs
/// with equal counts are evaluated once, so that a quarter of a million of them cost about a millisecond.

#include <cstdint>
#include <vector>

#include "bisect/engine_evidence.h"
#include "bisect/engine_single.h"
#include "bisect/engine_weights.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

/// Up to this many candidates all pairs are kept.
inline constexpr std::size_t pair_pool = 700;
/// Of longer lists, those of so many of the likeliest candidates, once failures have been seen.
inline constexpr std::size_t chosen_pool = 300;

class PairPosterior {
 public:
  explicit PairPosterior(const Problem& problem);
  bool empty() const { return pool_.size() < 2; }
  const std::vector<TestIndex>& pool() const { return pool_; }
  /// Pairs of these candidates from now on; counts are taken from the evidence.
  void choose_pool(std::vector<TestIndex> pool, const Evidence& evidence);
  /// One run. Weights are rounded to 64ths.
  void add(const std::vector<TestIndex>& ran, bool failed, double weight);
  /// Fills `weights` with log weights, not normalised: each class's log_marginal with the prior of one pair
  /// included. Returns the highest.
  double weigh(const stats::TwoRateModel& model, double log_prior_of_one, PairWeights& weights) const;

 private:
  struct PairCounts {
    std::uint32_t failures = 0, passes = 0;  ///< in 64ths of a run
  };
  std::vector<TestIndex> pool_;
  std::vector<std::int32_t> place_;
  std::vector<PairCounts> counts_;
  std::uint32_t all_failures_ = 0, all_passes_ = 0;  ///< likewise
  mutable std::vector<std::uint32_t> class_at_;      ///< per (failures, passes): class, valid in this round
  mutable std::vector<std::uint32_t> round_at_;
  mutable std::uint32_t round_ = 0;
};

/// Turns log weights into weights relative to exp(high), and makes the sums that selection needs.
void normalise_pairs(PairWeights& weights, double high);

/// Multiplies all weights.
void scale_pairs(PairWeights& weights, double factor);

}  // namespace flakebisect::bisect
