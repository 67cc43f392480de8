#include "stats/e_value.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "stats/log_math.h"

namespace flakebisect::stats {

namespace {

double inside(double rate) {
  return std::clamp(rate, 1e-6, 1.0 - 1e-6);
}

double log_likelihood(bool failed, double rate) {
  return failed ? std::log(rate) : std::log1p(-rate);
}

}  // namespace

void RandomisedTwoArmTest::observe(bool treatment, bool failed, double treatment_probability,
                                   double treatment_rate, double control_rate) {
  const double in = inside(treatment_rate);
  const double out = inside(control_rate);
  // Averaged over the draw of the arm, the bet's prediction equals the pooled one for either outcome: the
  // expectation of the ratio is 1 under the null whatever the true rate is.
  const double pooled = treatment_probability * in + (1.0 - treatment_probability) * out;
  log_e_ += log_likelihood(failed, treatment ? in : out) - log_likelihood(failed, pooled);
  highest_ = std::max(highest_, log_e_);
}

RateAboveTest::RateAboveTest(double null_rate) : null_rate_(null_rate) {
  if (!(null_rate > 0) || !(null_rate < bets_.front()))
    throw std::invalid_argument("the null rate must lie between 0 and the lowest bet");
}

void RateAboveTest::observe(bool failed) {
  for (std::size_t i = 0; i < bets_.size(); ++i)
    log_ratio_[i] += log_likelihood(failed, bets_[i]) - log_likelihood(failed, null_rate_);
  highest_ = std::max(highest_, log_e());
}

double RateAboveTest::log_e() const {
  double sum = minus_infinity;
  for (const double one : log_ratio_) sum = log_add(sum, one);
  return sum - std::log(static_cast<double>(bets_.size()));
}

}  // namespace flakebisect::stats
