#include "bisect/engine_prediction.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <iterator>

#include "bisect/engine_group.h"
#include "bisect/engine_group_exact.h"
#include "bisect/engine_posterior.h"
#include "bisect/engine_select.h"
#include "bisect/engine_state.h"
#include "engine_harness.h"
#include "stats/log_math.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;
using flakebisect::stats::binary_entropy;
using flakebisect::stats::Rng;

namespace {

Weights no_weights(std::size_t tests) {
  Weights w;
  const auto n = static_cast<Eigen::Index>(tests);
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle}) part->resize(n);
  w.pairs.place.assign(tests, -1);
  w.set.member = w.setters.member = Eigen::ArrayXd::Zero(n);
  return w;
}

/// Groups of three or four of `suspects`, some likelier than others.
GroupWeights some_groups(std::size_t tests, std::vector<TestIndex> suspects, bool all_needed) {
  GroupWeights groups;
  groups.weight = 1;
  groups.all_needed = all_needed;
  groups.member = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(tests));
  groups.exact.share = 1;
  double total = 0;
  for (std::uint32_t mask = 0; mask < 1U << suspects.size(); ++mask) {
    const int size = std::popcount(mask);
    if (size != 3 && size != 4) continue;
    groups.exact.groups.push_back({mask, 1.0 + mask % 7, 0.3 + 0.01 * (mask % 11), 0.02});
    total += 1.0 + mask % 7;
  }
  for (GroupWeights::Exact::Group& group : groups.exact.groups) {
    group.probability /= total;
    for (std::size_t i = 0; i < suspects.size(); ++i)
      if ((group.mask >> i & 1U) != 0)
        groups.member[static_cast<Eigen::Index>(suspects[i])] += group.probability;
  }
  groups.exact.suspects = std::move(suspects);
  return groups;
}

}  // namespace

TEST_CASE("groups that were weighed one by one are predicted so: their members are not independent") {
  const std::vector<TestIndex> suspects{1, 3, 4, 6, 7};
  for (const bool all_needed : {true, false}) {
    const GroupWeights groups = some_groups(9, suspects, all_needed);
    GroupPrediction prediction(groups);
    REQUIRE_FALSE(prediction.light());
    for (std::uint32_t listed = 0; listed < 1U << 9; ++listed) {
      prediction.restart();
      for (TestIndex test = 0; test < 9; ++test)
        if ((listed >> test & 1U) != 0) prediction.include(test);
      double fail = 0, known = 0;
      for (const GroupWeights::Exact::Group& group : groups.exact.groups) {
        bool active = true;
        for (std::size_t i = 0; i < suspects.size(); ++i)
          if ((group.mask >> i & 1U) != 0)
            active = active && ((listed >> suspects[i] & 1U) != 0) == all_needed;
        const double rate = active ? group.in : group.out;
        fail += group.probability * rate;
        known += group.probability * binary_entropy(rate);
      }
      CHECK(prediction.sums().fail == Approx(fail));
      CHECK(prediction.sums().known == Approx(known));
    }
    // What a test adds is the difference that its membership makes to the marked list.
    prediction.restart();
    for (const TestIndex test : {1U, 3U, 4U}) prediction.include(test);
    prediction.mark();
    const double without = prediction.sums().fail;
    prediction.include(6);
    CHECK(prediction.slope(6).fail == Approx(prediction.sums().fail - without));
    CHECK(prediction.slope(0).fail == 0);
  }
}

TEST_CASE("weighed exactly, groups of suspects end up in the weights with their members") {
  const Problem problem = make_problem(30);
  Evidence evidence(30);
  Posterior posterior(problem);
  Rng rng(4);
  std::vector<std::vector<TestIndex>> lists;
  for (int run = 0; run < 150; ++run) {
    std::vector<TestIndex> ran;
    for (TestIndex test = 0; test < 30; ++test)
      if (rng.bernoulli(0.8)) ran.push_back(test);
    const bool active =
        std::count_if(ran.begin(), ran.end(), [](TestIndex t) { return t == 2 || t == 9 || t == 20; }) == 3;
    const bool failed = rng.bernoulli(active ? 0.6 : 0);
    evidence.add(ran, failed, Source::probe, 1);
    posterior.add(ran, failed, 1, evidence);
  }
  const Weights w = posterior.weigh(evidence.counts(), evidence);
  REQUIRE(w.set.exact.share > 0);
  double total = 0;
  for (const GroupWeights::Exact::Group& group : w.set.exact.groups) total += group.probability;
  CHECK(total == Approx(1.0));
  for (const TestIndex member : {2U, 9U, 20U})
    CHECK(std::count(w.set.exact.suspects.begin(), w.set.exact.suspects.end(), member) == 1);
}

TEST_CASE(
    "a few tests that ran in every failing probe are weighed as a set, whatever was thought of groups") {
  // Of so many tests no rough groups are made.
  const std::size_t tests = 3000;
  const Problem problem = make_problem(tests);
  REQUIRE(GroupPosterior(problem, GroupForm::all_needed, 3, 3).empty());
  Evidence evidence(tests);
  Posterior posterior(problem);
  const auto run = [&](const std::vector<TestIndex>& ran, bool failed) {
    evidence.add(ran, failed, Source::probe, 1);
    posterior.add(ran, failed, 1, evidence);
  };
  for (int i = 0; i < 4; ++i) run({15, 175, 261, 300, 301}, true);
  for (int i = 0; i < 30; ++i)
    for (const std::vector<TestIndex>& part :
         {std::vector<TestIndex>{15, 175}, {15, 261}, {175, 261}, {15, 175, 300, 301}, {}})
      run(part, false);
  for (int i = 0; i < 40; ++i) run({15, 175, 261}, i % 2 == 0);
  const Weights w = posterior.weigh(evidence.counts(), evidence);
  CHECK(w.set.weight > 0.9);
  REQUIRE_FALSE(w.set.likely.empty());
  CHECK(w.set.likely.front().tests == std::vector<TestIndex>{15, 175, 261});
  CHECK(w.set.likely.front().probability > 0.9);
}

TEST_CASE("kinds too light to be looked at count as not there: they promise no news") {
  const Problem problem = make_problem(12);
  for (const double light : {0.0, 0.015}) {
    Weights w = no_weights(12);
    // As good as sure that it fails on its own, one time in two: the victim alone tells nothing then.
    w.self = 1 - light;
    w.self_rate = 0.5;
    w.set = some_groups(12, {0, 1, 2, 3}, true);
    w.set.weight = light;
    Prediction prediction(problem, w);
    prediction.restart();
    CHECK(prediction.fail() == Approx(0.5));
    CHECK(prediction.information() == Approx(0).margin(1e-9));
    CHECK(prediction.self_mass() == Approx(1.0));
    CHECK(prediction.kind_rates().set == Approx(0.5));
    // The same with a probe in flight.
    const std::vector<TestIndex> list{0, 5};
    const Branches branches = look_ahead(problem, w, {&list}, Rng(1));
    Prediction ahead(problem, w, branches);
    CHECK(ahead.information() == Approx(0).margin(1e-9));
    CHECK(ahead.information_about_self() == Approx(0).margin(1e-9));
  }
}

TEST_CASE("two suspects of a set that are alike are told apart") {
  // Tests 0 and 1 are needed, and one of the cheap tests 2 and 3: which, no order by single tests can ask.
  Problem problem = make_problem(6, 1.0);
  problem.candidates[0].seconds = problem.candidates[1].seconds = 20;
  problem.candidates[2].seconds = problem.candidates[3].seconds = 0.01;
  Weights w = no_weights(6);
  w.set.weight = 1;
  w.set.exact.share = 1;
  w.set.exact.suspects = {0, 1, 2, 3};
  w.set.exact.groups = {{0b0111, 0.5, 0.9, 0}, {0b1011, 0.5, 0.9, 0}};
  w.set.member.head(4) << 1, 1, 0.5, 0.5;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Choice choice = choose_probe(problem, w, Branches(w), false, Rng(seed));
    CHECK((choice.subset == std::vector<TestIndex>{0, 1, 2} ||
           choice.subset == std::vector<TestIndex>{0, 1, 3}));
    CHECK(choice.information > 0.3);
  }
}

TEST_CASE("'self' must outweigh most what looks like it most: a missing state-setter, a polluter, a leak") {
  CHECK(evidence_needed(level_self, level_polluter) == 30);
  CHECK(evidence_needed(level_self, level_cumulative) == 30);
  CHECK(evidence_needed(level_self, level_brittle) == 30);
  CHECK(evidence_needed(level_polluter, level_self) == 20);
}

TEST_CASE("where all that is left to ask is whether a polluter needs a second test, it is run by itself") {
  // Each of the tests 1 to 3 is cheaper than test 0, and worth nothing without it: by single tests they come
  // first, and every list of an order that holds test 0 holds them, too.
  Problem problem = make_problem(6, 1.0);
  problem.startup_seconds = 16;
  problem.candidates[0].seconds = 0.45;
  for (std::size_t i = 1; i < 4; ++i) problem.candidates[i].seconds = 0.05;
  Weights w = no_weights(6);
  w.polluter.weight[0] = 0.47;
  w.polluter.in[0] = 0.04;
  w.set.weight = 0.53;
  w.set.exact.share = 1;
  w.set.exact.suspects = {0, 1, 2, 3};
  w.set.exact.groups = {{0b0011, 0.34, 0.054, 0}, {0b0101, 0.33, 0.054, 0}, {0b1001, 0.33, 0.054, 0}};
  w.set.member.head(4) << 1, 0.34, 0.33, 0.33;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Choice choice = choose_probe(problem, w, Branches(w), false, Rng(seed));
    CHECK(choice.subset == std::vector<TestIndex>{0});
  }
}
