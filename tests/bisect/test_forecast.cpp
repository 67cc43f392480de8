#include <catch2/catch.hpp>

#include "bisect/forecast.h"
#include "stats/rng.h"

using namespace flakebisect::bisect;

namespace {

Observation probe(std::vector<TestIndex> ran, Outcome outcome, double seconds = 2) {
  Observation observation;
  observation.ran = std::move(ran);
  observation.outcome = outcome;
  observation.seconds = seconds;
  return observation;
}

ForecastInput polluted() {
  ForecastInput input;
  for (int i = 0; i < 20; ++i) input.problem.candidates.push_back({0.5, true, 1});
  input.problem.victim_seconds = 0.5;
  input.problem.startup_seconds = 1;
  Observation selected = probe({}, Outcome::fail);
  for (TestIndex i = 0; i < 20; ++i) selected.ran.push_back(i);
  selected.source = Source::selected;
  input.seen = {selected, probe({0, 1, 2, 3, 4}, Outcome::fail, 4), probe({5, 6, 7, 8, 9}, Outcome::pass, 4),
                probe({0, 1}, Outcome::fail, 2.5), probe({}, Outcome::pass, 1.5)};
  input.most_trials = 20;
  return input;
}

}  // namespace

TEST_CASE("a forecast says how long the rest takes, and in what range") {
  const auto result = forecast(polluted(), [] { return false; });
  CHECK(result.trials == 20);
  REQUIRE(result.median_seconds);
  REQUIRE(result.low_seconds);
  REQUIRE(result.high_seconds);
  CHECK(*result.low_seconds > 0);
  CHECK(*result.low_seconds <= *result.median_seconds);
  CHECK(*result.median_seconds <= *result.high_seconds);
  CHECK(result.share_within(0) == 0);
  CHECK(result.share_within(1e9) == Approx(1 - static_cast<double>(result.unfinished) / 20));
}

TEST_CASE("the same seed gives the same forecast, several slots a shorter one, slow probes a longer one") {
  auto input = polluted();
  const auto never = [] { return false; };
  const auto one = forecast(input, never);
  CHECK(forecast(input, never).finished == one.finished);
  auto parallel = input;
  parallel.jobs = 4;
  CHECK(*forecast(parallel, never).median_seconds < *one.median_seconds);
  auto slow = input;
  for (auto& observation : slow.seen) observation.seconds *= 3;
  input.most_trials = slow.most_trials = 400;
  // Not exactly three times: the slower probes are taken for a longer start-up, and larger subsets are
  // chosen.
  CHECK(*forecast(slow, never).median_seconds ==
        Approx(3 * *forecast(input, never).median_seconds).epsilon(0.2));
}

TEST_CASE("a forecast without time is none, and what it had to stop is counted") {
  const auto none = forecast(polluted(), [] { return true; });
  CHECK(none.trials == 0);
  int asked = 0;
  const auto cut = forecast(polluted(), [&] { return ++asked > 40; });
  CHECK(cut.trials > 0);
  CHECK(cut.unfinished == 1);
  CHECK(cut.finished.size() + 1 == cut.trials);
}

TEST_CASE("worlds are drawn as often as the posterior says, with rates that fit the evidence") {
  flakebisect::stats::Rng rng(7);
  const auto uniform = [&] { return rng.uniform(); };
  std::vector<Observation> seen;
  for (int i = 0; i < 40; ++i) {
    seen.push_back(probe({3, 4}, i % 2 == 0 ? Outcome::fail : Outcome::pass));
    seen.push_back(probe({4}, Outcome::pass));
  }
  const std::vector<Explanation> explanations = {{Kind::polluter, {3}, 0.75}, {Kind::self, {}, 0.25}};
  int polluters = 0;
  double rates = 0;
  for (int i = 0; i < 1000; ++i) {
    const World world = draw_world(explanations, seen, uniform);
    if (world.kind != Kind::polluter) continue;
    ++polluters;
    CHECK(world.with > world.without);
    CHECK(world.rate({1, 3}, 5) == world.with);
    CHECK(world.rate({1, 2}, 5) == world.without);
    rates += world.with;
  }
  CHECK(polluters == Approx(750).margin(60));  // 4.4 standard deviations
  CHECK(rates / polluters == Approx(0.5).margin(0.03));
}
