#pragma once

/// The simulated machine: runs subsets of a case's candidates and then its victim.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "bisect/simulate/sim_case.h"

namespace flakebisect::bisect::simulate {

/// The rate at which the case's victim fails after `subset` (execution order), before correlation and drift.
double failure_rate(const SimCase& sim_case, std::span<const TestIndex> subset);

struct WorldRun {
  Outcome outcome = Outcome::void_probe;
  double seconds = 0;
  std::uint64_t process = 0;      ///< as Observation::process
  std::uint32_t victim_runs = 1;  ///< likewise
};

/// One policy's use of the machine for one case. Random numbers are common to all policies: the i-th run of
/// the same subset draws the same number whoever asks, so that paired comparisons are sharp. Keeps a
/// reference to the case, which must outlive it. Not thread-safe.
class World {
 public:
  explicit World(const SimCase& sim_case);
  /// `fresh`: in a new process, even where a server is warm. The victim runs `victim_runs` times, or until it
  /// first fails.
  WorldRun run(std::span<const TestIndex> subset, bool fresh = false, std::uint32_t victim_runs = 1);
  /// Seconds that a probe of `subset` takes when nothing goes wrong.
  double cost(std::span<const TestIndex> subset) const;

  std::uint64_t probes() const { return probes_; }
  std::uint64_t voids() const { return voids_; }
  double seconds() const { return seconds_; }

 private:
  double rate_now(std::span<const TestIndex> subset, std::uint64_t process) const;

  const SimCase& case_;
  std::unordered_map<std::uint64_t, std::uint64_t> repetitions_;  ///< by the subset's hash
  std::uint64_t probes_ = 0;
  std::uint64_t voids_ = 0;
  std::uint64_t processes_ = 0;     ///< started so far
  std::uint64_t warm_process_ = 0;  ///< 0: none
  std::uint64_t served_ = 0;        ///< probes that the warm process has served
  double seconds_ = 0;
};

}  // namespace flakebisect::bisect::simulate
