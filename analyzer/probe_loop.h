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

#include "analyzer/interference.h"
#include "analyzer/time_limits.h"
#include "bisect/engine.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

/// What a probe's result means for the search.
struct Classified {
  bisect::Outcome outcome = bisect::Outcome::void_probe;
  std::string signature;  ///< of the failure; empty where the victim passed or nothing is known
  /// Nothing but an exit status told of the failure: it is taken for the one to explain.
  bool by_status_alone = false;
};

/// What one slot is doing; for the status line.
struct SlotStatus {
  bool busy = false;
  std::size_t tests = 0;  ///< before the victim
  double running_seconds = 0;
  bisect::Purpose purpose = bisect::Purpose::search;
  bool resting = false;           ///< its machine was lost a moment ago
  std::uint32_t victim_runs = 1;  ///< at the most
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
  std::vector<std::string> after;        ///< as ProbeRequest has it
  bool hang_is_failure = false;          ///< as ProbeRequest has it
  TimeLimits limits;                     ///< none unless set
  std::optional<double> budget_seconds;  ///< wall clock
  std::optional<std::uint64_t> max_probes;
  std::uint64_t give_up_after_voids =
      12;  ///< this many void probes in a row and nothing else: the tests cannot be run
  /// Interference between probes was found before: only one at a time.
  bool one_at_a_time = false;
  /// A slot whose machine was lost (ProbeResult::lost) rests so long, twice as long each time in a row; the
  /// others go on. Where every slot was lost three times in a row, the loop gives up.
  double rest_seconds = 15;
  std::uint64_t full_first =
      0;  ///< so many probes of the whole list before the engine is asked, until one fails
  /// MachineLost is no end of the search, nor is CannotRun from one of several slots, which is taken for it.
  bool slots_may_fail = false;
};

/// A probe's result and where it came from.
struct ProbeFacts {
  const bisect::Probe& probe;
  const bisect::ProbeResult& result;
  const Classified& classified;
  std::uint64_t beside = 0;  ///< other probes of this search that ran at the same time, at the most
  std::size_t slot = 0;
};

/// The loop's seams. All are called from the thread that called run_probe_loop().
struct LoopHooks {
  /// Required. Outcome and signature of a result that is not void.
  std::function<Classified(const bisect::ProbeResult&)> classify;
  /// Keeps the observation (on disk) before the engine and the next probe see it.
  std::function<void(const ProbeFacts&, const bisect::Observation&)> record;
  /// Probes at once disturb each other (the sentence says how). Gives the engine to go on with, which knows
  /// only the probes that ran alone. Without this hook interference is not looked for.
  std::function<bisect::Engine(const std::string&)> interference;
  /// A slot's machine was lost; it rests so many seconds.
  std::function<void(std::size_t slot, const std::string& reason, double rest_seconds)> lost;
  /// About ten times a second, and after each result.
  std::function<void(const LoopStatus&)> tick;
  /// Asked likewise. True: no more probes are started, and the loop ends once those in flight are in.
  std::function<bool(const LoopStatus&)> give_way;
};

enum class LoopEnd {
  finished,  ///< the engine has nothing more to ask
  budget,    ///< the wall-clock budget ended
  max_probes,
  stopped,   ///< *stop became non-zero
  gave_way,  ///< LoopHooks::give_way said so
};

struct LoopResult {
  LoopEnd end = LoopEnd::finished;
  /// The engine has a verdict, but its reproduction has not failed yet with nothing beside it: not to be
  /// given.
  bool unchecked = false;
  LoopStatus status;
};

/// Runs until the engine is done, a limit ends it, or `stop` becomes non-zero. One probe at a time on each
/// runner. Probes still running at the end are cancelled and not counted. `guard` has seen the probes of the
/// session's earlier lives. Throws what a runner throws (CannotRun), and CannotRun where every probe is void.
LoopResult run_probe_loop(bisect::Engine& engine, const std::vector<std::unique_ptr<bisect::Runner>>& runners,
                          const LoopSettings& settings, const LoopHooks& hooks, const std::atomic<int>& stop,
                          InterferenceGuard guard = {});

}  // namespace flakebisect::analyzer
