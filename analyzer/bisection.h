#pragma once

/// The main job once everything is known: runs the search, shows how it goes, keeps every observation, and
/// makes the report. Shared by `bisect` and `resume`.

#include <chrono>
#include <memory>
#include <vector>

#include "analyzer/bisect_case.h"
#include "analyzer/bisect_options.h"
#include "analyzer/instances.h"
#include "analyzer/report.h"
#include "analyzer/session_store.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

struct Bisection {
  std::shared_ptr<Instances> instances;  ///< first, so that it goes last: the runners use it
  BisectCase facts;
  BisectOptions options;
  std::vector<std::unique_ptr<bisect::Runner>> runners;  ///< one a slot; at least one
  std::vector<std::string> runner_names;  ///< one a slot: "command", "server ssh:node3", for the session
  ReportEnvironment environment;
  SessionStore* store = nullptr;  ///< holds the session
  std::int64_t session = 0;
  /// When the command began: the budget counts from here, listing the tests included.
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  bool one_at_a_time = false;              ///< of a resumed session in which interference was found
  std::vector<StoredObservation> earlier;  ///< of a resumed session: history and probes, as stored
};

/// Runs until a verdict, a limit or a signal; prints and writes the reports that were asked for; returns the
/// exit status. Throws what runners throw, SessionError and OutputError; what was seen is kept in the session
/// before.
int run_bisection(Bisection& bisection);

}  // namespace flakebisect::analyzer
