#include <catch2/catch.hpp>

#include "bisect/engine.h"
#include "engine_harness.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

struct Tally {
  int right = 0, wrong = 0, abstained = 0;
};

Tally tally(int trials, std::size_t n, const std::function<Rate(TestIndex)>& world, Kind kind) {
  Tally result;
  for (int seed = 1; seed <= trials; ++seed) {
    const Problem problem = make_problem(n);
    const auto culprit = static_cast<TestIndex>((static_cast<std::size_t>(seed) * 37) % n);
    EngineOptions options;
    options.seed = static_cast<std::uint64_t>(seed);
    Engine engine(problem, options);
    const Trial trial = run_trial(engine, problem, world(culprit), options.seed);
    const bool right = trial.verdict.kind == kind &&
                       (kind == Kind::self || trial.verdict.tests == std::vector<TestIndex>{culprit});
    ++(!trial.done ? result.abstained : right ? result.right : result.wrong);
  }
  return result;
}

}  // namespace

TEST_CASE("a victim that fails alone is called self") {
  for (const double q : {1.0 / 30, 0.25, 1.0}) {
    const Tally seen = tally(
        10, 100, [q](TestIndex) { return self_rate(q); }, Kind::self);
    INFO("q = " << q);
    CHECK(seen.right == 10);
  }
}

TEST_CASE("a single polluter is found") {
  for (const double q : {0.1, 0.25, 1.0}) {
    const Tally seen = tally(
        10, 100, [q](TestIndex culprit) { return polluter_rate(culprit, q, 0.0); }, Kind::polluter);
    INFO("q = " << q);
    CHECK(seen.right == 10);
  }
}

TEST_CASE("a verdict is confirmed and says how to reproduce") {
  const Problem problem = make_problem(50);
  Engine engine(problem, {});
  CHECK_FALSE(engine.done());
  const Trial trial = run_trial(engine, problem, polluter_rate(13, 0.5, 0.0), 1);
  REQUIRE(trial.done);
  const Verdict& verdict = trial.verdict;
  CHECK(verdict.kind == Kind::polluter);
  CHECK(verdict.tests == std::vector<TestIndex>{13});
  CHECK(verdict.confirmed);
  CHECK(verdict.e_value >= 20);
  CHECK(verdict.probability >= 0.95);
  CHECK(verdict.reproduce == std::vector<TestIndex>{13});
  CHECK(verdict.reproduce_rate == Approx(0.5).margin(0.3));
  REQUIRE_FALSE(verdict.alternatives.empty());
  CHECK(verdict.alternatives.front().tests == verdict.tests);
  std::uint64_t runs = 0;
  for (const Arm& arm : verdict.arms) {
    runs += arm.runs;
    CHECK(arm.failures <= arm.runs);
    CHECK(arm.low <= arm.rate);
    CHECK(arm.rate <= arm.high);
  }
  CHECK(runs == trial.probes);
}
