/// Probes that give nothing usable, and what a confirmation makes of runs that end late or not at all.

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "bisect/engine.h"
#include "bisect/engine_pairs.h"
#include "bisect/engine_state.h"
#include "engine_harness.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

using Endings = std::function<Outcome(const std::vector<TestIndex>&)>;

bool ran_in(const std::vector<TestIndex>& list, TestIndex test) {
  return std::find(list.begin(), list.end(), test) != list.end();
}

/// A search, until the engine asks no more or `most` probes were made.
Trial run_endings(const Problem& problem, const EngineOptions& options, const Endings& endings,
                  std::uint64_t most) {
  Engine engine(problem, options);
  Trial trial;
  while (trial.probes < most) {
    const std::optional<Probe> probe = engine.next_probe();
    if (!probe) break;
    Observation observation;
    observation.outcome = endings(probe->subset);
    if (observation.outcome != Outcome::void_probe) observation.ran = probe->subset;
    observation.purpose = probe->purpose;
    observation.probe_id = probe->id;
    observation.seconds = seconds_of(problem, probe->subset);
    ++trial.probes;
    engine.observe(observation);
  }
  trial.done = engine.done();
  trial.verdict = engine.verdict();
  return trial;
}

EngineOptions seeded(std::uint64_t seed) {
  EngineOptions options;
  options.seed = seed;
  return options;
}

bool says(const Verdict& verdict, const std::string& words) {
  return std::any_of(verdict.remarks.begin(), verdict.remarks.end(),
                     [&](const std::string& remark) { return remark.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE(
    "a test that ends the process, or changes the failure, is worked around: the polluter is found without "
    "it") {
  for (const double seconds : {0.0, 0.4, 20.0}) {
    const Problem problem = make_problem(12, 2.0, seconds);
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      CAPTURE(seconds, seed);
      for (const Outcome lost : {Outcome::void_probe, Outcome::other_failure}) {
        const Trial trial = run_endings(
            problem, seeded(seed),
            [lost](const std::vector<TestIndex>& list) {
              if (ran_in(list, 3)) return lost;
              return ran_in(list, 7) ? Outcome::fail : Outcome::pass;
            },
            200);
        REQUIRE(trial.done);
        CHECK(trial.verdict.kind == Kind::polluter);
        CHECK(trial.verdict.tests == std::vector<TestIndex>{7});
      }
    }
  }
}

TEST_CASE("a victim that fails on its own is found though its whole list never gives a result") {
  const Problem problem = make_problem(60);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    flakebisect::stats::Rng rng(seed, 9);
    const Trial trial = run_endings(
        problem, seeded(seed),
        [&](const std::vector<TestIndex>& list) {
          if (ran_in(list, 3)) return Outcome::void_probe;
          return rng.bernoulli(0.3) ? Outcome::fail : Outcome::pass;
        },
        400);
    REQUIRE(trial.done);
    CHECK(trial.verdict.kind == Kind::self);
  }
}

TEST_CASE("a reproduction that never gave a result is no confirmed one") {
  const Problem problem = make_problem(40);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    const Trial trial = run_endings(
        problem, seeded(seed),
        [](const std::vector<TestIndex>& list) {
          if (list == std::vector<TestIndex>{27}) return Outcome::void_probe;
          return ran_in(list, 27) ? Outcome::fail : Outcome::pass;
        },
        1000);
    CHECK(trial.probes < 1000);
    CHECK_FALSE(trial.done);
    CHECK(trial.verdict.kind == Kind::inconclusive);
    CHECK_FALSE(trial.verdict.confirmed);
    CHECK(says(trial.verdict, "and without a result there is no answer"));
  }
}

TEST_CASE("a search in which nothing gives a result any more ends and says so") {
  const Problem problem = make_problem(10);
  const Trial trial = run_endings(
      problem, seeded(1), [](const std::vector<TestIndex>&) { return Outcome::void_probe; }, 1000);
  CHECK(trial.probes == voids_of_a_search);
  CHECK(trial.verdict.kind == Kind::inconclusive);
  CHECK(says(trial.verdict, "the last 100 probes gave nothing usable"));
}

TEST_CASE("voids do not hold up the search for further polluters") {
  const Problem problem = make_problem(40);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    EngineOptions options = seeded(seed);
    options.find_all = true;
    flakebisect::stats::Rng rng(seed, 11);
    const Trial trial = run_endings(
        problem, options,
        [&](const std::vector<TestIndex>& list) {
          if (rng.bernoulli(0.25)) return Outcome::void_probe;
          return ran_in(list, 5) || ran_in(list, 33) ? Outcome::fail : Outcome::pass;
        },
        1000);
    REQUIRE(trial.done);
    REQUIRE(trial.verdict.further_polluters.size() == 1);
    CHECK(trial.verdict.tests.front() + trial.verdict.further_polluters.front().front() == 5 + 33);
  }
}

TEST_CASE("nothing is called 'not reproduced' whose list was never run") {
  const Problem dear = make_problem(20, 2.0, 100);
  EngineOptions options;
  options.max_probes = 20;
  bool list_ran = false;
  const Trial trial = run_endings(
      dear, options,
      [&](const std::vector<TestIndex>& list) {
        list_ran = list_ran || list.size() >= 18;
        return Outcome::pass;
      },
      1000);
  REQUIRE_FALSE(list_ran);
  CHECK(trial.verdict.kind == Kind::inconclusive);
  CHECK(says(trial.verdict, "was never run as a whole"));
}

TEST_CASE("a list that takes a moment is run before anything else") {
  for (const double seconds_of_test : {0.01, 0.4}) {
    CAPTURE(seconds_of_test);
    Engine quick(make_problem(12, 0.005, seconds_of_test), EngineOptions{});
    CHECK(quick.next_probe()->subset.size() == 12);
    CHECK(quick.next_probe()->subset.size() < 12);  // one in flight is enough
  }
  Engine dear(make_problem(12, 0.005, 4), EngineOptions{});
  CHECK(dear.next_probe()->subset.size() < 12);
}

TEST_CASE("a quick list that gives nothing does not hold up the search") {
  std::uint64_t tried = 0, others = 0;
  run_endings(
      make_problem(12, 0.005, 0.01), EngineOptions{},
      [&](const std::vector<TestIndex>& list) {
        if (others == 0) ++tried;
        if (list.size() < 12) ++others;
        return list.size() == 12 ? Outcome::void_probe : Outcome::pass;
      },
      30);
  CHECK(tried == 4);  // the last of these is another list
  CHECK(others > 10);
}

TEST_CASE("probes that give nothing by chance do not put off a dear list") {
  // Tests of no time, so that all of them soon ran well; one probe in 30 gives nothing, whatever it runs.
  Problem problem = make_problem(200, 0.1, 0.01);
  problem.candidates[0].seconds = 100;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    flakebisect::stats::Rng rng(seed, 5);
    double seconds = 0;
    std::uint64_t full = 0;
    run_endings(
        problem, seeded(seed),
        [&](const std::vector<TestIndex>& list) {
          seconds += seconds_of(problem, list);
          if (list.size() == 200) ++full;
          return rng.bernoulli(1.0 / 30) ? Outcome::void_probe : Outcome::pass;
        },
        2500);
    REQUIRE(seconds > 800);
    CHECK(full > 0);
  }
}

TEST_CASE("a confirmation counts its runs in the order in which they were drawn") {
  Confirmation confirmation;
  confirmation.runs[4] = {{}, 0.3, 0.5, 0.01, {}};
  confirmation.runs[5] = {0, 0.3, 0.5, 0.01, {}};
  confirmation.runs[6] = {0, 0.3, 0.5, 0.01, {}};
  confirmation.runs[5].end = confirmation.runs[6].end = RunEnd::passed;
  confirmation.count();
  // Cheap controls that passed while a long treatment runs tell nothing yet.
  CHECK(confirmation.tests.front().log_e() == 0);
  confirmation.runs[4].end = RunEnd::unusable;
  confirmation.count();
  CHECK(confirmation.runs.empty());
  flakebisect::stats::RandomisedTwoArmTest expected;
  expected.observe(true, false, 0.3, 0.5, 0.01);
  expected.observe(false, false, 0.3, 0.5, 0.01);
  expected.observe(false, false, 0.3, 0.5, 0.01);
  CHECK(confirmation.tests.front().log_e() == Approx(expected.log_e()));
}

TEST_CASE("each member of a set must be shown to be needed") {
  Confirmation confirmation(2);
  std::uint64_t id = 0;
  const auto run = [&](std::optional<std::size_t> control, RunEnd end) {
    confirmation.runs[++id] = {control, 0.4, 0.5, 0.01, end};
    Confirmation::Ended& arm = control ? confirmation.controls[*control] : confirmation.treatments;
    ++arm.runs;
    arm.usable += end == RunEnd::unusable ? 0 : 1;
    confirmation.count();
  };
  // It fails whether the first member runs or not, and never without the second.
  for (int i = 0; i < 8; ++i) {
    run({}, RunEnd::failed);
    run(0, RunEnd::failed);
    run(1, RunEnd::passed);
    run({}, RunEnd::failed);
  }
  CHECK(confirmation.tests[1].log_e() > std::log(1000));
  CHECK(confirmation.tests[0].log_e() < 0);
  CHECK(confirmation.highest_log_e() < std::log(20));
  CHECK(confirmation.controls_suffice());
  // Nor is a member cleared whose control never gives a result.
  Confirmation blind(2);
  blind.treatments = {20, 20, 0};
  blind.controls = {{9, 0, 0}, {91, 91, 0}};
  CHECK_FALSE(blind.controls_suffice());
  blind.controls[0] = {2, 2, 0};  // nor by two
  CHECK_FALSE(blind.controls_suffice());
  blind.controls[0] = {3, 3, 0};
  CHECK(blind.controls_suffice());
}

TEST_CASE("stored runs that weigh little weigh little for pairs, too") {
  const Problem problem = make_problem(3);
  const auto weigh = [&](int runs, double weight) {
    PairPosterior pairs(problem);
    pairs.add({0, 1, 2}, true, 1);
    for (int run = 0; run < runs; ++run) pairs.add({0, 1}, false, weight);
    flakebisect::stats::TwoRateModel model(flakebisect::stats::default_rate_prior(), ratio_cells());
    model.set_totals(1, runs * weight);
    PairWeights weights;
    pairs.weigh(model, 0, weights);
    return weights.classes[weights.class_of[PairWeights::pair_index(1, 0)]].log_marginal;
  };
  CHECK(weigh(160, 1.0 / 32) == Approx(weigh(5, 1)));
}

TEST_CASE(
    "probes that are lost with their machine say nothing of their lists: the polluter is found without "
    "them") {
  const Problem problem = make_problem(20, 1.0, 0.1);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Engine engine(problem, seeded(seed));
    flakebisect::stats::Rng rng(seed, 5);
    std::uint64_t results = 0;
    while (const std::optional<Probe> probe = engine.next_probe()) {
      Observation observation;
      observation.purpose = probe->purpose;
      observation.probe_id = probe->id;
      observation.lost = rng.bernoulli(7.0 / 8);
      if (!observation.lost) {
        observation.ran = probe->subset;
        observation.outcome = ran_in(probe->subset, 7) ? Outcome::fail : Outcome::pass;
        observation.seconds = seconds_of(problem, probe->subset);
        ++results;
      }
      engine.observe(observation);
      REQUIRE(results < 200);
    }
    INFO(seed);
    CHECK(engine.done());
    CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
  }
}

TEST_CASE("where controls are lost, and the reproduction is not, no verdict is given") {
  const Problem problem = make_problem(20, 1.0, 0.1);
  Engine engine(problem, seeded(1));
  for (int i = 0; i < 400; ++i) {
    const std::optional<Probe> probe = engine.next_probe();
    if (!probe) break;
    Observation observation;
    observation.purpose = probe->purpose;
    observation.probe_id = probe->id;
    // The victim fails whatever ran; but where it would fail alone the machine goes.
    observation.lost = probe->subset.empty() && i % 8 != 0;
    if (!observation.lost) {
      observation.ran = probe->subset;
      observation.outcome = ran_in(probe->subset, 7) ? Outcome::fail : Outcome::pass;
      observation.seconds = seconds_of(problem, probe->subset);
    }
    engine.observe(observation);
  }
  CHECK_FALSE(engine.done());
}
