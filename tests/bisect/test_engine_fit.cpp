#include "bisect/engine_fit.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "bisect/engine.h"
#include "engine_harness.h"
#include "stats/rng.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;
using flakebisect::stats::Rng;

namespace {

constexpr std::size_t listed = 40;

/// `runs` probes of lists of all sizes, whose rate is a function of the number of tests and of the probe.
Evidence& observe(Evidence& evidence, std::uint64_t seed, int runs,
                  const std::function<double(std::size_t size, int run)>& rate) {
  Rng rng(seed, 1);
  for (int run = 0; run < runs; ++run) {
    const double share = run % 2 == 0 ? 0 : rng.uniform();
    std::vector<TestIndex> ran;
    for (TestIndex test = 0; test < listed; ++test)
      if (rng.bernoulli(share)) ran.push_back(test);
    evidence.add(ran, rng.bernoulli(rate(ran.size(), run)), Source::probe, 1);
  }
  return evidence;
}

Fit fit_of_self(std::uint64_t seed, int runs, const std::function<double(std::size_t size, int run)>& rate) {
  Evidence evidence(listed);
  return fit_of(observe(evidence, seed, runs, rate), listed, Kind::self, {});
}

}  // namespace

TEST_CASE("one rate fits: a misfit is said in fewer than one case of fifty", "[engine][fit]") {
  int misfits = 0, drifts = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Fit fit = fit_of_self(seed, 120, [](std::size_t, int) { return 0.2; });
    misfits += fit.misfits() ? 1 : 0;
    drifts += fit_remarks(fit, Kind::self).size() > (fit.misfits() ? 1U : 0U) ? 1 : 0;
  }
  CHECK(misfits <= 4);
  CHECK(drifts <= 4);
}

TEST_CASE("a rate that rises with the number of tests does not fit 'self'", "[engine][fit]") {
  const Fit fit = fit_of_self(3, 200, [](std::size_t size, int) { return size > 15 ? 0.7 : 0.1; });
  CHECK(fit.misfits());
  CHECK(fit.rises());
  const auto remarks = fit_remarks(fit, Kind::self);
  REQUIRE_FALSE(remarks.empty());
  CHECK_THAT(remarks[0], Catch::Matchers::Contains("one rate does not fit"));
  CHECK_THAT(remarks[0], Catch::Matchers::Contains("part of the cause"));
}

TEST_CASE("a victim that other tests protect still fails on its own, and that is said", "[engine][fit]") {
  const Fit fit = fit_of_self(4, 200, [](std::size_t size, int) { return size > 10 ? 0.02 : 0.6; });
  CHECK(fit.misfits());
  CHECK_FALSE(fit.rises());
  CHECK_THAT(fit_remarks(fit, Kind::self)[0], Catch::Matchers::Contains("--cleaners"));
}

TEST_CASE("a rate that changes while the probes run is said to", "[engine][fit]") {
  const Fit fit = fit_of_self(5, 200, [](std::size_t, int run) { return run < 90 ? 0.5 : 0.05; });
  CHECK_FALSE(fit.misfits());
  const auto remarks = fit_remarks(fit, Kind::self);
  REQUIRE(remarks.size() == 1);
  CHECK_THAT(remarks[0], Catch::Matchers::Contains("changed while the probes ran"));
  CHECK(fit.drift.at > 75);
  CHECK(fit.drift.at < 105);
}

TEST_CASE("only probes in which the answer's cause was present are asked", "[engine][fit]") {
  // Test 7 pollutes: with it half of the runs fail, whatever else ran; without it none.
  Evidence evidence(listed);
  Rng rng(6, 1);
  for (int run = 0; run < 300; ++run) {
    std::vector<TestIndex> ran;
    for (TestIndex test = 0; test < listed; ++test)
      if (rng.bernoulli(run % 3 == 0 ? 0.05 : 0.9)) ran.push_back(test);
    const bool active = std::find(ran.begin(), ran.end(), TestIndex{7}) != ran.end();
    evidence.add(ran, active && rng.bernoulli(0.5), Source::probe, 1);
  }
  CHECK_FALSE(fit_of(evidence, listed, Kind::polluter, {7}).misfits());
  CHECK(fit_of(evidence, listed, Kind::self, {}).misfits());
  // A leak's rate depends on how much ran, and what is gone has no rate: nothing is tested.
  CHECK(fit_of(evidence, listed, Kind::cumulative, {}).runs == 0);
  CHECK(fit_of(evidence, listed, Kind::not_reproduced, {}).runs == 0);
}

TEST_CASE("what every failing list held is known") {
  Evidence evidence(70);
  CHECK(to_tests(evidence.common_to_failures()).size() == 70);
  evidence.add({1, 5, 66}, true, Source::history, 1);
  evidence.add({2}, false, Source::probe, 1);
  CHECK(to_tests(evidence.common_to_failures()).size() == 70);
  evidence.add({1, 5, 66}, true, Source::probe, 1);
  evidence.add({5, 66, 69}, true, Source::probe, 1);
  CHECK(to_tests(evidence.common_to_failures()) == std::vector<TestIndex>{5, 66});
  evidence.add({}, true, Source::probe, 1);
  CHECK(to_tests(evidence.common_to_failures()).empty());
}

TEST_CASE("two tests that are needed together and bite seldom are not taken for a leak", "[engine][fit]") {
  const Problem problem = make_problem(60);
  const Rate rate = [](const std::set<TestIndex>& ran) {
    return ran.count(11) > 0 && ran.count(47) > 0 ? 0.15 : 0.0;
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Trial trial = search(problem, rate, seed, 3000);
    INFO(seed);
    CHECK(trial.verdict.kind != Kind::cumulative);
    if (trial.done) CHECK(trial.verdict.tests == std::vector<TestIndex>{11, 47});
  }
}
