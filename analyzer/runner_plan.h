#pragma once

/// How the tests of a bisection are run: what the command line says, else the configuration.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/bisect_options.h"
#include "analyzer/instances.h"
#include "analyzer/stop_signals.h"
#include "bisect/command_runner.h"
#include "bisect/launcher.h"
#include "bisect/runner.h"
#include "bisect/server_runner.h"
#include "repo_reader/config.h"

namespace flakebisect::analyzer {

struct RunnerPlan {
  std::optional<bisect::CommandRunnerOptions> command;
  std::optional<bisect::ServerRunnerOptions> server;  ///< used where there is one
  std::vector<bisect::Launcher> launchers;  ///< slot i takes number i modulo their count; empty: here
  std::shared_ptr<Instances> instances;     ///< of --launcher testr; must outlive the runners
  std::string configuration;  ///< what the above came from, as text: a resumed session compares it

  /// "command" or "server", for the session.
  std::string name() const { return server ? "server" : "command"; }
  /// Likewise with the launcher of a slot: "server ssh:node3".
  std::string name(std::size_t slot) const;
  /// Probes at once: as asked for, else one for each machine of the launcher.
  std::uint64_t jobs(const BisectOptions& options) const;
  /// Runs of the victim that a probe may make: as asked for, else 32; 1 without a test server.
  std::uint32_t victim_runs(const BisectOptions& options) const;
};

/// Reads the configuration of the directory. `family`: whose repository it is. Throws
/// repo_reader::ConfigError, and repo_reader::InputError where nothing says how to run tests.
/// Provisions testr's instances where --launcher asks for them; Interrupted where a signal ends that.
RunnerPlan plan_runners(const BisectOptions& options, repo_reader::ConfigFamily family,
                        const StopSignals& stop);

struct Discovered {
  std::optional<std::vector<std::string>> tests;  ///< in the runner's order; nothing where it cannot list
  double seconds = 0;                             ///< what listing took
};

/// Asks for the list of tests, and remembers it in the plan. That may take five minutes, and no longer than
/// the budget. Throws CannotRun, also where the list does not come within five minutes, BudgetEnded and
/// Interrupted.
Discovered discover(RunnerPlan& plan, const StopSignals& stop, const BisectOptions& options);

/// One runner a slot.
std::vector<std::unique_ptr<bisect::Runner>> make_runners(const RunnerPlan& plan, std::uint64_t jobs);

}  // namespace flakebisect::analyzer
