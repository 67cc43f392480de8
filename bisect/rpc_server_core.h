#pragma once

/// The server's side of the test-server protocol: bytes in, requests and bytes out. Pure: no I/O, no clock;
/// whoever owns it runs the tests. docs/protocol.md is the specification.
///
/// It answers Hello by itself, and refuses (version 2) what was not offered. Every ListRequest and RunRequest
/// that next() returns must be answered with done() exactly once, whatever happens to the tests.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "bisect/rpc_channel.h"

namespace flakebisect::bisect {

/// The client's Hello came and was answered. version 0: none is spoken by both; only Goodbye can follow.
struct ClientHello {
  std::int64_t version = 0;
  HelloMessage hello;
};

/// To be answered with exists() for each known test asked for, then done().
struct ListRequest {
  Nonce nonce;
  std::optional<std::vector<std::string>> tests;  ///< nothing: all
};

/// To be answered with the results, then done(). Where a test is not known, version 2: done(refused), nothing
/// run.
struct RunRequest {
  Nonce nonce;
  std::optional<std::vector<std::string>> tests;  ///< nothing: all
  bool ordered = false;                           ///< exactly these tests in this order
  bool isolated = false;                          ///< in a process in which no test has run before
  /// Most runs of the last test, one after the other in the same process: no more after the first that does
  /// not pass (is no success or expected failure).
  std::uint32_t repeat = 1;
};

/// The request must be stopped now; its done(cancelled) is still due.
struct CancelRequest {
  Nonce nonce;
};

/// The client is gone: stop everything, clean up, exit, write nothing more.
struct ClientGone {
  bool goodbye = false;  ///< false: the input ended without one
};

/// Was answered `refused` by the core itself; for the log.
struct RefusedRun {
  Nonce nonce;
  std::string reason;
};

/// To be ignored; for the log.
struct IgnoredInput {
  std::string text;
  std::string why;  ///< a clause
};

using ServerEvent =
    std::variant<ClientHello, ListRequest, RunRequest, CancelRequest, ClientGone, RefusedRun, IgnoredInput>;

class RpcServerCore {
 public:
  struct Offer {
    std::int64_t min_version = kRpcMinVersion;
    std::int64_t max_version = kRpcMaxVersion;
    std::string server;  ///< name and version
    bool ordered = false;
    bool isolated = false;
    bool cancel = false;
    bool repeat = false;  ///< only together with ordered
  };

  explicit RpcServerCore(Offer offer);

  void receive(std::string_view bytes) { decoder_.receive(bytes); }
  /// The client's output has ended: a ClientGone follows what was received.
  void end();
  void silent() { decoder_.silent(); }
  std::optional<ServerEvent> next();

  /// One `exists` packet for each id.
  void exists(const std::vector<std::string>& tests);
  /// Any event of a test.
  void event(const ChannelEvent& event);
  /// Ends a request; std::logic_error for one that is not in flight. Version 1 has no status: it is left out.
  void done(const Nonce& nonce, DoneStatus status = DoneStatus::ok, std::string_view reason = {});

  std::string take_output();
  std::int64_t version() const { return version_; }
  std::size_t requests_in_flight() const { return in_flight_.size(); }

 private:
  ServerEvent on(const ReceivedMessage& received);
  ServerEvent on_hello(const HelloMessage& hello, const std::string& text);
  ServerEvent on_run(const RunMessage& run);

  Offer offer_;
  RpcDecoder decoder_;
  std::string output_;
  std::unordered_set<Nonce> in_flight_;
  std::int64_t version_ = 0;
  bool greeted_ = false;
  bool ended_ = false;
  bool gone_ = false;
};

}  // namespace flakebisect::bisect
