#pragma once

/// What has been seen, reduced to what the explanations need: weighted counts of failures and passes, in all
/// and for each candidate, and the lists as bit rows (for explanations that need two tests together). Beside
/// it the probes in their order, a few words each, for the questions that counts cannot answer: whether the
/// outcome depends on the process, on the time, on what else ran.

#include <Eigen/Core>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::bisect {

/// A set of candidates, one bit each.
using SubsetBits = std::vector<std::uint64_t>;

/// Throws std::invalid_argument where one is no candidate.
void check_tests(const std::vector<TestIndex>& tests, std::size_t candidates);
/// Throws as check_tests().
SubsetBits to_bits(const std::vector<TestIndex>& tests, std::size_t candidates);
std::vector<TestIndex> to_tests(const SubsetBits& bits);
std::size_t size_of(const SubsetBits& bits);
inline bool contains(const SubsetBits& bits, TestIndex test) {
  return ((bits[test / 64] >> (test % 64)) & 1U) != 0;
}

struct SubsetHash {
  std::size_t operator()(const SubsetBits& bits) const;
};

/// Runs of one list.
struct ArmCounts {
  double failures = 0, passes = 0;  ///< weighted, history included
  std::uint64_t probe_failures = 0,
                probe_runs = 0;   ///< of probes alone, however often the victim ran in each
  std::uint64_t victim_runs = 0;  ///< of probes alone: runs of the victim that count, each for itself
};

/// One usable probe.
struct ProbeRun {
  const SubsetBits* list = nullptr;  ///< what ran before the victim; owned by the Evidence
  std::uint64_t process = 0;         ///< as in Observation
  bool failed = false;
  std::uint32_t victim_runs = 1;  ///< that count; the last one failed, or none
  std::uint32_t worth = 1;        ///< in runs of processes of their own, rounded; at least 1
};

/// Whether an answer says that the victim can fail after this list: its culprits ran (brittle: no
/// state-setter ran; self and others without tests: always).
bool failure_possible(const SubsetBits& list, Kind kind, const std::vector<TestIndex>& tests);

/// Weighted counts. `active` means 'with this candidate'.
struct Counts {
  double failures = 0, passes = 0;
  Eigen::ArrayXd active_failures, active_passes;  ///< one entry a candidate
};

class Evidence {
 public:
  explicit Evidence(std::size_t candidates);
  Evidence(const Evidence&) = delete;  // runs() points into it
  Evidence& operator=(const Evidence&) = delete;

  /// Counts one pass or failure of the victim with `weight` above 0; other outcomes carry no information
  /// about the failure to explain and must not come here. Duplicates in `ran` count once. Throws
  /// std::invalid_argument where an index is out of range. `process` as in Observation.
  void add(const std::vector<TestIndex>& ran, bool failed, Source source, double weight,
           std::uint64_t process = 0) {
    add(ran, source, failed ? weight : 0, failed ? 0 : weight, process, 1, 1);
  }
  /// The same of a probe that ran the victim `victim_runs` times. `failure`: weight of the last one, 0 where
  /// it passed; `passes`: of those that passed; `worth`: of all of them, in runs of processes
  /// of their own.
  void add(const std::vector<TestIndex>& ran, Source source, double failure, double passes,
           std::uint64_t process, std::uint32_t victim_runs, double worth);
  /// As before the first add(), but for the version.
  void clear();

  const Counts& counts() const { return counts_; }
  const std::unordered_map<SubsetBits, ArmCounts, SubsetHash>& arms() const { return arms_; }
  /// The runs of exactly this list; zeros where there are none.
  ArmCounts arm(const std::vector<TestIndex>& tests) const;
  std::uint64_t probe_failures() const { return probe_failures_; }
  std::uint64_t probe_runs() const { return probe_runs_; }
  /// The probes, in the order in which they ended.
  const std::vector<ProbeRun>& runs() const { return runs_; }
  /// The candidates that ran in every failing probe; all of them before the first failure.
  const SubsetBits& common_to_failures() const { return common_; }
  /// Whether two probes shared a process.
  bool processes_shared() const { return processes_shared_; }
  double history_failures() const { return history_failures_; }
  double history_passes() const { return history_passes_; }
  /// Changes with every add().
  std::uint64_t version() const { return version_; }

 private:
  std::size_t candidates_;
  Counts counts_;
  std::unordered_map<SubsetBits, ArmCounts, SubsetHash> arms_;
  std::uint64_t probe_failures_ = 0, probe_runs_ = 0;
  double history_failures_ = 0, history_passes_ = 0;
  std::uint64_t version_ = 0;
  std::vector<ProbeRun> runs_;
  SubsetBits common_;
  std::unordered_set<std::uint64_t> processes_;
  bool processes_shared_ = false;
};

/// Adds one run to weighted counts.
void add_to(Counts& counts, const std::vector<TestIndex>& ran, bool failed, double weight);

}  // namespace flakebisect::bisect
