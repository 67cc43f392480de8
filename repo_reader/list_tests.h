#pragma once

/// The `list` command: what each worker of a stored run executed, in order.

#include <optional>
#include <string>

#include "repo_reader/list_pipeline.h"
#include "repo_reader/repository.h"

namespace flakebisect::repo_reader {

struct ListOptions {
  std::optional<std::string> worker;  ///< such as "worker-0"; absent: all, grouped
  std::optional<std::string> before;  ///< ends each list with the first execution of this test
  bool pipeline = false;              ///< print_pipeline() instead; knows no with_status, json and before
  IdOutput ids = id_output_here();    ///< for pipeline
  bool with_status = false;           ///< outcome and seconds before each id
  bool json = false;                  ///< everything, as one JSON document
};

/// Writes the list. Throws InputError (no_such_run, no_such_worker, no_such_test, unreadable) before anything
/// is written; the message names what there is. A run with bytes of which none tell of a test is unreadable,
/// an empty one has empty lists. Returns what there is to warn of: parts that could not be read (never with
/// --pipeline).
///
/// Plain: one id a line. With status: "outcome seconds id", a tab between, "-" where no duration is known;
/// the outcome of a test that never ended is "unfinished". Without a worker a line "worker-0 (26 tests)" goes
/// before the tests of each, which are indented by two blanks, and an empty line between the groups.
///
/// JSON: {"schema": "flakebisect/list/1", "repository": path, "run_id": "6", "workers": [{"worker":
/// "worker-0", "generation": 1, "tests": [{"id", "status", "unfinished", "runnable", "occurrence", "seconds",
/// "start", "stop"}]}]}; seconds, start and stop (seconds since 1970) are null where unknown, and worker is
/// null for tests without a worker tag.
std::optional<std::string> print_list(const Repository& repository, RunId run, const ListOptions& options,
                                      const TextSink& out);

/// The executions of `worker` in a run, all generations. Throws InputError (no_such_worker).
std::vector<const WorkerRun*> worker_runs(const TestRun& tests, RunId run, const std::string& worker);

}  // namespace flakebisect::repo_reader
