#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>

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
  hooks.record = [&](const Probe& probe, const ProbeResult&, const Classified& classified,
                     const Observation& seen) {
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
  hooks.record = [](const Probe&, const ProbeResult&, const Classified&, const Observation& seen) {
    CHECK(seen.ran == std::vector<TestIndex>{2, 0});
  };
  const std::atomic<int> stop{0};
  const auto loop = run_probe_loop(engine, runners, settings, hooks, stop);
  CHECK(loop.end == LoopEnd::max_probes);
  CHECK(loop.status.probes == 1);
}

TEST_CASE("a stop or the end of the budget cancels the probe that runs and does not count it") {
  const bool by_signal = GENERATE(true, false);
  auto engine = engine_of(3);
  std::atomic<int> stop{0};
  std::atomic<bool> was_cancelled{false};
  const auto runners = slots(1, [&](const ProbeRequest&, const std::atomic<bool>& cancel) {
    if (by_signal) stop = 15;
    while (!cancel) {
    }
    was_cancelled = true;
    return ProbeResult{};
  });
  auto settings = settings_of(3);
  if (!by_signal) settings.budget_seconds = 0.01;
  const auto loop = run_probe_loop(engine, runners, settings, hooks_of(), stop);
  CHECK(loop.end == (by_signal ? LoopEnd::stopped : LoopEnd::budget));
  CHECK(loop.status.probes == 0);
  CHECK(was_cancelled);
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
