#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <regex>
#include <thread>

#include "analyzer/probe_loop.h"

using namespace flakebisect::analyzer;
using namespace flakebisect::bisect;

namespace {

/// Runs nothing: the victim fails where the formula says so.
class ScriptedRunner final : public Runner {
 public:
  using Formula = std::function<ProbeResult(const ProbeRequest&, const std::atomic<bool>&)>;
  explicit ScriptedRunner(Formula formula) : formula_(std::move(formula)) {}

  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>& cancel) override {
    auto result = formula_(request, cancel);
    if (result.end != VictimEnd::void_probe && result.ran.empty()) {
      for (const auto& id : request.before) result.ran.push_back({id, "success", 0.1});
    }
    result.wall_seconds = 0.1;
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return ""; }
  std::string description() const override { return "scripted"; }

 private:
  Formula formula_;
};

std::vector<std::unique_ptr<Runner>> slots(std::size_t count, const ScriptedRunner::Formula& formula) {
  std::vector<std::unique_ptr<Runner>> runners;
  for (std::size_t i = 0; i < count; ++i) runners.push_back(std::make_unique<ScriptedRunner>(formula));
  return runners;
}

Engine engine_of(std::size_t candidates) {
  Problem problem;
  problem.candidates.assign(candidates, Candidate{0.1, true, 1});
  problem.victim_seconds = 0.1;
  problem.startup_seconds = 1;
  return Engine(problem, {});
}

LoopSettings settings_of(std::size_t candidates) {
  LoopSettings settings;
  for (std::size_t i = 0; i < candidates; ++i)
    settings.candidates.push_back(std::string("t").append(std::to_string(i)));
  settings.victim = "v";
  return settings;
}

bool has(const std::vector<std::string>& ids, const std::string& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

LoopHooks hooks_of() {
  LoopHooks hooks;
  hooks.classify = [](const ProbeResult& result) {
    return result.end == VictimEnd::fail ? Classified{Outcome::fail, "boom"} : Classified{Outcome::pass, ""};
  };
  return hooks;
}

}  // namespace

TEST_CASE("the loop finds a polluter on one slot and on several, and records what the engine sees") {
  const std::size_t jobs = GENERATE(1U, 4U);
  auto engine = engine_of(40);
  const auto runners = slots(jobs, [](const ProbeRequest& request, const std::atomic<bool>&) {
    ProbeResult result;
    result.end = has(request.before, "t17") ? VictimEnd::fail : VictimEnd::pass;
    return result;
  });
  std::uint64_t recorded = 0;
  std::uint64_t failures = 0;
  auto hooks = hooks_of();
  hooks.record = [&](const ProbeFacts& facts, const Observation& seen) {
    const auto& probe = facts.probe;
    const auto& classified = facts.classified;
    CHECK(facts.beside < jobs);
    ++recorded;
    failures += classified.outcome == Outcome::fail;
    CHECK(seen.ran == probe.subset);
    CHECK(seen.probe_id == probe.id);
    CHECK((classified.outcome == Outcome::fail) == (std::count(seen.ran.begin(), seen.ran.end(), 17U) == 1));
  };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings_of(40), hooks, stop);
  CHECK(loop.end == LoopEnd::finished);
  CHECK(engine.done());
  CHECK(engine.verdict().kind == Kind::polluter);
  CHECK(engine.verdict().tests == std::vector<TestIndex>{17});
  CHECK(loop.status.probes == recorded);
  CHECK(loop.status.failures == failures);
}

TEST_CASE("each probe is told how long its tests may take") {
  auto engine = engine_of(3);
  auto settings = settings_of(3);
  settings.limits = {std::make_shared<const TestLimits>(TestLimits{{"t1", 7}}), 60, 120};
  const auto runners = slots(1, [](const ProbeRequest& request, const std::atomic<bool>&) {
    CHECK(quiet_limit(request, "t1") == 7);
    CHECK(quiet_limit(request, "t2") == 60);
    CHECK(request.time_limit_seconds == 120);
    ProbeResult result;
    result.end = VictimEnd::fail;
    return result;
  });
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks_of(), stop);
  CHECK(loop.status.probes > 0);
}

namespace {

/// Of a victim that fails behind t7 in each third of its runs there, and of a start-up that costs much more.
Engine repeating_engine_of(std::size_t candidates) {
  Problem problem;
  problem.candidates.assign(candidates, Candidate{0.1, true, 1});
  problem.victim_seconds = 0.01;
  problem.startup_seconds = 10;
  problem.most_victim_runs = 32;
  return Engine(problem, {});
}

}  // namespace

TEST_CASE("a runner that can repeat the victim is asked to, and has the time for it") {
  auto engine = repeating_engine_of(12);
  auto settings = settings_of(12);
  settings.limits.probe_seconds = 120;
  settings.limits.repeat_seconds = 2;
  settings.after = {"w"};
  std::uint32_t runs = 0, most = 0;
  const auto runners = slots(1, [&](const ProbeRequest& request, const std::atomic<bool>&) {
    CHECK(request.time_limit_seconds == 120 + 2 * (request.victim_runs - 1));
    CHECK(request.after.empty() == (request.victim_runs > 1));
    most = std::max(most, request.victim_runs);
    ProbeResult result;
    result.end = VictimEnd::pass;
    while (result.end == VictimEnd::pass && result.victim_runs < request.victim_runs) {
      ++result.victim_runs;
      if (has(request.before, "t7") && ++runs % 3 == 0) result.end = VictimEnd::fail;
    }
    return result;
  });
  auto hooks = hooks_of();
  std::uint32_t latest = 0;
  hooks.record = [&](const ProbeFacts& facts, const Observation& seen) {
    CHECK(seen.victim_runs == facts.result.victim_runs);
    CHECK(seen.victim_runs_asked == facts.probe.victim_runs);
    if (seen.outcome == Outcome::fail) latest = std::max(latest, seen.victim_runs);
  };
  const std::atomic<int> stop{0};
  run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK(most > 1);
  CHECK(most <= 32);
  CHECK(latest == 3);
  const auto verdict = engine.verdict();
  CHECK(verdict.tests == std::vector<TestIndex>{7});
  CHECK(std::any_of(verdict.remarks.begin(), verdict.remarks.end(), [](const std::string& remark) {
    return remark.find("times in one process") != std::string::npos;
  }));
}

TEST_CASE("a runner that cannot repeat the victim is soon no longer asked to") {
  auto engine = repeating_engine_of(12);
  std::uint32_t runs = 0;
  std::uint64_t probes = 0, asked_in_vain = 0;
  const auto runners = slots(1, [&](const ProbeRequest& request, const std::atomic<bool>&) {
    ProbeResult result;
    result.end = has(request.before, "t7") && ++runs % 3 == 0 ? VictimEnd::fail : VictimEnd::pass;
    result.victim_runs = 1;
    ++probes;
    asked_in_vain += request.victim_runs > 1 && result.end == VictimEnd::pass;
    return result;
  });
  const std::atomic<int> stop{0};
  run_probe_loop(engine, runners, settings_of(12), hooks_of(), stop);
  CHECK(asked_in_vain <= 1);
  CHECK(probes > 10);
  const auto verdict = engine.verdict();
  CHECK(verdict.tests == std::vector<TestIndex>{7});
  CHECK(std::none_of(verdict.remarks.begin(), verdict.remarks.end(), [](const std::string& remark) {
    return remark.find("in one process") != std::string::npos;
  }));
}

TEST_CASE("that a victim fails sooner where it runs more often is no interference") {
  InterferenceGuard guard;
  Observation one;
  for (int i = 0; i < 60; ++i) {
    one.outcome = Outcome::fail;
    one.victim_runs = 3;
    guard.observe(one, 1);
    one.outcome = Outcome::pass;
    one.victim_runs = 1;
    guard.observe(one, 0);
  }
  CHECK_FALSE(guard.found());
  // A failure alone is one, whichever run it was.
  Verdict verdict;
  verdict.kind = Kind::self;
  CHECK(guard.before(verdict, {}));
  one.outcome = Outcome::fail;
  one.victim_runs = 3;
  guard.observe(one, 0);
  CHECK_FALSE(guard.before(verdict, {}));
}

TEST_CASE("what really ran is the evidence, without repeats and strangers") {
  auto engine = engine_of(3);
  const auto runners = slots(1, [](const ProbeRequest&, const std::atomic<bool>&) {
    ProbeResult result;
    result.end = VictimEnd::pass;
    result.ran = {
        {"t2", "success", 0.1}, {"stranger", "success", 0.1}, {"t0", "success", 0.1}, {"t2", "fail", 0.1}};
    return result;
  });
  auto settings = settings_of(3);
  settings.max_probes = 1;
  auto hooks = hooks_of();
  hooks.record = [](const ProbeFacts&, const Observation& seen) {
    CHECK(seen.ran == std::vector<TestIndex>{2, 0});
  };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK(loop.end == LoopEnd::max_probes);
  CHECK(loop.status.probes == 1);
}

TEST_CASE("the limit on probes goes before the end of a turn, and may be none") {
  const std::uint64_t limit = GENERATE(0U, 2U);
  auto engine = engine_of(3);
  const auto runners = slots(1, [](const ProbeRequest&, const std::atomic<bool>&) {
    ProbeResult result;
    result.end = VictimEnd::pass;
    return result;
  });
  auto settings = settings_of(3);
  settings.max_probes = limit;
  auto hooks = hooks_of();
  hooks.give_way = [](const LoopStatus& status) { return status.probes >= 2; };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK(loop.end == LoopEnd::max_probes);
  CHECK(loop.status.probes == limit);
}

TEST_CASE("a stop or the end of the budget cancels the probe that runs and does not count it") {
  const bool by_signal = GENERATE(true, false);
  auto engine = engine_of(3);
  std::atomic<int> stop{0};
  std::atomic<bool> started{false}, was_cancelled{false};
  const auto runners = slots(1, [&](const ProbeRequest&, const std::atomic<bool>& cancel) {
    started = true;
    if (by_signal) stop = 15;
    while (!cancel) std::this_thread::yield();
    was_cancelled = true;
    return ProbeResult{};
  });
  auto settings = settings_of(3);
  if (!by_signal) settings.budget_seconds = 0.01;
  const auto loop = run_probe_loop(engine, runners, settings, hooks_of(), stop);
  CHECK(loop.end == (by_signal ? LoopEnd::stopped : LoopEnd::budget));
  CHECK(loop.status.probes == 0);
  // On a busy machine the budget may be over before the probe starts.
  if (by_signal) CHECK(started);
  CHECK(was_cancelled == started);
}

TEST_CASE("tests that can never be run end the loop, with the reason") {
  auto engine = engine_of(3);
  const auto runners = slots(2, [](const ProbeRequest&, const std::atomic<bool>&) {
    ProbeResult result;
    result.void_reason = "the victim did not run";
    return result;
  });
  const std::atomic<int> stop{0};
  CHECK_THROWS_WITH(run_probe_loop(engine, runners, settings_of(3), hooks_of(), stop),
                    Catch::Matchers::Contains("the victim did not run"));
}

TEST_CASE("what a runner throws comes out of the loop, the other slots ended") {
  auto engine = engine_of(3);
  std::atomic<int> calls{0};
  const auto runners = slots(3, [&](const ProbeRequest&, const std::atomic<bool>& cancel) -> ProbeResult {
    if (calls.fetch_add(1) == 0) throw CannotRun("no such command");
    while (!cancel) {
    }
    return {};
  });
  const std::atomic<int> stop{0};
  CHECK_THROWS_AS(run_probe_loop(engine, runners, settings_of(3), hooks_of(), stop), CannotRun);
}

namespace {

/// Counts the probes that run at the same time, over all slots.
constexpr const char* met_nobody = "met nobody";

struct Company {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::atomic<bool> over{false};  ///< from now on probes are run one at a time
};

/// Probes that overlap get in each other's way, as the formula of the test says; each lasts until all slots
/// that are to be busy are so, or so long that on a busy machine, too, whoever was started beside it is
/// there.
ScriptedRunner::Formula crowded(Company& company, std::size_t jobs,
                                const std::function<ProbeResult(const ProbeRequest&, bool crowd)>& formula) {
  return [&company, jobs, formula](const ProbeRequest& request, const std::atomic<bool>& cancel) {
    ++company.running;
    bool crowd = false;
    for (int i = 0; i < 500 && !cancel && !company.over; ++i) {
      crowd = crowd || company.running.load() > 1;
      if (crowd && company.running.load() >= static_cast<int>(jobs)) break;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    company.most = std::max(company.most.load(), company.running.load());
    auto result = formula(request, crowd);
    if (!crowd) result.output_tail = met_nobody;
    --company.running;
    return result;
  };
}

}  // namespace

TEST_CASE(
    "a failure that only probes beside others show is no verdict: the loop goes on with one at a time") {
  auto engine = engine_of(20);
  Company company;
  // A shared port: beside others the victim fails; alone it fails after t7 only.
  const auto runners = slots(4, crowded(company, 4, [](const ProbeRequest& request, bool crowd) {
                               ProbeResult result;
                               const bool fails = crowd || has(request.before, "t7");
                               result.end = fails ? VictimEnd::fail : VictimEnd::pass;
                               return result;
                             }));
  std::vector<std::pair<Observation, std::uint64_t>> seen;
  std::string found;
  auto hooks = hooks_of();
  hooks.record = [&](const ProbeFacts& facts, const Observation& one) {
    seen.emplace_back(one, facts.beside);
  };
  hooks.interference = [&](const std::string& sentence) {
    company.over = true;
    found = sentence;
    auto fresh = engine_of(20);
    for (const auto& [one, beside] : seen) {
      if (beside == 0) fresh.observe(one);
    }
    return fresh;
  };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings_of(20), hooks, stop);
  CHECK_THAT(found, Catch::Contains("disturb each other") && Catch::Contains("alone"));
  CHECK(loop.end == LoopEnd::finished);
  CHECK(engine.verdict().kind == Kind::polluter);
  CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
}

TEST_CASE("with one slot, evidence of an earlier life's probes among others is checked alone, too") {
  auto engine = engine_of(20);
  InterferenceGuard guard;
  Observation failing;
  for (TestIndex i = 0; i < 20; ++i) failing.ran.push_back(i);
  for (int i = 0; i < 20; ++i) {
    if (i == 10) failing.ran.clear();
    failing.outcome = Outcome::fail;
    engine.observe(failing);
    guard.observe(failing, 3);
  }
  const auto runners = slots(1, [](const ProbeRequest&, const std::atomic<bool>&) {
    ProbeResult result;
    result.end = VictimEnd::pass;
    return result;
  });
  std::string found;
  auto hooks = hooks_of();
  hooks.interference = [&](const std::string& sentence) {
    found = sentence;
    return engine_of(20);
  };
  auto settings = settings_of(20);
  settings.max_probes = 30;
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks, stop, guard);
  CHECK_THAT(found, Catch::Contains("disturb each other"));
  CHECK(loop.status.probes > 0);
  CHECK((engine.verdict().kind == Kind::inconclusive || engine.verdict().kind == Kind::not_reproduced));
}

TEST_CASE("odd results among others are compared with the same list alone") {
  auto engine = engine_of(20);
  Company company;
  const auto runners = slots(4, crowded(company, 4, [](const ProbeRequest& request, bool crowd) {
                               ProbeResult result;
                               result.end = has(request.before, "t7") ? VictimEnd::fail : VictimEnd::pass;
                               if (crowd) {
                                 result.end = VictimEnd::void_probe;
                                 result.void_reason = "address in use";
                               }
                               return result;
                             }));
  std::string found;
  auto hooks = hooks_of();
  hooks.interference = [&](const std::string& sentence) {
    company.over = true;
    found = sentence;
    return engine_of(20);
  };
  auto settings = settings_of(20);
  settings.give_up_after_voids = 1000;
  const std::atomic<int> stop{0};
  run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK_THAT(found, Catch::Contains("gave no result in 8 of 8") && Catch::Contains("0 of 8 alone"));
  CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
}

TEST_CASE("without interference the reproduction fails alone once, and the slots stay busy") {
  auto engine = engine_of(20);
  Company company;
  const auto runners = slots(4, crowded(company, 4, [](const ProbeRequest& request, bool) {
                               ProbeResult result;
                               result.end = has(request.before, "t7") ? VictimEnd::fail : VictimEnd::pass;
                               return result;
                             }));
  std::uint64_t alone_failures = 0;
  auto hooks = hooks_of();
  hooks.record = [&](const ProbeFacts& facts, const Observation& one) {
    if (facts.beside == 0 && one.outcome == Outcome::fail) ++alone_failures;
  };
  hooks.interference = [&](const std::string& sentence) {
    FAIL(sentence);
    return engine_of(20);
  };
  const std::atomic<int> stop{0};
  run_probe_loop(engine, runners, settings_of(20), hooks, stop);
  CHECK(alone_failures >= 1);
  CHECK(company.most.load() == 4);
  CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
}

TEST_CASE("a lost machine's probe is void, its slot rests, and the others go on") {
  auto engine = engine_of(20);
  std::atomic<bool> node3_tried{false};
  const auto good = [&](const ProbeRequest& request, const std::atomic<bool>& cancel) {
    while (!node3_tried && !cancel) std::this_thread::sleep_for(std::chrono::microseconds(200));
    ProbeResult result;
    result.end = has(request.before, "t7") ? VictimEnd::fail : VictimEnd::pass;
    return result;
  };
  const bool throws = GENERATE(false, true);
  auto runners = slots(2, good);
  runners.push_back(std::make_unique<ScriptedRunner>([&](const ProbeRequest&, const std::atomic<bool>&) {
    node3_tried = true;
    if (throws) throw CannotRun("no route to node3");
    ProbeResult result;
    result.void_reason = "the connection to node3 was lost";
    result.lost = true;
    return result;
  }));
  auto settings = settings_of(20);
  settings.slots_may_fail = true;
  settings.rest_seconds = 1000;
  std::size_t lost = 0;
  auto hooks = hooks_of();
  hooks.lost = [&](std::size_t slot, const std::string& reason, double rest) {
    ++lost;
    CHECK(slot == 2);
    CHECK(rest == 600);
    CHECK_THAT(reason, Catch::Contains("node3"));
  };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK(lost == 1);
  CHECK(loop.status.voids == (throws ? 0 : 1));
  CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
}

TEST_CASE("where every machine is lost again and again, the loop gives up with the reason") {
  auto engine = engine_of(3);
  const auto runners = slots(2, [](const ProbeRequest&, const std::atomic<bool>&) -> ProbeResult {
    throw CannotRun("no route to any node");
  });
  auto settings = settings_of(3);
  settings.slots_may_fail = true;
  settings.rest_seconds = 0;
  const std::atomic<int> stop{0};
  CHECK_THROWS_WITH(run_probe_loop(engine, runners, settings, hooks_of(), stop), Catch::Contains("no route"));
}

TEST_CASE("machines that are lost among others are no interference") {
  auto engine = engine_of(20);
  Company company;
  // Seven machines of eight are dead; what the good one runs alone always gives a result.
  const auto good = crowded(company, 8, [](const ProbeRequest& request, bool) {
    ProbeResult result;
    result.end = has(request.before, "t7") ? VictimEnd::fail : VictimEnd::pass;
    return result;
  });
  const auto dead = crowded(company, 8, [](const ProbeRequest&, bool) {
    ProbeResult result;
    result.void_reason = "no route to the machine";
    result.lost = true;
    return result;
  });
  auto runners = slots(1, good);
  for (auto& runner : slots(7, dead)) runners.push_back(std::move(runner));
  auto settings = settings_of(20);
  settings.slots_may_fail = true;
  settings.rest_seconds = 0;
  auto hooks = hooks_of();
  hooks.interference = [&](const std::string& sentence) {
    FAIL_CHECK(sentence);
    return engine_of(20);
  };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK_FALSE(loop.unchecked);
  CHECK(loop.status.voids >= 6);
  CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
}

TEST_CASE("a comparison of which some probes are lost with their machine comes to its end") {
  auto engine = engine_of(20);
  Company company;
  const bool throws = GENERATE(false, true);
  const auto formula = [](const ProbeRequest& request, bool crowd) {
    ProbeResult result;
    result.end = has(request.before, "t7") ? VictimEnd::fail : VictimEnd::pass;
    if (crowd) {
      result.end = VictimEnd::void_probe;
      result.void_reason = "address in use";
    }
    return result;
  };
  const auto probe = crowded(company, 4, formula);
  // Each third probe of a slot is lost.
  std::vector<std::unique_ptr<Runner>> runners;
  for (int i = 0; i < 4; ++i) {
    auto calls = std::make_shared<int>(i);
    runners.push_back(std::make_unique<ScriptedRunner>(
        [probe, calls, throws](const ProbeRequest& request, const std::atomic<bool>& cancel) {
          auto result = probe(request, cancel);
          if (++*calls % 3 != 0) return result;
          if (throws) throw CannotRun("no route to the machine");
          result = {};
          result.void_reason = "no route to the machine";
          result.lost = true;
          return result;
        }));
  }
  std::string found;
  auto hooks = hooks_of();
  // One that has ended and is not yet taken in is in flight for the loop: what starts then ran beside it by
  // the loop's count, and met nobody.
  int only_counted_beside = 0;
  hooks.record = [&](const ProbeFacts& facts, const Observation&) {
    if (facts.beside > 0 && facts.result.output_tail == met_nobody) ++only_counted_beside;
  };
  hooks.interference = [&](const std::string& sentence) {
    company.over = true;
    found = sentence;
    return engine_of(20);
  };
  auto settings = settings_of(20);
  settings.give_up_after_voids = 1000;
  settings.slots_may_fail = true;
  settings.rest_seconds = 0;
  const std::atomic<int> stop{0};
  run_probe_loop(engine, runners, settings, hooks, stop);
  // A run that was meant to have company has none where the other one was lost before the two met: it counts
  // as what it was, so that the two sides are sixteen together, but not always eight each.
  std::smatch counts;
  const std::regex sentence(
      R"(gave no result in (\d+) of (\d+) runs beside others, and in 0 of (\d+) alone)");
  REQUIRE(std::regex_search(found, counts, sentence));
  const int without_trouble = std::stoi(counts[2]) - std::stoi(counts[1]);
  CHECK(without_trouble >= 0);
  CHECK(without_trouble <= only_counted_beside);
  CHECK(std::stoi(counts[2]) + std::stoi(counts[3]) == 16);
  CHECK(engine.verdict().tests == std::vector<TestIndex>{7});
}

TEST_CASE("a single machine that is lost for a while rests, and the search goes on") {
  auto engine = engine_of(3);
  int calls = 0;
  const bool for_ever = GENERATE(false, true);
  const auto runners = slots(1, [&](const ProbeRequest& request, const std::atomic<bool>&) {
    ++calls;
    if (calls == 2 || calls == 3 || for_ever) throw MachineLost("no route to the machine");
    ProbeResult result;
    result.end = has(request.before, "t1") ? VictimEnd::fail : VictimEnd::pass;
    return result;
  });
  auto settings = settings_of(3);
  settings.slots_may_fail = true;
  settings.rest_seconds = 0;
  int rests = 0;
  auto hooks = hooks_of();
  hooks.lost = [&](std::size_t, const std::string&, double) { ++rests; };
  const std::atomic<int> stop{0};
  if (for_ever) {
    CHECK_THROWS_WITH(run_probe_loop(engine, runners, settings, hooks, stop), Catch::Contains("no route"));
    CHECK(calls == 3);
  } else {
    run_probe_loop(engine, runners, settings, hooks, stop);
    CHECK(engine.verdict().tests == std::vector<TestIndex>{1});
  }
  CHECK(rests == 2);
}

TEST_CASE("what keeps the only machine's tests from running at all ends the search at once") {
  auto engine = engine_of(3);
  int calls = 0;
  const auto runners = slots(1, [&](const ProbeRequest&, const std::atomic<bool>&) -> ProbeResult {
    ++calls;
    throw CannotRun("the server speaks no version that is known");
  });
  auto settings = settings_of(3);
  settings.slots_may_fail = true;
  settings.rest_seconds = 0;
  const std::atomic<int> stop{0};
  CHECK_THROWS_WITH(run_probe_loop(engine, runners, settings, hooks_of(), stop), Catch::Contains("version"));
  CHECK(calls == 1);
}
