#include "bisect/engine_group.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>

#include "bisect/engine.h"
#include "engine_harness.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

Rate needs_all(const std::set<TestIndex>& members, double q, double r) {
  return [=](const std::set<TestIndex>& ran) {
    return std::includes(ran.begin(), ran.end(), members.begin(), members.end()) ? q : r;
  };
}

std::vector<TestIndex> all_but(std::size_t tests, const std::set<TestIndex>& without) {
  std::vector<TestIndex> list;
  for (TestIndex i = 0; i < tests; ++i)
    if (without.count(i) == 0) list.push_back(i);
  return list;
}

}  // namespace

TEST_CASE("a group: a failing list clears what it leaves out, a passing one accuses it") {
  const Problem problem = make_problem(12);
  GroupPosterior group(problem, GroupForm::all_needed, 3, 3);
  REQUIRE_FALSE(group.empty());
  GroupWeights weights;
  group.add(all_but(12, {0, 1, 2, 3}), true, 1);
  for (int i = 0; i < 6; ++i) group.add(all_but(12, {}), true, 1);
  for (int i = 0; i < 6; ++i) group.add(all_but(12, {4, 5}), false, 1);
  group.predict(weights);
  // The part without a background holds nearly everything.
  CHECK(weights.member[0] < 0.05);
  CHECK(weights.member[4] > 0.3);
  CHECK(weights.member[4] == Approx(weights.member[5]));
  CHECK(weights.member[6] == Approx(weights.member[11]));
  CHECK(weights.member[4] > 1.5 * weights.member[6]);
  CHECK(weights.likely.empty());

  GroupWeights after;
  for (const TestIndex test : {4U, 6U, 7U})
    for (int i = 0; i < 8; ++i) group.add(all_but(12, {test}), false, 1);
  for (const TestIndex test : {5U, 8U, 9U, 10U, 11U}) group.add(all_but(12, {test}), true, 1);
  group.predict(after);
  REQUIRE(after.likely.size() == 1);
  CHECK(after.likely.front().tests == std::vector<TestIndex>{4, 6, 7});
  CHECK(after.likely.front().probability > 0.9);
  CHECK(after.in > 0.7);
}

TEST_CASE("a group's outcomes are predicted by probabilities: over all outcomes they sum to one") {
  const Problem problem = make_problem(6);
  const std::vector<std::vector<TestIndex>> lists = {{0, 1, 2, 3, 4, 5}, {0, 1, 2}, {}, {1, 2, 3, 4}};
  // Where no size is excluded the evidence is a product of predictions.
  double sum = 0;
  for (unsigned outcomes = 0; outcomes < 16; ++outcomes) {
    GroupPosterior any(problem, GroupForm::all_needed, 1, 3);
    for (unsigned i = 0; i < 4; ++i) any.add(lists[i], ((outcomes >> i) & 1U) != 0, 1);
    sum += std::exp(any.log_marginal());
  }
  // The restriction to one member or more is granted afterwards and approximately.
  CHECK(sum == Approx(1.0).epsilon(0.05));
}

TEST_CASE("a group that has been refuted goes on predicting, and loses by it") {
  // One test doubles the rate, and the victim fails alone: no group is like that.
  const std::vector<std::vector<TestIndex>> lists = {all_but(20, {}), {}, {}, all_but(20, {13}), {13}};
  flakebisect::stats::Rng rng(5, 1);
  for (const GroupForm form : {GroupForm::all_needed, GroupForm::one_is_enough}) {
    Problem problem = make_problem(20);
    if (form == GroupForm::one_is_enough)
      for (Candidate& candidate : problem.candidates) candidate.in_failing_run = false;
    GroupPosterior group(problem, form, 2, 3);
    double before = group.log_marginal();
    for (std::size_t run = 0; run < 400; ++run) {
      const std::vector<TestIndex>& list = lists[run % lists.size()];
      GroupPosterior other = group;
      const bool failed = rng.bernoulli(std::count(list.begin(), list.end(), 13U) > 0 ? 0.8 : 0.4);
      group.add(list, failed, 1);
      other.add(list, !failed, 1);
      REQUIRE(std::exp(group.log_marginal() - before) + std::exp(other.log_marginal() - before) ==
              Approx(1).epsilon(1e-6));
      before = group.log_marginal();
    }
    // Each run costs it a quarter of a nat at least.
    CHECK(before < -100);
  }
}

TEST_CASE("a group's prediction for a growing list agrees with the list made at once") {
  Problem problem = make_problem(8);
  for (const TestIndex test : {1U, 5U, 6U}) problem.candidates[test].in_failing_run = false;
  for (const GroupForm form : {GroupForm::all_needed, GroupForm::one_is_enough}) {
    GroupPosterior group(problem, form, 2, 2);
    group.add({0, 2, 3}, true, 1);
    group.add({0, 1, 4, 5}, false, 1);
    GroupWeights weights;
    group.predict(weights);
    weights.weight = 0.5;
    GroupPrediction prediction(weights);
    prediction.restart();
    const double alone = prediction.sums().fail;
    for (const TestIndex test : {0U, 2U, 3U, 4U, 7U}) prediction.include(test);
    const double listed = prediction.sums().fail;
    for (const TestIndex test : {1U, 5U, 6U}) prediction.include(test);
    const double everything = prediction.sums().fail;
    if (form == GroupForm::all_needed) {
      CHECK(alone < 0.1 * listed);
      CHECK(everything == Approx(listed));
      CHECK(listed == Approx(0.5 * weights.in));
    } else {
      CHECK(alone == Approx(0.5 * weights.in));
      CHECK(listed == Approx(alone));
      CHECK(everything < 0.3 * alone);
    }
    prediction.mark();
    CHECK(std::isfinite(prediction.slope(0).fail));
    CHECK(prediction.sums().known >= 0);
  }
}

TEST_CASE("a list is predicted to hold a whole group as often as it does, however short it is") {
  // Some knowledge of the members first, so that they differ.
  const std::size_t tests = 10, least = 3;
  GroupPosterior group(make_problem(tests), GroupForm::all_needed, least, 3);
  for (int i = 0; i < 3; ++i) group.add(all_but(tests, {0, 1}), false, 1);
  group.add(all_but(tests, {}), true, 1);
  group.add(all_but(tests, {5, 6}), true, 0.02);
  GroupWeights weights;
  group.predict(weights);
  weights.weight = 1;
  GroupPrediction prediction(weights);
  for (const std::uint32_t listed : {0U, 1U, 3U, 7U, 0x1fU, 0xffU, 0x3e0U, 0x3feU, 0x3ffU}) {
    double fail = 0;
    for (const GroupWeights::Part& part : weights.parts) {
      // All groups that are large enough, one by one, members independent.
      double all = 0, held = 0;
      for (std::uint32_t members = 0; members < 1U << tests; ++members) {
        if (static_cast<std::size_t>(std::popcount(members)) < least) continue;
        double probability = 1;
        for (std::size_t i = 0; i < tests; ++i) {
          const double absent = std::exp(part.log_absent[static_cast<Eigen::Index>(i)]);
          probability *= (members >> i & 1U) != 0 ? 1 - absent : absent;
        }
        all += probability;
        if ((members & ~listed) == 0) held += probability;
      }
      fail += part.share * (part.out + held / all * (part.in - part.out));
    }
    prediction.restart();
    for (TestIndex test = 0; test < tests; ++test)
      if ((listed >> test & 1U) != 0) prediction.include(test);
    INFO(listed);
    CHECK(prediction.sums().fail == Approx(fail).epsilon(1e-6));
  }
}

TEST_CASE("a group stays finite through certainty and contradiction") {
  const Problem problem = make_problem(5);
  GroupPosterior group(problem, GroupForm::all_needed, 3, 3);
  for (int i = 0; i < 3000; ++i) group.add({0, 1, 2, 3, 4}, true, 1);
  for (int i = 0; i < 3000; ++i) group.add({0, 1, 2, 3}, false, 1);
  for (int i = 0; i < 30; ++i) group.add({}, true, 0.5);
  GroupWeights weights;
  CHECK_FALSE(std::isnan(group.log_marginal()));
  group.predict(weights);
  CHECK(weights.member.isFinite().all());

  GroupPosterior none(make_problem(2), GroupForm::all_needed, 3, 3);
  CHECK(none.empty());
  none.add({0, 1}, true, 1);
}

TEST_CASE("three tests that are needed together are found by shrinking a failing list") {
  const Problem problem = make_problem(40);
  // At 95 % confidence one search in twenty may be wrong.
  int right = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Trial trial = search(problem, needs_all({6, 17, 33}, 0.6, 0), seed, 3000);
    right += trial.done && trial.verdict.confirmed && trial.verdict.kind == Kind::polluter_set &&
                     trial.verdict.tests == std::vector<TestIndex>{6, 17, 33}
                 ? 1
                 : 0;
  }
  CHECK(right >= 5);
}

TEST_CASE("four tests that are needed together, always failing with them") {
  const Problem problem = make_problem(30);
  const Trial trial = search(problem, needs_all({2, 9, 15, 28}, 1, 0), 3, 3000);
  REQUIRE(trial.done);
  CHECK(trial.verdict.kind == Kind::polluter_set);
  CHECK(trial.verdict.tests == std::vector<TestIndex>{2, 9, 15, 28});
}

TEST_CASE("three state-setters, each enough: one of them is named") {
  Problem problem = make_problem(60);
  for (TestIndex test = 20; test < 40; ++test) problem.candidates[test].in_failing_run = false;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Trial trial = search(
        problem,
        [](const std::set<TestIndex>& ran) {
          return ran.count(22) + ran.count(30) + ran.count(37) > 0 ? 0.0 : 0.4;
        },
        seed, 3000);
    REQUIRE(trial.done);
    CHECK(trial.verdict.kind == Kind::brittle);
    REQUIRE(trial.verdict.tests.size() == 1);
    const TestIndex named = trial.verdict.tests.front();
    CHECK((named == 22 || named == 30 || named == 37));
  }
}
