/// How many probes a second one coordinator can feed: the real loop, engine and session file, with runners
/// that only wait. `coordinator [--smoke] [SLOTS [CANDIDATES [PROBE_SECONDS [SECONDS]]]]`. The smoke mode
/// makes a number of probes instead of as many as a time allows, so that it passes however slow the machine
/// is.

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "analyzer/probe_loop.h"
#include "analyzer/session_store.h"
#include "stats/rng.h"

using namespace flakebisect;

namespace {

std::atomic<std::uint64_t> number{0};

/// Takes its time and runs nothing. The failure is so rare, and depends on so little, that no verdict comes.
class WaitingRunner final : public bisect::Runner {
 public:
  explicit WaitingRunner(double seconds) : seconds_(seconds) {}
  bisect::ProbeResult run(const bisect::ProbeRequest& request, const std::atomic<bool>& cancel) override {
    stats::Rng rng(7, ++number);
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds_ * (0.5 + rng.uniform()));
    while (!cancel && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(
          std::chrono::milliseconds(200), end - std::chrono::steady_clock::now()));
    bisect::ProbeResult result;
    result.end = rng.bernoulli(0.0003) ? bisect::VictimEnd::fail : bisect::VictimEnd::pass;
    for (const auto& id : request.before) result.ran.push_back({id, "success", 0.1});
    result.wall_seconds = seconds_;
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return {}; }
  std::string description() const override { return "waits"; }

 private:
  double seconds_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool smoke = argc > 1 && std::string(argv[1]) == "--smoke";
  const auto argument = [&](int index, double otherwise) {
    return !smoke && argc > index ? std::atof(argv[index]) : otherwise;
  };
  const auto slots = static_cast<std::size_t>(argument(1, smoke ? 50 : 1000));
  const auto candidates = static_cast<std::size_t>(argument(2, 300));
  const double probe_seconds = argument(3, smoke ? 0.1 : 10);
  const double seconds = argument(4, smoke ? 300 : 30);
  constexpr std::uint64_t kSmokeProbes = 200;

  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("flakebisect-coordinator-{}", getpid());
  std::filesystem::create_directories(folder);
  bool good = false;
  {
    analyzer::SessionStore store((folder / "sessions.sqlite").string());
    analyzer::SessionInfo info;
    info.options = info.problem = info.context = "{}";
    const auto session = store.create(info);
    bisect::Problem problem;
    problem.candidates.assign(candidates, bisect::Candidate{0.1, true, 1});
    problem.victim_seconds = 0.1;
    problem.startup_seconds = 2;
    bisect::EngineOptions options;
    options.confidence = 1 - 1e-15;
    bisect::Engine engine(problem, options);
    analyzer::LoopSettings settings;
    for (std::size_t i = 0; i < candidates; ++i) settings.candidates.push_back(fmt::format("tests.t{}", i));
    settings.victim = "tests.victim";
    settings.budget_seconds = seconds;
    if (smoke) settings.max_probes = kSmokeProbes;
    std::vector<std::unique_ptr<bisect::Runner>> runners;
    for (std::size_t i = 0; i < slots; ++i) runners.push_back(std::make_unique<WaitingRunner>(probe_seconds));
    analyzer::LoopHooks hooks;
    hooks.classify = [](const bisect::ProbeResult& result) {
      return analyzer::Classified{
          result.end == bisect::VictimEnd::fail ? bisect::Outcome::fail : bisect::Outcome::pass, ""};
    };
    hooks.record = [&](const analyzer::ProbeFacts& facts, const bisect::Observation& observation) {
      analyzer::StoredObservation stored;
      stored.observation = observation;
      stored.asked = facts.probe.subset;
      store.add(session, stored);
    };
    double busy = 0;
    std::uint64_t ticks = 0;
    hooks.tick = [&](const analyzer::LoopStatus& status) {
      for (const auto& slot : status.slots) busy += slot.busy ? 1 : 0;
      ++ticks;
    };
    const std::atomic<int> stop{0};
    const auto begin = std::chrono::steady_clock::now();
    const auto loop = analyzer::run_probe_loop(engine, runners, settings, hooks, stop);
    const double wanted = static_cast<double>(slots) / probe_seconds;
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double got = static_cast<double>(loop.status.probes) / (smoke ? took : seconds);
    fmt::print(
        "{} slots, {} candidates, probes of {:g} s: {:.0f} results a second of the {:.0f} that the slots "
        "could make\n",
        slots, candidates, probe_seconds, got, wanted);
    good = loop.status.probes >= (smoke ? kSmokeProbes : 1);
  }
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}
