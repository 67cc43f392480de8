#include <catch2/catch.hpp>

#include "analyzer/overlap.h"
#include "analyzer/side_by_side.h"

using namespace flakebisect::analyzer;
namespace bisect = flakebisect::bisect;

TEST_CASE("intervals overlap where they share a moment") {
  CHECK(overlap({0, 2}, {1, 3}));
  CHECK(overlap({1, 3}, {0, 2}));
  CHECK(overlap({0, 10}, {4, 5}));
  CHECK(overlap({0, 1}, {1, 2}));
  CHECK_FALSE(overlap({0, 1}, {1.5, 2}));
}

TEST_CASE("overlaps in failing runs raise a weight, overlaps in passing runs lower it") {
  OverlapCounts counts;
  const Interval victim{10, 11};
  const std::vector<Neighbour> met_both = {{"culprit", {9, 12}}, {"usual", {10.5, 10.6}}, {"away", {0, 1}}};
  const std::vector<Neighbour> met_usual = {{"culprit", {20, 22}}, {"usual", {9, 10.5}}, {"away", {0, 1}}};
  counts.set_explained(victim, met_both);
  CHECK(counts.weight("culprit") == Approx(counts.weight("usual")));
  CHECK(counts.weight("culprit") > 3 * counts.weight("away"));
  CHECK(counts.weight("never seen") == Approx(counts.weight("away")));
  for (int i = 0; i < 5; ++i) counts.add_run(victim, true, met_both);
  for (int i = 0; i < 20; ++i) counts.add_run(victim, false, met_usual);
  CHECK(counts.weight("culprit") > 10 * counts.weight("usual"));
  CHECK(counts.weight("usual") > counts.weight("away"));
  CHECK(counts.weight("culprit") <= 1000);
  CHECK(counts.weight("away") >= 0.001);
}

TEST_CASE("without runs every weight is one") {
  OverlapCounts counts;
  CHECK(counts.weight("any") == Approx(1));
}

TEST_CASE("old runs count for less") {
  const Interval victim{10, 11};
  const auto weight_of = [&](double weight) {
    OverlapCounts counts;
    for (int i = 0; i < 8; ++i) counts.add_run(victim, true, {{"a", {10, 11}}}, weight);
    for (int i = 0; i < 8; ++i) counts.add_run(victim, false, {{"a", {0, 1}}}, weight);
    return counts.weight("a");
  };
  CHECK(weight_of(1) > weight_of(0.2));
  CHECK(weight_of(0.2) > 1);
}

TEST_CASE("answers of a search side by side are concurrent causes") {
  using bisect::Kind;
  CHECK(side_by_side_kind(Kind::polluter) == Kind::concurrent);
  CHECK(side_by_side_kind(Kind::polluter_set) == Kind::concurrent);
  CHECK(side_by_side_kind(Kind::cumulative) == Kind::concurrent);
  CHECK(side_by_side_kind(Kind::self) == Kind::self);
  CHECK(side_by_side_kind(Kind::not_reproduced) == Kind::not_reproduced);
  bisect::Verdict verdict;
  verdict.kind = Kind::polluter;
  verdict.alternatives = {{Kind::polluter, {3}, 0.9}, {Kind::self, {}, 0.1}};
  const auto said = side_by_side_verdict(verdict);
  CHECK(said.kind == Kind::concurrent);
  CHECK(said.alternatives.at(0).kind == Kind::concurrent);
  CHECK(said.alternatives.at(1).kind == Kind::self);
}

TEST_CASE("turns double, and take a share of the budget") {
  CHECK(turn_of(0, false, std::nullopt).probes == 30);
  CHECK(turn_of(2, false, std::nullopt).probes == 120);
  CHECK(turn_of(0, true, std::nullopt).probes == 10);
  CHECK(turn_of(1, true, std::nullopt).probes == 20);
  CHECK(turn_of(0, true, std::nullopt).seconds == 0);
  CHECK(turn_of(5, false, 100.0).seconds == Approx(40));
  CHECK(turn_of(1000, false, std::nullopt).probes > 0);
}

TEST_CASE("only runs of the whole list, made alone, tell of the worker by itself") {
  BisectCase first;
  first.candidates = {"setter", "a", "b"};
  first.candidate_facts = {{0, false, 1}, {0, true, 1}, {0, true, 1}};
  const auto stored = [](std::vector<bisect::TestIndex> ran, bisect::Outcome outcome,
                         std::uint64_t beside = 0) {
    StoredObservation one;
    one.observation.ran = std::move(ran);
    one.observation.outcome = outcome;
    one.beside = beside;
    return one;
  };
  const auto runs =
      own_worker_runs({stored({1, 2}, bisect::Outcome::pass), stored({1, 2}, bisect::Outcome::fail),
                       stored({1}, bisect::Outcome::pass), stored({0, 1, 2}, bisect::Outcome::pass),
                       stored({1, 2}, bisect::Outcome::void_probe), stored({1, 2}, bisect::Outcome::pass, 1)},
                      first);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].outcome == bisect::Outcome::pass);
  CHECK(runs[1].outcome == bisect::Outcome::fail);
  for (const auto& run : runs) {
    CHECK(run.ran.empty());
    CHECK(run.source == bisect::Source::history);
  }
}
