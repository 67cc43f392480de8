#include "stats/process_spread.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <stdexcept>

#include "stats/log_math.h"

namespace flakebisect::stats {

namespace {

constexpr int kMeans = 60;
constexpr int kCorrelations = 30;
constexpr double kHalfPi = 1.5707963267948966;

double log_beta(double a, double b) {
  return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

/// How many processes have each number of something.
class Histogram {
 public:
  void add(std::uint64_t number) { ++processes_with_[number]; }
  /// The sum over processes of lgamma(start + number) - lgamma(start).
  double log_rising(double start) const {
    const double log_start = log_gamma(start);
    double sum = 0;
    for (const auto& [number, processes] : processes_with_)
      sum += static_cast<double>(processes) * (log_gamma(start + static_cast<double>(number)) - log_start);
    return sum;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> processes_with_;
};

/// What the likelihood needs of the processes: its three parts depend on one number of each process only, and
/// hundreds of processes share a few numbers.
struct Outcomes {
  Histogram failures, passes, runs;
};

/// Log likelihood of the failures in each process, in the order they were seen (no binomial coefficients:
/// they are the same under both models).
double log_beta_binomial(const Outcomes& outcomes, double mean, double correlation) {
  const double size = (1 - correlation) / correlation;
  return outcomes.failures.log_rising(mean * size) + outcomes.passes.log_rising((1 - mean) * size) -
         outcomes.runs.log_rising(size);
}

}  // namespace

ProcessSpread process_spread(const std::vector<ProcessRuns>& processes, double prior_probability) {
  if (!(prior_probability > 0) || !(prior_probability < 1))
    throw std::invalid_argument("process_spread: the prior must lie between 0 and 1");
  double failures = 0;
  double passes = 0;
  Outcomes outcomes;
  for (const ProcessRuns& one : processes) {
    if (one.failures > one.runs) throw std::invalid_argument("process_spread: more failures than runs");
    failures += static_cast<double>(one.failures);
    passes += static_cast<double>(one.runs - one.failures);
    outcomes.failures.add(one.failures);
    outcomes.passes.add(one.runs - one.failures);
    outcomes.runs.add(one.runs);
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
          log_beta_binomial(outcomes, sine * sine, correlation) - std::log(kMeans * kCorrelations);
      log_spread = log_add(log_spread, term);
      log_weighted = log_add(log_weighted, term + std::log(correlation));
    }
  }
  const double log_odds = logit(prior_probability) + log_spread - log_common;
  return {inverse_logit(log_odds), std::exp(log_weighted - log_spread)};
}

}  // namespace flakebisect::stats
