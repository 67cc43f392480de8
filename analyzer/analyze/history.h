#pragma once

/// Every stored result of a repository, in memory, in the form that counting over millions of them needs.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "repo_reader/repository.h"

namespace flakebisect::analyzer {

/// How one execution of a test ended. Numbered because the index stores it: never renumber.
enum class Ending : std::uint8_t {
  none = 0,        ///< no outcome known
  pass = 1,        ///< success, expected failure, unexpected success (testr's view)
  fail = 2,        ///< failure or error
  unfinished = 3,  ///< hung, crashed or cut off
  skip = 4,
};

inline constexpr std::int64_t no_time = std::numeric_limits<std::int64_t>::min();

/// One execution of one test.
struct Result {
  std::int64_t start_micros = no_time;  ///< since 1970; no_time where unknown
  float seconds = -1;                   ///< duration; below 0 where unknown
  std::uint32_t test = 0;               ///< index into History::tests
  std::uint32_t signature = 0;          ///< index into History::signatures; 0: none
  Ending ending = Ending::none;

  bool failed() const { return ending == Ending::fail || ending == Ending::unfinished; }
  bool counts() const { return ending == Ending::pass || failed(); }
  bool has_start() const { return start_micros != no_time; }
  /// The end of the execution; its start where the duration is unknown.
  std::int64_t stop_micros() const {
    return start_micros + (seconds > 0 ? static_cast<std::int64_t>(static_cast<double>(seconds) * 1e6) : 0);
  }
};

/// The results of one process, results[first, first + count), in the order of execution.
struct HistoryProcess {
  std::uint32_t worker = 0;      ///< number of its worker tag plus one; 0: no worker tag
  std::uint32_t generation = 1;  ///< above 1: of a run that was appended to a stored one
  std::size_t first = 0;
  std::size_t count = 0;
};

/// One stored run, processes[first_process, first_process + process_count).
struct HistoryRun {
  repo_reader::RunId id = 0;
  std::int64_t started_micros = 0;  ///< of its first test, else of its file
  double wall_seconds = 0;          ///< from its first start to its last stop; 0 where unknown
  std::uint32_t damaged_parts = 0;  ///< parts of its file that could not be read
  std::size_t first_process = 0;
  std::size_t process_count = 0;
};

/// Runs in ascending order of their numbers. Test and signature ids are those of the index.
struct History {
  std::vector<std::string> tests;
  std::vector<std::string> signatures;
  std::vector<HistoryRun> runs;
  std::vector<HistoryProcess> processes;
  std::vector<Result> results;

  std::span<const HistoryProcess> processes_of(const HistoryRun& run) const {
    return std::span(processes).subspan(run.first_process, run.process_count);
  }
  std::span<const Result> results_of(const HistoryProcess& process) const {
    return std::span(results).subspan(process.first, process.count);
  }
};

/// "worker-3" for a process's worker; empty where it has no tag.
inline std::string worker_tag(std::uint32_t worker) {
  return worker == 0 ? std::string() : "worker-" + std::to_string(worker - 1);
}

}  // namespace flakebisect::analyzer
