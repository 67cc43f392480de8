#pragma once

/// What a bisection starts from: the victim, what ran before it, how long things take, what history says.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bisect/concurrent_timing.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// A search in which other workers run beside the victim's: the case's candidates are their tests.
struct SideBySide {
  std::int64_t first_session = 0;  ///< the search on the victim's worker alone
  std::vector<std::string> own;    ///< ran before the victim on its worker; part of every probe
  std::vector<double> own_longest_seconds;
  double own_seconds = 0;                  ///< from the first of them to the victim's start
  std::vector<std::string> workers;        ///< their tags
  std::vector<bisect::BesideTest> others;  ///< the candidates, in their order
};

struct BisectCase {
  std::string run_id;  ///< empty with --load-list
  std::string worker;  ///< empty with --load-list
  std::string victim;
  std::size_t position = 0;                        ///< of the victim among what the worker ran, from 1
  std::size_t worker_tests = 0;                    ///< how many tests that worker ran
  std::vector<std::string> candidates;             ///< ids, as bisect::TestIndex counts them
  std::vector<bisect::Candidate> candidate_facts;  ///< the same length
  std::vector<double> longest_seconds;  ///< of each candidate over the runs read, 0: unknown; for time limits
  double victim_seconds = 0;
  double victim_longest_seconds = 0;  ///< over the runs read; for time limits
  double startup_seconds = 0;
  std::uint32_t most_victim_runs = 1;        ///< as bisect::Problem has it
  std::string victim_status;                 ///< "fail" or "uxsuccess", as stored
  std::string traceback;                     ///< of the failure to explain; empty where none was stored
  std::vector<bisect::Observation> history;  ///< the run to explain (selected) and other runs
  std::uint64_t history_runs = 0;            ///< other runs in which the victim gave a result
  std::uint64_t history_failures = 0;        ///< of them, with the failure to explain
  std::uint64_t history_other_failures = 0;
  std::vector<std::string> other_failed;  ///< tests that failed on that worker too
  std::vector<std::string> warnings;      ///< for the reader
  std::uint64_t other_workers = 0;        ///< that ran tests in the run to explain
  std::optional<SideBySide> side_by_side;
};

/// The case as JSON, for the session file, and back (history apart: the session keeps it as observations).
std::string case_to_json(const BisectCase& bisect_case);
BisectCase case_from_json(const std::string& text);

}  // namespace flakebisect::analyzer
