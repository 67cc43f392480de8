/// The engine that the product ships, driven as the analyzer drives it.

#include <ctime>
#include <exception>
#include <queue>
#include <set>
#include <utility>
#include <vector>

#include "bisect/simulate/policy.h"
#include "bisect/simulate/random.h"

namespace flakebisect::bisect::simulate {
namespace {

/// Processor time of this thread: other threads and other programs don't slow it.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Ours final : public Policy {
 public:
  std::string name() const override { return "ours"; }
  std::string description() const override { return "flakebisect's engine, its confirmation included"; }

  PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions& options) const override {
    PolicyAnswer answer;
    try {
      drive(sim_case, world, options, answer);
    } catch (const std::exception& error) {
      answer.kind = Kind::inconclusive;
      answer.error = error.what();
    }
    return answer;
  }

 private:
  struct Running {
    double until = 0;  ///< wall-clock seconds since the start
    Probe probe;
    WorldRun run;
  };

  static Observation observation(const Probe& probe, const WorldRun& run) {
    Observation seen;
    seen.ran = probe.subset;
    seen.outcome = run.outcome;
    seen.source = Source::probe;
    seen.purpose = probe.purpose;
    seen.seconds = run.seconds;
    seen.process = run.process;
    seen.victim_runs = run.victim_runs;
    seen.probe_id = probe.id;
    return seen;
  }

  /// What probes side by side still owe when the verdict is there: the program lets its reproduction fail
  /// once with nothing beside it.
  static void check_alone(const Verdict& verdict, World& world, PolicyAnswer& answer) {
    if (verdict.kind == Kind::not_reproduced) {
      return;
    }
    constexpr int most_runs = 300;
    for (int run = 0; run < most_runs; ++run) {
      const WorldRun seen = world.run(verdict.reproduce, false);
      answer.wall_seconds += seen.seconds;
      if (seen.outcome == Outcome::fail) {
        return;
      }
    }
  }

  static void drive(const SimCase& sim_case, World& world, const PolicyOptions& options,
                    PolicyAnswer& answer) {
    EngineOptions engine_options;
    engine_options.confidence = options.confidence;
    engine_options.seed = mix(sim_case.seed, "engine");
    engine_options.count_probes = options.count_probes;
    engine_options.max_probes = options.max_probes;
    Engine engine(sim_case.problem, engine_options);
    for (const Observation& stored : sim_case.history) {
      engine.observe(stored);
    }
    // Probes that run, the one that ends first in front. What still runs when the answer is there is cut off.
    const auto later = [](const Running& a, const Running& b) { return a.until > b.until; };
    std::priority_queue<Running, std::vector<Running>, decltype(later)> running(later);
    std::set<std::uint64_t> in_flight, had_company;
    std::set<std::vector<TestIndex>> failed_alone;  // lists, with nothing beside them
    while (!engine.done() && world.seconds() < options.max_seconds) {
      double choice = 0;
      while (running.size() < options.jobs) {
        const double before = thread_seconds();
        std::optional<Probe> probe = engine.next_probe();
        choice += thread_seconds() - before;
        if (!probe) {
          break;
        }
        const WorldRun run = world.run(probe->subset, probe->fresh_process, probe->victim_runs);
        answer.search_probes += probe->purpose == Purpose::search ? 1U : 0U;
        if (!in_flight.empty()) {
          had_company.insert(in_flight.begin(), in_flight.end());
          had_company.insert(probe->id);
        }
        in_flight.insert(probe->id);
        running.push({answer.wall_seconds + run.seconds, std::move(*probe), run});
      }
      if (running.empty()) {
        break;
      }
      const Running ended = running.top();
      running.pop();
      answer.wall_seconds = ended.until;
      in_flight.erase(ended.probe.id);
      if (had_company.erase(ended.probe.id) == 0 && ended.run.outcome == Outcome::fail) {
        failed_alone.insert(ended.probe.subset);
      }
      const double then = thread_seconds();
      engine.observe(observation(ended.probe, ended.run));
      choice += thread_seconds() - then;
      answer.choice_seconds.push_back(choice);
      if (options.trace) {
        options.trace(ended.probe, ended.run, engine);
      }
    }
    const Verdict verdict = engine.verdict();
    if (options.jobs > 1 && engine.done() && failed_alone.count(verdict.reproduce) == 0) {
      check_alone(verdict, world, answer);
    }
    answer.kind = verdict.kind;
    answer.tests = verdict.tests;
    answer.probability = verdict.probability;
  }
};

}  // namespace

std::unique_ptr<Policy> make_ours() {
  return std::make_unique<Ours>();
}

}  // namespace flakebisect::bisect::simulate
