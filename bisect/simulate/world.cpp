#include "bisect/simulate/world.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "bisect/simulate/random.h"

namespace flakebisect::bisect::simulate {
namespace {

bool has(const std::vector<TestIndex>& sorted, TestIndex test) {
  return std::binary_search(sorted.begin(), sorted.end(), test);
}

/// How many culprits take effect at the victim: a cleaner undoes all that came before it.
std::size_t culprits_in_effect(const Truth& truth, std::span<const TestIndex> subset) {
  std::size_t count = 0;
  for (const TestIndex test : subset) {
    if (has(truth.cleaners, test)) {
      count = 0;
    } else if (has(truth.culprits, test)) {
      ++count;
    }
  }
  return count;
}

double leaked_share(const SimCase& sim_case, std::span<const TestIndex> subset) {
  double all = 0;
  for (TestIndex i = 0; i < sim_case.leak.size(); ++i) {
    all += sim_case.problem.candidates[i].in_failing_run ? sim_case.leak[i] : 0;
  }
  double here = 0;
  for (const TestIndex test : subset) {
    here += sim_case.leak[test];
  }
  return all > 0 ? std::min(here / all, 1.0) : 0;
}

}  // namespace

double failure_rate(const SimCase& sim_case, std::span<const TestIndex> subset) {
  const Truth& truth = sim_case.truth;
  switch (truth.kind) {
    case CaseKind::self:
      if (!truth.amplifier) {
        return truth.q;
      }
      return std::find(subset.begin(), subset.end(), *truth.amplifier) != subset.end() ? truth.q : truth.r;
    case CaseKind::polluter:
    case CaseKind::polluters:
      return culprits_in_effect(truth, subset) > 0 ? truth.q : truth.r;
    case CaseKind::polluter_set:
      return culprits_in_effect(truth, subset) == truth.culprits.size() ? truth.q : truth.r;
    case CaseKind::brittle:
      return culprits_in_effect(truth, subset) > 0 ? truth.r : truth.q;
    case CaseKind::cumulative: {
      const double over =
          (leaked_share(sim_case, subset) - truth.dose_threshold) / (1 - truth.dose_threshold);
      return over <= 0 ? truth.r : std::max(truth.r, truth.q * std::pow(over, truth.dose_power));
    }
    case CaseKind::not_reproduced:
      return 0;
  }
  return 0;
}

World::World(const SimCase& sim_case) : case_(sim_case) {}

double World::cost(std::span<const TestIndex> subset) const {
  double seconds = case_.problem.startup_seconds + case_.problem.victim_seconds;
  for (const TestIndex test : subset) {
    seconds += case_.problem.candidates[test].seconds;
  }
  return seconds;
}

double World::rate_now(std::span<const TestIndex> subset, std::uint64_t process) const {
  const Truth& truth = case_.truth;
  double rate = failure_rate(case_, subset);
  if (rate <= 0 || rate >= 1) {
    return rate;
  }
  if (truth.drift != 0) {
    const double phase = 2 * std::numbers::pi * unit_interval(mix(case_.seed, "drift phase"));
    const double angle = 2 * std::numbers::pi * static_cast<double>(probes_) / truth.drift_period + phase;
    const double odds = rate / (1 - rate) * std::exp(truth.drift * std::sin(angle));
    rate = odds / (1 + odds);
  }
  // Rates under different subsets share the process's stream: a process that fails more does so throughout.
  return Random(mix(mix(case_.seed, "process"), process)).beta_around(rate, truth.correlation);
}

WorldRun World::run(std::span<const TestIndex> subset, bool fresh, std::uint32_t victim_runs) {
  std::uint64_t hash = mix(case_.seed, "runs");
  for (const TestIndex test : subset) {
    hash = mix(hash, test);
  }
  hash = mix(hash, repetitions_[hash]++);

  WorldRun run;
  run.seconds = cost(subset);
  std::uint64_t process = 0;
  if (case_.server_probes == 0 || fresh) {
    process = ++processes_;
    run.seconds += case_.fresh_start_seconds - case_.problem.startup_seconds;
  } else {
    if (warm_process_ == 0 || served_ >= case_.server_probes) {
      warm_process_ = ++processes_;
      served_ = 0;
      run.seconds += case_.fresh_start_seconds;
    }
    ++served_;
    process = warm_process_;
  }
  run.process = case_.server_probes == 0 ? 0 : process;

  const Truth& truth = case_.truth;
  if (unit_interval(mix(hash, "void")) < truth.void_rate) {
    run.outcome = Outcome::void_probe;
    run.seconds *= unit_interval(mix(hash, "void after"));
    ++voids_;
  } else if (unit_interval(mix(hash, "other")) < truth.other_rate) {
    run.outcome = Outcome::other_failure;
  } else {
    const double rate = rate_now(subset, process);
    bool failed = unit_interval(mix(hash, "failure")) < rate;
    while (!failed && run.victim_runs < victim_runs) {
      ++run.victim_runs;
      run.seconds += case_.problem.victim_seconds;
      failed = !truth.decided_by_process && unit_interval(mix(mix(hash, "repeat"), run.victim_runs)) < rate;
    }
    run.outcome = failed ? Outcome::fail : Outcome::pass;
  }
  ++probes_;
  seconds_ += run.seconds;
  return run;
}

}  // namespace flakebisect::bisect::simulate
