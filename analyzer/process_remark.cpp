#include "analyzer/process_remark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "stats/process_spread.h"

namespace flakebisect::analyzer {

namespace {

constexpr double kSureEnough = 0.95;

bool failure_possible(const bisect::Observation& observation, const bisect::Verdict& verdict) {
  const auto has = [&](bisect::TestIndex test) {
    return std::find(observation.ran.begin(), observation.ran.end(), test) != observation.ran.end();
  };
  if (verdict.kind == bisect::Kind::brittle)
    return std::none_of(verdict.tests.begin(), verdict.tests.end(), has);
  return std::all_of(verdict.tests.begin(), verdict.tests.end(), has);
}

}  // namespace

std::optional<std::string> process_remark(const std::vector<bisect::Observation>& observations,
                                          const bisect::Verdict& verdict) {
  std::map<std::uint64_t, stats::ProcessRuns> by_process;
  for (const auto& observation : observations) {
    if (observation.source != bisect::Source::probe || observation.process == 0) continue;
    const bool failed = observation.outcome == bisect::Outcome::fail;
    if (!failed && observation.outcome != bisect::Outcome::pass) continue;
    if (!failure_possible(observation, verdict)) continue;
    auto& process = by_process[observation.process];
    ++process.runs;
    if (failed) ++process.failures;
  }
  std::vector<stats::ProcessRuns> processes;
  std::size_t mostly_failing = 0;
  for (const auto& [process, runs] : by_process) {
    processes.push_back(runs);
    if (2 * runs.failures > runs.runs) ++mostly_failing;
  }
  const stats::ProcessSpread spread = stats::process_spread(processes);
  if (spread.probability < kSureEnough) return std::nullopt;
  return fmt::format(
      "the outcome varies by process (probability {:.3g} %, intra-process correlation {:.2g}): it failed in "
      "most of the "
      "runs of {} of the {} test server processes, and in the other{} seldom or never; look for what is "
      "fixed when a "
      "process starts, such as the hash seed (PYTHONHASHSEED), state made at import, ports",
      100 * std::min(spread.probability, 0.999), spread.correlation, mostly_failing, processes.size(),
      processes.size() - mostly_failing == 1 ? "" : "s");
}

}  // namespace flakebisect::analyzer
