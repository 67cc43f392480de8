#pragma once

/// One conversation of check-server with one server process: sends anything, right or wrong, and keeps a
/// transcript. It does not use the client's core, which would hide what a server does wrong.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bisect/check_server.h"
#include "bisect/child_process.h"
#include "bisect/rpc_channel.h"

namespace flakebisect::bisect {

/// Ends one check; caught by check_server().
struct CheckFailed {
  std::string why;
};
struct CheckNotOffered {
  std::string why;
};

/// Something the server sent.
struct Seen {
  RpcItem item;

  const ReceivedMessage* message() const { return std::get_if<ReceivedMessage>(&item); }
  const ChannelEvent* event() const;
  /// The event's test and status in words, the message's text, or the noise.
  std::string text() const;
};

class CheckSession {
 public:
  /// Starts the server and sends nothing.
  CheckSession(const std::string& command, const CheckOptions& options);
  ~CheckSession();

  /// From here on seen() and the transcript begin anew. One check, one mark.
  void mark();
  const std::vector<Seen>& seen() const { return seen_; }
  std::vector<std::string> sent() const { return sent_; }
  std::vector<std::string> received() const;

  void send(const RpcMessage& message) { send_text(rpc_message_text(message)); }
  void send_text(const std::string& json, std::size_t chunk = std::size_t{1} << 20U);
  /// `description` stands for the bytes in the transcript.
  void send_bytes(std::string_view bytes, std::string description);
  void close_input();

  /// Reads until `enough` holds or the limit passes or the server ends. True: it holds.
  bool read_until(const std::function<bool()>& enough, double seconds);
  /// Reads until the server's process has ended; false: the limit passed first.
  bool wait_exit(double seconds);
  /// Reads for this long, whatever comes.
  void read_for(double seconds);

  /// Sends a Hello and waits for the server's; throws CheckFailed.
  HelloMessage greet(std::int64_t min, std::int64_t max);
  /// Waits for the Done of `nonce`; throws CheckFailed. Its place in seen() is in done_index.
  DoneMessage wait_done(const Nonce& nonce, std::size_t* done_index = nullptr);
  /// Whether the Done of `nonce` has come.
  const DoneMessage* find_done(const Nonce& nonce, std::size_t* index = nullptr) const;
  const HelloMessage* find_hello() const;

  /// A nonce not used before in this session, and one of the caller's making (JSON text). Each may be
  /// answered once.
  Nonce fresh_nonce();
  Nonce use_nonce(Nonce nonce);
  bool exited() const { return child_.exited(); }
  bool ended() const { return ended_; }
  int wait_status() const { return child_.wait_status(); }
  std::string end_words() const;
  const std::string& error_tail() const { return errors_.text(); }
  std::size_t damaged_packets() const { return decoder_.damaged_packets(); }
  /// Done messages for nonces that this session did not send, or that were answered already.
  const std::vector<std::string>& stray_dones() const { return stray_dones_; }
  /// Processes that the server started and that live although it has ended. Linux only; empty elsewhere.
  std::vector<int> orphans() const;

 private:
  bool read_once(double seconds);
  void note(const Seen& seen);

  const CheckOptions& options_;
  std::string token_;  ///< in the server's environment, to find its processes
  ChildProcess child_;
  RpcDecoder decoder_;
  Tail errors_;
  std::vector<Seen> seen_;
  std::vector<std::string> sent_;
  std::vector<Nonce> open_nonces_;
  std::vector<std::string> stray_dones_;
  std::string out_;
  std::string err_;
  bool ended_ = false;
  std::uint64_t next_nonce_ = 1;
};

}  // namespace flakebisect::bisect
