#include "bisect/engine_repeats.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bisect/engine.h"
#include "stats/rng.h"

using namespace flakebisect::bisect;
using flakebisect::stats::Rng;

namespace {

const SubsetBits whole_list{0b11}, other_list{0b01};

/// How the runs of the victim in one process end; `run` counts them from 1.
using Fails = std::function<bool(const std::vector<TestIndex>& ran, std::uint32_t run, Rng& rng)>;

struct RepeatedSearch {
  Verdict verdict;
  std::uint64_t probes = 0, victim_runs = 0;
  std::uint32_t most_asked = 0;  ///< of the last ten probes
  double seconds = 0;
};

/// A search among 40 tests of 0.5 s with a start-up of 2 s and a victim of 0.05 s.
RepeatedSearch search_repeating(std::uint32_t most_victim_runs, std::uint64_t seed, const Fails& fails,
                                std::uint32_t runner_repeats = most_runs_of_a_probe) {
  Problem problem;
  problem.candidates.assign(40, Candidate{0.5});
  problem.startup_seconds = 2;
  problem.victim_seconds = 0.05;
  problem.most_victim_runs = most_victim_runs;
  EngineOptions options;
  options.seed = seed;
  options.max_probes = 5000;
  Engine engine(problem, options);
  Rng rng(seed, 77);
  RepeatedSearch result;
  std::vector<std::uint32_t> asked;
  while (const auto probe = engine.next_probe()) {
    REQUIRE(probe->victim_runs >= 1);
    REQUIRE(probe->victim_runs <= most_victim_runs);
    Observation seen;
    seen.ran = probe->subset;
    seen.purpose = probe->purpose;
    seen.probe_id = probe->id;
    bool failed = fails(probe->subset, 1, rng);
    while (!failed && seen.victim_runs < std::min(probe->victim_runs, runner_repeats))
      failed = fails(probe->subset, ++seen.victim_runs, rng);
    seen.outcome = failed ? Outcome::fail : Outcome::pass;
    seen.seconds =
        2 + 0.5 * static_cast<double>(probe->subset.size()) + 0.05 * static_cast<double>(seen.victim_runs);
    engine.observe(seen);
    ++result.probes;
    result.victim_runs += seen.victim_runs;
    result.seconds += seen.seconds;
    asked.push_back(probe->victim_runs);
  }
  for (std::size_t i = asked.size() > 10 ? asked.size() - 10 : 0; i < asked.size(); ++i)
    result.most_asked = std::max(result.most_asked, asked[i]);
  result.verdict = engine.verdict();
  return result;
}

bool has(const std::vector<TestIndex>& ran, TestIndex test) {
  return std::find(ran.begin(), ran.end(), test) != ran.end();
}

}  // namespace

TEST_CASE("before anything is known only the first run of a process counts") {
  const Repeats repeats;
  CHECK(repeats.counted_as() == RepeatForm::by_process);
  CHECK(repeats.passes(1) == 1);
  CHECK(repeats.passes(32) == 1);
  CHECK(repeats.trusted());
  CHECK(repeats.later_failures_count());
  double total = 0;
  for (const RepeatForm form :
       {RepeatForm::by_run, RepeatForm::alike, RepeatForm::by_process, RepeatForm::by_repeating})
    total += repeats.probability(form);
  CHECK(total == Approx(1));
}

TEST_CASE("failures at all sorts of runs show that each run fails on its own") {
  Repeats repeats;
  for (const std::uint32_t run : {9U, 21U, 4U, 14U}) repeats.add(whole_list, true, run, 32, true, true);
  CHECK(repeats.probability(RepeatForm::by_process) == 0);
  CHECK(repeats.counted_as() == RepeatForm::by_run);
  // Later ones, all of them: that each run makes the next likelier to fail is not excluded yet.
  CHECK_FALSE(repeats.trusted());
  repeats.add(whole_list, true, 1, 32, true, true);
  CHECK(repeats.trusted());
  CHECK(repeats.passes(1) == 1);
  CHECK(repeats.passes(32) > 20);
  CHECK(repeats.passes(32) < 32);
  // Beyond what a probe may ask for no more is granted.
  CHECK(repeats.passes(5000) == repeats.passes(most_runs_of_a_probe));
}

TEST_CASE("failures at the first run only, and long rows of passes, show that the process decides") {
  Repeats repeats;
  for (int i = 0; i < 3; ++i) {
    repeats.add(other_list, true, 1, 32, false);
    for (int pass = 0; pass < 5; ++pass) repeats.add(other_list, false, 32, 32, false);
  }
  CHECK(repeats.probability(RepeatForm::by_process) > 0.95);
  CHECK(repeats.passes(32) == 1);
  CHECK(repeats.fails_within(0.2, 32) < 0.25);
}

TEST_CASE("passes behind lists that never failed say nothing of the runs of a process") {
  Repeats repeats;
  const double before = repeats.probability(RepeatForm::by_process);
  for (int i = 0; i < 50; ++i) repeats.add(other_list, false, 32, 32, false);
  CHECK(repeats.probability(RepeatForm::by_process) == before);
}

TEST_CASE("failures at the same later run each time are the victim's own doing and are not counted") {
  Repeats repeats;
  for (int i = 0; i < 4; ++i) repeats.add(whole_list, true, 2, 32, true);
  CHECK(repeats.counted_as() == RepeatForm::by_repeating);
  CHECK_FALSE(repeats.later_failures_count());
  CHECK(repeats.passes(32) == 1);
  Repeats leaking;
  for (int i = 0; i < 4; ++i) leaking.add(whole_list, true, 17, 32, true);
  CHECK(leaking.counted_as() == RepeatForm::by_repeating);
}

TEST_CASE("a verdict does not rest on a single later failure that the victim may have made itself") {
  Repeats repeats;
  repeats.add(whole_list, true, 2, 32, true, true);
  CHECK_FALSE(repeats.trusted());
}

TEST_CASE("what the victim does to itself is seen where it does so more often than not, too") {
  Repeats repeats;
  // At its second run in six processes of ten.
  for (int process = 0; process < 20; ++process) {
    const bool failed = process % 5 < 3;
    repeats.add(whole_list, failed, failed ? 2 : 32, 32, true, true);
  }
  CHECK(repeats.counted_as() == RepeatForm::by_repeating);
}

TEST_CASE("failures that came late by chance are counted again once others show it") {
  Repeats repeats;
  for (const std::uint32_t run : {20U, 25U, 18U, 22U, 27U, 21U})
    repeats.add(whole_list, true, run, 32, true, true);
  CHECK(repeats.counted_as() == RepeatForm::by_repeating);
  for (int pass = 0; pass < 4; ++pass) repeats.add(whole_list, false, 32, 32, true, true);
  for (const std::uint32_t run : {3U, 6U, 2U, 9U}) repeats.add(whole_list, true, run, 32, true, true);
  CHECK(repeats.later_failures_count());
  CHECK(repeats.counted_as() == RepeatForm::by_run);
}

TEST_CASE("what later runs are expected to be worth lies between nothing and what they may be worth") {
  Repeats repeats;
  CHECK(repeats.expected_passes(1) == 1);
  // Open: nothing is counted, but something is to be expected of them.
  CHECK(repeats.passes(32) == 1);
  const double open = repeats.expected_passes(32);
  CHECK(open > 5);
  for (const std::uint32_t run : {9U, 1U, 4U, 14U}) repeats.add(whole_list, true, run, 32, true, true);
  CHECK(repeats.expected_passes(32) > open);
  CHECK(repeats.expected_passes(32) < 32);
  Repeats decided;
  for (int i = 0; i < 10; ++i) {
    decided.add(whole_list, true, 1, 32, true);
    decided.add(whole_list, false, 32, 32, true);
  }
  CHECK(decided.expected_passes(32) == Approx(1).margin(0.01));
}

TEST_CASE("the chance of a failure within several runs grows with them and never shrinks") {
  Repeats repeats;
  for (const std::uint32_t run : {9U, 21U, 4U, 14U}) repeats.add(whole_list, true, run, 32, true);
  for (const double rate : {0.0, 1e-4, 0.03, 0.5, 0.999, 1.0}) {
    double last = 0;
    for (std::uint32_t runs = 1; runs <= most_runs_of_a_probe; ++runs) {
      const double now = repeats.fails_within(rate, runs);
      CHECK(now >= last - 1e-12);
      CHECK(now <= 1);
      CHECK(std::isfinite(now));
      last = now;
    }
  }
  CHECK(repeats.fails_within(0.03, 1) == 0.03);
  CHECK(repeats.fails_within(0.03, 32) > 0.4);
  CHECK(repeats.expected_runs(0.03, 1) == 1);
  CHECK(repeats.expected_runs(1, 32) == Approx(1).margin(0.2));
}

TEST_CASE("where each run fails on its own a rare failure is explained in far fewer processes") {
  double one_run = 0, repeated = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Fails fails = [](const std::vector<TestIndex>& ran, std::uint32_t, Rng& rng) {
      return has(ran, 11) && rng.bernoulli(0.05);
    };
    const RepeatedSearch once = search_repeating(1, seed, fails), several = search_repeating(32, seed, fails);
    CHECK(once.victim_runs == once.probes);
    for (const RepeatedSearch* one : {&once, &several}) {
      CHECK(one->verdict.kind == Kind::polluter);
      CHECK(one->verdict.tests == std::vector<TestIndex>{11});
    }
    // The rates are those of one run of the victim, however often a probe ran it.
    CHECK(several.verdict.reproduce_rate < 0.2);
    one_run += once.seconds;
    repeated += several.seconds;
  }
  CHECK(repeated < one_run / 2);
}

TEST_CASE(
    "a victim that fails rarely on its own is repeated to the end, whatever chance makes it look like") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const RepeatedSearch result = search_repeating(
        32, seed, [](const std::vector<TestIndex>&, std::uint32_t, Rng& rng) { return rng.bernoulli(0.03); });
    CHECK(result.verdict.kind == Kind::self);
    CHECK(result.most_asked >= 8);
  }
}

TEST_CASE("where the process decides repeating is given up and the answer is the same") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const RepeatedSearch result =
        search_repeating(32, seed, [](const std::vector<TestIndex>& ran, std::uint32_t run, Rng& rng) {
          return run == 1 && has(ran, 11) && rng.bernoulli(0.3);
        });
    CHECK(result.verdict.kind == Kind::polluter);
    CHECK(result.verdict.tests == std::vector<TestIndex>{11});
    CHECK(result.most_asked <= 4);
  }
}

TEST_CASE("a victim that fails whenever it runs twice is not said to fail on its own") {
  // The recorded failure has a polluter, and shows in the first run.
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const RepeatedSearch result =
        search_repeating(32, seed, [](const std::vector<TestIndex>& ran, std::uint32_t run, Rng& rng) {
          return run > 1 || (has(ran, 11) && rng.bernoulli(0.4));
        });
    CHECK(result.verdict.kind == Kind::polluter);
    CHECK(result.verdict.tests == std::vector<TestIndex>{11});
  }
}

TEST_CASE("a victim that wears itself out at its tenth run is not said to fail on its own") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const RepeatedSearch result =
        search_repeating(32, seed, [](const std::vector<TestIndex>& ran, std::uint32_t run, Rng& rng) {
          return run >= 10 || (has(ran, 11) && rng.bernoulli(0.4));
        });
    CHECK(result.verdict.kind == Kind::polluter);
    CHECK(result.verdict.tests == std::vector<TestIndex>{11});
  }
}

TEST_CASE("a victim that wears out sooner or later is not said to fail on its own") {
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const RepeatedSearch result =
        search_repeating(32, seed, [](const std::vector<TestIndex>& ran, std::uint32_t run, Rng& rng) {
          return rng.bernoulli(0.01 * (run - 1)) || (has(ran, 11) && rng.bernoulli(0.1));
        });
    wrong += result.verdict.tests == std::vector<TestIndex>{11} ? 0 : 1;
  }
  CHECK(wrong <= 2);  // one in twenty: the confidence asked for
}

TEST_CASE("a runner that runs the victim once although it was asked for more is not asked again") {
  const RepeatedSearch result = search_repeating(
      32, 1,
      [](const std::vector<TestIndex>& ran, std::uint32_t, Rng& rng) {
        return has(ran, 11) && rng.bernoulli(0.3);
      },
      1);
  CHECK(result.verdict.tests == std::vector<TestIndex>{11});
  CHECK(result.victim_runs == result.probes);
  CHECK(result.most_asked == 1);
}

TEST_CASE("a session that was begun with repeated runs goes on without them and forgets nothing") {
  Problem problem;
  problem.candidates.assign(10, Candidate{0.5});
  problem.startup_seconds = 2;
  problem.victim_seconds = 0.05;
  // It says what runs of one process are worth with the second of these: all is counted anew then.
  std::vector<Observation> past(40);
  for (std::size_t i = 0; i < past.size(); ++i) {
    past[i].source = i < 30 ? Source::history : Source::probe;
    past[i].outcome = i == 30 || i == 31 ? Outcome::fail : Outcome::pass;
    past[i].ran = i % 2 == 0 ? std::vector<TestIndex>{3} : std::vector<TestIndex>{4};
    if (i >= 30) past[i].probe_id = i;
  }
  past[30].victim_runs = 9;
  past[31].victim_runs = 21;
  past[30].victim_runs_asked = past[31].victim_runs_asked = 32;
  problem.most_victim_runs = 32;
  Engine with(problem, {});
  problem.most_victim_runs = 1;
  Engine without(problem, {});
  for (const Observation& seen : past) {
    with.observe(seen);
    without.observe(seen);
  }
  const auto was = with.leading(12), is = without.leading(12);
  REQUIRE(was.size() == is.size());
  for (std::size_t i = 0; i < was.size(); ++i) {
    CHECK(was[i].kind == is[i].kind);
    CHECK(was[i].probability == Approx(is[i].probability));
  }
  const auto probe = without.next_probe();
  REQUIRE(probe);
  CHECK(probe->victim_runs == 1);
}

TEST_CASE("further polluters are found with repeated runs") {
  Problem problem;
  problem.candidates.assign(20, Candidate{0.5});
  problem.startup_seconds = 2;
  problem.victim_seconds = 0.05;
  problem.most_victim_runs = 32;
  EngineOptions options;
  options.find_all = true;
  Engine engine(problem, options);
  Rng rng(3, 3);
  std::uint64_t repeated = 0;
  while (const auto probe = engine.next_probe()) {
    Observation seen;
    seen.ran = probe->subset;
    seen.purpose = probe->purpose;
    seen.probe_id = probe->id;
    const bool can = has(probe->subset, 4) || has(probe->subset, 11);
    bool failed = can && rng.bernoulli(0.15);
    while (!failed && seen.victim_runs < probe->victim_runs) {
      ++seen.victim_runs;
      failed = can && rng.bernoulli(0.15);
    }
    seen.outcome = failed ? Outcome::fail : Outcome::pass;
    repeated += engine.done() ? 0 : seen.victim_runs - 1;
    engine.observe(seen);
  }
  const Verdict verdict = engine.verdict();
  CHECK(verdict.kind == Kind::polluter);
  REQUIRE(verdict.further_polluters.size() == 1);
  std::vector<TestIndex> both = verdict.tests;
  both.push_back(verdict.further_polluters[0].at(0));
  std::sort(both.begin(), both.end());
  CHECK(both == std::vector<TestIndex>{4, 11});
  CHECK(repeated > 0);
}

TEST_CASE("a search that is told its past again stands where it stood, repeated runs and all") {
  Problem problem;
  problem.candidates.assign(20, Candidate{0.5});
  problem.startup_seconds = 2;
  problem.victim_seconds = 0.05;
  problem.most_victim_runs = 32;
  const EngineOptions options;
  Engine first(problem, options);
  Rng rng(5, 5);
  std::vector<Observation> past;
  for (int i = 0; i < 25; ++i) {
    const auto probe = first.next_probe();
    if (!probe) break;
    Observation seen;
    seen.ran = probe->subset;
    seen.purpose = probe->purpose;
    seen.probe_id = probe->id;
    seen.victim_runs_asked = probe->victim_runs;
    bool failed = has(probe->subset, 3) && rng.bernoulli(0.1);
    while (!failed && seen.victim_runs < probe->victim_runs) {
      ++seen.victim_runs;
      failed = has(probe->subset, 3) && rng.bernoulli(0.1);
    }
    seen.outcome = failed ? Outcome::fail : Outcome::pass;
    first.observe(seen);
    past.push_back(seen);
  }
  Engine second(problem, options);
  for (const Observation& seen : past) second.observe(seen);
  const auto was = first.leading(5), is = second.leading(5);
  REQUIRE(was.size() == is.size());
  for (std::size_t i = 0; i < was.size(); ++i) {
    CHECK(was[i].kind == is[i].kind);
    CHECK(was[i].tests == is[i].tests);
    CHECK(was[i].probability == Approx(is[i].probability));
  }
  const auto next = first.next_probe(), again = second.next_probe();
  REQUIRE(next.has_value() == again.has_value());
  if (next) {
    CHECK(next->subset == again->subset);
    CHECK(next->victim_runs == again->victim_runs);
  }
}
