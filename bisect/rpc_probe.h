#pragma once

/// One Run on one server, from the request to its end: what ServerRunner does once a server is there.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "bisect/rpc_connection.h"
#include "bisect/rpc_run_record.h"
#include "bisect/runner.h"

namespace flakebisect::bisect {

struct RpcProbeLimits {
  bool unexpected_success_fails = false;
  double start_seconds = 300;  ///< from the Run to its first test's start
  double ping_seconds = 5;     ///< for the Done of an empty List
  bool launched = false;       ///< through a launcher: a connection that ends without its word was lost
  std::string far_end;         ///< the launcher's name
  double done_seconds = 10;    ///< from the last result to Done
};

/// What is known of a kind of server, learned from its runs: whether it answers a List while tests run.
struct Liveness {
  bool answers_while_running = false;  ///< it has done so; false: it has not, or was not asked
  unsigned questions = 0;              ///< asked so far just to learn it
};

struct RpcProbeEnd {
  ProbeResult result;
  std::string fault;  ///< of the server: a sentence; empty where there is none (a void result may have none)
  bool server_idle = false;  ///< the request has ended: the server can take another
  bool worth_retry = false;  ///< no test had started, and another try may go better
};

class RpcProbe {
 public:
  using Clock = std::chrono::steady_clock;

  /// The connection must be ready. `begin`: the start of the probe, for its times and its time limit (the
  /// server may have been started for it).
  RpcProbe(ServerConnection& server, const ProbeRequest& request, const RpcProbeLimits& limits,
           Liveness& liveness, Clock::time_point begin);

  RpcProbeEnd run(const std::atomic<bool>& cancel);

 private:
  enum class Pong { alive, silent, news, ended };

  void take(const ClientEvent& event);
  void settle(const std::atomic<bool>& cancel);
  void on_done();
  void on_closed();
  void on_limit(bool whole_probe, const std::atomic<bool>& cancel, bool& go_on);
  Pong ping(bool news_counts, const std::atomic<bool>& cancel);
  bool heard_since(std::uint64_t signs, const std::atomic<bool>& cancel);
  bool wait_for_done(double seconds, const std::atomic<bool>& cancel);
  Clock::time_point test_deadline() const;
  void set_void(std::string reason);
  void set_fault(std::string sentence);
  void victim_failed(std::string traceback);

  ServerConnection& server_;
  const ProbeRequest& request_;
  const RpcProbeLimits& limits_;
  Liveness& liveness_;
  Clock::time_point begin_;
  Clock::time_point sent_;
  Clock::time_point last_news_;
  RpcProbeEnd end_;
  bool ordered_ = false;
  bool isolated_ = false;
  std::uint32_t victim_runs_ = 1;  ///< asked of the server
  RpcRunRecord record_;
  Nonce run_;
  Nonce question_;  ///< the List in flight, if any
  bool question_answered_ = false;
  std::optional<RequestDone> done_;
};

}  // namespace flakebisect::bisect
