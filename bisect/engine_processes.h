#pragma once

/// Which process made which observation, and what follows for a verdict.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bisect/engine.h"
#include "stats/process_spread.h"

namespace flakebisect::bisect {

/// The probes in which an answer says that the failure is possible, by process.
struct ProcessSummary {
  std::vector<stats::ProcessRuns> processes;
  std::uint64_t runs = 0;
  stats::ProcessSpread spread;
};

/// Usable probes of a search with the processes that made them.
class ProcessEvidence {
 public:
  void add(const Observation& observation);
  /// Whether two probes shared a process.
  bool shared() const { return shared_; }
  /// The probes in which the culprits ran (brittle: in which no state-setter ran; self: all).
  ProcessSummary summary(Kind kind, const std::vector<TestIndex>& tests) const;
  /// Whether enough processes were seen for a verdict of this kind: where warm servers are used, at least
  /// three, the failure in two of them, and their runs say whether the outcome varies by process (or many
  /// runs do not).
  bool enough_for(Kind kind, const std::vector<TestIndex>& tests) const;
  /// For the reader: that the outcome varies by process, or that it does not; nothing where no process was
  /// shared.
  std::optional<std::string> remark(Kind kind, const std::vector<TestIndex>& tests) const;

 private:
  struct Run {
    std::vector<TestIndex> ran;
    std::uint64_t process;
    bool failed;
  };
  std::vector<Run> runs_;
  std::vector<std::uint64_t> processes_;  ///< sorted
  bool shared_ = false;
};

}  // namespace flakebisect::bisect
