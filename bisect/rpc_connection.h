#pragma once

/// A test server as a child process: the client's core, the pipes, and the time limits. What to ask of it is
/// for the caller (server_runner.h, check_server.h).

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bisect/child_process.h"
#include "bisect/launcher.h"
#include "bisect/rpc_client_core.h"

namespace flakebisect::bisect {

/// `seconds` on the clock; capped, so that a limit of years does not overflow it.
inline std::chrono::steady_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds < 1e8 ? seconds : 1e8));
}

struct ConnectionOptions {
  std::string command;                                           ///< for /bin/sh
  std::string directory;                                         ///< to run it in; empty: ours
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours
  RpcClientCore::Options client;
};

/// Why there is nothing more to wait for.
enum class Wake : std::uint8_t {
  event,
  deadline,   ///< the deadline came first
  cancelled,  ///< *cancel is true
  closed,     ///< the server's output has ended, or the server itself: nothing will come any more
};

/// The answer to a Hello, or what came in its place.
struct Handshake {
  enum class Result : std::uint8_t {
    ready,
    not_a_server,  ///< no Hello: silence, text, an end, a run of its tests
    versions,      ///< no version is spoken by both
    cancelled,
  };
  Result result = Result::not_a_server;
  std::string sentence;  ///< says what happened, without a capital and full stop; empty where ready
};

/// Not thread-safe. When the destructor returns no process of the server is left.
class ServerConnection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Starts the server and sends the Hello. Throws CannotRun where no process can be made.
  explicit ServerConnection(const ConnectionOptions& options);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  Handshake handshake(Clock::time_point deadline, const std::atomic<bool>& cancel);
  /// Likewise for a launched server: the far end's first sign of life must come by `queued_until`; from then
  /// the server has `seconds` for its Hello.
  Handshake launched_handshake(Clock::time_point queued_until, double seconds,
                               const std::atomic<bool>& cancel);

  /// Sends what the core has to send, then waits for its next event. Noise is kept here and not returned.
  Wake next(ClientEvent& event, Clock::time_point deadline, const std::atomic<bool>& cancel);

  RpcClientCore& core() { return core_; }
  const RpcClientCore& core() const { return core_; }
  /// Sends bytes past the core, for check-server.
  void send_raw(std::string_view bytes) { child_.send(bytes); }
  /// Sends what the core has to send.
  void flush() { child_.send(core_.take_output()); }

  /// Goodbye (where it was ready) and the end of its input, then at most `grace_seconds` for its own end,
  /// then SIGTERM, after a second SIGKILL. True: it ended by itself, without a signal of ours. May be called
  /// again.
  bool stop(double grace_seconds);
  /// Without Goodbye: SIGTERM, after the grace SIGKILL.
  void end(double grace_seconds) { child_.terminate(grace_seconds); }

  bool exited() const { return child_.exited(); }
  int wait_status() const { return child_.wait_status(); }
  /// How it ended, as a clause: "it exited with status 3", "it closed its output and lives on".
  std::string end_clause() const;
  pid_t pid() const { return child_.pid(); }
  /// Last bytes that were no packets, and of standard error.
  const std::string& noise_tail() const { return noise_.text(); }
  const std::string& error_tail() const { return errors_.text(); }
  std::size_t noise_bytes() const { return noise_bytes_; }
  std::uint64_t signs_of_life() const { return signs_.count(); }  ///< of the far end, where it is launched
  /// Both tails with a heading each, for messages; empty where both are.
  std::string tails() const;

 private:
  bool take(ClientEvent& event);
  void take_bytes();

  ChildProcess child_;
  RpcClientCore core_;
  Tail noise_;
  SignsOfLife signs_;
  Tail errors_;
  std::size_t noise_bytes_ = 0;
  std::string out_;
  std::string err_;
  bool ended_ = false;
  Clock::time_point last_bytes_;
};

}  // namespace flakebisect::bisect
