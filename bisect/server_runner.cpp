#include "bisect/server_runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "bisect/list_timeout.h"
#include "bisect/rpc_connection.h"
#include "bisect/rpc_probe.h"
#include "bisect/temporary_folder.h"

namespace flakebisect::bisect {

namespace {

using Clock = std::chrono::steady_clock;

/// Between SIGTERM and SIGKILL for a server that is stuck or at fault.
constexpr double kEndGraceSeconds = 0.5;

/// A name for a warm server that no other server has, also not one of an earlier process whose observations
/// are stored: the time in nanoseconds, which fits SQLite's signed integers. Two servers of one process are
/// kept apart by the running number, two processes by their ids.
std::uint64_t new_identity(std::uint64_t number) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto nanoseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  const std::uint64_t mixed = nanoseconds ^ (static_cast<std::uint64_t>(getpid()) << 40U) ^ number;
  return (mixed & 0x7fffffffffffffffU) | 1U;
}

}  // namespace

std::uint32_t ReplacementSchedule::probes_of(std::uint64_t server) const {
  double probes = std::max<std::uint32_t>(first, 1);
  const double limit = most == 0 ? 4e9 : most;
  for (std::uint64_t i = 0; i < server && probes < limit && growth > 1; ++i)
    probes = std::floor(probes * growth);
  return static_cast<std::uint32_t>(std::min(probes, limit));
}

struct ServerRunner::Impl {
  /// A server that may serve several probes.
  struct Warm {
    std::unique_ptr<ServerConnection> connection;
    std::uint64_t identity = 0;
    std::uint32_t served = 0;
    std::uint32_t quota = 0;
  };

  ServerRunnerOptions options;
  RpcProbeLimits limits;
  Warm warm;
  Liveness liveness;
  std::uint64_t started = 0;
  std::uint64_t warm_started = 0;
  std::uint32_t faults = 0;  ///< in a row
  bool ordered = false;      ///< of the last server that was ready
  bool isolated = false;
  std::int64_t version = 0;
  std::string name;

  /// Starts a server and waits for its Hello, several times where it is worth it. Nothing: cancelled. Throws
  /// ListTimeout where the deadline passes before.
  std::unique_ptr<ServerConnection> start(const std::atomic<bool>& cancel, Clock::time_point deadline);
  /// The server for the next probe, and whether it is the warm one.
  std::unique_ptr<ServerConnection> acquire(bool fresh, const std::atomic<bool>& cancel, bool& from_warm,
                                            Clock::time_point deadline = Clock::time_point::max());
  /// Keeps the server for the next probe, or ends it: in peace where it is usable, else with force.
  void give_back(std::unique_ptr<ServerConnection> connection, bool from_warm, bool usable);
  void end_warm();
  [[noreturn]] void give_up(const std::string& what, const std::string& tails) const;
  void count_fault(const std::string& sentence, const std::string& tails);
};

void ServerRunner::Impl::give_up(const std::string& what, const std::string& tails) const {
  std::string message = fmt::format("the test server '{}' {}", options.command, what);
  if (!tails.empty()) message += "\n" + tails;
  if (message.back() != '\n') message += '\n';
  message +=
      "Try 'flakebisect check-server COMMAND' to see what it answers, or --no-server to run the tests "
      "through the test "
      "command.";
  throw CannotRun(message);
}

void ServerRunner::Impl::count_fault(const std::string& sentence, const std::string& tails) {
  if (++faults < std::max<std::uint32_t>(options.faults_in_a_row, 1)) return;
  const std::uint32_t times = std::exchange(faults, 0);
  give_up(times == 1 ? sentence : fmt::format("failed {} times in a row. The last time: {}", times, sentence),
          tails);
}

std::unique_ptr<ServerConnection> ServerRunner::Impl::start(const std::atomic<bool>& cancel,
                                                            Clock::time_point deadline) {
  for (;;) {
    ConnectionOptions connect;
    connect.command = options.command;
    std::unique_ptr<TemporaryFolder> folder;
    if (options.launcher) {
      std::string script;
      if (options.launcher->brings_files()) folder = std::make_unique<TemporaryFolder>();
      connect.command =
          options.launcher->wrap(options.command, {}, folder ? folder->path_of("launched") : "", script);
      if (folder) folder->write("launched", script);
    }
    connect.directory = options.directory;
    connect.environment = options.environment;
    connect.client.nonce_prefix = fmt::format("f{}-", ++started);
    auto connection = std::make_unique<ServerConnection>(connect);
    const auto by = [&](double seconds) { return std::min(deadline, Clock::now() + duration_of(seconds)); };
    const double seconds = std::min(options.handshake_limit_seconds,
                                    std::chrono::duration<double>(deadline - Clock::now()).count());
    const Handshake handshake =
        options.launcher ? connection->launched_handshake(by(options.queue_limit_seconds), seconds, cancel)
                         : connection->handshake(by(options.handshake_limit_seconds), cancel);
    switch (handshake.result) {
      case Handshake::Result::ready:
        version = connection->core().version();
        ordered = connection->core().feature("ordered");
        isolated = connection->core().feature("isolated");
        name = connection->core().server().server;
        return connection;
      case Handshake::Result::cancelled:
        return nullptr;
      case Handshake::Result::versions:
        give_up("cannot be used: " + handshake.sentence, connection->tails());
      case Handshake::Result::not_a_server:
        break;
    }
    const bool silent = connection->exited() || connection->signs_of_life() == 0;
    connection->end(kEndGraceSeconds);
    if (options.launcher && silent && !launched_exit(connection->error_tail())) {
      throw MachineLost(fmt::format("{} was lost or could not be reached when a test server was started: {}",
                                    options.launcher->name, launcher_last_words(connection->error_tail())));
    }
    if (Clock::now() >= deadline) {
      throw ListTimeout(
          fmt::format("the test server '{}' had not answered when the time to list the tests was "
                      "over\n{}",
                      options.command, connection->tails()));
    }
    count_fault(handshake.sentence, connection->tails());
  }
}

void ServerRunner::Impl::end_warm() {
  if (warm.connection) warm.connection->stop(options.stop_grace_seconds);
  warm.connection.reset();
}

std::unique_ptr<ServerConnection> ServerRunner::Impl::acquire(bool fresh, const std::atomic<bool>& cancel,
                                                              bool& from_warm, Clock::time_point deadline) {
  from_warm = false;
  if (fresh) return start(cancel, deadline);
  if (warm.connection && warm.served >= warm.quota) end_warm();
  if (!warm.connection) {
    auto connection = start(cancel, deadline);
    if (!connection || !isolated) return connection;
    warm = Warm{};
    warm.identity = new_identity(started);
    warm.quota = options.replacement.probes_of(warm_started++);
    warm.connection = std::move(connection);
  }
  from_warm = true;
  return std::move(warm.connection);
}

ServerRunner::ServerRunner(ServerRunnerOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->limits.unexpected_success_fails = options.unexpected_success_fails;
  impl_->limits.start_seconds = options.start_limit_seconds;
  impl_->limits.ping_seconds = options.ping_limit_seconds;
  impl_->limits.launched = options.launcher.has_value();
  if (options.launcher) impl_->limits.far_end = options.launcher->name;
  impl_->limits.done_seconds = options.done_limit_seconds;
  impl_->options = std::move(options);
}

ServerRunner::~ServerRunner() {
  if (impl_) impl_->end_warm();
}

void ServerRunner::Impl::give_back(std::unique_ptr<ServerConnection> connection, bool from_warm,
                                   bool usable) {
  if (from_warm && usable) {
    warm.connection = std::move(connection);
  } else if (usable) {
    connection->stop(options.stop_grace_seconds);
  } else {
    connection->end(kEndGraceSeconds);
  }
}

ProbeResult ServerRunner::run(const ProbeRequest& request, const std::atomic<bool>& cancel) {
  Impl& self = *impl_;
  const auto begin = Clock::now();
  for (;;) {
    bool from_warm = false;
    auto connection = self.acquire(request.fresh_process, cancel, from_warm);
    if (!connection) {
      ProbeResult cancelled;
      cancelled.void_reason = "cancelled";
      return cancelled;
    }
    if (from_warm) ++self.warm.served;
    RpcProbeEnd end = RpcProbe(*connection, request, self.limits, self.liveness, begin).run(cancel);
    if (from_warm) end.result.process = self.warm.identity;
    self.give_back(std::move(connection), from_warm, end.server_idle && end.fault.empty());
    if (end.fault.empty()) {
      if (end.result.end != VictimEnd::void_probe) self.faults = 0;
      return std::move(end.result);
    }
    self.count_fault(end.fault, end.result.output_tail);
    if (!end.worth_retry || cancel.load()) return std::move(end.result);
  }
}

std::optional<std::vector<std::string>> ServerRunner::list_tests(const std::atomic<bool>& cancel,
                                                                 double limit_seconds) {
  Impl& self = *impl_;
  const auto deadline = Clock::now() + duration_of(limit_seconds);
  bool from_warm = false;
  auto connection = self.acquire(false, cancel, from_warm, deadline);
  if (!connection) return std::nullopt;
  std::vector<std::string> tests;
  std::optional<RequestDone> done;
  const Nonce list = connection->core().list(std::nullopt);
  ClientEvent event;
  while (!done && connection->next(event, deadline, cancel) == Wake::event) {
    if (auto* test = std::get_if<TestEvent>(&event)) {
      if (test->event.test_id && test->event.status == repo_reader::Status::exists)
        tests.push_back(std::move(*test->event.test_id));
    } else if (auto* end = std::get_if<RequestDone>(&event)) {
      if (end->request == list) done = std::move(*end);
    }
  }
  self.give_back(std::move(connection), from_warm, done.has_value());
  if (!done || done->status != DoneStatus::ok) return std::nullopt;
  return tests;
}

std::string ServerRunner::reproduction_command(const std::vector<std::string>& tests) const {
  if (impl_->options.reproduction) return impl_->options.reproduction(tests);
  return server_recipe(impl_->options.command, impl_->options.directory, tests, impl_->ordered,
                       impl_->isolated);
}

std::string ServerRunner::description() const {
  const Impl& self = *impl_;
  std::string text = fmt::format("the test server '{}'", self.options.command);
  if (self.options.launcher) text += " through " + self.options.launcher->name;
  if (self.started == 0) return text;
  if (!self.name.empty()) text += fmt::format(" ({})", self.name);
  text += self.isolated ? ", kept warm: each run is a fork of it" : ", a new one for each probe";
  if (!self.ordered) text += "; it chooses the order of the tests itself";
  return text;
}

std::uint64_t ServerRunner::servers_started() const {
  return impl_->started;
}

int ServerRunner::warm_pid() const {
  return impl_->warm.connection ? impl_->warm.connection->pid() : -1;
}

}  // namespace flakebisect::bisect
