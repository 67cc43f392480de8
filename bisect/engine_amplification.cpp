#include "bisect/engine_amplification.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <vector>

#include "bisect/engine_state.h"
#include "stats/beta.h"
#include "stats/log_math.h"
#include "stats/rng.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

namespace {

// Cells of the model: the list matters; it matters little (twice; see the prior of `amplified`).
constexpr std::size_t rival = 0, first_own = 1, end_own = 3;
constexpr double matters_little = 0.1;
// Runs by which one of the compared lists may be ahead of its share.
constexpr double most_runs_ahead = 4;

}  // namespace

ComparedArms compared_arms(const Evidence& evidence, const SubsetBits& full) {
  ComparedArms compared;
  const double listed = static_cast<double>(size_of(full));
  for (const auto& [bits, counts] : evidence.arms()) {
    std::size_t ran = 0;
    for (std::size_t word = 0; word < bits.size(); ++word)
      ran += static_cast<std::size_t>(std::popcount(bits[word] & full[word]));
    // Tests of other runs only are no part of the list.
    const bool alone = ran == 0;
    if (!alone && static_cast<double>(ran) < most_of_the_list * listed) continue;
    ArmCounts& arm = alone ? compared.alone : compared.most;
    arm.failures += counts.failures;
    arm.passes += counts.passes;
    arm.probe_failures += counts.probe_failures;
    arm.probe_runs += counts.probe_runs;
    arm.victim_runs += counts.victim_runs;
  }
  return compared;
}

double log_evidence_against_amplification(const ComparedArms& arms, double ratio) {
  thread_local std::map<double, stats::TwoRateModel> models;
  stats::TwoRateModel& model =
      models
          .try_emplace(ratio, stats::flat_rate_prior(),
                       std::vector<stats::RatioCell>{
                           {ratio, 1.0}, {0.6, matters_little / 2}, {0.8, matters_little / 2}})
          .first->second;
  const ArmCounts& alone = arms.alone;
  const ArmCounts& most = arms.most;
  model.set_totals(alone.failures + most.failures, alone.passes + most.passes);
  const double same = std::log1p(-matters_little) + model.constant_rate().log_marginal;
  const double little = model.evaluate(most.failures, most.passes, first_own, end_own).log_marginal;
  return stats::log_add(same, little) -
         model.evaluate(most.failures, most.passes, rival, rival + 1).log_marginal;
}

double log_evidence_against_protection(const ComparedArms& arms) {
  return log_evidence_against_amplification({arms.most, arms.alone}, near_comparison.ratio);
}

double runs_to_exclude_amplification(double rate, const ListComparison& comparison) {
  // Nothing fails more often than always: higher rates alone exclude it without a run behind the list.
  rate = std::min(rate, 0.98 * comparison.ratio);
  const double amplified = rate / comparison.ratio;
  const double nats_a_run =
      rate * std::log(rate / amplified) + (1 - rate) * std::log((1 - rate) / (1 - amplified));
  return std::log(comparison.evidence) / nats_a_run;
}

std::optional<double> least_rate_compared(double seconds_a_run, double bearable,
                                          const ListComparison& comparison) {
  const auto dear = [&](double rate) {
    return seconds_a_run * runs_to_exclude_amplification(rate, comparison) > bearable;
  };
  // Above this rate the victim alone excludes it.
  const double highest = 0.98 * comparison.ratio;
  if (dear(highest)) return std::nullopt;
  double low = 1e-6, high = highest;
  for (int step = 0; step < 40; ++step) {
    const double middle = std::sqrt(low * high);
    (dear(middle) ? low : high) = middle;
  }
  return high;
}

ListMatters list_matters_by(double log_evidence, double evidence, double spent, double most, bool worth_it) {
  if (log_evidence >= std::log(evidence)) return ListMatters::no;
  if (log_evidence <= -std::log(amplification_shown)) return ListMatters::maybe;
  if (!worth_it) return ListMatters::not_asked;
  if (spent <= most) return ListMatters::open;
  return log_evidence < 0 ? ListMatters::maybe : ListMatters::not_asked;
}

double Engine::State::bearable(const ListComparison& comparison) const {
  if (options.count_probes) return comparison.probes;
  return comparison.seconds * (can_repeat() ? share_where_repeated : 1);
}

double Engine::State::most_bearable(const ListComparison& comparison) const {
  return bearable(comparison) * (can_repeat() ? given_up_where_repeated_at : given_up_at);
}

const ListComparison* Engine::State::comparison_worth_it(const ComparedArms& arms) const {
  const std::vector<TestIndex> compared = compared_list();
  const double rate = (arms.alone.failures + 0.5) / (arms.alone.failures + arms.alone.passes + 1);
  const double seconds = cost_of_a_run(compared, rate) / usable_share(problem, compared);
  for (const ListComparison* comparison : {&near_comparison, &far_comparison}) {
    const std::optional<double> least = least_rate_compared(seconds, bearable(*comparison), *comparison);
    if (least && stats::probability_above(arms.alone.failures, arms.alone.failures + arms.alone.passes,
                                          *least) >= worth_comparing)
      return comparison;
  }
  return nullptr;
}

ListMatters Engine::State::list_matters(const Answer& answer) const {
  if (answer.kind != Kind::self || full_list().empty()) return ListMatters::no;
  const ComparedArms arms = compared_arms(evidence, to_bits(full_list(), problem.candidates.size()));
  const ListComparison* worth_it = comparison_worth_it(arms);
  const auto matters_by = [&](const ListComparison& comparison) {
    return list_matters_by(log_evidence_against_amplification(arms, comparison.ratio), comparison.evidence,
                           compared_seconds, most_bearable(comparison), worth_it == &comparison);
  };
  const ListMatters matters = matters_by(near_comparison);
  if (matters != ListMatters::not_asked || worth_it != &far_comparison) return matters;
  return matters_by(far_comparison);
}

bool Engine::State::comparing_lists() {
  const Answer& top = best();
  return top.kind == Kind::self && nearly_settled() &&
         (list_matters(top) == ListMatters::open || list_protects(top) == ListMatters::open);
}

bool Engine::comparing_lists() const {
  return !state_->final_verdict && state_->comparing_lists();
}

ArmCounts Engine::State::alone_since_list() const {
  const SubsetBits full = to_bits(full_list(), problem.candidates.size());
  const double most = most_of_the_list * static_cast<double>(size_of(full));
  ArmCounts alone;
  bool list_ran = false;
  for (const ProbeRun& run : evidence.runs()) {
    std::size_t listed = 0;
    for (std::size_t word = 0; word < full.size(); ++word)
      listed += static_cast<std::size_t>(std::popcount((*run.list)[word] & full[word]));
    list_ran = list_ran || static_cast<double>(listed) >= most;
    if (!list_ran || listed > 0) continue;
    ++alone.probe_runs;
    alone.probe_failures += run.failed ? 1 : 0;
  }
  return alone;
}

ListMatters Engine::State::list_protects(const Answer& answer) const {
  if (answer.kind != Kind::self || full_list().empty()) return ListMatters::no;
  const ComparedArms arms = compared_arms(evidence, to_bits(full_list(), problem.candidates.size()));
  const double against = log_evidence_against_protection(arms);
  if (against >= std::log(protection_excluded)) return ListMatters::no;
  if (against <= -std::log(protection_shown)) {
    // Not where it has ceased to fail alone: only runs made among those of the list count here.
    const ArmCounts since = alone_since_list();
    const bool still_fails =
        since.probe_runs >= runs_among_the_list && 2 * since.probe_failures >= since.probe_runs;
    return still_fails ? ListMatters::maybe : ListMatters::open;
  }
  // Rarer failures would need many runs.
  const double runs = arms.alone.failures + arms.alone.passes;
  if (stats::probability_above(arms.alone.failures, runs, 0.5) < worth_comparing)
    return ListMatters::not_asked;
  const std::vector<TestIndex> compared = compared_list();
  const double seconds =
      (options.count_probes ? 1 : probe_seconds(problem, compared)) / usable_share(problem, compared);
  const double most = bearable(near_comparison);
  const bool dear =
      runs_to_exclude_protection * seconds > most || compared_seconds > most_bearable(near_comparison);
  return dear ? ListMatters::not_asked : ListMatters::open;
}

std::vector<TestIndex> Engine::State::compared_list() const {
  std::vector<TestIndex> list = full_list();
  if (options.count_probes && usable_share(problem, list) == 1) return list;
  // A few dear tests take most of the time: the cheapest for what they are suspected of.
  const auto dearer = [&](TestIndex a, TestIndex b) {
    const Candidate& x = problem.candidates[a];
    const Candidate& y = problem.candidates[b];
    const double left = dearness(x) * y.weight, right = dearness(y) * x.weight;
    return left != right ? left < right : a < b;
  };
  std::sort(list.begin(), list.end(), dearer);
  double all = 0, kept = 0;
  for (const TestIndex test : list) all += problem.candidates[test].weight;
  std::size_t size = 0;
  while (size < list.size() && kept < compared_share * all) kept += problem.candidates[list[size++]].weight;
  // Suspects that the user named may be few: what is run must count as most of the list all the same.
  const double least = std::ceil(most_of_the_list * static_cast<double>(list.size()));
  list.resize(std::max(size, static_cast<std::size_t>(least)));
  std::sort(list.begin(), list.end());
  return list;
}

std::vector<TestIndex> Engine::State::comparison_of_lists() const {
  std::vector<TestIndex> list = compared_list();
  // The error of the ratio is least where the runs are shared out by the root of what they cost.
  const double costlier =
      options.count_probes ? 1 : std::sqrt(probe_seconds(problem, list) / probe_seconds(problem, {}));
  const ComparedArms arms = compared_arms(evidence, to_bits(full_list(), problem.candidates.size()));
  const auto alone = static_cast<double>(arms.alone.probe_runs + running({}));
  const auto most = static_cast<double>(arms.most.probe_runs + running(list));
  // Drawn, not by turns, and not the likelier the more it is behind: a failure that comes and goes with a
  // period would fall in step with the lists. Only one that is far behind is run for certain (the big stick
  // design; Soares & Wu 1983).
  const double share = costlier / (1 + costlier);
  const double ahead = alone - share * (alone + most);
  if (ahead > most_runs_ahead) return list;
  stats::Rng rng(options.seed, next_id);
  if (ahead < -most_runs_ahead || rng.bernoulli(share)) return {};
  return list;
}

bool Engine::State::comparison_on_its_way(const Answer& answer) const {
  ComparedArms arms = compared_arms(evidence, to_bits(full_list(), problem.candidates.size()));
  const auto add = [&](ArmCounts& arm, std::uint64_t runs) {
    arm.failures += answer.rate * static_cast<double>(runs);
    arm.passes += (1 - answer.rate) * static_cast<double>(runs);
  };
  const ListComparison* worth_it = comparison_worth_it(arms);
  if (worth_it == nullptr) return false;
  const std::uint64_t alone = running({}), most = running(compared_list());
  add(arms.alone, alone);
  add(arms.most, most);
  return alone + most > 0 &&
         log_evidence_against_amplification(arms, worth_it->ratio) >= std::log(worth_it->evidence);
}

}  // namespace flakebisect::bisect
