#pragma once

/// Drives the search: asks the engine what to run, runs it on the slots, hands each result back as soon as it
/// is in.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bisect/engine.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

/// What a probe's result means for the search.
struct Classified {
  bisect::Outcome outcome = bisect::Outcome::void_probe;
  std::string signature;  ///< of the failure; empty where the victim passed or nothing is known
};

/// What one slot is doing; for the status line.
struct SlotStatus {
  bool busy = false;
  std::size_t tests = 0;  ///< before the victim
  double running_seconds = 0;
  bisect::Purpose purpose = bisect::Purpose::search;
};

struct LoopStatus {
  std::uint64_t probes = 0;    ///< with a result
  std::uint64_t failures = 0;  ///< of the failure to explain
  std::uint64_t voids = 0;
  double elapsed_seconds = 0;
  std::vector<SlotStatus> slots;
};

struct LoopSettings {
  std::vector<std::string> candidates;  ///< test ids, as the engine's indices count them
  std::string victim;
  bool hang_is_failure = false;          ///< as ProbeRequest has it
  double test_limit_seconds = 0;         ///< for one test; 0: none
  double probe_limit_seconds = 0;        ///< for a whole probe; 0: none
  std::optional<double> budget_seconds;  ///< wall clock
  std::uint64_t max_probes = 0;          ///< 0: no limit
  std::uint64_t give_up_after_voids =
      12;  ///< this many void probes in a row and nothing else: the tests cannot be run
};

/// The loop's seams. All are called from the thread that called run_probe_loop().
struct LoopHooks {
  /// Required. Outcome and signature of a result that is not void.
  std::function<Classified(const bisect::ProbeResult&)> classify;
  /// Keeps the observation (on disk) before the engine and the next probe see it.
  std::function<void(const bisect::Probe&, const bisect::ProbeResult&, const Classified&,
                     const bisect::Observation&)>
      record;
  /// About ten times a second, and after each result.
  std::function<void(const LoopStatus&)> tick;
};

enum class LoopEnd {
  finished,  ///< the engine has nothing more to ask
  budget,    ///< the wall-clock budget ended
  max_probes,
  stopped,  ///< *stop became non-zero
};

struct LoopResult {
  LoopEnd end = LoopEnd::finished;
  LoopStatus status;
};

/// Runs until the engine is done, a limit ends it, or `stop` becomes non-zero. One probe at a time on each
/// runner. Probes still running at the end are cancelled and not counted. Throws what a runner throws
/// (CannotRun), and CannotRun where every probe is void.
LoopResult run_probe_loop(bisect::Engine& engine, const std::vector<std::unique_ptr<bisect::Runner>>& runners,
                          const LoopSettings& settings, const LoopHooks& hooks, const std::atomic<int>& stop);

}  // namespace flakebisect::analyzer
