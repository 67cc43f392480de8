#pragma once

/// What the probes in flight may show: the ways in which they may end, each with its probability and with the
/// weights that the explanations would have then. A probe is worth what it tells on top of that. The rates
/// stay at their present means, so that only the weights differ.

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

/// One way in which they may end.
struct Branch {
  double probability = 1;
  Eigen::ArrayXd polluter, amplified, brittle;  ///< weights, one for each candidate
  double self = 0, gone = 0, pairs = 0, dose = 0, set = 0, setters = 0;
};

class Branches {
 public:
  /// More ways than this are sampled.
  static constexpr std::size_t most = 32;

  /// Nothing in flight. Keeps a reference.
  explicit Branches(const Weights& weights);
  /// One more probe in flight, of `list`, for which the kinds predict `rates`.
  void add(const std::vector<TestIndex>& list, const KindRates& rates, stats::Rng& rng);
  const std::vector<Branch>& all() const { return branches_; }

 private:
  void thin_out(stats::Rng& rng);
  const Weights& w_;
  std::vector<Branch> branches_;
};

}  // namespace flakebisect::bisect
