#pragma once

/// Probes through a test server (docs/protocol.md): the fast path. A server that offers `isolated` stays warm
/// for many probes; any other serves one probe and is ended.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bisect/launcher.h"
#include "bisect/runner.h"

namespace flakebisect::bisect {

/// When a warm server is replaced. All probes of one server share what its imports decided (hash seed, ports,
/// clocks, caches), so the first servers are short-lived, to see soon whether that matters, and later ones
/// longer.
struct ReplacementSchedule {
  std::uint32_t first = 4;  ///< probes that the first server serves; at least 1
  double growth = 1.5;      ///< each server serves this many times more than the one before, rounded down
  std::uint32_t most = 50;  ///< but never more; 0: no limit

  /// Probes that the n-th warm server (0, 1, ...) serves.
  std::uint32_t probes_of(std::uint64_t server) const;
};

struct ServerRunnerOptions {
  std::string command;                                           ///< for /bin/sh
  std::string directory;                                         ///< to run it in; empty: ours
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours
  std::optional<Launcher> launcher;  ///< runs the server elsewhere; a probe whose far end was lost is void
  /// As CommandRunnerOptions has it.
  bool unexpected_success_fails = false;
  double handshake_limit_seconds = 60;  ///< launched: from the far end's first sign of life
  double queue_limit_seconds = 300;     ///< with a launcher: until then
  double start_limit_seconds = 300;     ///< from a Run to its first test's start
  double ping_limit_seconds = 5;        ///< for the answer to 'are you alive?' (an empty List)
  double done_limit_seconds = 10;       ///< from the last result to Done, for class and module teardown
  double stop_grace_seconds = 2;        ///< from Goodbye to SIGTERM
  ReplacementSchedule replacement;
  /// Faults of the server in a row (not of a test) after which run() throws CannotRun.
  std::uint32_t faults_in_a_row = 3;
  /// Gives the reproduction command, where there is a test command beside the server; else a shell recipe
  /// that talks to a new server is made.
  std::function<std::string(const std::vector<std::string>&)> reproduction;
};

/// A Runner as bisect/runner.h describes it.
///
/// How a probe ends:
/// - The victim's result is in: that is the result. Other tests that are still to come are cancelled.
/// - The server offers `repeat`: the victim runs as often as ProbeRequest::victim_runs says, until it fails.
///   Where it is skipped, or the request ends, after runs that passed, these are the result.
/// - The process that ran the tests died while the victim ran: a failure, told in its traceback. Before:
/// void.
/// - A limit passed: the server is asked whether it is alive; void (or a failure:
/// ProbeRequest::hang_is_failure),
///   and the reason says whether the test is stuck, the server, or that it cannot be known.
/// - The server ran a test before the victim that nobody asked for, refused, ended the request without the
/// victim,
///   died between tests, or sent nothing that can be read: void, and a fault of the server. It is replaced,
///   and the probe is tried again where no test of it had started.
/// Every reason is a sentence about the server, and output_tail has the end of its standard error.
class ServerRunner final : public Runner {
 public:
  explicit ServerRunner(ServerRunnerOptions options);
  /// Ends the warm server: Goodbye, grace, signals.
  ~ServerRunner() override;

  /// Throws MachineLost where the launcher cannot reach its machine, CannotRun where the server does not
  /// start, does not answer Hello, speaks no common version, or had `faults_in_a_row` faults.
  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>& cancel) override;
  std::string reproduction_command(const std::vector<std::string>& tests) const override;
  std::string description() const override;

  /// The tests that the server knows, in its order. Throws CannotRun as run() does; nothing where *cancel
  /// became true or the server did not answer within the limit.
  std::optional<std::vector<std::string>> list_tests(const std::atomic<bool>& cancel,
                                                     double limit_seconds = 300);

  /// Servers started so far.
  std::uint64_t servers_started() const;
  /// Process id of the warm server; -1 where there is none. For tests.
  int warm_pid() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The recipe that reproduction_command() gives without a test command: a POSIX shell text that needs
/// Debian's `subunit` package for its last word, starts the server, runs the tests in this order, prints the
/// results for people, and ends with a status other than 0 where a test failed.
std::string server_recipe(const std::string& command, const std::string& directory,
                          const std::vector<std::string>& tests, bool ordered, bool isolated);

}  // namespace flakebisect::bisect
