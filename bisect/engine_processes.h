#pragma once

/// Which process made which observation, and what follows for a verdict.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bisect/engine_evidence.h"
#include "stats/process_spread.h"

namespace flakebisect::bisect {

/// The probes in which an answer says that the failure is possible, by process.
struct ProcessSummary {
  std::vector<stats::ProcessRuns> processes;
  std::uint64_t runs = 0;
  /// Whether the outcome varies by process; costs some ten thousand logarithms.
  stats::ProcessSpread spread() const;
};

/// The probes in which the culprits ran (brittle: in which no state-setter ran; self: all).
ProcessSummary summarise_processes(const Evidence& evidence, Kind kind, const std::vector<TestIndex>& tests);
/// Whether enough processes were seen for a verdict of this kind: where warm servers are used, at least
/// three, the failure in two of them, and their runs say whether the outcome varies by process (or many runs
/// do not).
bool enough_processes(const Evidence& evidence, Kind kind, const std::vector<TestIndex>& tests);
/// For the reader: that the outcome varies by process, or that it does not; nothing where no process was
/// shared.
std::optional<std::string> process_remark(const Evidence& evidence, Kind kind,
                                          const std::vector<TestIndex>& tests);

}  // namespace flakebisect::bisect
