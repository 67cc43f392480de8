#pragma once

/// The posterior over 'it fails on its own', each single polluter, and 'it no longer fails'.

#include <Eigen/Core>
#include <vector>

#include "bisect/engine.h"
#include "bisect/engine_evidence.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

/// Prior probabilities of the kinds and of the ratio r / q; sources in docs/statistics.md.
struct KindPriors {
  double self = 0.40;       ///< one rate, with and without the others
  double amplified = 0.03;  ///< also self: fails alone at half its rate or more, some test raises it
  double polluter = 0.54;
  double gone = 0.03;  ///< it failed once; it will not again
};

/// Weights of the explanations after the counts so far; all weights together sum to 1. Arrays have one entry
/// a candidate.
struct SingleWeights {
  double self = 0;  ///< one rate for every list
  double self_rate = 0;
  double gone = 0;
  double gone_rate = 0;
  Eigen::ArrayXd polluter, polluter_in, polluter_out;     ///< weight; failure rates with and without it
  Eigen::ArrayXd amplified, amplified_in, amplified_out;  ///< of 'self, raised by this test'
  double log_evidence = 0;                                ///< log probability of all data
  double self_total() const { return self + amplified.sum(); }
};

class SinglePosterior {
 public:
  explicit SinglePosterior(const Problem& problem, KindPriors priors = {});
  /// Weights after `counts`; the history's share of the totals matters to 'no longer fails' alone, which
  /// explains only what was seen since.
  SingleWeights weigh(const Counts& counts, double history_failures, double history_passes) const;

 private:
  KindPriors priors_;
  std::vector<double> log_prior_;  ///< per candidate; minus infinity where it cannot be a polluter
  mutable stats::TwoRateModel model_;
};

/// The smallest rate at which 'no longer fails' still sees a failure: a machine's hiccup.
inline constexpr double gone_rate = 1e-4;

}  // namespace flakebisect::bisect
