/// How often a probe runs the victim: what tells most for each second.

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "bisect/engine_state.h"
#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

/// Numbers that are looked at.
constexpr std::array<std::uint32_t, 12> numbers{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
static_assert(numbers.back() == most_runs_of_a_probe);
/// A victim whose duration is not known is taken to need this long.
constexpr double unknown_victim_seconds = 0.05;
/// At least so many where it must be seen which run fails.
constexpr std::uint32_t runs_that_tell = 8;
/// Where the victim seems to make itself fail, later runs are of no use to the search. They are made all the
/// same, for no more time than the rest of the probe takes, until that is as sure as this: it may be chance,
/// and then all that repeating buys would be lost.
constexpr double surely = 0.99;
/// What a probe is taken to run while it is open which list it will be: so much of the list.
constexpr double usual_share_of_list = 0.4;
/// Kinds lighter than this together say nothing of the rates.
constexpr double light = 1e-6;

/// Mean failure rates over the explanations: where the victim can fail, and else.
std::pair<double, double> mean_rates(const Weights& w) {
  double in = 0, weight = 0, out = 0, out_weight = 0;
  const auto add = [&](double of, double fails, double else_fails) {
    weight += of;
    in += of * fails;
    out_weight += of;
    out += of * else_fails;
  };
  const auto add_all = [&](const CandidateWeights& part, bool in_fails) {
    const double of = part.weight.sum();
    if (!(of > 0)) return;
    const double with = (part.weight * part.in).sum() / of, without = (part.weight * part.out).sum() / of;
    add(of, in_fails ? with : without, in_fails ? without : with);
  };
  const double self = w.self_total();
  if (self > 0) {
    weight += self;
    in += self * w.self_rate_alone();
  }
  add_all(w.polluter, true);
  add_all(w.brittle, false);
  for (const PairWeights::Best& pair : w.pairs.best) {
    const PairClass& one = w.pairs.classes[pair.pair_class];
    add(one.weight, one.in, one.out);
  }
  if (w.dose.weight > 0) add(w.dose.weight, w.dose.rate_at(1), w.dose.rate_at(0));
  if (w.set.weight > 0 && w.set.member.size() > 0) add(w.set.weight, w.set.in, w.set.out);
  if (w.setters.weight > 0 && w.setters.member.size() > 0) add(w.setters.weight, w.setters.in, w.setters.out);
  if (weight < light) return {0.05, 0};
  return {in / weight, out_weight < light ? 0 : out / out_weight};
}

}  // namespace

double Engine::State::seconds_of_a_further_run() const {
  return problem.victim_seconds > 0 ? problem.victim_seconds : unknown_victim_seconds;
}

std::uint32_t Engine::State::telling_victim_runs(double seconds) const {
  if (repeats.probability(RepeatForm::by_repeating) > surely) return 1;
  std::uint32_t most = 1;
  for (const std::uint32_t runs : numbers)
    if (runs <= problem.most_victim_runs && (runs - 1) * seconds_of_a_further_run() <= seconds) most = runs;
  return most;
}

std::uint32_t Engine::State::best_victim_runs(double seconds, double in, double out) const {
  if (problem.most_victim_runs <= 1 || options.count_probes) return 1;
  if (!repeats.later_failures_count()) return telling_victim_runs(seconds);
  const double victim = seconds_of_a_further_run();
  double best = 0;
  // Which run fails must be seen where it is open what that means.
  const std::uint32_t least = repeats.trusted() ? 1 : runs_that_tell;
  std::uint32_t best_runs = std::min(least, problem.most_victim_runs);
  for (const std::uint32_t runs : numbers) {
    if (runs > problem.most_victim_runs) break;
    if (runs < least) continue;
    const double fails = repeats.fails_within(in, runs), else_fails = repeats.fails_within(out, runs);
    const double told = stats::binary_entropy((fails + else_fails) / 2) -
                        (stats::binary_entropy(fails) + stats::binary_entropy(else_fails)) / 2;
    const double more = (repeats.expected_runs(in, runs) + repeats.expected_runs(out, runs)) / 2 - 1;
    const double rate = told / (seconds + victim * more);
    if (rate > best) {
      best = rate;
      best_runs = runs;
    }
  }
  return best_runs;
}

std::uint32_t Engine::State::best_victim_runs(double seconds, const Weights& w) const {
  if (problem.most_victim_runs <= 1) return 1;
  const auto [in, out] = mean_rates(w);
  return best_victim_runs(seconds, in, out);
}

std::uint32_t Engine::State::confirming_victim_runs(const Answer& answer) const {
  if (problem.most_victim_runs <= 1) return 1;
  const Arms arms = arms_of(answer);
  double seconds = probe_seconds(problem, arms.treatment);
  for (const std::vector<TestIndex>& control : arms.controls) seconds += probe_seconds(problem, control);
  return best_victim_runs(seconds / static_cast<double>(1 + arms.controls.size()), answer.rate,
                          answer.control_rate);
}

double Engine::State::cost_of(const std::vector<TestIndex>& list, std::uint32_t victim_runs,
                              double rate) const {
  if (options.count_probes) return 1;
  return probe_seconds(problem, list) +
         problem.victim_seconds * (repeats.expected_runs(rate, victim_runs) - 1);
}

std::uint32_t Engine::State::measuring_victim_runs(double seconds, double rate) const {
  if (problem.most_victim_runs <= 1 || options.count_probes) return 1;
  if (!repeats.later_failures_count()) return telling_victim_runs(seconds);
  const double victim = seconds_of_a_further_run();
  double best = 0;
  std::uint32_t best_runs = 1;
  for (const std::uint32_t runs : numbers) {
    if (runs > problem.most_victim_runs) break;
    const double counted =
        expected_worth(rate, runs) / (seconds + victim * (repeats.expected_runs(rate, runs) - 1));
    if (counted > best) {
      best = counted;
      best_runs = runs;
    }
  }
  return best_runs;
}

bool Engine::State::can_repeat() const {
  return problem.most_victim_runs > 1 && !options.count_probes &&
         repeats.probability(RepeatForm::by_run) + repeats.probability(RepeatForm::alike) > 0.5;
}

double Engine::State::expected_worth(double rate, std::uint32_t runs) const {
  double worth = 1, passes = 1;
  for (std::uint32_t run = 2; run <= runs; ++run) {
    passes *= 1 - rate;
    worth += passes * (repeats.expected_passes(run) - repeats.expected_passes(run - 1));
  }
  return worth;
}

double Engine::State::cost_of_a_run(const std::vector<TestIndex>& list, double rate) const {
  const double seconds = cost_of(list, 1, rate);
  if (problem.most_victim_runs <= 1) return seconds;
  const std::uint32_t runs = measuring_victim_runs(seconds, rate);
  return cost_of(list, runs, rate) / expected_worth(rate, runs);
}

Choice Engine::State::choose(const Weights& expected, stats::Rng rng, bool look_at_flight) {
  const auto with = [&](std::uint32_t runs) {
    if (runs == 1)
      return choose_probe(problem, expected, look_at_flight ? branches(expected, 1) : Branches(expected),
                          options.count_probes, rng);
    const Weights weights = lifted(expected, runs, repeats);
    const auto [in, out] = mean_rates(expected);
    Problem costlier = problem;
    costlier.victim_seconds *= (repeats.expected_runs(in, runs) + repeats.expected_runs(out, runs)) / 2;
    Choice choice =
        choose_probe(costlier, weights, look_at_flight ? branches(weights, runs) : Branches(weights),
                     options.count_probes, rng);
    choice.victim_runs = runs;
    return choice;
  };
  if (problem.most_victim_runs <= 1) return with(1);
  double list_seconds = 0;
  for (const Candidate& candidate : problem.candidates)
    list_seconds += candidate.in_failing_run ? candidate.seconds : 0;
  const double alone = probe_seconds(problem, {});
  const std::uint32_t first = best_victim_runs(alone + usual_share_of_list * list_seconds, expected);
  Choice choice = with(first);
  // The list that was chosen may be cheaper or dearer than was thought.
  const std::uint32_t second = best_victim_runs(probe_seconds(problem, choice.subset), expected);
  return second == first ? choice : with(second);
}

}  // namespace flakebisect::bisect
