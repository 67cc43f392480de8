#pragma once

/// Explanations by one rate or by one test: 'it fails on its own', each single polluter, each single
/// state-setter, and 'it no longer fails'.

#include <vector>

#include "bisect/engine.h"
#include "bisect/engine_evidence.h"
#include "bisect/engine_weights.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

/// rho = r / q of a polluter, of a set or of a brittle victim: the first cells; then those at which a victim
/// counts as failing on its own.
inline constexpr std::size_t polluter_cells = 8;
std::vector<stats::RatioCell> ratio_cells();

/// Members of a set that is no pair; state-setters where there are several.
inline constexpr std::size_t least_of_a_set = 3;
inline constexpr std::size_t least_of_several_setters = 2;

/// Prior probability of each kind for this problem; sums to 1.
KindPriors priors_for(const Problem& problem);

class SinglePosterior {
 public:
  SinglePosterior(const Problem& problem, const KindPriors& priors);
  /// Fills the parts of `weights` that belong here with log weights (prior and marginal likelihood), not yet
  /// normalised; returns the highest. `model` must hold the totals of `counts`. The history's share of the
  /// totals matters to 'no longer fails' alone, which explains only what was seen since.
  double weigh(const stats::TwoRateModel& model, const Counts& counts, double history_failures,
               double history_passes, Weights& weights) const;

 private:
  KindPriors priors_;
  std::vector<double> log_polluter_, log_setter_;  ///< per candidate; minus infinity where it cannot be
};

/// The rate at which 'no longer fails' still sees a failure: a machine's hiccup.
inline constexpr double gone_rate = 1e-4;

}  // namespace flakebisect::bisect
