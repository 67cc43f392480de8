#pragma once

/// `flakebisect simulate`: draws cases, runs policies on them, prints what came of it.

#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bisect/simulate/generator.h"

namespace flakebisect::bisect::simulate {

struct SimulateOptions {
  std::uint64_t seed = 1;
  std::uint64_t cases = 100;          ///< of each kind
  std::vector<CaseKind> kinds;        ///< empty: all
  std::vector<std::string> policies;  ///< names as in policy.h; empty: all
  CaseOptions field;                  ///< what the cases are like
  double confidence = 0.95;
  bool calibration = false;         ///< ours also at 0.8, 0.9 and 0.99
  bool count_probes = false;        ///< ours minimises probes, not seconds
  unsigned jobs = 1;                ///< above 1: ours also with so many probes at a time
  std::uint64_t max_probes = 5000;  ///< for each case and policy
  double max_seconds = std::numeric_limits<double>::infinity();  ///< of the machine, for each case of ours
  unsigned threads = 0;                                          ///< 0: one for each processor
  bool bars = false;   ///< the benchmark of bars.h in place of the table
  bool smoke = false;  ///< bars: a few small cases, to see that all of it runs; judges nothing
  std::optional<std::uint64_t> trace_case;  ///< one case of one kind, ours alone, every probe printed
  std::string store;  ///< file that keeps each case's result (case_store.h); empty: none
  std::string build;  ///< stands for this program there
  std::string json;   ///< file for the results as JSON; empty: none; "-": `out` in place of tables
};

/// Results to `out`, narration to `progress` (may be null). Returns the exit status: 0; with `bars` (not
/// `smoke`) 3 where a bar does not hold. Throws std::invalid_argument for options that make no sense (the
/// message is for the user), std::runtime_error where the JSON file cannot be written or the store not be
/// used.
int run_simulate(const SimulateOptions& options, std::FILE* out, std::FILE* progress);

}  // namespace flakebisect::bisect::simulate
