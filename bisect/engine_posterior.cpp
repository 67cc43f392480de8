#include "bisect/engine_posterior.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stats/log_math.h"

namespace flakebisect::bisect {

Posterior::Posterior(const Problem& problem)
    : problem_(&problem),
      priors_(priors_for(problem)),
      single_(problem, priors_),
      pairs_(problem),
      model_(stats::default_rate_prior(), ratio_cells()) {
  for (const Candidate& candidate : problem.candidates) listed_ += candidate.in_failing_run ? 1 : 0;
}

void Posterior::add(const std::vector<TestIndex>& ran, bool failed, double weight, const Evidence& evidence) {
  double share = 0;
  for (const TestIndex test : ran) share += problem_->candidates[test].in_failing_run ? 1 / listed_ : 0;
  dose_.add(share, failed, weight);
  if (!pairs_.empty()) pairs_.add(ran, failed, weight);
  failures_seen_ += failed ? 1 : 0;
  if (listed_ <= static_cast<double>(pair_pool) || failures_seen_ < next_pool_at_) return;
  // Too many candidates for all pairs: those that ran in most failures and in fewest passes.
  next_pool_at_ = 2 * failures_seen_;
  const Counts& counts = evidence.counts();
  std::vector<TestIndex> likely;
  for (TestIndex i = 0; i < problem_->candidates.size(); ++i)
    if (problem_->candidates[i].in_failing_run) likely.push_back(i);
  const auto likelier = [&](TestIndex a, TestIndex b) {
    const auto x = static_cast<Eigen::Index>(a);
    const auto y = static_cast<Eigen::Index>(b);
    if (counts.active_failures[x] != counts.active_failures[y])
      return counts.active_failures[x] > counts.active_failures[y];
    if (counts.active_passes[x] != counts.active_passes[y])
      return counts.active_passes[x] < counts.active_passes[y];
    return a < b;
  };
  std::sort(likely.begin(), likely.end(), likelier);
  likely.resize(std::min(likely.size(), chosen_pool));
  pairs_.choose_pool(std::move(likely), evidence);
}

Weights Posterior::weigh(const Counts& counts, double history_failures, double history_passes) const {
  model_.set_totals(counts.failures, counts.passes);
  Weights w;
  double high = single_.weigh(model_, counts, history_failures, history_passes, w);
  if (priors_.pair > 0 && !pairs_.empty())
    high = std::max(
        high, pairs_.weigh(model_, std::log(priors_.pair) - std::log(listed_ * (listed_ - 1) / 2), w.pairs));
  const double log_dose =
      priors_.cumulative > 0 ? std::log(priors_.cumulative) + dose_.log_marginal() : stats::minus_infinity;
  high = std::max(high, log_dose);
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle})
    part->weight = (part->weight - high).exp();
  w.self = std::exp(w.self - high);
  w.gone = std::exp(w.gone - high);
  w.dose.weight = std::exp(log_dose - high);
  normalise_pairs(w.pairs, high);
  const double total = w.self + w.gone + w.dose.weight + w.pairs.total + w.polluter.weight.sum() +
                       w.amplified.weight.sum() + w.brittle.weight.sum();
  w.self /= total;
  w.gone /= total;
  w.dose.weight /= total;
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle}) part->weight /= total;
  for (PairClass& one : w.pairs.classes) {
    one.weight /= total;
    one.fail_step /= total;
    one.entropy_step /= total;
  }
  w.pairs.total /= total;
  w.pairs.alone_fail /= total;
  w.pairs.alone_entropy /= total;
  if (w.dose.weight > 1e-9) dose_.predict(w.dose);
  return w;
}

}  // namespace flakebisect::bisect
