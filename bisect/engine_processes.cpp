#include "bisect/engine_processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace flakebisect::bisect {

namespace {

constexpr double kPrior = 0.1;        ///< that the outcome varies by process
constexpr double kSureEnough = 0.95;  ///< to say that it does
constexpr std::size_t kLeastProcesses = 3;
constexpr std::uint64_t kEnoughRuns =
    80;  ///< after so many, a verdict no longer waits for the question to be settled

}  // namespace

stats::ProcessSpread ProcessSummary::spread() const {
  return stats::process_spread(processes, kPrior);
}

ProcessSummary summarise_processes(const Evidence& evidence, Kind kind, const std::vector<TestIndex>& tests) {
  ProcessSummary summary;
  std::map<std::uint64_t, stats::ProcessRuns> shared;
  for (const ProbeRun& run : evidence.runs()) {
    if (!failure_possible(*run.list, kind, tests)) continue;
    summary.runs += run.victim_runs;
    if (run.process == 0) {
      summary.processes.push_back({run.victim_runs, run.failed ? 1U : 0U});
      continue;
    }
    stats::ProcessRuns& process = shared[run.process];
    process.runs += run.victim_runs;
    if (run.failed) ++process.failures;
  }
  for (const auto& [process, runs] : shared) summary.processes.push_back(runs);
  return summary;
}

bool enough_processes(const Evidence& evidence, Kind kind, const std::vector<TestIndex>& tests) {
  // A leak's rate varies with how much ran; what was never seen has no rate.
  if (!evidence.processes_shared() || kind == Kind::cumulative || kind == Kind::not_reproduced) return true;
  const ProcessSummary seen = summarise_processes(evidence, kind, tests);
  if (seen.processes.size() < kLeastProcesses) return false;
  const auto failing = std::count_if(seen.processes.begin(), seen.processes.end(),
                                     [](const stats::ProcessRuns& one) { return one.failures > 0; });
  if (failing < 2) return false;
  if (seen.runs >= kEnoughRuns) return true;
  const double varies = seen.spread().probability;
  return varies >= kSureEnough || varies <= kPrior * 1.001;
}

std::optional<std::string> process_remark(const Evidence& evidence, Kind kind,
                                          const std::vector<TestIndex>& tests) {
  if (!evidence.processes_shared() || kind == Kind::cumulative || kind == Kind::not_reproduced)
    return std::nullopt;
  const ProcessSummary seen = summarise_processes(evidence, kind, tests);
  const std::size_t count = seen.processes.size();
  const stats::ProcessSpread spread = seen.spread();
  if (spread.probability >= kSureEnough) {
    const auto failing = static_cast<std::size_t>(
        std::count_if(seen.processes.begin(), seen.processes.end(),
                      [](const stats::ProcessRuns& one) { return 2 * one.failures > one.runs; }));
    return fmt::format(
        "the outcome varies by process (probability {:.3g} %, intra-process correlation {:.2g}): it failed "
        "in most runs "
        "of {} of {} processes, and in few or none of the others; look for what is fixed when a process "
        "starts, such as "
        "the hash seed (PYTHONHASHSEED), state made at import, ports",
        100 * std::min(spread.probability, 0.999), spread.correlation, failing, count);
  }
  if (spread.probability > kPrior * 1.001 || count < kLeastProcesses)
    return "some probes shared a process, and too few processes were seen to tell whether the outcome varies "
           "by process";
  return fmt::format("the runs of one process agree no more with each other than with those of the other {}",
                     count - 1);
}

}  // namespace flakebisect::bisect
