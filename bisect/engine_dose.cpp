#include "bisect/engine_dose.h"

#include <algorithm>
#include <cmath>

#include "stats/log_math.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

double DosePosterior::Shape::at(double share) const {
  if (saturates) return std::max(floor, 1.0 - std::pow(1.0 - std::clamp(share, 0.0, 1.0), power));
  const double over = std::clamp((share - threshold) / (1.0 - threshold), 0.0, 1.0);
  return std::max(floor, std::pow(over, power));
}

DosePosterior::DosePosterior(Form form) {
  using Powers = std::vector<std::pair<double, double>>;
  const bool saturates = form == Form::several_polluters;
  const Powers shapes =
      saturates ? Powers{{2, 0}, {3, 0}, {4, 0}, {6, 0}, {9, 0}, {13, 0}}
                : Powers{{1, 0}, {1.5, 0}, {2.2, 0}, {3, 0}, {1, 0.2}, {1, 0.35}, {1, 0.5}, {1, 0.65}};
  for (const double floor : {1e-6, 0.03, 0.15})
    for (const auto& [power, threshold] : shapes) shapes_.push_back({power, threshold, floor, saturates});
  constexpr double lowest = -5.5, step = 0.3;  // logits
  constexpr int rates = 39;
  // The same prior of the rate as for the other kinds.
  const stats::RatePrior prior = stats::default_rate_prior();
  Eigen::ArrayXd density(rates);
  for (int i = 0; i < rates; ++i) {
    rates_.push_back(stats::inverse_logit(lowest + step * i));
    density[i] = stats::rate_density(prior, lowest + step * i);
  }
  log_likelihood_ = (density / density.sum() / static_cast<double>(shapes_.size()))
                        .log()
                        .transpose()
                        .replicate(static_cast<Eigen::Index>(shapes_.size()), 1);
  // A background is there in one case of five, as for the other kinds.
  const auto each = static_cast<Eigen::Index>(shapes_.size() / 3);
  log_likelihood_.topRows(each) += std::log(3 * 0.8);
  log_likelihood_.bottomRows(2 * each) += std::log(3 * 0.1);
}

void DosePosterior::add(double share, bool failed, double weight) {
  for (std::size_t s = 0; s < shapes_.size(); ++s) {
    const double dose = shapes_[s].at(share);
    for (std::size_t r = 0; r < rates_.size(); ++r)
      log_likelihood_(static_cast<Eigen::Index>(s), static_cast<Eigen::Index>(r)) +=
          weight * (failed ? std::log(dose * rates_[r]) : std::log1p(-dose * rates_[r]));
  }
}

double DosePosterior::log_marginal() const {
  const double high = log_likelihood_.maxCoeff();
  return high + std::log((log_likelihood_ - high).exp().sum());
}

void DosePosterior::predict(DoseWeights& weights) const {
  Eigen::ArrayXXd posterior = (log_likelihood_ - log_likelihood_.maxCoeff()).exp();
  posterior /= posterior.sum();
  const Eigen::Map<const Eigen::ArrayXd> rates(rates_.data(), static_cast<Eigen::Index>(rates_.size()));
  const Eigen::ArrayXd mean = (posterior.matrix() * rates.matrix()).array();
  for (std::size_t i = 0; i < weights.rate.size(); ++i) {
    weights.rate[i] = 0;
    for (std::size_t s = 0; s < shapes_.size(); ++s)
      weights.rate[i] += mean[static_cast<Eigen::Index>(s)] * shapes_[s].at(static_cast<double>(i) / 32.0);
  }
}

}  // namespace flakebisect::bisect
