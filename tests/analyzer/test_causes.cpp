#include "analyzer/analyze/causes.h"

#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "analyzer/analyze/flaky_counts.h"
#include "stats/rng.h"

using namespace flakebisect::analyzer;
using flakebisect::stats::Rng;

namespace {

constexpr std::uint32_t tests = 40;
constexpr std::uint32_t victim = 0;

/// What is known when the victim's outcome is decided.
struct Moment {
  std::set<std::uint32_t> before;   ///< in the same process
  std::set<std::uint32_t> running;  ///< on the other worker
  std::uint32_t worker = 0;
  int hour = 0;
  bool long_run = false;
  std::size_t run = 0;
};

struct Fate {
  double chance = 0;
  std::optional<float> seconds_if_failed = std::nullopt;
};

/// Runs of two workers, each test 0.1 s long, in a random order; the victim fails as `fate` says.
History make_history(std::uint64_t seed, std::size_t runs, const std::function<Fate(const Moment&)>& fate,
                     std::size_t runs_an_order = 1) {
  History history;
  for (std::uint32_t t = 0; t < tests; ++t) history.tests.push_back("test" + std::to_string(t));
  history.signatures = {"", "Error"};
  Rng rng(seed);
  std::vector<std::uint32_t> order(tests);
  for (std::uint32_t t = 0; t < tests; ++t) order[t] = t;
  for (std::size_t r = 0; r < runs; ++r) {
    if (r % runs_an_order == 0) rng.shuffle(order);
    Moment moment;
    moment.run = r;
    moment.hour = static_cast<int>(rng.below(24));
    moment.long_run = rng.bernoulli(0.5);
    const double pace = moment.long_run ? 0.3 : 0.1;
    const std::int64_t start =
        1'700'006'400'000'000 + static_cast<std::int64_t>(r) * 86'400'000'000 + moment.hour * 3'600'000'000;
    HistoryRun run;
    run.id = r;
    run.started_micros = start;
    run.wall_seconds = pace * tests / 2;
    run.first_process = history.processes.size();
    run.process_count = 2;
    for (std::uint32_t w = 0; w < 2; ++w) {
      HistoryProcess process;
      process.worker = w + 1;
      process.first = history.results.size();
      process.count = tests / 2;
      for (std::uint32_t i = 0; i < tests / 2; ++i) {
        Result result;
        result.test = order[2 * i + w];
        result.ending = Ending::pass;
        result.start_micros = start + static_cast<std::int64_t>(i * pace * 1e6);
        result.seconds = static_cast<float>(pace);
        if (result.test == victim) {
          moment.worker = w;
          moment.before.clear();
          for (std::uint32_t j = 0; j < i; ++j) moment.before.insert(order[2 * j + w]);
          moment.running = {order[2 * i + 1 - w]};
          const Fate decided = fate(moment);
          if (rng.bernoulli(decided.chance)) {
            result.ending = Ending::fail;
            result.signature = 1;
            if (decided.seconds_if_failed) result.seconds = *decided.seconds_if_failed;
          }
        }
        history.results.push_back(result);
      }
      history.processes.push_back(process);
    }
    history.runs.push_back(run);
  }
  return history;
}

FlakyTest judged(const History& history) {
  auto counts = count_flaky(history, [](const std::string&) { return true; });
  REQUIRE(counts.flaky.size() == 1);
  auto test = std::move(counts.flaky.front());
  REQUIRE(test.test == victim);
  judge_causes(history, counts.run_seconds, test);
  double sum = 0;
  for (const auto& cause : test.causes) {
    CHECK(cause.probability >= 0);
    sum += cause.probability;
  }
  CHECK(sum == Approx(1));
  return test;
}

}  // namespace

TEST_CASE("Each cause is found where it is the only one") {
  struct Planted {
    Cause cause;
    std::function<Fate(const Moment&)> fate;
    std::vector<std::uint32_t> suspects;
  };
  const std::vector<Planted> planted = {
      {Cause::alone, [](const Moment&) { return Fate{0.2}; }, {}},
      {Cause::polluter, [](const Moment& m) { return Fate{m.before.count(7) ? 0.6 : 0}; }, {7}},
      {Cause::polluter,
       [](const Moment& m) { return Fate{m.before.count(7) || m.before.count(8) ? 0.5 : 0}; },
       {7, 8}},
      {Cause::polluter,
       [](const Moment& m) {
         return Fate{m.before.count(7) || m.before.count(8) || m.before.count(30) ? 0.6 : 0};
       },
       {7, 8, 30}},
      {Cause::polluter_set,
       [](const Moment& m) { return Fate{m.before.count(7) && m.before.count(8) ? 0.9 : 0}; },
       {7, 8}},
      {Cause::state_setter, [](const Moment& m) { return Fate{m.before.count(9) ? 0 : 0.9}; }, {9}},
      {Cause::worker, [](const Moment& m) { return Fate{m.worker == 1 ? 0.3 : 0}; }, {}},
      {Cause::amount, [](const Moment& m) { return Fate{m.before.size() >= 12 ? 0.7 : 0}; }, {}},
      {Cause::overlap, [](const Moment& m) { return Fate{m.running.count(3) ? 0.9 : 0}; }, {3}},
      {Cause::time_of_day, [](const Moment& m) { return Fate{m.hour < 6 ? 0.6 : 0}; }, {}},
      {Cause::run_length, [](const Moment& m) { return Fate{m.long_run ? 0.5 : 0}; }, {}},
      {Cause::time_out,
       [](const Moment&) {
         return Fate{0.1, 5.0F};
       },
       {}},
  };
  int named = 0;
  for (const auto& plant : planted) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      INFO(cause_name(plant.cause) << ", seed " << seed);
      const auto history = make_history(seed, 600, plant.fate);
      const auto test = judged(history);
      CHECK(test.causes.front().cause == plant.cause);
      named += test.strength != Strength::too_thin ? 1 : 0;
      if (!plant.suspects.empty()) {
        REQUIRE_FALSE(test.causes.front().suspects.empty());
        CHECK(test.causes.front().suspects.front().tests == plant.suspects);
        CHECK(test.causes.front().suspects.front().probability > 0.9);
      }
    }
  }
  // Chance may favour another cause so much that nothing is named, but hardly ever.
  CHECK(named >= 34);
}

TEST_CASE("A test that fails on its own is hardly ever called anything else") {
  int accused = 0;
  constexpr int trials = 150;
  Rng rng(99);
  for (int trial = 0; trial < trials; ++trial) {
    const double rate = 0.02 + 0.5 * rng.uniform();
    const auto history = make_history(1000 + static_cast<std::uint64_t>(trial), 20 + rng.below(150),
                                      [&](const Moment&) { return Fate{rate}; });
    auto counts = count_flaky(history, [](const std::string&) { return true; });
    if (counts.flaky.empty()) continue;
    auto& test = counts.flaky.front();
    judge_causes(history, counts.run_seconds, test);
    if (test.strength != Strength::too_thin && test.causes.front().cause != Cause::alone) ++accused;
  }
  CHECK(accused <= trials / 50);
}

TEST_CASE("Bad times that last are seldom taken for an order that lasts") {
  int accused = 0;
  int judgements = 0;
  constexpr int trials = 100;
  for (std::uint64_t seed = 1; seed <= trials; ++seed) {
    // One run in twelve begins a bad time of ten runs; the order stays for twenty.
    Rng rng(seed, 5);
    std::size_t bad_until = 0;
    std::vector<bool> bad(300);
    for (std::size_t r = 0; r < bad.size(); ++r) {
      if (rng.bernoulli(1.0 / 60)) bad_until = r + 10;
      bad[r] = r < bad_until;
    }
    const auto history = make_history(
        seed, bad.size(), [&](const Moment& m) { return Fate{bad[m.run] ? 0.6 : 0}; }, 20);
    auto counts = count_flaky(history, [](const std::string&) { return true; });
    if (counts.flaky.empty()) continue;
    auto& test = counts.flaky.front();
    judge_causes(history, counts.run_seconds, test);
    ++judgements;
    const bool named = test.strength != Strength::too_thin && test.causes.front().cause != Cause::alone;
    accused += named ? 1 : 0;
  }
  INFO(accused << " of " << judgements);
  CHECK(judgements > 90);
  CHECK(accused <= 10);
}

TEST_CASE("One failure, or an order that never varied, is too thin") {
  auto history = make_history(5, 50, [](const Moment& m) { return Fate{m.run == 30 ? 1.0 : 0}; });
  CHECK(judged(history).strength == Strength::too_thin);

  // The same order in each run, one worker: a polluter and a test that fails alone look the same.
  History fixed;
  for (std::uint32_t t = 0; t < 10; ++t) fixed.tests.push_back("test" + std::to_string(t));
  fixed.signatures = {"", "Error"};
  for (std::size_t r = 0; r < 60; ++r) {
    HistoryRun run;
    run.id = r;
    run.first_process = fixed.processes.size();
    run.process_count = 1;
    fixed.processes.push_back({1, 1, fixed.results.size(), 10});
    for (std::uint32_t t = 0; t < 10; ++t) {
      Result result;
      result.test = t;
      result.ending = t == 9 && r % 5 == 0 ? Ending::fail : Ending::pass;
      result.signature = t == 9 && r % 5 == 0 ? 1 : 0;
      fixed.results.push_back(result);
    }
    fixed.runs.push_back(run);
  }
  auto counts = count_flaky(fixed, [](const std::string&) { return true; });
  REQUIRE(counts.flaky.size() == 1);
  auto& test = counts.flaky.front();
  judge_causes(fixed, counts.run_seconds, test);
  CHECK(test.strength == Strength::too_thin);
  CHECK_FALSE(test.order_varied);
}

TEST_CASE("Time-outs with a cause are named by their cause") {
  const auto history = make_history(4, 400, [](const Moment& m) {
    return Fate{m.before.count(7) ? 0.6 : 0, 8.0F};
  });
  const auto test = judged(history);
  CHECK(test.causes.front().cause == Cause::polluter);
  CHECK(test.time_out_probability > 0.95);
  CHECK(test.failed_median_seconds == Approx(8));
}

TEST_CASE("A cleaner between polluter and victim is found") {
  // The order is not kept by Moment: a cleaner is one that ran anywhere before, so plant it by position.
  History history = make_history(8, 1200, [](const Moment&) { return Fate{0}; });
  for (const auto& process : history.processes) {
    bool polluted = false;
    for (std::size_t i = process.first; i < process.first + process.count; ++i) {
      auto& result = history.results[i];
      if (result.test == 7) polluted = true;
      if (result.test == 11) polluted = false;
      if (result.test != victim || !polluted) continue;
      result.ending = Ending::fail;
      result.signature = 1;
    }
  }
  const auto test = judged(history);
  CHECK(test.causes.front().cause == Cause::polluter);
  CHECK(test.causes.front().suspects.front().tests == std::vector<std::uint32_t>{7});
  REQUIRE(test.cleaners.size() == 1);
  CHECK(test.cleaners.front().test == 11);
}

TEST_CASE("What began, ended, broke and was mended is told apart") {
  const auto state = [](const std::function<Fate(const Moment&)>& fate) {
    auto counts = count_flaky(make_history(21, 200, fate), [](const std::string&) { return true; });
    REQUIRE(counts.flaky.size() == 1);
    return std::move(counts.flaky.front());
  };
  const auto began = state([](const Moment& m) { return Fate{m.run < 120 ? 0 : 0.3}; });
  CHECK(began.state == FlakyState::active);
  REQUIRE(began.began);
  CHECK(began.began->low <= 120);
  CHECK(began.began->high >= 120);
  CHECK(began.regime_first == began.began->at);
  const auto mended = state([](const Moment& m) { return Fate{m.run < 100 ? 0.4 : 0}; });
  CHECK(mended.state == FlakyState::fixed);
  CHECK_FALSE(mended.began);
  CHECK(mended.ended);
  const auto broken = state([](const Moment& m) { return Fate{m.run >= 60 && m.run < 90 ? 1.0 : 0}; });
  CHECK(broken.state == FlakyState::regressed);
  CHECK(broken.began);
  CHECK(broken.ended);
  CHECK(broken.streaks == 1);
  CHECK(broken.longest_streak == 30);
  CHECK(broken.first_failed == 60);
  CHECK(broken.last_failed == 89);
  CHECK(broken.passes_since == 110);
  const auto steady = state([](const Moment&) { return Fate{0.2}; });
  CHECK(steady.state == FlakyState::active);
  CHECK_FALSE(steady.began);
  CHECK_FALSE(steady.ended);
}

TEST_CASE("Runs in which nearly everything failed are left out") {
  auto history = make_history(2, 30, [](const Moment&) { return Fate{0.2}; });
  for (std::size_t i = 0; i < tests; ++i) history.results[5 * tests + i].ending = Ending::fail;
  const auto counts = count_flaky(history, [](const std::string&) { return true; });
  REQUIRE(counts.broken.size() == 1);
  CHECK(counts.broken.front().run == 5);
  CHECK(counts.broken.front().failures == tests);
  CHECK(counts.flaky.size() == 1);
  CHECK(counts.flaky.front().runs == 29);
}
