#include "bisect/engine_posterior.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "bisect/engine_group_exact.h"
#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// Groups are expected to have so many members, those that are too small included.
constexpr double expected_members = 3;
constexpr double expected_setters = 2;
// log of how much lighter than the heaviest explanation a group may be before it costs more time than it
// informs.
constexpr double light_group = -14;
constexpr double light_large_group = -7;  ///< of many tests, which cost more
// Failing probes after which a short list of what ran in each of them is worth weighing.
constexpr std::uint64_t failures_that_leave_suspects = 3;

}  // namespace

Posterior::Posterior(const Problem& problem)
    : problem_(&problem),
      priors_(priors_for(problem)),
      single_(problem, priors_),
      pairs_(problem),
      set_(problem, GroupForm::all_needed, least_of_a_set, expected_members),
      setters_(problem, GroupForm::one_is_enough, least_of_several_setters, expected_setters),
      model_(stats::default_rate_prior(), ratio_cells()) {
  for (const Candidate& candidate : problem.candidates) listed_ += candidate.in_failing_run ? 1 : 0;
}

void Posterior::add(const std::vector<TestIndex>& ran, bool failed, double weight, const Evidence& evidence) {
  double share = 0;
  for (const TestIndex test : ran) share += problem_->candidates[test].in_failing_run ? 1 / listed_ : 0;
  dose_.add(share, failed, weight);
  crowd_.add(share, failed, weight);
  set_.add(ran, failed, weight);
  setters_.add(ran, failed, weight);
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

std::size_t level_of(Kind kind, std::size_t tests) {
  switch (kind) {
    case Kind::polluter:
      return level_polluter;
    case Kind::polluter_set:
      return tests > 2 ? level_set : level_pair;
    case Kind::brittle:
      return level_brittle;
    case Kind::cumulative:
      return level_cumulative;
    case Kind::not_reproduced:
      return level_gone;
    default:
      return level_self;
  }
}

SelfRates Posterior::self_rates(const Counts& counts, std::size_t more) const {
  const auto size = static_cast<Eigen::Index>(more) + 1;
  SelfRates log_marginal(size + 1, size);
  for (Eigen::Index failures = 0; failures <= size; ++failures)
    for (Eigen::Index passes = 0; passes < size; ++passes)
      log_marginal(failures, passes) = model_.constant_log_marginal(
          counts.failures + static_cast<double>(failures), counts.passes + static_cast<double>(passes));
  return (log_marginal.bottomRows(size) - log_marginal.topRows(size)).exp();
}

KindLevels Posterior::levels(const Weights& w) const {
  const auto level = [](double weight, double prior) { return prior > 0 ? weight / prior : 0.0; };
  KindLevels levels{};
  levels[level_self] = level(w.self_total(), priors_.self + priors_.amplified);
  levels[level_polluter] = level(w.polluter.weight.sum(), priors_.polluter);
  levels[level_pair] = level(w.pairs.total, priors_.pair);
  levels[level_set] = level(w.set.weight, priors_.set);
  levels[level_brittle] = level(w.brittle.weight.sum() + w.setters.weight, priors_.brittle + priors_.setters);
  levels[level_cumulative] = level(w.dose.weight, priors_.cumulative);
  levels[level_gone] = level(w.gone, priors_.gone);
  return levels;
}

Weights Posterior::duel(std::size_t leader, Weights w, bool alone_alike) const {
  const KindLevels level = levels(w);
  std::size_t rival = leader == level_self ? level_polluter : level_self;
  for (std::size_t kind = 0; kind < level_count; ++kind)
    if (kind != leader && level[kind] > level[rival]) rival = kind;
  const double total = level[leader] + level[rival];
  const auto factor = [&](std::size_t kind, double weight) {
    return (kind == leader || kind == rival) && weight > 0 ? level[kind] / total / weight : 0.0;
  };
  // A state-setter's victim, alone, fails like one that fails on its own: what their estimates differ by is
  // mostly chance, and no reason to run the victim alone again.
  if (alone_alike && leader == level_self && w.self_total() > 0) {
    const double alone = w.self_rate_alone();
    w.brittle.out.setConstant(alone);
    for (GroupWeights::Part& part : w.setters.parts) part.in = alone;
    for (GroupWeights::Exact::Group& group : w.setters.exact.groups) group.in = alone;
  }
  const double self = factor(level_self, w.self_total());
  w.self *= self;
  w.amplified.weight *= self;
  w.polluter.weight *= factor(level_polluter, w.polluter.weight.sum());
  scale_pairs(w.pairs, factor(level_pair, w.pairs.total));
  w.set.weight *= factor(level_set, w.set.weight);
  const double brittle = factor(level_brittle, w.brittle.weight.sum() + w.setters.weight);
  w.brittle.weight *= brittle;
  w.setters.weight *= brittle;
  w.dose.weight *= factor(level_cumulative, w.dose.weight);
  w.gone *= factor(level_gone, w.gone);
  return w;
}

double Posterior::weigh_group(const GroupPosterior& group, GroupForm form, double prior, std::size_t least,
                              const Evidence& evidence, double high, GroupWeights& w) const {
  if (!(prior > 0)) return stats::minus_infinity;
  const double rough = group.log_marginal();
  // Before the first failure nobody is suspected.
  const bool failed = evidence.probe_failures() > 0 || evidence.history_failures() > 0;
  const double light = listed_ > static_cast<double>(pair_pool) ? light_large_group : light_group;
  std::vector<TestIndex> suspects;
  if (failed && std::log(prior) + rough >= high + light) {
    group.predict(w);
    suspects = suspects_of(w);
  } else if (form == GroupForm::all_needed && evidence.probe_failures() >= failures_that_leave_suspects) {
    // What was learned badly early on may have cost the rough estimate its members. But few tests ran in
    // every failing probe: of a set that is needed, all.
    for (const TestIndex test : to_tests(evidence.common_to_failures()))
      if (problem_->candidates[test].in_failing_run) suspects.push_back(test);
    if (suspects.size() < least || suspects.size() > group_suspects) return std::log(prior) + rough;
    w.all_needed = true;
    w.member = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(problem_->candidates.size()));
  } else {
    return std::log(prior) + rough;
  }
  const double universe =
      form == GroupForm::all_needed ? listed_ : static_cast<double>(problem_->candidates.size()) - listed_;
  ExactGroups exact =
      weigh_groups(evidence, model_, form, std::move(suspects), static_cast<std::size_t>(universe), least);
  // Two ways to predict the same outcomes, each granted one half.
  const double both = stats::log_add(rough, exact.log_marginal);
  if (exact.log_marginal > stats::minus_infinity) {
    const double share = std::exp(exact.log_marginal - both);
    merge_groups(w, std::move(exact), share);
  }
  return std::log(prior) + both - std::log(2.0);
}

Weights Posterior::weigh(const Counts& counts, const Evidence& evidence) const {
  const double history_failures = evidence.history_failures();
  const double history_passes = evidence.history_passes();
  model_.set_totals(counts.failures, counts.passes);
  Weights w;
  double high = single_.weigh(model_, counts, history_failures, history_passes, w);
  if (priors_.pair > 0 && !pairs_.empty())
    high = std::max(
        high, pairs_.weigh(model_, std::log(priors_.pair) - std::log(listed_ * (listed_ - 1) / 2), w.pairs));
  const double log_dose =
      priors_.cumulative > 0 ? std::log(priors_.cumulative) + dose_.log_marginal() : stats::minus_infinity;
  high = std::max(high, log_dose);
  const double log_set =
      weigh_group(set_, GroupForm::all_needed, priors_.set, least_of_a_set, evidence, high, w.set);
  const double log_setters = weigh_group(setters_, GroupForm::one_is_enough, priors_.setters,
                                         least_of_several_setters, evidence, high, w.setters);
  high = std::max({high, log_set, log_setters});
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle})
    part->weight = (part->weight - high).exp();
  w.self = std::exp(w.self - high);
  w.gone = std::exp(w.gone - high);
  w.dose.weight = std::exp(log_dose - high);
  if (priors_.cumulative > 0) w.crowd = std::exp(crowd_.log_marginal() - high);
  w.set.weight = std::exp(log_set - high);
  w.setters.weight = std::exp(log_setters - high);
  normalise_pairs(w.pairs, high);
  const double total = w.self + w.gone + w.dose.weight + w.set.weight + w.setters.weight + w.pairs.total +
                       w.polluter.weight.sum() + w.amplified.weight.sum() + w.brittle.weight.sum();
  w.self /= total;
  w.gone /= total;
  w.dose.weight /= total;
  w.crowd /= total;
  w.set.weight /= total;
  w.setters.weight /= total;
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle}) part->weight /= total;
  scale_pairs(w.pairs, 1 / total);
  if (w.dose.weight > 1e-9) dose_.predict(w.dose);
  return w;
}

}  // namespace flakebisect::bisect
