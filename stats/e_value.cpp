#include "stats/e_value.h"

#include <algorithm>
#include <cmath>

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

void RateAboveTest::observe(bool failed, double bet) {
  const double rate = inside(bet);
  if (rate <= null_rate_) return;
  log_e_ += log_likelihood(failed, rate) - log_likelihood(failed, null_rate_);
  highest_ = std::max(highest_, log_e_);
}

}  // namespace flakebisect::stats
