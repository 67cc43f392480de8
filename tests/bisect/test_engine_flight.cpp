#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "bisect/engine_posterior.h"
#include "bisect/engine_prediction.h"
#include "bisect/engine_select.h"
#include "engine_harness.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;
using flakebisect::stats::Rng;

namespace {

std::vector<TestIndex> range(TestIndex from, TestIndex to) {
  std::vector<TestIndex> tests(to - from);
  std::iota(tests.begin(), tests.end(), from);
  return tests;
}

/// A polluter that always bites, and it is one of `tests`, each as likely.
Weights sure_polluter(std::size_t tests) {
  const auto n = static_cast<Eigen::Index>(tests);
  Weights w;
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle}) part->resize(n);
  w.polluter.weight.setConstant(1.0 / static_cast<double>(n));
  w.polluter.in.setConstant(1);
  w.pairs.place.assign(tests, -1);
  return w;
}

/// Weights of a search that has gone on for a while.
Weights some_search(const Problem& problem) {
  Evidence evidence(problem.candidates.size());
  Posterior posterior(problem);
  Rng rng(5);
  for (int run = 0; run < 40; ++run) {
    std::vector<TestIndex> ran;
    for (TestIndex test = 0; test < problem.candidates.size(); ++test)
      if (rng.bernoulli(0.5)) ran.push_back(test);
    const bool failed = rng.bernoulli(std::count(ran.begin(), ran.end(), 3) > 0 ? 0.3 : 0.02);
    evidence.add(ran, failed, Source::probe, 1);
    posterior.add(ran, failed, 1, evidence);
  }
  return posterior.weigh(evidence.counts(), evidence);
}

}  // namespace

TEST_CASE("the ways in which probes in flight may end: all of them together are what is believed now") {
  const Problem problem = make_problem(12);
  const Weights w = some_search(problem);
  const std::vector<std::vector<TestIndex>> lists{range(0, 6), {}, range(3, 12), {3}};
  std::vector<const std::vector<TestIndex>*> in_flight;
  for (const auto& list : lists) in_flight.push_back(&list);
  const Branches branches = look_ahead(problem, w, in_flight, Rng(1));
  REQUIRE(branches.all().size() == 16);
  double probability = 0, self = 0;
  Eigen::ArrayXd polluter = Eigen::ArrayXd::Zero(12);
  for (const Branch& branch : branches.all()) {
    probability += branch.probability;
    self += branch.probability * branch.self;
    polluter += branch.probability * branch.polluter;
    const double all = branch.polluter.sum() + branch.amplified.sum() + branch.brittle.sum() + branch.self +
                       branch.gone + branch.pairs + branch.dose + branch.set + branch.setters;
    CHECK(all == Approx(1));
  }
  CHECK(probability == Approx(1));
  CHECK(self == Approx(w.self));
  for (Eigen::Index i = 0; i < 12; ++i) CHECK(polluter[i] == Approx(w.polluter.weight[i]));
}

TEST_CASE("with many probes in flight the ways to end are sampled") {
  const Problem problem = make_problem(40);
  const Weights w = some_search(problem);
  const std::vector<TestIndex> half = range(0, 20);
  const Branches branches =
      look_ahead(problem, w, std::vector<const std::vector<TestIndex>*>(12, &half), Rng(1));
  CHECK(branches.all().size() <= Branches::most);
  CHECK(branches.all().size() > 1);
  double probability = 0;
  for (const Branch& branch : branches.all()) probability += branch.probability;
  CHECK(probability == Approx(1));
}

TEST_CASE("with a half in flight the next list takes half of it and half of the others") {
  const Problem problem = make_problem(64, 1000, 0.01);
  const Weights w = sure_polluter(64);
  std::vector<std::vector<TestIndex>> lists;
  for (std::uint64_t round = 0; round < 4; ++round) {
    std::vector<const std::vector<TestIndex>*> in_flight;
    for (const auto& list : lists) in_flight.push_back(&list);
    const Branches branches = look_ahead(problem, w, in_flight, Rng(round));
    const Choice choice = choose_probe(problem, w, branches, false, Rng(round));
    INFO(round);
    // As good as a bit each: no time is lost by not waiting for the answers.
    CHECK(choice.information > 0.9 * std::log(2.0));
    CHECK(choice.subset.size() > 24);
    CHECK(choice.subset.size() < 40);
    lists.push_back(choice.subset);
  }
  // One that is on its way already would tell nothing.
  const Branches branches = look_ahead(problem, w, {&lists[0]}, Rng(1));
  Prediction again(problem, w, branches);
  for (const TestIndex test : lists[0]) again.include(test);
  CHECK(again.information() == Approx(0).margin(1e-6));
}

TEST_CASE("nothing in flight: the choice is the same as without looking ahead") {
  const Problem problem = make_problem(30);
  const Weights w = some_search(problem);
  const std::vector<TestIndex> list = range(2, 9);
  Prediction plain(problem, w), ahead(problem, w, look_ahead(problem, w, {}, Rng(1)));
  for (const TestIndex test : list) {
    plain.include(test);
    ahead.include(test);
  }
  CHECK(plain.information() == ahead.information());
  CHECK(plain.fail() == ahead.fail());
}
