#pragma once

/// The posterior over all explanations: singles, pairs, dose, none.

#include <optional>
#include <vector>

#include "bisect/engine_dose.h"
#include "bisect/engine_evidence.h"
#include "bisect/engine_pairs.h"
#include "bisect/engine_single.h"
#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

class Posterior {
 public:
  explicit Posterior(const Problem& problem);
  /// One run, which `evidence` already holds.
  void add(const std::vector<TestIndex>& ran, bool failed, double weight, const Evidence& evidence);
  /// Weights after `counts`, which are the evidence's own or those with assumed outcomes of probes in flight
  /// added.
  Weights weigh(const Counts& counts, double history_failures, double history_passes) const;
  const KindPriors& priors() const { return priors_; }

 private:
  const Problem* problem_;
  KindPriors priors_;
  double listed_ = 0;
  SinglePosterior single_;
  PairPosterior pairs_;
  DosePosterior dose_;
  mutable stats::TwoRateModel model_;
  std::uint64_t failures_seen_ = 0, next_pool_at_ = 2;
};

}  // namespace flakebisect::bisect
