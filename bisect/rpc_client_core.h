#pragma once

/// The client's side of the test-server protocol: bytes in, events and bytes out. Pure: no I/O, no clock, no
/// randomness; whoever owns the pipe also owns the time limits. docs/protocol.md is the specification.
///
/// Usage: send take_output() (the Hello); receive() what comes; next() until it is empty; when ready(), ask
/// with list(), run(), cancel() and send take_output() again.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "bisect/rpc_channel.h"

namespace flakebisect::bisect {

/// The Hello came back and a version is agreed.
struct ServerReady {
  std::int64_t version = 1;
  HelloMessage hello;
  std::string route;
};

/// The Hello came back and no version is spoken by both.
struct ServerIncompatible {
  HelloMessage hello;
  std::string sentence;  ///< names both ranges
};

/// A test's event that came before any Hello: the program runs its tests and is no server.
struct RanUnasked {
  ChannelEvent event;
};

/// An event of a test: a result of a Run, or an `exists` of a List.
struct TestEvent {
  ChannelEvent event;
  Nonce request;  ///< the request it belongs to; empty where several requests in flight (or none) may have
                  ///< caused it
};

/// The end of a request of ours.
struct RequestDone {
  Nonce request;
  DoneStatus status = DoneStatus::ok;
  std::string reason;
  std::string route;
};

/// A Done whose nonce is none of ours, or was answered before.
struct StrayDone {
  DoneMessage message;
};

/// A message that is to be ignored: unknown, malformed, or one that a server never sends.
struct IgnoredMessage {
  std::string text;
  std::string why;  ///< a clause
};

struct Noise {
  std::string bytes;
};

using ClientEvent = std::variant<ServerReady, ServerIncompatible, RanUnasked, TestEvent, RequestDone,
                                 StrayDone, IgnoredMessage, Noise>;

class RpcClientCore {
 public:
  struct Options {
    std::int64_t min_version = kRpcMinVersion;
    std::int64_t max_version = kRpcMaxVersion;
    std::string nonce_prefix = "n";  ///< nonces are prefix + a running number
  };
  struct RunOptions {
    bool ordered = false;   ///< only where feature("ordered")
    bool isolated = false;  ///< only where feature("isolated")
    /// Most runs of the last test, until it first does not pass; more than 1 only where ordered and
    /// feature("repeat").
    std::uint32_t repeat = 1;
  };
  enum class State : std::uint8_t { waiting, ready, incompatible, closed };

  RpcClientCore();
  explicit RpcClientCore(Options options);

  void receive(std::string_view bytes) { decoder_.receive(bytes); }
  /// The server's output has ended.
  void end() { decoder_.end(); }
  /// Nothing has come for a while: frees what a stray signature byte holds up.
  void silent() { decoder_.silent(); }
  std::optional<ClientEvent> next();

  /// The bytes to send now; empties the buffer.
  std::string take_output();

  State state() const { return state_; }
  bool ready() const { return state_ == State::ready; }
  std::int64_t version() const { return version_; }
  bool feature(std::string_view name) const;
  const HelloMessage& server() const { return hello_; }

  /// Requests; std::logic_error where the server is not ready() or lacks the feature. Each returns its nonce.
  Nonce list(std::optional<std::vector<std::string>> tests);
  Nonce run(std::optional<std::vector<std::string>> tests, RunOptions options);
  /// Asks to stop a request in flight.
  void cancel(const Nonce& request);
  void goodbye();

  bool in_flight(const Nonce& request) const { return requests_.count(request) > 0; }
  std::size_t requests_in_flight() const { return requests_.size(); }
  std::size_t damaged_packets() const { return decoder_.damaged_packets(); }
  /// Bytes that wait for the rest of their packet.
  std::size_t pending() const { return decoder_.pending(); }

 private:
  struct Request {
    bool is_run = false;
    bool all = false;
    std::unordered_set<std::string> tests;
  };
  std::optional<ClientEvent> on(ReceivedMessage&& received);
  std::optional<ClientEvent> on(ReceivedEvent&& received);
  ClientEvent on_hello(const HelloMessage& hello, const ReceivedMessage& received);
  ClientEvent on_done(const DoneMessage& done, const ReceivedMessage& received);
  Nonce owner(const ChannelEvent& event) const;
  void require_ready() const;
  Nonce fresh_nonce();
  Nonce begin(bool is_run, const std::optional<std::vector<std::string>>& tests);

  Options options_;
  RpcDecoder decoder_;
  std::string output_;
  State state_ = State::waiting;
  std::int64_t version_ = 0;
  HelloMessage hello_;
  std::unordered_map<Nonce, Request> requests_;
  std::uint64_t next_nonce_ = 1;
};

}  // namespace flakebisect::bisect
