#include "stats/process_spread.h"

#include <cmath>
#include <stdexcept>

#include "stats/log_math.h"

namespace flakebisect::stats {

namespace {

constexpr int kMeans = 60;
constexpr int kCorrelations = 30;
constexpr double kHalfPi = 1.5707963267948966;

double log_beta(double a, double b) {
  return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

/// Log likelihood of the failures in each process, in the order they were seen (no binomial coefficients:
/// they are the same under both models).
double log_beta_binomial(const std::vector<ProcessRuns>& processes, double mean, double correlation) {
  const double size = (1 - correlation) / correlation;
  const double a = mean * size;
  const double b = (1 - mean) * size;
  double sum = 0;
  for (const ProcessRuns& one : processes) {
    const auto failures = static_cast<double>(one.failures);
    const auto passes = static_cast<double>(one.runs - one.failures);
    sum += log_beta(a + failures, b + passes) - log_beta(a, b);
  }
  return sum;
}

}  // namespace

ProcessSpread process_spread(const std::vector<ProcessRuns>& processes, double prior_probability) {
  if (!(prior_probability > 0) || !(prior_probability < 1))
    throw std::invalid_argument("process_spread: the prior must lie between 0 and 1");
  double failures = 0;
  double passes = 0;
  for (const ProcessRuns& one : processes) {
    if (one.failures > one.runs) throw std::invalid_argument("process_spread: more failures than runs");
    failures += static_cast<double>(one.failures);
    passes += static_cast<double>(one.runs - one.failures);
  }
  if (failures == 0 || passes == 0) return {prior_probability, 0};

  const double log_common = log_beta(failures + 0.5, passes + 0.5) - log_beta(0.5, 0.5);
  double log_spread = minus_infinity;
  double log_weighted = minus_infinity;  // the same sum, weighted by the correlation
  for (int i = 0; i < kMeans; ++i) {
    // Equal steps of the angle are equal steps of Jeffreys' prior: m = sin^2.
    const double sine = std::sin(kHalfPi * (i + 0.5) / kMeans);
    for (int j = 0; j < kCorrelations; ++j) {
      const double correlation = (j + 0.5) / kCorrelations;
      const double term =
          log_beta_binomial(processes, sine * sine, correlation) - std::log(kMeans * kCorrelations);
      log_spread = log_add(log_spread, term);
      log_weighted = log_add(log_weighted, term + std::log(correlation));
    }
  }
  const double log_odds = logit(prior_probability) + log_spread - log_common;
  return {inverse_logit(log_odds), std::exp(log_weighted - log_spread)};
}

}  // namespace flakebisect::stats
