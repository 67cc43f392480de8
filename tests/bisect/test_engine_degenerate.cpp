#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "bisect/engine.h"
#include "engine_harness.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

double total_probability(const Engine& engine, std::size_t candidates) {
  double sum = 0;
  for (const Explanation& one : engine.leading(candidates * candidates + 10)) sum += one.probability;
  return sum;
}

Observation seen(std::vector<TestIndex> ran, bool failed, Source source = Source::probe) {
  Observation observation;
  observation.ran = std::move(ran);
  observation.outcome = failed ? Outcome::fail : Outcome::pass;
  observation.source = source;
  return observation;
}

}  // namespace

TEST_CASE("no candidates: the victim comes first, so it fails on its own or no longer") {
  Engine engine({}, {});
  const Problem problem;
  const Trial trial = run_trial(engine, problem, self_rate(0.3), 1);
  CHECK(trial.done);
  CHECK(trial.verdict.kind == Kind::self);
}

TEST_CASE("one candidate") {
  const Problem problem = make_problem(1);
  {
    Engine engine(problem, {});
    const Trial trial = run_trial(engine, problem, polluter_rate(0, 0.4, 0), 1);
    CHECK(trial.verdict.kind == Kind::polluter);
    CHECK(trial.verdict.tests == std::vector<TestIndex>{0});
  }
  Engine engine(problem, {});
  CHECK(run_trial(engine, problem, self_rate(0.4), 1).verdict.kind == Kind::self);
}

TEST_CASE("durations that are all equal, all zero, or unknown") {
  for (const double seconds : {0.0, 1.0}) {
    Problem problem = make_problem(40, 0.0, seconds);
    problem.victim_seconds = 0;
    Engine engine(problem, {});
    const Trial trial = run_trial(engine, problem, polluter_rate(17, 1.0, 0), 3);
    CHECK(trial.verdict.kind == Kind::polluter);
    CHECK(trial.verdict.tests == std::vector<TestIndex>{17});
  }
}

TEST_CASE("probes that all give nothing usable leave the prior alone and end at the limit") {
  const Problem problem = make_problem(10);
  EngineOptions options;
  options.max_probes = 50;
  Engine engine(problem, options);
  const std::vector<Explanation> before = engine.leading(3);
  std::uint64_t probes = 0;
  while (const std::optional<Probe> probe = engine.next_probe()) {
    Observation observation;
    observation.ran = {};
    observation.outcome = Outcome::void_probe;
    observation.probe_id = probe->id;
    engine.observe(observation);
    ++probes;
  }
  CHECK(probes == 50);
  CHECK_FALSE(engine.done());
  CHECK_FALSE(engine.waiting());
  CHECK(engine.verdict().kind == Kind::inconclusive);
  CHECK(engine.leading(3).front().probability == before.front().probability);
}

TEST_CASE("contradictory history does no harm") {
  const Problem problem = make_problem(20);
  Engine engine(problem, {});
  for (int i = 0; i < 30; ++i) {
    engine.observe(seen({}, i % 2 == 0, Source::history));
    engine.observe(seen({3}, false, Source::history));
    engine.observe(seen({3, 4}, i % 3 == 0, Source::history));
  }
  CHECK(total_probability(engine, 20) <= 1.0 + 1e-9);
  const Trial trial = run_trial(engine, problem, self_rate(0.5), 5);
  CHECK(std::isfinite(trial.verdict.probability));
}

TEST_CASE("the run to explain says nothing about rates") {
  const Problem problem = make_problem(5);
  Engine engine(problem, {});
  const double before = engine.leading(1).front().probability;
  for (int i = 0; i < 10; ++i) engine.observe(seen({0, 1, 2, 3, 4}, true, Source::selected));
  CHECK(engine.leading(1).front().probability == before);
}

TEST_CASE("probabilities sum to one whatever was seen") {
  const Problem problem = make_problem(12);
  flakebisect::stats::Rng rng(9);
  for (int trial = 0; trial < 20; ++trial) {
    Engine engine(problem, {});
    for (int run = 0; run < 40; ++run) {
      std::vector<TestIndex> ran;
      for (TestIndex i = 0; i < 12; ++i)
        if (rng.bernoulli(0.4)) ran.push_back(i);
      engine.observe(seen(ran, rng.bernoulli(0.3)));
    }
    // leading() lists the best eight pairs only, so the sum may fall short where pairs are likely.
    const double sum = total_probability(engine, 12);
    CHECK(sum <= 1.0 + 1e-9);
    CHECK(sum > 0.5);
  }
}

TEST_CASE("candidates are exchangeable: renumbering them renumbers the posterior") {
  constexpr TestIndex n = 9;
  const Problem problem = make_problem(n);
  flakebisect::stats::Rng rng(4);
  std::vector<TestIndex> permutation(n);
  std::iota(permutation.begin(), permutation.end(), TestIndex{0});
  rng.shuffle(permutation);
  Engine plain(problem, {}), renamed(problem, {});
  for (int run = 0; run < 60; ++run) {
    std::vector<TestIndex> ran, other;
    for (TestIndex i = 0; i < n; ++i)
      if (rng.bernoulli(0.5)) {
        ran.push_back(i);
        other.push_back(permutation[i]);
      }
    const bool failed = rng.bernoulli(0.25);
    plain.observe(seen(ran, failed));
    renamed.observe(seen(other, failed));
  }
  std::vector<double> expected(n), got(n);
  for (const Explanation& one : plain.leading(100))
    if (one.kind == Kind::polluter) expected[permutation[one.tests[0]]] = one.probability;
  for (const Explanation& one : renamed.leading(100))
    if (one.kind == Kind::polluter) got[one.tests[0]] = one.probability;
  for (TestIndex i = 0; i < n; ++i) CHECK(got[i] == Approx(expected[i]).epsilon(1e-9));
}

TEST_CASE("the same seed and outcomes give the same probes, also after a resumed session") {
  const Problem problem = make_problem(60);
  Engine first(problem, {});
  std::vector<Observation> stored;
  flakebisect::stats::Rng rng(8);
  for (int i = 0; i < 25; ++i) {
    const std::optional<Probe> probe = first.next_probe();
    if (!probe) break;
    Observation observation = seen(probe->subset, rng.bernoulli(0.05));
    observation.probe_id = probe->id;
    observation.purpose = probe->purpose;
    first.observe(observation);
    stored.push_back(observation);
  }
  Engine second(problem, {});
  for (const Observation& observation : stored) second.observe(observation);
  const std::optional<Probe> a = first.next_probe();
  const std::optional<Probe> b = second.next_probe();
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK(a->id == b->id);
  CHECK(a->subset == b->subset);
  CHECK(a->purpose == b->purpose);
}

TEST_CASE("a resumed session counts the controls of a set, each for its member") {
  const Problem problem = make_problem(30);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    EngineOptions options;
    options.seed = seed;
    Engine first(problem, options);
    std::vector<Observation> stored;
    flakebisect::stats::Rng rng(seed, 7);
    std::set<std::vector<TestIndex>> controls;
    // Until each control of a set has run and the comparison speaks for it.
    while (controls.size() < 2 || first.verdict().e_value < 2) {
      const std::optional<Probe> probe = first.next_probe();
      REQUIRE(probe.has_value());
      const bool both = std::count(probe->subset.begin(), probe->subset.end(), 4) +
                            std::count(probe->subset.begin(), probe->subset.end(), 21) ==
                        2;
      Observation observation = seen(probe->subset, both && rng.bernoulli(0.5));
      observation.probe_id = probe->id;
      observation.purpose = probe->purpose;
      observation.asked = probe->subset;
      first.observe(observation);
      stored.push_back(observation);
      if (probe->purpose == Purpose::control && probe->subset.size() == 1) controls.insert(probe->subset);
    }
    Engine second(problem, options);
    for (const Observation& observation : stored) second.observe(observation);
    CHECK(second.verdict().alternatives.front().kind == Kind::polluter_set);
    CHECK(second.verdict().e_value == Approx(first.verdict().e_value));
  }
}

TEST_CASE("a hundred thousand observations leave finite numbers") {
  const Problem problem = make_problem(6);
  Engine engine(problem, {});
  flakebisect::stats::Rng rng(2);
  for (int run = 0; run < 100000; ++run) {
    std::vector<TestIndex> ran;
    for (TestIndex i = 0; i < 6; ++i)
      if (rng.bernoulli(0.5)) ran.push_back(i);
    engine.observe(seen(ran, rng.bernoulli(0.07), Source::history));
  }
  CHECK(engine.leading(1).front().kind == Kind::self);
  // History alone cannot exclude that the failure has gone away since: that keeps its prior of about 7 %.
  CHECK(engine.leading(1).front().probability > 0.9);
  CHECK(std::isfinite(engine.verdict().e_value));
}

TEST_CASE("five thousand candidates") {
  const Problem problem = make_problem(5000);
  Engine engine(problem, {});
  const Trial trial = run_trial(engine, problem, polluter_rate(4321, 0.9, 0), 1, 600);
  CHECK(trial.done);
  CHECK(trial.verdict.tests == std::vector<TestIndex>{4321});
}

TEST_CASE("probes in flight are taken into account, answered in any order, or abandoned") {
  const Problem problem = make_problem(80);
  Engine engine(problem, {});
  flakebisect::stats::Rng rng(6);
  std::vector<Probe> flying;
  const Rate rate = polluter_rate(31, 0.5, 0);
  int probes = 0;
  for (; probes < 3000 && !engine.done(); ++probes) {
    while (flying.size() < 4) {
      std::optional<Probe> probe = engine.next_probe();
      if (!probe) break;
      flying.push_back(std::move(*probe));
    }
    if (flying.empty()) break;
    const std::size_t pick = rng.below(flying.size());
    const Probe probe = flying[pick];
    flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(pick));
    if (rng.bernoulli(0.1)) {
      engine.abandon(probe.id);
      continue;
    }
    Observation observation =
        seen(probe.subset, rng.bernoulli(rate({probe.subset.begin(), probe.subset.end()})));
    observation.probe_id = probe.id;
    observation.purpose = probe.purpose;
    engine.observe(observation);
  }
  CHECK(engine.done());
  CHECK(engine.verdict().tests == std::vector<TestIndex>{31});
}

TEST_CASE("a verdict that was reached stands: later runs of its reproduction are shown, not weighed again") {
  const Problem problem = make_problem(10);
  Engine engine(problem, {});
  const Trial trial = run_trial(
      engine, problem, [](const auto&) { return 0.5; }, 3);
  REQUIRE(trial.done);
  REQUIRE(trial.verdict.kind == Kind::self);
  const auto alone = [](const Verdict& verdict) {
    for (const Arm& arm : verdict.arms)
      if (arm.name == "alone") return arm;
    return Arm{};
  };
  for (int run = 0; run < 30; ++run) engine.observe(seen({}, false));
  CHECK(engine.done());
  const Verdict after = engine.verdict();
  CHECK(after.kind == Kind::self);
  CHECK(after.probability == trial.verdict.probability);
  CHECK(alone(after).runs == alone(trial.verdict).runs + 30);
  CHECK(alone(after).failures == alone(trial.verdict).failures);
}

TEST_CASE("not reproduced is taken back where a later run fails") {
  const Problem problem = make_problem(10);
  Engine engine(problem, {});
  const Trial trial = run_trial(
      engine, problem, [](const auto&) { return 0.0; }, 3);
  REQUIRE(trial.done);
  REQUIRE(trial.verdict.kind == Kind::not_reproduced);
  std::vector<TestIndex> full(10);
  std::iota(full.begin(), full.end(), TestIndex{0});
  for (int run = 0; run < 3; ++run) engine.observe(seen(full, false));
  CHECK(engine.done());
  for (int run = 0; run < 3; ++run) engine.observe(seen(full, true));
  CHECK_FALSE(engine.done());
  CHECK(engine.verdict().kind == Kind::inconclusive);
  CHECK(engine.next_probe().has_value());
}

TEST_CASE("what is out of range is refused") {
  EngineOptions options;
  options.confidence = 1;
  CHECK_THROWS_AS(Engine(make_problem(1), options), std::invalid_argument);
  Problem problem = make_problem(2);
  problem.candidates[1].seconds = -1;
  CHECK_THROWS_AS(Engine(problem, {}), std::invalid_argument);
  problem = make_problem(2);
  problem.candidates[0].weight = 0;
  CHECK_THROWS_AS(Engine(problem, {}), std::invalid_argument);
  problem = make_problem(2);
  problem.startup_seconds = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(Engine(problem, {}), std::invalid_argument);
  Engine engine(make_problem(2), {});
  CHECK_THROWS_AS(engine.observe(seen({7}, true)), std::invalid_argument);
  Observation observation = seen({1}, true);
  observation.asked = std::vector<TestIndex>{1, 2};
  CHECK_THROWS_AS(engine.observe(observation), std::invalid_argument);
  CHECK(engine.verdict().arms.empty());  // nothing of it was taken
}

TEST_CASE("runs of one process count for less than runs of their own processes") {
  // The whole list takes too long to be compared with the victim alone; where it does not that is left to do.
  const Problem problem = make_problem(8, 2, 3000);
  Engine apart(problem, {}), together(problem, {}), cheap(make_problem(8), {});
  for (std::uint64_t run = 1; run <= 20; ++run) {
    Observation observation = seen({}, run % 2 == 0);
    observation.process = 100 + run;
    apart.observe(observation);
    cheap.observe(observation);
    observation.process = 7;
    together.observe(observation);
  }
  const Explanation sure = apart.leading(1).front();
  const Explanation less = together.leading(1).front();
  CHECK(sure.kind == Kind::self);
  CHECK(less.kind == Kind::self);
  CHECK(less.probability < sure.probability);
  const auto speaks_of = [](const Verdict& verdict, const char* word) {
    return std::any_of(verdict.remarks.begin(), verdict.remarks.end(),
                       [&](const std::string& remark) { return remark.find(word) != std::string::npos; });
  };
  CHECK(speaks_of(together.verdict(), "process"));
  CHECK_FALSE(speaks_of(apart.verdict(), "process"));
  // Nothing ran before the victim: that others may make it fail more often is all that is left to say.
  CHECK(speaks_of(apart.verdict(), "more often than it does alone"));
  CHECK(apart.done());
  CHECK_FALSE(cheap.done());
  CHECK(speaks_of(cheap.verdict(), "too few runs behind the whole list"));
}
