#pragma once

/// Explanations that know only how much of the list ran, x of it: the failure rate is p * max(floor, g(x)).
///
/// The cumulative one: no test in particular, but enough of them (a leak); g is a power of one or more, or a
/// ramp that starts at a threshold. Its likeness, several polluters of which each is enough, seen by somebody
/// who cannot tell tests apart: that one of k of them is among a share x has probability 1 - (1 - x)^k. A
/// leak fails seldom after few tests, several polluters nearly as often after a third of the list as after
/// all.

#include <Eigen/Core>
#include <vector>

#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

class DosePosterior {
 public:
  enum class Form { leak, several_polluters };
  explicit DosePosterior(Form form);
  /// One run in which a share `share` of the list ran; `weight` tempers its likelihood.
  void add(double share, bool failed, double weight);
  /// log of the probability of all outcomes.
  double log_marginal() const;
  /// The predicted rates. The weight is left alone.
  void predict(DoseWeights& weights) const;

 private:
  struct Shape {
    double power, threshold, floor;
    bool saturates;  ///< 1 - (1 - x)^power
    double at(double share) const;
  };
  std::vector<Shape> shapes_;
  std::vector<double> rates_;
  Eigen::ArrayXXd log_likelihood_;  ///< shape by rate, prior included
};

}  // namespace flakebisect::bisect
