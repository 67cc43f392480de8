#include <catch2/catch.hpp>

#include "bisect/engine.h"
#include "bisect/engine_follow_up.h"
#include "engine_harness.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

EngineOptions all_of_it(std::uint64_t seed) {
  EngineOptions options;
  options.seed = seed;
  options.find_all = true;
  options.find_cleaners = true;
  return options;
}

/// The outcome follows from the probe's number, so that a session can be told twice.
std::vector<Observation> record(Engine& engine, const Rate& rate, std::uint64_t most) {
  std::vector<Observation> stored;
  while (stored.size() < most) {
    const std::optional<Probe> probe = engine.next_probe();
    if (!probe) break;
    Observation observation;
    observation.ran = probe->subset;
    observation.purpose = probe->purpose;
    observation.probe_id = probe->id;
    flakebisect::stats::Rng rng(5, probe->id);
    observation.outcome =
        rng.bernoulli(rate({probe->subset.begin(), probe->subset.end()})) ? Outcome::fail : Outcome::pass;
    engine.observe(observation);
    stored.push_back(std::move(observation));
  }
  return stored;
}

}  // namespace

TEST_CASE("a rate says how many passes make sure") {
  CHECK(passes_until_sure(1, 0.95) == 1);
  CHECK(passes_until_sure(0.5, 0.95) == 5);
  CHECK(passes_until_sure(0, 0.95) < 3001);
}

TEST_CASE("all polluters are found when asked, one after the other") {
  const Problem problem = make_problem(40);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    EngineOptions options = all_of_it(seed);
    options.find_cleaners = false;
    Engine engine(problem, options);
    const Trial trial = run_trial(
        engine, problem,
        [](const std::set<TestIndex>& ran) {
          return ran.count(5) + ran.count(20) + ran.count(33) > 0 ? 0.6 : 0.0;
        },
        seed, 5000);
    REQUIRE(trial.done);
    std::set<TestIndex> named(trial.verdict.tests.begin(), trial.verdict.tests.end());
    for (const std::vector<TestIndex>& tests : trial.verdict.further_polluters) {
      REQUIRE(tests.size() == 1);
      named.insert(tests.front());
    }
    CHECK(named == std::set<TestIndex>{5, 20, 33});
  }
}

TEST_CASE("cleaners are found when asked, and only those behind the polluter") {
  const Problem problem = make_problem(40);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    EngineOptions options = all_of_it(seed);
    options.find_all = false;
    Engine engine(problem, options);
    const Rate rate = [](const std::set<TestIndex>& ran) {
      return ran.count(10) > 0 && ran.count(17) + ran.count(30) == 0 ? 0.7 : 0.0;
    };
    const Trial trial = run_trial(engine, problem, rate, seed, 5000);
    REQUIRE(trial.done);
    CHECK(trial.verdict.tests == std::vector<TestIndex>{10});
    CHECK(trial.verdict.cleaners == std::vector<TestIndex>{17, 30});
  }
}

TEST_CASE("where there is nothing further, that is said, and the verdict stands") {
  const Problem problem = make_problem(30);
  Engine engine(problem, all_of_it(2));
  const Trial trial = run_trial(engine, problem, polluter_rate(7, 0.8, 0), 2, 3000);
  REQUIRE(trial.done);
  CHECK(trial.verdict.kind == Kind::polluter);
  CHECK(trial.verdict.tests == std::vector<TestIndex>{7});
  CHECK(trial.verdict.further_polluters.empty());
  CHECK(trial.verdict.cleaners.empty());
  CHECK(trial.verdict.remarks.size() >= 2);
  CHECK_FALSE(engine.next_probe().has_value());
}

TEST_CASE("a background is told from further polluters") {
  const Problem problem = make_problem(12);
  Engine engine(problem, all_of_it(3));
  const Trial trial = run_trial(engine, problem, polluter_rate(4, 0.95, 0.15), 3, 4000);
  REQUIRE(trial.verdict.kind == Kind::polluter);
  CHECK(trial.verdict.tests == std::vector<TestIndex>{4});
  CHECK(trial.verdict.further_polluters.empty());
}

TEST_CASE("a session that was told again knows what was found after the verdict") {
  const Problem problem = make_problem(25);
  const Rate rate = [](const std::set<TestIndex>& ran) {
    return (ran.count(3) > 0 && ran.count(9) == 0) || ran.count(20) > 0 ? 0.7 : 0.0;
  };
  Engine first(problem, all_of_it(4));
  const std::vector<Observation> stored = record(first, rate, 3000);
  REQUIRE(first.done());
  Engine second(problem, all_of_it(4));
  for (const Observation& observation : stored) second.observe(observation);
  CHECK(second.done());
  CHECK(second.verdict().tests == first.verdict().tests);
  CHECK(second.verdict().further_polluters == first.verdict().further_polluters);
  CHECK(second.verdict().cleaners == first.verdict().cleaners);
}

TEST_CASE("a limit on probes ends what is looked for after the verdict, and the verdict stands") {
  const Problem problem = make_problem(30);
  EngineOptions options = all_of_it(6);
  Engine probe_count(problem, EngineOptions{});
  EngineOptions limited = options;
  limited.max_probes = run_trial(probe_count, problem, polluter_rate(7, 0.8, 0), 6).probes + 12;
  Engine engine(problem, limited);
  const Trial trial = run_trial(engine, problem, polluter_rate(7, 0.8, 0), 6);
  CHECK(trial.probes <= limited.max_probes);
  CHECK_FALSE(engine.next_probe().has_value());
  CHECK_FALSE(engine.waiting());
}
