#pragma once

/// The main job once everything is known: runs the search, shows how it goes, keeps every observation, and
/// makes the report. Shared by `bisect` and `resume`.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "analyzer/bisect_case.h"
#include "analyzer/bisect_options.h"
#include "analyzer/instances.h"
#include "analyzer/report.h"
#include "analyzer/session_store.h"
#include "analyzer/shared_runs.h"
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
  bool one_at_a_time = false;  ///< interference was found, in an earlier life or by another victim's search
  std::optional<std::uint64_t> probes_left;  ///< of options.max_probes, where another search has its share
  std::vector<StoredObservation> earlier;    ///< of a resumed session: history and probes, as stored
  /// Makes the search in which the run's other workers run beside the victim's (side_by_side.h), or takes the
  /// one of an earlier life up again. Null where the run has no other workers.
  std::function<std::unique_ptr<Bisection>(const Bisection& first)> beside;
  std::shared_ptr<SharedRuns> shared;  ///< of the campaign; null where there is none
  std::vector<std::string> after;      ///< its later victims, which run behind this one
  bool introduced = false;             ///< what is searched was said on standard error
  bool begin_side_by_side = false;     ///< an earlier life ended in that search
};

/// Runs until a verdict, a limit or a signal; prints and writes the reports that were asked for; returns the
/// exit status. Throws what runners throw, SessionError and OutputError; what was seen is kept in the session
/// before.
int run_bisection(Bisection& bisection);

}  // namespace flakebisect::analyzer
