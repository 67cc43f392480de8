#pragma once

/// The cumulative explanation: no test in particular, but enough of them (a leak). The failure rate grows
/// with the share x of the list that ran: p * max(floor, g(x)) with g a power or a ramp that starts at a
/// threshold.

#include <Eigen/Core>
#include <vector>

#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

class DosePosterior {
 public:
  DosePosterior();
  /// One run in which a share `share` of the list ran; `weight` tempers its likelihood.
  void add(double share, bool failed, double weight);
  /// log of the probability of all outcomes.
  double log_marginal() const;
  /// The predicted rates. The weight is left alone.
  void predict(DoseWeights& weights) const;

 private:
  struct Shape {
    double power, threshold, floor;
    double at(double share) const;
  };
  std::vector<Shape> shapes_;
  std::vector<double> rates_;
  Eigen::ArrayXXd log_likelihood_;  ///< shape by rate, prior included
};

}  // namespace flakebisect::bisect
