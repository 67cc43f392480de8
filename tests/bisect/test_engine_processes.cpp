#include "bisect/engine_processes.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "bisect/engine.h"

using namespace flakebisect::bisect;

namespace {

Observation seen(std::uint64_t process, bool failed, std::vector<TestIndex> ran = {}) {
  Observation observation;
  observation.process = process;
  observation.outcome = failed ? Outcome::fail : Outcome::pass;
  observation.ran = std::move(ran);
  return observation;
}

void add(Evidence& evidence, const Observation& observation) {
  evidence.add(observation.ran, observation.outcome == Outcome::fail, observation.source, 1,
               observation.process);
}

/// What a probe was asked to be and which process served it.
struct Served {
  Probe probe;
  std::uint64_t process = 0;
  bool failed = false;
};

/// Asks the engine for probes until it is done; `fails` decides from the subset and the process's number. A
/// process serves `quota` probes, unless a probe asks for a new one.
template <typename Fails>
Verdict search(std::size_t candidates, std::uint64_t quota, Fails fails,
               std::vector<Served>* served = nullptr) {
  Problem problem;
  problem.candidates.assign(candidates, Candidate{0.01});
  problem.startup_seconds = 0.03;
  EngineOptions options;
  options.max_probes = 2000;
  Engine engine(problem, options);
  std::uint64_t process = 1;
  std::uint64_t of_this_process = 0;
  while (const auto probe = engine.next_probe()) {
    if (of_this_process == quota || (probe->fresh_process && of_this_process > 0)) {
      ++process;
      of_this_process = 0;
    }
    ++of_this_process;
    Observation observation = seen(process, fails(probe->subset, process), probe->subset);
    if (served) served->push_back({*probe, process, observation.outcome == Outcome::fail});
    observation.purpose = probe->purpose;
    observation.probe_id = probe->id;
    observation.seconds = 0.03;
    engine.observe(observation);
  }
  REQUIRE(engine.done());
  return engine.verdict();
}

}  // namespace

TEST_CASE("a failure that belongs to some processes is said to vary by process", "[engine][processes]") {
  Evidence evidence(8);
  CHECK(enough_processes(evidence, Kind::self, {}));
  for (std::uint64_t process = 1; process <= 5; ++process)
    for (int run = 0; run < 6; ++run) add(evidence, seen(process, process % 2 == 0));
  const auto remark = process_remark(evidence, Kind::self, {});
  REQUIRE(remark);
  CHECK_THAT(*remark, Catch::Matchers::Contains("varies by process"));
  CHECK_THAT(*remark, Catch::Matchers::Contains("2 of 5 processes"));
  CHECK(enough_processes(evidence, Kind::self, {}));
}

TEST_CASE("processes of their own and history say nothing about processes", "[engine][processes]") {
  Evidence evidence(8);
  for (int run = 0; run < 30; ++run) {
    add(evidence, seen(0, run % 2 == 0));
    Observation history = seen(7, true);
    history.source = Source::history;
    add(evidence, history);
  }
  CHECK_FALSE(evidence.processes_shared());
  CHECK_FALSE(process_remark(evidence, Kind::self, {}));
  CHECK(summarise_processes(evidence, Kind::self, {}).runs == 30);
}

TEST_CASE("what the answer explains is no spread between processes", "[engine][processes]") {
  // Test 7 ran in the probes of two processes only; where it ran, the victim failed.
  Evidence evidence(8);
  for (std::uint64_t process = 1; process <= 5; ++process)
    for (int run = 0; run < 6; ++run)
      add(evidence, process % 2 == 0 ? seen(process, true, {3, 7}) : seen(process, false, {3}));
  CHECK(summarise_processes(evidence, Kind::polluter, {7}).processes.size() == 2);
  CHECK(summarise_processes(evidence, Kind::polluter, {7}).spread().probability < 0.2);
  CHECK_FALSE(enough_processes(evidence, Kind::polluter, {7}));  // two processes are too few
  CHECK(summarise_processes(evidence, Kind::polluter, {3}).spread().probability > 0.95);
  CHECK(summarise_processes(evidence, Kind::brittle, {7}).runs == 18);
}

TEST_CASE("a victim whose failure is fixed when a process starts fails on its own", "[engine][processes]") {
  const auto seed_fails = [](const std::vector<TestIndex>&, std::uint64_t process) {
    return process % 3 == 2;
  };
  const Verdict verdict = search(20, 6, seed_fails);
  CHECK(verdict.kind == Kind::self);
  REQUIRE_FALSE(verdict.remarks.empty());
  CHECK_THAT(verdict.remarks[0], Catch::Matchers::Contains("varies by process"));
}

TEST_CASE("no verdict rests on the first process alone", "[engine][processes]") {
  std::uint64_t last = 0;
  const auto always = [&](const std::vector<TestIndex>&, std::uint64_t process) {
    last = process;
    return true;
  };
  CHECK(search(20, 4, always).kind == Kind::self);
  CHECK(last >= 3);
  const auto polluted = [&](const std::vector<TestIndex>& ran, std::uint64_t process) {
    last = process;
    return std::find(ran.begin(), ran.end(), TestIndex{11}) != ran.end();
  };
  const Verdict verdict = search(20, 30, polluted);
  CHECK(verdict.kind == Kind::polluter);
  CHECK(verdict.tests == std::vector<TestIndex>{11});
  CHECK(last >= 3);
}

TEST_CASE("a verdict is confirmed in new processes", "[engine][processes]") {
  std::uint64_t runs = 0;
  const auto polluted = [&](const std::vector<TestIndex>& ran, std::uint64_t) {
    return ++runs % 2 == 0 && std::find(ran.begin(), ran.end(), TestIndex{11}) != ran.end();
  };
  std::vector<Served> served;
  const Verdict verdict = search(30, 1000, polluted, &served);
  CHECK(verdict.kind == Kind::polluter);
  CHECK(verdict.tests == std::vector<TestIndex>{11});
  // A server that would serve for ever: only what confirmation asked for are processes of their own.
  std::set<std::uint64_t> searching, confirming, failing;
  bool confirmed = false;
  for (const Served& one : served) {
    (one.probe.purpose == Purpose::search ? searching : confirming).insert(one.process);
    if (one.failed) failing.insert(one.process);
    confirmed = confirmed || (one.failed && one.probe.purpose == Purpose::treatment);
  }
  CHECK(searching.count(1) == 1);
  CHECK(confirming.count(1) == 0);
  CHECK(confirmed);
  CHECK(failing.size() >= 2);
}

TEST_CASE("one process in which it fails is not enough", "[engine][processes]") {
  Evidence evidence(8);
  for (std::uint64_t process = 1; process <= 6; ++process) add(evidence, seen(process, process == 1));
  add(evidence, seen(1, true));
  CHECK_FALSE(enough_processes(evidence, Kind::self, {}));
}
