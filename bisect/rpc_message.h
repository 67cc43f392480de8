#pragma once

/// The messages of the test-server protocol (docs/protocol.md) as values, and their JSON texts. No I/O.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace flakebisect::bisect {

/// The test id whose attachments are RPC messages, and their MIME type (parameters are ignored).
inline constexpr std::string_view kRpcTestId = "testrepository-rpc";
inline constexpr std::string_view kRpcMimeType = "application/json";
/// The versions that this program speaks.
inline constexpr std::int64_t kRpcMinVersion = 1;
inline constexpr std::int64_t kRpcMaxVersion = 2;

/// A nonce as JSON text: "\"a7\"" or "12". Compared byte by byte, opaque otherwise.
using Nonce = std::string;

/// Makes a nonce of a plain string.
Nonce nonce_of(std::string_view text);

struct HelloMessage {
  std::int64_t min = kRpcMinVersion;
  std::int64_t max = kRpcMaxVersion;
  std::string server;                 ///< version 2: name and version, for the log; empty: not given
  std::vector<std::string> features;  ///< version 2: "ordered", "isolated", "cancel", "repeat", unknown ones
};

struct ListMessage {
  Nonce nonce;
  std::optional<std::vector<std::string>> tests;  ///< nothing: all tests; empty: none (a sign of life)
};

struct RunMessage {
  Nonce nonce;
  std::optional<std::vector<std::string>> tests;  ///< nothing: all tests
  std::string order;                              ///< version 2: "given", or empty
  std::string isolation;                          ///< version 2: "process", or empty
  std::int64_t repeat = 0;                        ///< version 2: most runs of the last test; 0: not given
};

/// Version 2. Version 1 knows `ok` alone.
enum class DoneStatus : std::uint8_t { ok, cancelled, refused, error };

/// The word of the protocol: "ok", "cancelled", "refused", "error".
std::string_view done_status_name(DoneStatus status);

struct DoneMessage {
  Nonce nonce;
  DoneStatus status = DoneStatus::ok;
  std::string reason;
};

struct CancelMessage {
  Nonce nonce;
};

struct GoodbyeMessage {};

/// A message whose "msg" is none of the above: to be ignored.
struct UnknownMessage {
  std::string name;
};

/// A text that is no message: not JSON, no "msg", a field of the wrong type.
struct MalformedMessage {
  std::string why;  ///< a clause: "it is not JSON", "its nonce is missing"
};

using RpcMessage = std::variant<HelloMessage, ListMessage, RunMessage, DoneMessage, CancelMessage,
                                GoodbyeMessage, UnknownMessage, MalformedMessage>;

/// Reads the text of one message. Unknown fields are ignored; a Done status that is not known is an error
/// with a reason that quotes it. Never throws.
RpcMessage parse_rpc_message(std::string_view text);

/// Writes one message as compact JSON, "msg" first. Fields with their default values are left out.
/// UnknownMessage is written with its name alone; MalformedMessage must not be passed
/// (std::invalid_argument).
std::string rpc_message_text(const RpcMessage& message);

/// Whether a MIME type is application/json, whatever its parameters and case.
bool is_rpc_mime_type(std::string_view mime_type);

}  // namespace flakebisect::bisect
