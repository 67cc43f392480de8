/// Confirmation and the stopping rule.

#include <algorithm>
#include <cmath>
#include <tuple>

#include "bisect/engine_fit.h"
#include "bisect/engine_processes.h"
#include "bisect/engine_state.h"
#include "stats/beta.h"
#include "stats/fisher.h"
#include "stats/log_math.h"
#include "stats/rng.h"

namespace flakebisect::bisect {

double Engine::State::log_e_needed() const {
  return -std::log(1.0 - options.confidence);
}

double Engine::State::log_e(const Answer& answer) const {
  switch (answer.kind) {
    case Kind::self:
      return alone_test().highest_log_e();
    case Kind::not_reproduced:
      // Nothing can be reproduced, so nothing can be confirmed: the posterior has the only word.
      return log_e_needed();
    default: {
      const auto found = confirmations.find(answer.key());
      return found == confirmations.end() ? 0.0 : found->second.highest_log_e();
    }
  }
}

bool Engine::State::outweighs_other_kinds(const Answer& answer, double times) {
  const KindLevels levels = posterior.levels(weights());
  const std::size_t own = level_of(answer.kind, answer.tests.size());
  for (std::size_t kind = 0; kind < level_count; ++kind)
    if (kind != own && levels[own] < times * evidence_needed(own, kind) * levels[kind]) return false;
  return outweighs_several(own);
}

bool Engine::State::outweighs_several(std::size_t kind) {
  const double several = weights().crowd, own = posterior.levels(weights())[kind];
  if (kind == level_cumulative) return own >= leak_above_several * several;
  return (kind != level_pair && kind != level_set) || own >= set_above_several * several;
}

double evidence_needed(std::size_t answer, std::size_t other) {
  if (answer != level_self) return 20;
  return other == level_brittle || other == level_polluter || other == level_cumulative ? 30 : 20;
}

bool Engine::State::nearly_settled() {
  const Answer& top = best();
  return top.probability >= options.confidence && log_e(top) >= log_e_needed() && seen_enough(top) &&
         outweighs_other_kinds(top) && !self_does_not_fit(top);
}

bool Engine::State::settled() {
  if (final_verdict) return true;
  if (!nearly_settled()) return false;
  const Answer& top = best();
  if (list_matters(top) == ListMatters::open) return false;
  if (const ListMatters protects = list_protects(top);
      protects == ListMatters::open || protects == ListMatters::maybe)
    return false;
  if (top.kind == Kind::not_reproduced) return true;
  final_verdict = own_verdict(true);
  start_follow_up();
  return true;
}

bool Engine::State::reproduced_enough(const Answer& answer) const {
  if (!enough_processes(evidence, answer.kind, answer.tests)) return false;
  if (answer.kind == Kind::self || answer.kind == Kind::not_reproduced) return true;
  const auto found = confirmations.find(answer.key());
  if (found == confirmations.end() || !found->second.controls_suffice()) return false;
  return evidence.arm(arms_of(answer).treatment).probe_failures >= failures_of_reproduction;
}

std::uint64_t Engine::State::list_results_lacking() const {
  return list_results_of_not_reproduced - std::min(list_results, list_results_of_not_reproduced);
}

bool Engine::State::seen_enough(const Answer& answer) const {
  if (answer.kind == Kind::not_reproduced && list_results_lacking() > 0) return false;
  if (!reproduced_enough(answer)) return false;
  // What the victim does to itself it does in both arms of a confirmation; 'self' has only one.
  if (answer.kind == Kind::self && !repeats.trusted()) return false;
  // The arms of a leak cannot tell it from a test that every failing list held.
  return answer.kind != Kind::cumulative || to_tests(evidence.common_to_failures()).empty();
}

bool Engine::State::self_does_not_fit(const Answer& answer) {
  if (answer.kind != Kind::self || answer.probability < duel_from) return false;
  const bool rises = list_matters(answer) == ListMatters::maybe ||
                     fit_of(evidence, full_list().size(), answer.kind, {}).rises();
  return rises && !outweighs_other_kinds(answer, beyond_doubt);
}

std::vector<TestIndex> Engine::State::list_without_common() const {
  std::vector<TestIndex> list = full_list();
  const SubsetBits common = evidence.common_to_failures();
  const auto seconds = [&](TestIndex test) {
    return options.count_probes ? 1 : dearness(problem.candidates[test]);
  };
  // Left out first: half of the common ones, drawn with what they cost as weights (the smallest exponential
  // draws; Efraimidis & Spirakis 2006), then the others, the dearest first.
  stats::Rng rng(options.seed, next_id);
  std::vector<std::pair<double, TestIndex>> suspects, others;
  for (const TestIndex test : list) {
    const double drawn = rng.exponential() / seconds(test);
    if (contains(common, test))
      suspects.emplace_back(drawn, test);
    else
      others.emplace_back(-seconds(test), test);
  }
  std::sort(suspects.begin(), suspects.end());
  std::sort(others.begin(), others.end());
  // No more of the list than a leak's rate can bear.
  const std::size_t most = std::max<std::size_t>(1, list.size() / 4);
  suspects.resize(std::min((suspects.size() + 1) / 2, most));
  std::vector<TestIndex> left_out;
  left_out.reserve(suspects.size());
  for (const auto& [drawn, test] : suspects) left_out.push_back(test);
  // Of those that are no suspects only what saves more time than rate: a leak's rate falls with the number.
  double left_seconds = probe_seconds(problem, list);
  for (const TestIndex test : left_out) left_seconds -= problem.candidates[test].seconds;
  for (const auto& [drawn, test] : others) {
    const auto left = static_cast<double>(list.size() - left_out.size());
    if (options.count_probes || left_out.size() >= most || !(seconds(test) > dear_test * left_seconds / left))
      break;
    left_out.push_back(test);
    left_seconds -= problem.candidates[test].seconds;
  }
  const SubsetBits without = to_bits(left_out, problem.candidates.size());
  list.erase(
      std::remove_if(list.begin(), list.end(), [&](TestIndex test) { return contains(without, test); }),
      list.end());
  return list;
}

bool Engine::State::alone_contradicts_self(const Answer& answer) {
  if (answer.kind != Kind::self || answer.probability < settle_from) return false;
  const double predicted = weights().self_rate_alone();
  const ArmCounts alone = compared_arms(evidence, to_bits(full_list(), problem.candidates.size())).alone;
  // Where runs share a process, so do what is seen and what is predicted.
  const bool repeated = problem.most_victim_runs > 1;
  const double failures = repeated ? alone.failures : static_cast<double>(alone.probe_failures);
  const double runs = repeated ? alone.failures + alone.passes : static_cast<double>(alone.probe_runs);
  return stats::probability_above(failures, runs, predicted) < contradicted_by_alone;
}

std::vector<TestIndex> Engine::State::shortest_failing_list() const {
  std::vector<TestIndex> list = full_list();
  for (const ProbeRun& run : evidence.runs())
    if (run.failed && size_of(*run.list) < list.size() && size_of(*run.list) > 0) list = to_tests(*run.list);
  return list;
}

std::vector<TestIndex> Engine::State::one_of_several() const {
  stats::Rng rng(options.seed, next_id);
  if (rng.bernoulli(0.5)) return {};
  std::vector<TestIndex> list = shortest_failing_list();
  if (list.size() > 1)
    list.erase(std::remove_if(list.begin(), list.end(), [&](TestIndex) { return !rng.bernoulli(0.5); }),
               list.end());
  return list;
}

std::vector<TestIndex> Engine::State::leak_or_several() const {
  constexpr double all = 0.2, quarter = 0.5;  // below these a uniform draw runs the whole list, a quarter
  constexpr double share_of_quarter = 0.25, share_of_half = 0.5;
  stats::Rng rng(options.seed, next_id);
  const double drawn = rng.uniform();
  if (drawn < all) return full_list();
  // A pass may be chance, a failure is none: only failures shorten the list.
  std::vector<TestIndex> list = drawn < quarter ? full_list() : shortest_failing_list();
  if (list.size() == 1) return list;
  const double share = drawn < quarter ? share_of_quarter : share_of_half;
  list.erase(std::remove_if(list.begin(), list.end(), [&](TestIndex) { return !rng.bernoulli(share); }),
             list.end());
  return list;
}

std::vector<TestIndex> Engine::State::full_list() const {
  std::vector<TestIndex> tests;
  for (TestIndex i = 0; i < problem.candidates.size(); ++i)
    if (problem.candidates[i].in_failing_run) tests.push_back(i);
  return tests;
}

bool Engine::State::is_alone(const std::vector<TestIndex>& ran) const {
  return std::none_of(ran.begin(), ran.end(),
                      [&](TestIndex test) { return problem.candidates[test].in_failing_run; });
}

Arms Engine::State::arms_of(const Answer& answer) const {
  switch (answer.kind) {
    case Kind::brittle:
      return {{}, {answer.tests}};
    case Kind::cumulative:
      return {full_list(), {{}}};
    case Kind::polluter_set: {
      Arms arms{answer.tests, {}};
      for (const TestIndex member : answer.tests) {
        std::vector<TestIndex>& control = arms.controls.emplace_back(answer.tests);
        control.erase(std::find(control.begin(), control.end(), member));
      }
      return arms;
    }
    default:
      return {answer.tests, {{}}};
  }
}

Probe Engine::State::confirm(const Answer& answer) {
  Probe probe = confirming_probe(answer);
  if (evidence.processes_shared()) {
    probe.fresh_process = confirming_runs == 0;
    confirming_runs = (confirming_runs + 1) % confirming_runs_of_a_process;
  }
  return probe;
}

Probe Engine::State::confirming_probe(const Answer& answer) {
  const std::uint32_t victim_runs = confirming_victim_runs(answer);
  if (answer.kind == Kind::self) return issue({}, Purpose::treatment, answer, victim_runs);
  const ArmDraw draw = draw_arm(answer, next_id);
  Probe probe = issue(draw.list(), draw.control ? Purpose::control : Purpose::treatment, answer, victim_runs);
  expect(answer, probe.id, draw);
  return probe;
}

void Engine::State::expect(const Answer& answer, std::uint64_t probe_id, const ArmDraw& draw) {
  Confirmation& confirmation =
      confirmations.try_emplace(answer.key(), draw.arms.controls.size()).first->second;
  // Of a resumed session's probes it is not known how often they were to run the victim; the bet may be any.
  const std::uint32_t runs = confirming_victim_runs(answer);
  confirmation.runs[probe_id] = {draw.control, draw.treatment_probability,
                                 repeats.fails_within(answer.rate, runs),
                                 repeats.fails_within(answer.control_rate, runs), std::nullopt};
}

void Confirmation::count() {
  while (!runs.empty() && runs.begin()->second.end) {
    const Run& run = runs.begin()->second;
    for (std::size_t control = 0; control < tests.size() && run.end != RunEnd::lost; ++control)
      if (run.control.value_or(control) == control)
        tests[control].observe(!run.control, run.end == RunEnd::failed, run.treatment_probability,
                               run.treatment_rate, run.control_rate);
    runs.erase(runs.begin());
  }
}

double Confirmation::highest_log_e() const {
  double least = tests.front().highest_log_e();
  for (const stats::RandomisedTwoArmTest& test : tests) least = std::min(least, test.highest_log_e());
  return least;
}

bool Confirmation::controls_suffice() const {
  return std::all_of(controls.begin(), controls.end(), [this](const Ended& control) {
    if (3 * control.usable < 2 * (control.runs - control.lost)) return false;
    if (controls.size() > 1 && control.usable < least_usable_controls) return false;
    if (control.lost == 0) return true;
    // Machines are lost whatever runs there; where they seem not to be, what is left was picked.
    return control.usable >= least_usable_controls &&
           stats::fisher_exact_two_sided(control.lost, control.runs, treatments.lost, treatments.runs) >=
               lost_alike_level;
  });
}

void Engine::State::end_confirmation(const Answer& answer, std::uint64_t probe_id, RunEnd end) {
  const auto found = confirmations.find(answer.key());
  if (found == confirmations.end()) return;
  Confirmation& confirmation = found->second;
  const auto run = confirmation.runs.find(probe_id);
  if (run == confirmation.runs.end()) return;
  run->second.end = end;
  Confirmation::Ended& arm =
      run->second.control ? confirmation.controls[*run->second.control] : confirmation.treatments;
  ++arm.runs;
  arm.usable += end == RunEnd::passed || end == RunEnd::failed ? 1 : 0;
  arm.lost += end == RunEnd::lost ? 1 : 0;
  confirmation.count();
}

ArmDraw Engine::State::draw_arm(const Answer& answer, std::uint64_t probe_id) const {
  stats::Rng rng(options.seed, probe_id);
  ArmDraw draw;
  draw.arms = arms_of(answer);
  const std::uint64_t number = rng.next() >> 32;
  const double share = treatment_share(draw.arms);
  draw.treatment_probability = against_one_control(share, draw.arms.controls.size());
  if (!rng.bernoulli(share)) draw.control = number % draw.arms.controls.size();
  return draw;
}

double Engine::State::against_one_control(double share, std::size_t controls) {
  return share / (share + (1 - share) / static_cast<double>(controls));
}

double Engine::State::treatment_share(const Arms& arms) const {
  // Where no control ever fails, a probe is expected to add share * rate * log(1 / p) to each log e, p being
  // the share of the reproduction among its own runs and one control's.
  const auto cost = [&](const std::vector<TestIndex>& list) {
    return options.count_probes ? 1 : probe_seconds(problem, list);
  };
  const double treatment = cost(arms.treatment);
  double control = 0;
  for (const std::vector<TestIndex>& list : arms.controls)
    control += cost(list) / static_cast<double>(arms.controls.size());
  double best = 0, best_share = 0.5;
  for (const double share : {0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45}) {
    const double gain = -share * std::log(against_one_control(share, arms.controls.size())) /
                        (share * treatment + (1 - share) * control);
    if (gain > best) {
      best = gain;
      best_share = share;
    }
  }
  return best_share;
}

bool Engine::State::confirmation_on_its_way(const Answer& answer) const {
  if (in_flight.empty() || !seen_enough(answer)) return false;
  double sure = 1;
  const auto likeliest = [&](double rate) {
    sure *= std::max(rate, 1 - rate);
    return rate >= 0.5;
  };
  if (answer.kind == Kind::self) {
    stats::RateAboveTest test = alone_test();
    for (const auto& [id, pending] : in_flight)
      if (is_alone(pending.probe.subset))
        test.observe(likeliest(repeats.fails_within(answer.rate, pending.probe.victim_runs)));
    return sure >= good_as_sure && test.highest_log_e() >= log_e_needed();
  }
  const auto found = confirmations.find(answer.key());
  if (found == confirmations.end()) return false;
  Confirmation expected = found->second;
  for (auto& [id, run] : expected.runs) {
    if (run.end) continue;
    const double rate = run.control ? answer.control_rate : answer.rate;
    const auto pending = in_flight.find(id);
    const std::uint32_t runs = pending == in_flight.end() ? 1 : pending->second.probe.victim_runs;
    run.end = likeliest(repeats.fails_within(rate, runs)) ? RunEnd::failed : RunEnd::passed;
  }
  expected.count();
  return sure >= good_as_sure && expected.highest_log_e() >= log_e_needed();
}

bool Engine::State::full_list_is_due() {
  // 'Not reproduced' is believed for what did not fail: nothing says so better than the list.
  if (best().kind != Kind::not_reproduced && best().probability >= 0.5) return false;
  const std::vector<TestIndex> full = full_list();
  if (full.empty()) return false;
  const double seconds = options.count_probes ? 1 : probe_seconds(problem, full);
  const double under_way = seconds * static_cast<double>(running(full));
  const double of_a_result = seconds / usable_share(problem, full);
  // The more is left for explanations that need many tests, or none, the more of the time.
  const Weights& w = weights();
  const double many = w.gone + w.dose.weight + w.pairs.total + w.set.weight;
  const bool unseen =
      evidence.probe_failures() == 0 && evidence.history_failures() < failures_that_tell_a_rate;
  const auto voids = voids_of.find(full);
  const bool unanswered = evidence.probe_failures() == 0 && evidence.arm(full).probe_runs == 0 &&
                          running(full) == 0 &&
                          (voids == voids_of.end() || voids->second < quick_full_list_tries);
  if (!options.count_probes && unanswered && full_list_seconds + of_a_result <= quick_full_list_seconds)
    return true;
  const double least = unseen ? unseen_full_list_share : least_full_list_share;
  const auto failures = static_cast<double>(evidence.arm(full).probe_failures);
  const double of_many =
      full_list_share * many * full_list_failures_for_half / (full_list_failures_for_half + failures);
  const double share = std::clamp(of_many, least, full_list_share);
  return full_list_seconds + under_way + of_a_result <= share * (probed_seconds + under_way + seconds);
}

std::optional<double> Engine::expected_seconds_left() const {
  State& state = *state_;
  if (state.settled()) return 0.0;
  const Answer top = state.best();
  const Weights& weights = state.weights();
  const Choice choice = state.choose(weights, stats::Rng(state.options.seed, 0), false);
  // The search: what is still unknown about the answer, at the present rate of information.
  double unknown = 0;
  for (const Answer& answer : state.answers(state.problem.candidates.size() + 2))
    if (answer.probability > 0) unknown -= answer.probability * std::log(answer.probability);
  double seconds = 0;
  if (top.probability < state.options.confidence) {
    if (!(choice.information > 0)) return std::nullopt;
    seconds = unknown / choice.information * choice.seconds;
  }
  // The confirmation: what treatment_share() expects of a failure.
  const double missing = std::max(0.0, state.log_e_needed() - std::max(0.0, state.log_e(top)));
  const double rate = std::max(0.01, top.rate);
  const Arms arms = state.arms_of(top);
  const double share = state.treatment_share(arms);
  const double nats = top.kind == Kind::self
                          ? 3.0
                          : -share * std::log(State::against_one_control(share, arms.controls.size()));
  const double probes = missing / nats / rate;
  seconds += probes * probe_seconds(state.problem, top.tests);
  if (top.kind == Kind::not_reproduced)
    seconds +=
        static_cast<double>(state.list_results_lacking()) * probe_seconds(state.problem, state.full_list());
  // Where it fails alone: the comparison with the whole list. What takes longer than was expected is unknown.
  if (state.list_matters(top) != ListMatters::open && state.list_protects(top) != ListMatters::open)
    return seconds;
  const double run = probe_seconds(state.problem, state.compared_list());
  const ListComparison* comparison = state.comparison_worth_it(
      compared_arms(state.evidence, to_bits(state.full_list(), state.problem.candidates.size())));
  const double runs = runs_to_exclude_amplification(rate, comparison ? *comparison : near_comparison);
  const double left = runs * run - state.compared_seconds;
  return left >= run ? std::optional(seconds + left) : std::nullopt;
}

}  // namespace flakebisect::bisect
