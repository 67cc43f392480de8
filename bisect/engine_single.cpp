#include "bisect/engine_single.h"

#include <algorithm>
#include <cmath>

#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// rho = r / q of a polluter: mostly 0. At half or more the victim counts as failing on its own.
constexpr std::size_t polluter_cells = 7;
std::vector<stats::RatioCell> ratio_cells() {
  return {{0.0, 0.75},  {0.01, 0.04}, {0.03, 0.05}, {0.08, 0.05}, {0.16, 0.04},
          {0.25, 0.04}, {0.36, 0.03}, {0.6, 0.5},   {0.8, 0.5}};
}

}  // namespace

SinglePosterior::SinglePosterior(const Problem& problem, KindPriors priors)
    : priors_(priors), model_(stats::default_rate_prior(), ratio_cells()) {
  double total = 0;
  for (const Candidate& candidate : problem.candidates)
    if (candidate.in_failing_run) total += candidate.weight;
  for (const Candidate& candidate : problem.candidates)
    log_prior_.push_back(candidate.in_failing_run ? std::log(candidate.weight / total)
                                                  : stats::minus_infinity);
}

SingleWeights SinglePosterior::weigh(const Counts& counts, double history_failures,
                                     double history_passes) const {
  const auto n = static_cast<Eigen::Index>(log_prior_.size());
  model_.set_totals(counts.failures, counts.passes);
  SingleWeights w;
  w.polluter = w.polluter_in = w.polluter_out = Eigen::ArrayXd::Zero(n);
  w.amplified = w.amplified_in = w.amplified_out = Eigen::ArrayXd::Zero(n);

  const double log_self = std::log(priors_.self) + model_.constant_rate().log_marginal;
  // What the history said about rates before the failure went away is granted in full.
  const double log_gone = std::log(priors_.gone) +
                          model_.constant_log_marginal(history_failures, history_passes) +
                          (counts.failures - history_failures) * std::log(gone_rate) +
                          (counts.passes - history_passes) * std::log1p(-gone_rate);
  const double log_polluter_prior = std::log(priors_.polluter);
  const double log_amplified_prior = std::log(priors_.amplified);
  double high = std::max(log_self, log_gone);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double log_prior = log_prior_[static_cast<std::size_t>(i)];
    const double fails = counts.active_failures[i];
    const double passes = counts.active_passes[i];
    if (log_prior == stats::minus_infinity) {
      w.polluter[i] = w.amplified[i] = stats::minus_infinity;
      continue;
    }
    const stats::RateSummary sole = model_.evaluate(fails, passes, 0, polluter_cells);
    const stats::RateSummary raised = model_.evaluate(fails, passes, polluter_cells, model_.cells());
    w.polluter[i] = log_prior + log_polluter_prior + sole.log_marginal;
    w.polluter_in[i] = sole.active_rate;
    w.polluter_out[i] = sole.inactive_rate;
    w.amplified[i] = log_prior + log_amplified_prior + raised.log_marginal;
    w.amplified_in[i] = raised.active_rate;
    w.amplified_out[i] = raised.inactive_rate;
    high = std::max({high, w.polluter[i], w.amplified[i]});
  }
  w.polluter = (w.polluter - high).exp();
  w.amplified = (w.amplified - high).exp();
  w.self = std::exp(log_self - high);
  w.gone = std::exp(log_gone - high);
  const double total = w.self + w.gone + w.polluter.sum() + w.amplified.sum();
  w.self /= total;
  w.gone /= total;
  w.polluter /= total;
  w.amplified /= total;
  w.self_rate = model_.constant_rate().active_rate;
  w.gone_rate = gone_rate;
  w.log_evidence = high + std::log(total);
  return w;
}

}  // namespace flakebisect::bisect
