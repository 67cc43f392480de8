#pragma once

/// Probes through the test command: a new process for each, its results read as they come.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bisect/command_template.h"
#include "bisect/launcher.h"
#include "bisect/runner.h"

namespace flakebisect::bisect {

/// How the wanted order reaches the command.
enum class OrderPolicy : std::uint8_t {
  /// As the command is written, unless the tests were listed, the wanted order is not the listed one, and the
  /// runner takes ids as arguments: then that.
  automatic = 1,
  as_written = 2,    ///< never changes the command
  as_arguments = 3,  ///< always ids as arguments, where the runner takes them
};

/// What is known of the output before the first probe.
enum class OutputKind : std::uint8_t {
  /// Subunit where it is that, else the exit status speaks as for `git bisect run`: for --command.
  automatic = 1,
  subunit = 2,  ///< silence is an error, not a verdict: for commands of a configuration
};

struct CommandRunnerOptions {
  CommandTemplate command;
  std::string directory;  ///< where it runs; empty: here
  OrderPolicy order = OrderPolicy::automatic;
  OutputKind output = OutputKind::automatic;
  /// An unexpected success (uxsuccess) of the victim is a failure (as for stestr) or a pass (as for testr).
  /// Take what the failure to explain was, or else the repository's kind. A skipped victim is void, an
  /// expected failure passes.
  bool unexpected_success_fails = false;
  /// What the list command printed, in its order, where it was run already (see list_tests()).
  std::optional<std::vector<std::string>> discovered;
  std::optional<Launcher> launcher;  ///< runs it elsewhere; a probe whose far end was lost is void
  double start_limit_seconds = 300;  ///< until the first test starts
  double exit_grace_seconds = 1;     ///< after the victim's result, for class and module teardown
  double stop_grace_seconds = 0.5;   ///< between SIGTERM and SIGKILL
};

/// A Runner as bisect/runner.h describes it; its object belongs to one thread at a time.
///
/// How a probe ends:
/// - The victim's result and its details are in: that is the result. The process gets exit_grace_seconds to
///   run its teardown, unless other tests are to come; then it is ended.
/// - The process ended while the victim ran: a failure, with a line such as "process died with signal 11" as
///   its traceback. It ended before: void.
/// - A limit passed: void, or a failure where ProbeRequest::hang_is_failure and the victim was running.
/// - Void too: the victim was skipped, could not be imported, or its class's fixture failed.
/// - No subunit came, with OutputKind::automatic (and no command that runs a subunit program): exit status 0
/// passes, 1 to 124 fails, 125 is void, anything
///   else throws CannotRun. Then the tests asked for count as those that ran.
class CommandRunner final : public Runner {
 public:
  /// Throws CannotRun where the ids cannot reach the command.
  explicit CommandRunner(CommandRunnerOptions options);
  ~CommandRunner() override;

  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>& cancel) override;

  /// Text to paste into any POSIX shell, in any directory: writes the ids to a temporary file where one is
  /// needed, runs the command, and ends with its exit status. Output for people where that can be had.
  std::string reproduction_command(const std::vector<std::string>& tests) const override;

  /// What is run, in one line.
  std::string description() const override;

  /// Runs the list command: the ids it knows, in the order in which it would run them. Nothing where the
  /// command cannot list, or *cancel became true. Remembers them, for OrderPolicy::automatic. Throws
  /// MachineLost where the launcher cannot reach its machine, CannotRun where the command fails, ListTimeout
  /// where it does not end within the limit (a message with its last output).
  std::optional<std::vector<std::string>> list_tests(const std::atomic<bool>& cancel,
                                                     double limit_seconds = 300);

  /// Where `tests` cannot be run in this order: a sentence that says so and why, for the user. Needs the
  /// listed order.
  std::optional<std::string> order_warning(const std::vector<std::string>& tests) const;

  /// The shell text of a run of `tests`, with the name ID_FILE in place of the file's: for messages.
  std::string describe_command(const std::vector<std::string>& tests) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flakebisect::bisect
