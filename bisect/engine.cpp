#include "bisect/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "bisect/engine_state.h"

namespace flakebisect::bisect {

namespace {

void check(const Problem& problem, const EngineOptions& options) {
  if (!(options.confidence > 0) || !(options.confidence < 1))
    throw std::invalid_argument(
        fmt::format("confidence must lie between 0 and 1, not at {}", options.confidence));
  const auto duration = [](double seconds, const char* what) {
    if (!(seconds >= 0) || !std::isfinite(seconds))
      throw std::invalid_argument(fmt::format("{} must be zero or more seconds, not {}", what, seconds));
  };
  duration(problem.victim_seconds, "the victim's duration");
  duration(problem.startup_seconds, "the start-up time");
  for (const Candidate& candidate : problem.candidates) {
    duration(candidate.seconds, "a candidate's duration");
    if (!(candidate.weight > 0) || !std::isfinite(candidate.weight))
      throw std::invalid_argument(
          fmt::format("a candidate's prior weight must be above 0, not {}", candidate.weight));
  }
}

}  // namespace

Engine::State::State(Problem problem_, EngineOptions options_)
    : problem(std::move(problem_)),
      options(options_),
      told_startup_seconds(problem.startup_seconds),
      evidence(problem.candidates.size()),
      posterior(problem),
      ran_usably(problem.candidates.size(), false) {}

double weight_in_process(std::uint64_t runs, std::uint64_t failures, bool failed) {
  // The rate of a process is Beta-distributed around the rate q with correlation c, so that after k passes
  // the next run fails with probability q / (1 + k c / (1 - c)).
  if (failed) return failures == 0 ? 1.0 : 0.5;
  return 1.0 / (1.0 + static_cast<double>(runs) * assumed_correlation / (1.0 - assumed_correlation));
}

const Weights& Engine::State::weights() {
  if (!cached_weights) cached_weights = posterior.weigh(evidence.counts(), evidence);
  return *cached_weights;
}

Weights Engine::State::weights_with_pending() {
  const Weights& now = weights();
  if (in_flight.size() <= looked_at(in_flight.size())) return now;
  Counts counts = evidence.counts();
  std::size_t assumed = in_flight.size() - looked_at(in_flight.size());
  for (const auto& [id, pending] : in_flight) {
    if (assumed-- == 0) break;
    add_to(counts, pending.probe.subset, pending.likely_fails,
           pending.likely_fails ? 1.0 : repeats.passes(pending.probe.victim_runs));
  }
  return posterior.weigh(counts, evidence);
}

Branches Engine::State::branches(const Weights& weights, std::uint32_t victim_runs) const {
  std::vector<const std::vector<TestIndex>*> lists;
  auto pending = in_flight.begin();
  const std::size_t last = std::min(in_flight.size(), looked_at(in_flight.size()));
  std::advance(pending, in_flight.size() - last);
  for (; pending != in_flight.end(); ++pending) lists.push_back(&pending->second.probe.subset);
  if (lists.empty()) return Branches(weights);
  SelfRates self_rates = posterior.self_rates(evidence.counts(), lists.size());
  for (double& rate : self_rates.reshaped()) rate = repeats.fails_within(rate, victim_runs);
  return look_ahead(problem, weights, lists, stats::Rng(options.seed, ~next_id), std::move(self_rates));
}

std::uint64_t Engine::State::running(const std::vector<TestIndex>& list) const {
  return static_cast<std::uint64_t>(std::count_if(in_flight.begin(), in_flight.end(), [&](const auto& entry) {
    return entry.second.probe.subset == list;
  }));
}

std::vector<Answer> Engine::State::answers(std::size_t most) {
  const Weights& w = weights();
  const auto better = [](const Answer& a, const Answer& b) {
    if (a.probability != b.probability) return a.probability > b.probability;
    return a.key() < b.key();
  };
  std::vector<Answer> all;
  const double self = w.self_total();
  const double alone =
      self > 0 ? (w.self * w.self_rate + (w.amplified.weight * w.amplified.out).sum()) / self : w.self_rate;
  all.push_back({Kind::self, {}, self, alone, 0});
  all.push_back({Kind::not_reproduced, {}, w.gone, w.gone_rate, w.gone_rate});
  if (w.dose.weight > 0)
    all.push_back({Kind::cumulative, {}, w.dose.weight, w.dose.rate_at(1), w.dose.rate_at(0)});
  for (const PairWeights::Best& pair : w.pairs.best) {
    const PairClass& one = w.pairs.classes[pair.pair_class];
    if (one.weight > 0)
      all.push_back({Kind::polluter_set, {pair.first, pair.second}, one.weight, one.in, one.out});
  }
  for (const LikelyGroup& group : w.set.likely)
    all.push_back({Kind::polluter_set, group.tests, w.set.weight * group.probability, group.in, group.out});
  // Of several state-setters each one is a right answer.
  Eigen::ArrayXd setter = w.brittle.weight;
  if (w.setters.member.size() > 0) setter += w.setters.weight * w.setters.member;
  // Thousands of single tests, of which few are asked for: only these are spelled out.
  const auto spell_out = [&](Kind kind, const Eigen::ArrayXd& weight, const auto& answer) {
    std::vector<std::pair<double, TestIndex>> order;
    for (Eigen::Index i = 0; i < weight.size(); ++i)
      if (weight[i] > 0) order.emplace_back(-weight[i], static_cast<TestIndex>(i));
    const auto kept = static_cast<std::ptrdiff_t>(std::min(most, order.size()));
    std::partial_sort(order.begin(), order.begin() + kept, order.end());
    for (auto one = order.begin(); one != order.begin() + kept; ++one) {
      const auto [in, out] = answer(static_cast<Eigen::Index>(one->second));
      all.push_back({kind, {one->second}, -one->first, in, out});
    }
  };
  spell_out(Kind::polluter, w.polluter.weight,
            [&](Eigen::Index i) { return std::pair(w.polluter.in[i], w.polluter.out[i]); });
  spell_out(Kind::brittle, setter, [&](Eigen::Index i) {
    const bool single = w.brittle.weight[i] > 0.5 * setter[i];
    return single ? std::pair(w.brittle.out[i], w.brittle.in[i]) : std::pair(w.setters.in, w.setters.out);
  });
  const auto kept = static_cast<std::ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), all.begin() + kept, all.end(), better);
  all.resize(static_cast<std::size_t>(kept));
  return all;
}

const Answer& Engine::State::best() {
  if (!cached_best) cached_best = answers(1).front();
  return *cached_best;
}

Probe Engine::State::issue(std::vector<TestIndex> subset, Purpose purpose, std::optional<Answer> target,
                           std::uint32_t victim_runs) {
  Probe probe;
  if (victim_runs == 0) victim_runs = best_victim_runs(probe_seconds(problem, subset), weights());
  probe.id = next_id++;
  probe.subset = std::move(subset);
  probe.purpose = purpose;
  probe.victim_runs = victim_runs;
  ++issued;
  const double once = predict_failure(problem, weights(), probe.subset);
  const bool likely_fails = repeats.fails_within(once, victim_runs) > 0.5;
  in_flight.emplace(probe.id, Pending{probe, std::move(target), likely_fails});
  return probe;
}

void Engine::State::learn_overhead(const Observation& observation) {
  if (!(observation.seconds > 0)) return;
  double tests = problem.victim_seconds * observation.victim_runs;
  for (const TestIndex test : observation.ran) tests += problem.candidates[test].seconds;
  overhead_seconds += std::max(0.0, observation.seconds - tests);
  ++overhead_runs;
  // The estimate that came with the problem is worth five probes. A warm server's restarts are spread over
  // the probes that it serves.
  constexpr double prior_runs = 5;
  problem.startup_seconds = (prior_runs * told_startup_seconds + overhead_seconds) /
                            (prior_runs + static_cast<double>(overhead_runs));
}

bool Engine::State::most_of_list(const std::vector<TestIndex>& asked) const {
  const auto listed = std::count_if(asked.begin(), asked.end(),
                                    [&](TestIndex test) { return problem.candidates[test].in_failing_run; });
  return static_cast<double>(listed) >= most_of_the_list * static_cast<double>(full_list().size());
}

void Engine::State::learn_cost(const std::vector<TestIndex>& asked, std::uint32_t victim_runs) {
  const double expected =
      options.count_probes ? 1 : probe_seconds(problem, asked) + problem.victim_seconds * (victim_runs - 1);
  probed_seconds += expected;
  if (asked == full_list()) full_list_seconds += expected;
  if (most_of_list(asked)) compared_seconds += expected;
}

void Engine::State::learn_void(const std::vector<TestIndex>& list) {
  ++unusable_probes;
  ++voids_in_a_row;
  ++voids_of[list];
  // One test is taken to be to blame, if any: one that every void list held, and no usable one.
  std::vector<TestIndex> blamed, still_blamed;
  for (const TestIndex test : list)
    if (!ran_usably[test]) blamed.push_back(test);
  const bool all_ran_well = blamed.empty();
  if (all_ran_well) blamed = list;  // each of them, but never all together
  std::set_intersection(blamed.begin(), blamed.end(), void_suspects.begin(), void_suspects.end(),
                        std::back_inserter(still_blamed));
  if (still_blamed.empty()) {
    void_suspects = std::move(blamed);
    suspect_voids = 0;
    prior_of_blame = all_ran_well ? prior_of_blame_of_good_tests : prior_of_blame_of_new_tests;
  } else {
    void_suspects = std::move(still_blamed);
  }
  ++suspect_voids;
  share_out_voids();
}

void Engine::State::learn_usable(const std::vector<TestIndex>& ran) {
  voids_in_a_row = 0;
  for (const TestIndex test : ran) {
    ran_usably[test] = true;
    void_suspects.erase(std::remove(void_suspects.begin(), void_suspects.end(), test), void_suspects.end());
  }
  if (suspect_voids > 0) share_out_voids();
}

void Engine::State::share_out_voids() {
  for (Candidate& candidate : problem.candidates) candidate.void_share = 0;
  if (void_suspects.empty()) {
    suspect_voids = 0;
    return;
  }
  // Or it was chance: as many of the other probes gave nothing. Bayes' rule; who is to blame is so each time.
  const auto others = static_cast<double>(unusable_probes - suspect_voids);
  const auto runs = static_cast<double>(evidence.probe_runs() + unusable_probes);
  const double chance =
      (1 - prior_of_blame) * std::pow((others + 0.5) / (runs + 10), static_cast<double>(suspect_voids));
  const double blame = prior_of_blame / (prior_of_blame + chance);
  for (const TestIndex test : void_suspects)
    problem.candidates[test].void_share = blame / static_cast<double>(void_suspects.size());
}

bool Engine::State::gives_nothing(const std::vector<TestIndex>& list) {
  const auto found = voids_of.find(list);
  if (found == voids_of.end() || found->second < voids_of_a_list || evidence.arm(list).probe_runs > 0)
    return false;
  stuck = fmt::format(
      "the victim {} gave nothing usable in {} runs, and without a result there is no answer: run it so by "
      "hand and see what ends it",
      list.empty() ? std::string("alone")
                   : fmt::format("behind {} test{}", list.size(), list.size() == 1 ? "" : "s"),
      found->second);
  return true;
}

void Engine::State::observe(const Observation& observation) {
  if (observation.source == Source::probe) {
    next_id = std::max(next_id, observation.probe_id + 1);
    if (observation.outcome == Outcome::void_probe) ++void_probes;
    if (observation.outcome == Outcome::other_failure) ++other_failures;
  }
  std::optional<Answer> target;
  const auto pending = in_flight.find(observation.probe_id);
  const bool known = observation.source == Source::probe && pending != in_flight.end();
  const std::vector<TestIndex> asked = known               ? pending->second.probe.subset
                                       : observation.asked ? *observation.asked
                                                           : observation.ran;
  if (known) target = pending->second.target;
  // A resumed session: the probe was issued before this engine was made.
  if (observation.source == Source::probe && !known) {
    ++issued;
    if (observation.purpose != Purpose::search && !final_verdict) {
      target = best();
      ArmDraw draw = draw_arm(*target, observation.probe_id);
      const auto control = std::find(draw.arms.controls.begin(), draw.arms.controls.end(), asked);
      const bool treatment = observation.purpose == Purpose::treatment;
      draw.control.reset();
      if (!treatment) draw.control = static_cast<std::size_t>(control - draw.arms.controls.begin());
      if (target->kind != Kind::self && (treatment || control != draw.arms.controls.end()))
        expect(*target, observation.probe_id, draw);
    }
  }
  const std::uint32_t asked_runs = known ? pending->second.probe.victim_runs : observation.victim_runs_asked;
  if (known) in_flight.erase(pending);
  const bool usable = observation.outcome == Outcome::pass || observation.outcome == Outcome::fail;
  const bool failed = observation.outcome == Outcome::fail;
  const std::uint32_t victim_runs = std::max<std::uint32_t>(1, observation.victim_runs);
  if (asked_runs > victim_runs && observation.outcome == Outcome::pass)
    problem.most_victim_runs = victim_runs;
  if (observation.source == Source::probe && !final_verdict) {
    if (target && target->kind != Kind::self) {
      RunEnd end = failed ? RunEnd::failed : RunEnd::passed;
      if (!usable || asked != observation.ran) end = RunEnd::unusable;
      end_confirmation(*target, observation.probe_id, observation.lost ? RunEnd::lost : end);
    }
    if (!observation.lost) {
      learn_cost(asked, victim_runs);
      if (!usable) learn_void(asked);
    }
  }
  if (!usable || observation.source == Source::selected || !(observation.weight > 0)) {
    if (observation.source == Source::probe && further_search) further_search->observe_void(observation);
    return;
  }
  if (final_verdict) {
    if (observation.source == Source::probe && !cleaner_search && !further_search)
      count(observation.ran, {{}, failed, observation.source, 1, observation.process, victim_runs});
    observe_follow_up(observation);
    return;
  }
  if (observation.source == Source::probe) {
    learn_overhead(observation);
    learn_usable(observation.ran);
    if (most_of_list(asked)) ++list_results;
    if (is_alone(observation.ran)) {
      first_run_fails_alone.observe(failed && victim_runs == 1);
      for (std::uint32_t run = 1; run <= victim_runs; ++run)
        fails_alone.observe(failed && run == victim_runs);
    }
  }
  const double weight = std::min(observation.weight, 1.0);
  seen.push_back({to_bits(observation.ran, problem.candidates.size()), failed, observation.source, weight,
                  observation.process, victim_runs});
  const RepeatForm before = repeats.counted_as();
  if (observation.source == Source::probe && (problem.most_victim_runs > 1 || victim_runs > 1))
    repeats.add(seen.back().list, failed, victim_runs, asked_runs, most_of_list(observation.ran),
                is_alone(observation.ran));
  if (repeats.counted_as() != before) {
    evidence.clear();
    runs_in_process.clear();
    posterior = Posterior(problem);
    for (const Seen& past : seen) count(to_tests(past.list), past);
  } else {
    count(observation.ran, seen.back());
  }
  cached_weights.reset();
  cached_best.reset();
  // What more was asked for begins with the next probe: it must be known at once when one more is replayed.
  if (options.find_all || options.find_cleaners) settled();
}

void Engine::State::count(const std::vector<TestIndex>& ran, const Seen& one) {
  const bool failed = one.failed && (one.victim_runs == 1 || repeats.later_failures_count());
  const bool all_count = one.victim_runs == 1 || repeats.passes(one.victim_runs) > 1;
  const std::uint32_t runs = all_count ? one.victim_runs : 1, passing = failed ? runs - 1 : runs;
  double failure = failed ? one.weight : 0, passes = repeats.passes(passing);
  // Of a server that has served others before, each run counts for less than the one before it.
  if (one.source == Source::probe && one.process != 0 && !final_verdict) {
    stats::ProcessRuns& process = runs_in_process[one.process];
    passes = 0;
    for (std::uint32_t run = 0; run < passing; ++run)
      passes += std::min(repeats.passes(run + 1) - repeats.passes(run),
                         weight_in_process(process.runs++, process.failures, false));
    if (failed) failure *= weight_in_process(process.runs++, process.failures++, true);
  }
  passes *= one.weight;
  const double worth = problem.most_victim_runs > 1 ? failure + passes : 1;
  evidence.add(ran, one.source, failure, passes, one.process, runs, worth);
  if (final_verdict) return;
  if (passes > 0) posterior.add(ran, false, passes, evidence);
  if (failure > 0) posterior.add(ran, true, failure, evidence);
}

Engine::Engine(Problem problem, EngineOptions options) {
  check(problem, options);
  state_ = std::make_unique<State>(std::move(problem), options);
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

std::optional<Probe> Engine::next_probe() {
  State& state = *state_;
  state.waiting = false;
  if (state.options.max_probes > 0 && state.issued >= state.options.max_probes) {
    state.waiting = !state.in_flight.empty() && !done();
    return std::nullopt;
  }
  if (state.settled()) return done() ? std::nullopt : state.follow_up_probe();
  state.stuck.clear();
  if (state.voids_in_a_row >= voids_of_a_search) {
    state.stuck = fmt::format("the last {} probes gave nothing usable; run one by hand (--verbose says why)",
                              state.voids_in_a_row);
    return std::nullopt;
  }
  const Answer& top = state.best();
  // 'Self' is confirmed by the victim alone, which the search runs anyway while that tells most.
  const double confirm_at = top.kind == Kind::self ? state.options.confidence : confirm_from;
  if (top.kind != Kind::not_reproduced && top.probability >= confirm_at &&
      (state.log_e(top) < state.log_e_needed() || !state.seen_enough(top))) {
    if (top.kind == Kind::cumulative && state.log_e(top) >= state.log_e_needed() &&
        state.reproduced_enough(top))
      return state.issue(state.list_without_common(), Purpose::search, std::nullopt);
    const Arms arms = state.arms_of(top);
    if (state.gives_nothing(arms.treatment) ||
        std::any_of(arms.controls.begin(), arms.controls.end(),
                    [&](const std::vector<TestIndex>& control) { return state.gives_nothing(control); }))
      return std::nullopt;
    state.waiting = state.confirmation_on_its_way(top);
    return state.waiting ? std::nullopt : std::optional(state.confirm(top));
  }
  state.confirming_runs = 0;
  if (top.kind == Kind::not_reproduced && top.probability >= state.options.confidence) {
    const std::vector<TestIndex> list = state.full_list();
    if (state.gives_nothing(list)) return std::nullopt;
    state.waiting = state.running(list) >= state.list_results_lacking();
    return state.waiting ? std::nullopt : std::optional(state.issue(list, Purpose::search, std::nullopt));
  }
  if (top.kind == Kind::self && state.nearly_settled() && state.list_protects(top) == ListMatters::maybe) {
    const ComparedArms arms =
        compared_arms(state.evidence, to_bits(state.full_list(), state.problem.candidates.size()));
    state.stuck = fmt::format(
        "alone it failed in {} of {} runs, behind the whole list in {} of {}: what makes it fail alone is "
        "not "
        "what made it fail in the recorded run, and that did not come back; mend the failure alone first",
        arms.alone.probe_failures, arms.alone.victim_runs, arms.most.probe_failures, arms.most.victim_runs);
    return std::nullopt;
  }
  if (state.comparing_lists()) {
    state.waiting = state.comparison_on_its_way(top);
    if (state.waiting) return std::nullopt;
    std::vector<TestIndex> list = state.comparison_of_lists();
    const std::uint32_t victim_runs =
        state.measuring_victim_runs(probe_seconds(state.problem, list), top.rate);
    return state.issue(std::move(list), Purpose::search, std::nullopt, victim_runs);
  }
  if (state.full_list_is_due()) return state.issue(state.full_list(), Purpose::search, std::nullopt);
  const bool misfit = state.self_does_not_fit(top);
  // What should have settled it long ago may rest on a wrong estimate: then every fourth probe is another.
  stats::Rng rng(~state.options.seed, state.next_id);
  const bool settles_late = rng.bernoulli(0.25) && state.evidence.probe_runs() > settling_probes;
  if (top.kind == Kind::self && top.probability >= settle_from && state.evidence.probe_failures() > 0 &&
      !misfit && !settles_late) {
    const std::uint32_t victim_runs =
        state.best_victim_runs(probe_seconds(state.problem, {}), state.weights());
    if (auto list = state.settling_self(victim_runs)) {
      state.waiting = state.failure_on_its_way(*list);
      if (state.waiting) return std::nullopt;
      return state.issue(*list, Purpose::search, std::nullopt, victim_runs);
    }
  }
  if (state.alone_contradicts_self(top))
    return state.issue(state.one_of_several(), Purpose::search, std::nullopt);
  const bool likely_a_leak = top.kind == Kind::cumulative && top.probability >= duel_from;
  const bool maybe_several = (likely_a_leak && !state.outweighs_several(level_cumulative)) ||
                             state.weights().crowd > several_beyond_doubt;
  // By turns with what is chosen below: one polluter, or two needed together, may look like several or a leak
  // after some bad luck, and what is drawn hardly ever tells them apart.
  if (maybe_several && state.next_id % 2 == 0)
    return state.issue(state.leak_or_several(), Purpose::search, std::nullopt);
  Weights expected = state.weights_with_pending();
  // What is left to be shown is that it outweighs each other kind, the rare ones too.
  if (misfit ||
      (top.probability >= std::min(duel_from, state.options.confidence) && !state.outweighs_other_kinds(top)))
    // By turns, lest a difference that is none, or one that is not seen, keeps the search at one list.
    expected = state.posterior.duel(level_of(top.kind, top.tests.size()), std::move(expected),
                                    state.next_id % 2 == 0);
  const Choice choice = state.choose(expected, stats::Rng(state.options.seed, state.next_id));
  return state.issue(choice.subset, Purpose::search, std::nullopt, choice.victim_runs);
}

bool Engine::waiting() const {
  return state_->waiting;
}

bool Engine::done() const {
  return state_->settled() && state_->follow_up_done();
}

void Engine::observe(const Observation& observation) {
  // Before anything is learned of it: an observation is taken in whole or not at all.
  check_tests(observation.ran, state_->problem.candidates.size());
  if (observation.asked) check_tests(*observation.asked, state_->problem.candidates.size());
  state_->observe(observation);
}

void Engine::abandon(std::uint64_t probe_id) {
  const auto pending = state_->in_flight.find(probe_id);
  if (pending != state_->in_flight.end()) {
    const std::optional<Answer> target = std::move(pending->second.target);
    state_->in_flight.erase(pending);
    if (target && target->kind != Kind::self) state_->end_confirmation(*target, probe_id, RunEnd::lost);
  }
  if (state_->further_search) state_->further_search->abandon(probe_id);
}

Verdict Engine::verdict() const {
  return state_->verdict();
}

std::vector<Explanation> Engine::leading(std::size_t most) const {
  std::vector<Explanation> result;
  for (const Answer& answer : state_->answers(most))
    result.push_back({answer.kind, answer.tests, answer.probability});
  return result;
}

}  // namespace flakebisect::bisect
