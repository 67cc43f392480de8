#pragma once

/// Runs an Engine against a made-up world: a formula for the rate of each list.

#include <functional>
#include <set>
#include <vector>

#include "bisect/engine.h"
#include "stats/rng.h"

namespace flakebisect::bisect::testing {

using Rate = std::function<double(const std::set<TestIndex>&)>;

struct Trial {
  Verdict verdict;
  bool done = false;
  std::uint64_t probes = 0;
  double seconds = 0;
};

inline Problem make_problem(std::size_t candidates, double startup = 2.0, double seconds = 0.4) {
  Problem problem;
  problem.candidates.resize(candidates);
  for (Candidate& candidate : problem.candidates) candidate.seconds = seconds;
  problem.victim_seconds = 0.1;
  problem.startup_seconds = startup;
  return problem;
}

inline double seconds_of(const Problem& problem, const std::vector<TestIndex>& subset) {
  double seconds = problem.startup_seconds + problem.victim_seconds;
  for (const TestIndex test : subset) seconds += problem.candidates[test].seconds;
  return seconds;
}

/// Answers the engine's probes until it is done, gives up, or `most` probes were made.
inline Trial run_trial(Engine& engine, const Problem& problem, const Rate& rate, std::uint64_t seed,
                       std::uint64_t most = 20000) {
  stats::Rng rng(seed, 77);
  Trial trial;
  while (trial.probes < most) {
    const std::optional<Probe> probe = engine.next_probe();
    if (!probe) break;
    Observation observation;
    observation.ran = probe->subset;
    observation.purpose = probe->purpose;
    observation.probe_id = probe->id;
    observation.seconds = seconds_of(problem, probe->subset);
    observation.outcome =
        rng.bernoulli(rate({probe->subset.begin(), probe->subset.end()})) ? Outcome::fail : Outcome::pass;
    ++trial.probes;
    trial.seconds += observation.seconds;
    engine.observe(observation);
  }
  trial.done = engine.done();
  trial.verdict = engine.verdict();
  return trial;
}

/// A whole search with default options.
inline Trial search(const Problem& problem, const Rate& rate, std::uint64_t seed, std::uint64_t most = 5000) {
  EngineOptions options;
  options.seed = seed;
  Engine engine(problem, options);
  return run_trial(engine, problem, rate, seed, most);
}

inline Rate self_rate(double q) {
  return [q](const std::set<TestIndex>&) { return q; };
}
inline Rate polluter_rate(TestIndex polluter, double q, double r) {
  return [=](const std::set<TestIndex>& ran) { return ran.count(polluter) > 0 ? q : r; };
}

}  // namespace flakebisect::bisect::testing
