#pragma once

/// One direction of the RPC channel: bytes in, items out (RpcDecoder), and messages to bytes (rpc_packets).
/// Pure: no I/O, no clock. docs/protocol.md is the specification.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "bisect/rpc_framer.h"
#include "bisect/rpc_message.h"
#include "repo_reader/stream_decoder.h"
#include "repo_reader/subunit_event.h"

namespace flakebisect::bisect {

/// A repo_reader::Event that owns its text. Tags are left out: nothing here needs them.
struct ChannelEvent {
  std::optional<std::string> test_id;
  repo_reader::Status status = repo_reader::Status::none;
  bool runnable = true;
  std::optional<std::string> file_name;
  std::string file_bytes;
  bool eof = false;
  std::optional<std::string> mime_type;
  std::string route;  ///< route code, empty where there is none
  std::optional<repo_reader::Timestamp> timestamp;

  ChannelEvent() = default;
  explicit ChannelEvent(const repo_reader::Event& event);
  /// Views into this object.
  repo_reader::Event view() const;
};

/// A whole message.
struct ReceivedMessage {
  RpcMessage message;
  std::string text;   ///< as received, for the log
  std::string route;  ///< route code, empty where there is none
};

/// A packet that is not of the RPC channel: a test's status, an attachment.
struct ReceivedEvent {
  ChannelEvent event;
};

/// Bytes between packets that are no packets.
struct ReceivedNoise {
  std::string bytes;
};

using RpcItem = std::variant<ReceivedMessage, ReceivedEvent, ReceivedNoise>;

class RpcDecoder {
 public:
  RpcDecoder();
  RpcDecoder(const RpcDecoder&) = delete;
  RpcDecoder& operator=(const RpcDecoder&) = delete;

  /// Messages of more than this many bytes are dropped (reported as malformed), so that a broken peer cannot
  /// fill the memory.
  static constexpr std::size_t kLargestMessage = std::size_t{256} << 20U;

  void receive(std::string_view bytes) { framer_.receive(bytes); }
  void end() { framer_.end(); }
  /// The next item in the order of the stream; nothing where more bytes are needed.
  std::optional<RpcItem> next();
  /// Call when the channel has been silent for a while: see RpcFramer::give_up_incomplete().
  void silent() { framer_.give_up_incomplete(); }
  /// Packets lost to a wrong checksum so far.
  std::size_t damaged_packets() const { return framer_.checksum_failures(); }
  /// Bytes received that are neither items yet nor part of an unfinished message.
  std::size_t pending() const { return framer_.pending(); }

 private:
  struct Joining {
    std::string text;
    bool is_message = false;  ///< its first packet had the right MIME type
    bool too_long = false;
  };
  void on_event(const repo_reader::Event& event);
  void on_chunk(const repo_reader::Event& event);

  struct Sink final : repo_reader::EventSink {
    explicit Sink(RpcDecoder& owner) : decoder(owner) {}
    void on_event(const repo_reader::Event& event) override { decoder.on_event(event); }
    RpcDecoder& decoder;
  };

  RpcFramer framer_;
  Sink sink_;
  repo_reader::StreamDecoder packets_;
  bool malformed_packet_ = false;
  std::map<std::pair<std::string, std::string>, Joining>
      joining_;  ///< (file name, route code) -> begun message
  std::deque<RpcItem> ready_;
};

/// The packets of one message, each with at most `chunk` bytes of its text.
std::string rpc_packets(const RpcMessage& message, std::string_view route = {},
                        std::size_t chunk = std::size_t{1} << 20U);

/// The same for a text that rpc_message_text() would not write (tests, check-server).
std::string rpc_packets_of_text(std::string_view text, std::string_view route = {},
                                std::size_t chunk = std::size_t{1} << 20U);

}  // namespace flakebisect::bisect
