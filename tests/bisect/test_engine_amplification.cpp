#include "bisect/engine_amplification.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "engine_harness.h"
#include "stats/log_math.h"
#include "stats/two_rate_model.h"

namespace stats = flakebisect::stats;
using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

ComparedArms compared(double alone_failures, double alone_passes, double most_failures, double most_passes) {
  ComparedArms arms;
  arms.alone.failures = alone_failures;
  arms.alone.passes = alone_passes;
  arms.most.failures = most_failures;
  arms.most.passes = most_passes;
  return arms;
}

/// How often the whole list was run in a search that gave `self`.
struct FullRuns {
  Trial trial;
  std::uint64_t full = 0;
};
FullRuns search_self(const Problem& problem, double rate, std::uint64_t seed, EngineOptions options = {}) {
  FullRuns runs;
  options.seed = seed;
  Engine engine(problem, options);
  const Rate counting = [&](const std::set<TestIndex>& ran) {
    if (ran.size() == problem.candidates.size()) ++runs.full;
    return rate;
  };
  runs.trial = run_trial(engine, problem, counting, seed);
  return runs;
}

/// So many runs of one list, as probes of the search itself; the first has this id.
void add_runs(Engine& engine, std::uint64_t first_id, const std::vector<TestIndex>& list, int failures,
              int passes) {
  for (int run = 0; run < failures + passes; ++run) {
    Observation observation;
    observation.ran = list;
    observation.outcome = run < failures ? Outcome::fail : Outcome::pass;
    observation.seconds = 2;
    observation.probe_id = first_id + static_cast<std::uint64_t>(run);
    engine.observe(observation);
  }
}

}  // namespace

TEST_CASE("equal rates speak for a list that does not matter, a threefold rate against it") {
  const double near = near_comparison.ratio;
  REQUIRE(log_evidence_against_amplification(compared(0, 0, 0, 0), near) == Approx(0).margin(1e-9));
  REQUIRE(log_evidence_against_amplification(compared(20, 80, 20, 80), near) >
          std::log(near_comparison.evidence));
  REQUIRE(log_evidence_against_amplification(compared(10, 90, 30, 70), near) <
          -std::log(amplification_shown));
  // One arm alone tells nothing of a ratio that the prior of the rate leaves open.
  REQUIRE(std::abs(log_evidence_against_amplification(compared(10, 90, 0, 0), near)) < 1.5);
}

TEST_CASE("a tenfold rate is told by far fewer runs than a threefold one") {
  const ComparedArms few = compared(4, 96, 1, 39);
  REQUIRE(log_evidence_against_amplification(few, far_comparison.ratio) > std::log(far_comparison.evidence));
  REQUIRE(log_evidence_against_amplification(few, near_comparison.ratio) <
          std::log(near_comparison.evidence));
  REQUIRE(log_evidence_against_amplification(compared(1, 99, 5, 15), far_comparison.ratio) <
          -std::log(amplification_shown));
}

TEST_CASE("how rare a rate is in the wild has no say in whether the list matters") {
  // The prior of rates in the wild takes 0.3 to be six times rarer than 0.1. By it, outcomes between the two
  // explanations would speak for a list that does not matter more than a comparison of ratios lets them.
  const ComparedArms between = compared(15, 85, 15, 45);
  stats::TwoRateModel wild(stats::default_rate_prior(),
                           {{near_comparison.ratio, 1.0}, {0.6, 0.05}, {0.8, 0.05}});
  wild.set_totals(30, 130);
  const double by_the_wild = stats::log_add(std::log(0.9) + wild.constant_rate().log_marginal,
                                            wild.evaluate(15, 45, 1, 3).log_marginal) -
                             wild.evaluate(15, 45, 0, 1).log_marginal;
  REQUIRE(log_evidence_against_amplification(between, near_comparison.ratio) < by_the_wild - std::log(2));
}

TEST_CASE("rarer failures need more runs behind the list, by about the inverse of the rate") {
  const auto near = [](double rate) { return runs_to_exclude_amplification(rate, near_comparison); };
  const auto far = [](double rate) { return runs_to_exclude_amplification(rate, far_comparison); };
  REQUIRE(near(0.01) == Approx(10 * near(0.1)).epsilon(0.3));
  REQUIRE(near(0.3) < near(0.1));
  REQUIRE(near(1.0) < 3);
  REQUIRE(near(1.0) == near(0.5));
  // ln 20 over the divergence of 0.02 from 0.2: 0.02 ln 0.1 + 0.98 ln(0.98 / 0.8).
  REQUIRE(far(0.02) == Approx(std::log(20.0) / (0.02 * std::log(0.1) + 0.98 * std::log(0.98 / 0.8))));
  REQUIRE(8 * far(0.02) < near(0.02));
}

TEST_CASE("the lowest rate at which it is bearable: more runs can be had of a cheap list") {
  for (const ListComparison& comparison : {near_comparison, far_comparison}) {
    CAPTURE(comparison.ratio);
    const double dear = least_rate_compared(40, 400, comparison).value();
    const double cheap = least_rate_compared(4, 400, comparison).value();
    REQUIRE(40 * runs_to_exclude_amplification(dear, comparison) == Approx(400).epsilon(1e-3));
    REQUIRE(4 * runs_to_exclude_amplification(cheap, comparison) == Approx(400).epsilon(1e-3));
    REQUIRE(cheap < dear);
    REQUIRE_FALSE(least_rate_compared(1000, 400, comparison).has_value());
  }
}

TEST_CASE("a comparison that is given up still tells what it leaned to") {
  constexpr double asked = 100;
  const double sure = std::log(asked);
  // Whatever it has cost, what was shown was shown.
  for (const double spent : {0.0, 150.0, 500.0}) {
    CAPTURE(spent);
    REQUIRE(list_matters_by(sure, asked, spent, 200, true) == ListMatters::no);
    REQUIRE(list_matters_by(-std::log(amplification_shown), asked, spent, 200, true) == ListMatters::maybe);
  }
  for (const double lean : {-0.5 * sure, 0.5 * sure}) {
    CAPTURE(lean);
    for (const double spent : {0.0, 500.0})
      REQUIRE(list_matters_by(lean, asked, spent, 200, false) == ListMatters::not_asked);
    REQUIRE(list_matters_by(lean, asked, 199, 200, true) == ListMatters::open);
  }
  REQUIRE(list_matters_by(-0.5 * sure, asked, 201, 200, true) == ListMatters::maybe);
  REQUIRE(list_matters_by(0.5 * sure, asked, 201, 200, true) == ListMatters::not_asked);
}

TEST_CASE("a victim that seldom fails alone, and fifteen times as often behind one test, is not 'self'") {
  // At one failure in fifty runs alone a threefold rate is not excluded at a bearable cost.
  const Problem problem = make_problem(150);
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    const auto polluter = static_cast<TestIndex>((7 * seed) % 150);
    const Trial trial = search(problem, polluter_rate(polluter, 0.3, 0.02), seed);
    REQUIRE(trial.done);
    if (trial.verdict.kind != Kind::polluter || trial.verdict.tests != std::vector<TestIndex>{polluter})
      ++wrong;
  }
  CAPTURE(wrong);
  REQUIRE(wrong <= 3);
}

TEST_CASE("while the lists are compared the engine says so, and runs nothing else") {
  const Problem problem = make_problem(20);
  EngineOptions options;
  options.seed = 1;
  Engine engine(problem, options);
  CHECK_FALSE(engine.comparing_lists());
  flakebisect::stats::Rng random(1);
  int compared = 0;
  for (int probes = 0; probes < 2000; ++probes) {
    const bool comparing = engine.comparing_lists();
    const std::optional<Probe> probe = engine.next_probe();
    if (!probe) break;
    if (comparing) {
      ++compared;
      // Alone, or all of the list but the dearest fiftieth, of 20 tests no whole one.
      CHECK((probe->subset.empty() || probe->subset.size() >= 19));
    }
    Observation observation;
    observation.probe_id = probe->id;
    observation.ran = probe->subset;
    observation.outcome = random.bernoulli(0.1) ? Outcome::fail : Outcome::pass;
    observation.seconds = seconds_of(problem, probe->subset);
    engine.observe(observation);
  }
  CHECK(engine.done());
  CHECK(engine.verdict().kind == Kind::self);
  CHECK(compared > 10);
  CHECK_FALSE(engine.comparing_lists());
}

TEST_CASE("a failure with a period does not fall in step with the lists that are compared") {
  // By turns every run of one list would fail and none of the other.
  const Problem problem = make_problem(20, 2.0, 0);
  for (const std::uint64_t period : {2U, 6U, 10U}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      CAPTURE(period, seed);
      std::uint64_t run = seed;
      const Trial trial = search(
          problem, [&](const std::set<TestIndex>&) { return ++run % period == 0 ? 1.0 : 0.0; }, seed, 1500);
      REQUIRE(trial.done);
      REQUIRE(trial.verdict.kind == Kind::self);
    }
  }
}

TEST_CASE("lists of nine tenths of the failing run's tests stand for all of it") {
  const std::size_t tests = 20;
  Evidence evidence(tests);
  const auto first = [](std::size_t count) {
    std::vector<TestIndex> list(count);
    for (std::size_t i = 0; i < count; ++i) list[i] = static_cast<TestIndex>(i);
    return list;
  };
  evidence.add({}, true, Source::probe, 1);
  evidence.add({}, false, Source::probe, 1);
  evidence.add(first(17), true, Source::probe, 1);
  evidence.add(first(18), true, Source::probe, 1);
  evidence.add(first(20), false, Source::probe, 1);
  const ComparedArms arms = compared_arms(evidence, to_bits(first(20), tests));
  REQUIRE(arms.alone.failures == 1);
  REQUIRE(arms.alone.passes == 1);
  REQUIRE(arms.most.failures == 1);
  REQUIRE(arms.most.passes == 1);
  REQUIRE(arms.most.probe_runs == 2);
}

TEST_CASE("'self' is given after a look at the whole list where that is bearable, and only there") {
  const Problem cheap = make_problem(20);
  const FullRuns compared_first = search_self(cheap, 0.2, 5);
  REQUIRE(compared_first.trial.done);
  REQUIRE(compared_first.trial.verdict.kind == Kind::self);

  // A list of 2,000 s at a rate of 0.2: some twenty runs of it would take eleven hours.
  const FullRuns dear = search_self(make_problem(20, 2, 100), 0.2, 5);
  REQUIRE(dear.trial.done);
  REQUIRE(dear.trial.verdict.kind == Kind::self);
  CAPTURE(compared_first.full, dear.full);
  REQUIRE(compared_first.full >= 2 * dear.full);
  // Where probes are counted, their price is no reason.
  EngineOptions counted;
  counted.count_probes = true;
  REQUIRE(search_self(make_problem(20, 2, 100), 0.2, 5, counted).full > dear.full);
}

TEST_CASE("a victim that fails alone at a third of its rate is mostly not called 'self'") {
  const Problem problem = make_problem(20);
  int self = 0, named = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Trial trial = search(problem, polluter_rate(7, 0.3, 0.1), seed);
    if (trial.verdict.kind == Kind::self && trial.done) ++self;
    if (trial.verdict.kind == Kind::polluter && trial.done) ++named;
  }
  CAPTURE(self, named);
  REQUIRE(self <= 6);
  REQUIRE(named >= 20);
}

TEST_CASE("a victim that fails alone at less than half its rate is not 'self', however its ratio lies") {
  const auto leader = [](int alone_failures) {
    Engine engine(make_problem(20), {});
    add_runs(engine, 1, {}, alone_failures, 900 - alone_failures);
    add_runs(engine, 901, {7}, 180, 420);
    return engine.leading(1).front();
  };
  for (const int alone_failures : {60, 90, 110, 120}) {
    CAPTURE(alone_failures);
    REQUIRE(leader(alone_failures).kind == Kind::polluter);
    REQUIRE(leader(alone_failures).tests == std::vector<TestIndex>{7});
  }
  for (const int alone_failures : {160, 200, 260}) {
    CAPTURE(alone_failures);
    REQUIRE(leader(alone_failures).kind == Kind::self);
  }
}

TEST_CASE("what fails alone but not behind the list that failed is not called 'self'") {
  // The first test of a process fails mostly; behind others the victim fails after one of them only.
  const Problem problem = make_problem(40);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    EngineOptions options;
    options.seed = seed;
    Engine engine(problem, options);
    const Trial trial = run_trial(
        engine, problem, [](const std::set<TestIndex>& ran) { return ran.empty() ? 0.95 : 0.0; }, seed, 500);
    CHECK(trial.probes < 500);
    CHECK(trial.verdict.kind == Kind::inconclusive);
    CHECK(std::any_of(
        trial.verdict.remarks.begin(), trial.verdict.remarks.end(), [](const std::string& remark) {
          return remark.find("is not what made it fail in the recorded run") != std::string::npos;
        }));
  }
  // One that fails everywhere still is.
  for (std::uint64_t seed = 1; seed <= 6; ++seed)
    CHECK(search(problem, self_rate(0.95), seed).verdict.kind == Kind::self);
}

TEST_CASE("a victim that passed alone until other tests had run is said to be perhaps in their debt") {
  const Problem problem = make_problem(60);
  int remarked = 0, self = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    bool left_behind = false;
    const Trial trial = search(
        problem,
        [&](const std::set<TestIndex>& ran) {
          left_behind = left_behind || ran.count(37) > 0;
          return left_behind ? 1.0 : 0.0;
        },
        seed, 500);
    if (trial.verdict.kind != Kind::self) continue;
    ++self;
    for (const std::string& remark : trial.verdict.remarks)
      if (remark.find("may have left something behind") != std::string::npos) ++remarked;
  }
  CAPTURE(self);
  REQUIRE(self > 0);
  CHECK(remarked == self);
}

TEST_CASE("a polluter that no run was without is said to be perhaps one of many") {
  const Problem problem = make_problem(30);
  int remarked = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    bool others = false;
    std::vector<std::set<TestIndex>> lists;
    const Trial trial = search(
        problem,
        [&](const std::set<TestIndex>& ran) {
          lists.push_back(ran);
          return ran.empty() ? 0.0 : 1.0;
        },
        seed, 500);
    REQUIRE(trial.verdict.kind == Kind::polluter);
    for (const std::set<TestIndex>& ran : lists)
      others = others || (!ran.empty() && ran.count(trial.verdict.tests.front()) == 0);
    const bool said = std::any_of(
        trial.verdict.remarks.begin(), trial.verdict.remarks.end(),
        [](const std::string& remark) { return remark.find("others may do the same") != std::string::npos; });
    CHECK(said == !others);
    remarked += said ? 1 : 0;
  }
  CHECK(remarked > 0);
}

TEST_CASE("of 'self' it is said what runs of the whole list leave open, whatever shorter lists did") {
  // Half of the tests are so dear that the whole list cannot be compared with the victim alone.
  Problem problem = make_problem(100, 2.0, 0.1);
  for (TestIndex test = 50; test < 100; ++test) problem.candidates[test].seconds = 60;
  int never = 0, seldom = 0, shorter = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    int whole = 0, failed = 0;
    stats::Rng rng(seed, 5);
    const Trial trial = search(
        problem,
        [&](const std::set<TestIndex>& ran) {
          const bool fails = rng.bernoulli(0.1);
          whole += ran.size() >= 90 ? 1 : 0;
          failed += ran.size() >= 90 && fails ? 1 : 0;
          shorter += !ran.empty() && ran.size() < 90 ? 1 : 0;
          return fails ? 1.0 : 0.0;
        },
        seed);
    REQUIRE(trial.verdict.kind == Kind::self);
    const auto said = [&](const std::string& words) {
      return std::any_of(trial.verdict.remarks.begin(), trial.verdict.remarks.end(),
                         [&](const std::string& remark) { return remark.find(words) != std::string::npos; });
    };
    CHECK(said("it was not run behind the whole list here") == (whole == 0));
    never += whole == 0 ? 1 : 0;
    if (whole == 0 || whole > 10) continue;
    ++seldom;
    CHECK(
        said(fmt::format("behind the whole list, or nearly all of it, {} of {} runs failed", failed, whole)));
  }
  CAPTURE(never, seldom, shorter);
  CHECK(never > 0);
  CHECK(seldom > 0);
  CHECK(shorter > 0);
}

TEST_CASE("while lists are compared the time left is what that takes, or unknown") {
  const Problem problem = make_problem(100, 2.0, 0.2);
  EngineOptions options;
  options.seed = 3;
  Engine engine(problem, options);
  flakebisect::stats::Rng rng(3, 77);
  int compared = 0;
  while (const std::optional<Probe> probe = engine.next_probe()) {
    Observation observation;
    observation.ran = probe->subset;
    observation.outcome = rng.bernoulli(0.1) ? Outcome::fail : Outcome::pass;
    observation.purpose = probe->purpose;
    observation.probe_id = probe->id;
    observation.seconds = seconds_of(problem, probe->subset);
    engine.observe(observation);
    const Explanation leading = engine.leading(1).front();
    if (engine.done() || leading.kind != Kind::self || leading.probability < 0.99) continue;
    ++compared;
    const std::optional<double> left = engine.expected_seconds_left();
    CHECK((!left || *left > 1));
  }
  REQUIRE(engine.done());
  REQUIRE(compared > 10);
}
