#pragma once

/// What the probes in flight may show: the ways in which they may end, each with its probability and with the
/// weights that the explanations would have then. A probe is worth what it tells on top of that. The rate of
/// 'self' is learned from them; the rates of the others stay at their present means.

#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "bisect/engine_weights.h"
#include "stats/rng.h"

namespace flakebisect::bisect {

/// What the kinds whose tests are not looked at one by one predict for one list.
struct KindRates {
  double pairs = 0, dose = 0, set = 0, setters = 0;
};

/// The mean rate of 'self' after so many more failures (row) and passes (column).
using SelfRates = Eigen::ArrayXXd;

/// One way in which they may end.
struct Branch {
  double probability = 1;
  Eigen::ArrayXd polluter, amplified, brittle;  ///< weights, one for each candidate
  double self = 0, gone = 0, pairs = 0, dose = 0, set = 0, setters = 0;
  Eigen::Index failures = 0, passes = 0;  ///< of the probes in flight
};

class Branches {
 public:
  /// More ways than this are sampled.
  static constexpr std::size_t most = 32;

  /// Nothing in flight. Keeps a reference. `self_rates` has an entry for each outcome of what will be added.
  explicit Branches(const Weights& weights, SelfRates self_rates = {});
  /// One more probe in flight, of `list`, for which the kinds predict `rates`.
  void add(const std::vector<TestIndex>& list, const KindRates& rates, stats::Rng& rng);
  const std::vector<Branch>& all() const { return branches_; }
  double self_rate(const Branch& branch) const {
    return self_rates_.size() > 0 ? self_rates_(branch.failures, branch.passes) : w_.self_rate;
  }

 private:
  void thin_out(stats::Rng& rng);
  const Weights& w_;
  SelfRates self_rates_;
  std::vector<Branch> branches_;
};

}  // namespace flakebisect::bisect
