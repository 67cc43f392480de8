#pragma once

/// From a stored run to a case: which test failed, what ran before it, and what the other runs say.

#include <optional>
#include <string>
#include <vector>

#include "analyzer/bisect_case.h"
#include "analyzer/bisect_options.h"
#include "repo_reader/repository.h"

namespace flakebisect::analyzer {

/// The failure to explain, found in a stored run.
struct StoredVictim {
  repo_reader::RunId run = 0;
  repo_reader::WorkerRun worker;  ///< the process that ran it
  std::size_t index = 0;          ///< of the failed execution in worker.tests
  std::string traceback;
  std::vector<std::string> other_failed;
  std::vector<std::string> warnings;
  bool unfinished = false;          ///< it hung or took its process down
  std::uint64_t other_workers = 0;  ///< of the run, that ran tests
};

/// Finds the victim as --run-id, --worker, --test and --match say. Throws repo_reader::InputError naming what
/// there is instead where there is no such run, worker or test, or no failure.
StoredVictim find_victim(const repo_reader::Repository& repository, const BisectOptions& options);

/// The case of a stored failure, with the other runs as evidence and for durations. `discovered` is what the
/// list command printed, in its order, where it could be asked: tests that it does not know are left out with
/// a warning, and a victim that it does not know is an InputError.
BisectCase build_case(const repo_reader::Repository& repository, const StoredVictim& victim,
                      const BisectOptions& options,
                      const std::optional<std::vector<std::string>>& discovered);

/// The case of --load-list: `lines` is the file's text; the victim and what follows it are dropped from the
/// list.
BisectCase case_from_list(const std::string& lines, const BisectOptions& options,
                          const std::optional<std::vector<std::string>>& discovered);

}  // namespace flakebisect::analyzer
