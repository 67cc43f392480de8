#include "bisect/simulate/generator_parts.h"

#include <algorithm>
#include <cmath>

#include "bisect/simulate/random.h"
#include "bisect/simulate/world.h"

namespace flakebisect::bisect::simulate {
namespace {

/// Median 0.1 s; with this spread the mean is 0.377 s, so that 300 tests take 113 s.
double draw_duration(Random& random) {
  return 0.1 * std::exp(1.63 * random.normal());
}

/// How many of something with median 1 and 90th percentile 5, at most 13, but at least two: the polluters of
/// a victim that has several.
std::uint32_t several(Random& random) {
  const double u = random.uniform();
  return std::min(13U, 2 + static_cast<std::uint32_t>(std::log(1 / (1 - u)) * 1.8));
}

std::uint32_t set_size(const CaseOptions& options, Random& random) {
  const double u = random.uniform();
  return options.set_size > 0 ? options.set_size : u < 0.8 ? 2 : u < 0.95 ? 3 : 4;
}

std::vector<TestIndex> pick(const std::vector<TestIndex>& from, std::uint32_t count, Random& random) {
  std::vector<TestIndex> picked;
  for (const std::uint32_t i : random.choose(static_cast<std::uint32_t>(from.size()), count)) {
    picked.push_back(from[i]);
  }
  return picked;
}

/// Cleaners stand where the run to explain could still fail: before a polluter that takes effect, or outside
/// the list.
void draw_cleaners(SimCase& sim_case, const CaseOptions& options, const std::vector<TestIndex>& listed,
                   const std::vector<TestIndex>& unlisted, Random random) {
  Truth& truth = sim_case.truth;
  const bool wanted = random.chance(0.73);
  const auto count = 1 + static_cast<std::uint32_t>(std::log(1 / (1 - random.uniform())) * 1.8);
  if (!options.cleaners.value_or(wanted) || truth.culprits.empty()) {
    return;
  }
  const TestIndex bound = truth.kind == CaseKind::polluters ? truth.culprits.back() : truth.culprits.front();
  std::vector<TestIndex> places;
  for (const TestIndex test : listed) {
    if (test < bound && !std::binary_search(truth.culprits.begin(), truth.culprits.end(), test)) {
      places.push_back(test);
    }
  }
  for (const TestIndex test : unlisted) {
    places.push_back(test);
  }
  std::sort(places.begin(), places.end());
  truth.cleaners = pick(places, count, random);
}

}  // namespace

PoolPlan plan_pool(const CaseOptions& options, CaseKind kind, std::uint32_t listed, std::uint64_t seed) {
  Random random(mix(seed, "pool"));
  PoolPlan plan;
  plan.listed = listed;
  const bool stored = random.chance(0.7);
  const auto runs = static_cast<std::uint32_t>(std::round(random.log_uniform(2, 60)));
  const bool moving = random.chance(0.5);
  const double kept = random.uniform(0.5, 0.95);
  const double extra = random.uniform(0.02, 0.3);
  plan.stored_runs = options.history_runs.value_or(stored ? runs : 0);
  if (kind == CaseKind::brittle) {
    // A state-setter is known only from other runs, so a brittle victim has some.
    plan.stored_runs = std::max(plan.stored_runs, 3U);
  }
  if (plan.stored_runs > 0 && (moving || kind == CaseKind::brittle)) {
    plan.kept = kept;
    plan.unlisted = static_cast<std::uint32_t>(std::round(extra * plan.listed));
  }
  if (kind == CaseKind::brittle) {
    plan.unlisted = std::max(plan.unlisted, 5U);
  }
  return plan;
}

void draw_candidates(SimCase& sim_case, const PoolPlan& plan, std::uint64_t seed) {
  Random durations(mix(seed, "durations"));
  Random places(mix(seed, "places"));
  const std::uint32_t total = plan.listed + plan.unlisted;
  sim_case.problem.candidates.resize(total);
  for (Candidate& candidate : sim_case.problem.candidates) {
    candidate.seconds = draw_duration(durations);
  }
  for (const std::uint32_t i : places.choose(total, plan.unlisted)) {
    sim_case.problem.candidates[i].in_failing_run = false;
  }
  Random victim(mix(seed, "victim"));
  sim_case.problem.victim_seconds = draw_duration(victim);
}

void draw_roles(SimCase& sim_case, const CaseOptions& options, std::uint64_t seed) {
  Truth& truth = sim_case.truth;
  Random random(mix(seed, "roles"));
  const std::vector<TestIndex> listed = sim_case.listed();
  std::vector<TestIndex> unlisted;
  for (TestIndex i = 0; i < sim_case.problem.candidates.size(); ++i) {
    if (!sim_case.problem.candidates[i].in_failing_run) {
      unlisted.push_back(i);
    }
  }
  switch (truth.kind) {
    case CaseKind::self: {
      // In a quarter of the cases a test changes the rate by less than half: still `self` (see judge.h).
      const bool amplified = random.chance(0.25) && !options.background;
      const double ratio = random.uniform(0.6, 1.6);
      truth.r = truth.q;
      if (amplified && !listed.empty()) {
        truth.amplifier = listed[random.below(listed.size())];
        truth.r = std::min(1.0, ratio * truth.q);
      }
      break;
    }
    case CaseKind::polluter:
      truth.culprits = pick(listed, 1, random);
      draw_cleaners(sim_case, options, listed, unlisted, Random(mix(seed, "cleaners")));
      break;
    case CaseKind::polluters:
      truth.culprits = pick(listed, several(random), random);
      draw_cleaners(sim_case, options, listed, unlisted, Random(mix(seed, "cleaners")));
      break;
    case CaseKind::polluter_set:
      truth.culprits = pick(listed, set_size(options, random), random);
      draw_cleaners(sim_case, options, listed, unlisted, Random(mix(seed, "cleaners")));
      break;
    case CaseKind::brittle:
      truth.culprits = pick(unlisted, 1 + static_cast<std::uint32_t>(random.below(3)), random);
      break;
    case CaseKind::cumulative: {
      const bool threshold = random.chance(0.5);
      truth.dose_power = threshold ? 1 : random.uniform(1, 3);
      truth.dose_threshold = threshold ? random.uniform(0.2, 0.7) : 0;
      for (std::size_t i = 0; i < sim_case.problem.candidates.size(); ++i) {
        sim_case.leak.push_back(std::exp(0.5 * random.normal()));
      }
      break;
    }
    case CaseKind::not_reproduced:
      break;
  }
}

void draw_history(SimCase& sim_case, const PoolPlan& plan, std::uint64_t seed) {
  Random random(mix(seed, "history"));
  const Truth& truth = sim_case.truth;
  // In one case of five the cause came with a change of the code some runs ago: older runs never failed.
  const bool changed = random.chance(0.2);
  const double since = random.uniform();
  const auto count = static_cast<double>(plan.stored_runs);
  const auto candidates = static_cast<TestIndex>(sim_case.problem.candidates.size());
  for (std::uint32_t run = 0; run < plan.stored_runs; ++run) {
    Observation stored;
    stored.source = Source::history;
    for (TestIndex i = 0; i < candidates; ++i) {
      const bool listed = sim_case.problem.candidates[i].in_failing_run;
      const double share = listed ? plan.kept : truth.kind == CaseKind::brittle ? 0.7 : 1 - plan.kept / 2;
      if (share >= 1 || random.chance(share)) {
        stored.ran.push_back(i);
      }
    }
    const double age = count - run;
    const bool old_code = changed && run < since * count;
    const double rate = old_code ? 0 : failure_rate(sim_case, stored.ran);
    stored.outcome = random.chance(rate) ? Outcome::fail : Outcome::pass;
    if (random.chance(truth.other_rate)) {
      stored.outcome = Outcome::other_failure;
    }
    stored.weight = std::exp2(-age / 30);  // as the analyzer trusts a run less the older it is
    sim_case.history.push_back(std::move(stored));
  }
  Observation chosen;
  chosen.source = Source::selected;
  chosen.outcome = Outcome::fail;
  chosen.ran = sim_case.listed();
  sim_case.history.push_back(std::move(chosen));
}

}  // namespace flakebisect::bisect::simulate
