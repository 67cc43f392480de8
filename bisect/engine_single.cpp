#include "bisect/engine_single.h"

#include <algorithm>
#include <cmath>

#include "stats/log_math.h"

namespace flakebisect::bisect {

std::vector<stats::RatioCell> ratio_cells() {
  // 0 in four cases of five, else log-uniform from 0.01 to 0.3: cells between 0.01, 0.03, 0.06, 0.1, 0.15,
  // 0.21 and 0.3, finer where backgrounds are hard to tell from 'self'. A third of the last cell's weight
  // stands at 0.37: a ratio of 0.3 to 0.45, of which a gap between the cells would make 'self', belongs here.
  return {{0.0, 0.80},     {0.0173, 0.0646}, {0.0424, 0.0408}, {0.0775, 0.0300}, {0.122, 0.0238},
          {0.177, 0.0198}, {0.251, 0.0140},  {0.37, 0.0070},   {0.6, 0.5},       {0.8, 0.5}};
}

KindPriors priors_for(const Problem& problem) {
  KindPriors priors;
  std::size_t listed = 0;
  for (const Candidate& candidate : problem.candidates) listed += candidate.in_failing_run ? 1 : 0;
  if (listed == 0) priors.polluter = priors.amplified = 0;
  if (listed < 2) priors.pair = priors.cumulative = 0;
  if (listed < least_of_a_set) priors.set = 0;
  if (listed == problem.candidates.size()) priors.brittle = 0;
  if (problem.candidates.size() - listed < least_of_several_setters) priors.setters = 0;
  const double total = priors.self + priors.amplified + priors.polluter + priors.pair + priors.set +
                       priors.brittle + priors.setters + priors.cumulative + priors.gone;
  for (double* prior : {&priors.self, &priors.amplified, &priors.polluter, &priors.pair, &priors.set,
                        &priors.brittle, &priors.setters, &priors.cumulative, &priors.gone})
    *prior /= total;
  return priors;
}

SinglePosterior::SinglePosterior(const Problem& problem, const KindPriors& priors) : priors_(priors) {
  double listed = 0, unlisted = 0;
  for (const Candidate& candidate : problem.candidates)
    (candidate.in_failing_run ? listed : unlisted) += candidate.weight;
  for (const Candidate& candidate : problem.candidates) {
    log_polluter_.push_back(candidate.in_failing_run ? std::log(candidate.weight / listed)
                                                     : stats::minus_infinity);
    // The run to explain failed although the listed tests ran, so none of them sets the state.
    log_setter_.push_back(candidate.in_failing_run ? stats::minus_infinity
                                                   : std::log(candidate.weight / unlisted));
  }
}

double SinglePosterior::weigh(const stats::TwoRateModel& model, const Counts& counts, double history_failures,
                              double history_passes, Weights& w) const {
  const auto n = static_cast<Eigen::Index>(log_polluter_.size());
  w.polluter.resize(n);
  w.amplified.resize(n);
  w.brittle.resize(n);
  w.self = std::log(priors_.self) + model.constant_rate().log_marginal;
  w.self_rate = model.constant_rate().active_rate;
  // What the history said about rates before the failure went away is granted in full.
  w.gone = std::log(priors_.gone) + model.constant_log_marginal(history_failures, history_passes) +
           (counts.failures - history_failures) * std::log(gone_rate) +
           (counts.passes - history_passes) * std::log1p(-gone_rate);
  w.gone_rate = gone_rate;
  const double log_polluter = std::log(priors_.polluter);
  const double log_amplified = std::log(priors_.amplified);
  const double log_brittle = std::log(priors_.brittle);
  double high = std::max(w.self, w.gone);
  const auto set = [&high](CandidateWeights& part, Eigen::Index i, double log_prior,
                           const stats::RateSummary& summary, bool active_is_in) {
    part.weight[i] = log_prior + summary.log_marginal;
    part.in[i] = active_is_in ? summary.active_rate : summary.inactive_rate;
    part.out[i] = active_is_in ? summary.inactive_rate : summary.active_rate;
    high = std::max(high, part.weight[i]);
  };
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double fails = counts.active_failures[i];
    const double passes = counts.active_passes[i];
    w.polluter.weight[i] = w.amplified.weight[i] = w.brittle.weight[i] = stats::minus_infinity;
    if (log_polluter_[at] > stats::minus_infinity) {
      set(w.polluter, i, log_polluter + log_polluter_[at], model.evaluate(fails, passes, 0, polluter_cells),
          true);
      set(w.amplified, i, log_amplified + log_polluter_[at],
          model.evaluate(fails, passes, polluter_cells, model.cells()), true);
    } else {
      set(w.brittle, i, log_brittle + log_setter_[at],
          model.evaluate(counts.failures - fails, counts.passes - passes, 0, polluter_cells), false);
    }
  }
  return high;
}

}  // namespace flakebisect::bisect
