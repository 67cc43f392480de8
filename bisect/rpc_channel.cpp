#include "bisect/rpc_channel.h"

#include <algorithm>
#include <utility>

#include "repo_reader/subunit_encoder.h"

namespace flakebisect::bisect {

namespace {

using repo_reader::Event;
using repo_reader::Status;

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::optional<std::string_view> viewed(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace

ChannelEvent::ChannelEvent(const Event& event)
    : test_id(owned(event.test_id)),
      status(event.status),
      runnable(event.runnable),
      file_name(owned(event.file_name)),
      file_bytes(event.file_bytes),
      eof(event.eof),
      mime_type(owned(event.mime_type)),
      route(event.route_code.value_or("")),
      timestamp(event.timestamp) {}

Event ChannelEvent::view() const {
  Event event;
  event.test_id = viewed(test_id);
  event.status = status;
  event.runnable = runnable;
  event.file_name = viewed(file_name);
  event.file_bytes = file_bytes;
  event.eof = eof;
  event.mime_type = viewed(mime_type);
  if (!route.empty()) event.route_code = route;
  event.timestamp = timestamp;
  return event;
}

RpcDecoder::RpcDecoder()
    : sink_(*this), packets_(sink_, repo_reader::DecoderOptions{repo_reader::Version::v2, true}) {}

std::optional<RpcItem> RpcDecoder::next() {
  while (ready_.empty()) {
    const std::optional<RpcFramer::Piece> piece = framer_.next();
    if (!piece) return std::nullopt;
    if (!piece->packet) return ReceivedNoise{std::string(piece->bytes)};
    malformed_packet_ = false;
    packets_.feed(piece->bytes);
    // A valid checksum around fields that cannot be read: nothing in it can be trusted.
    if (malformed_packet_) ready_.assign(1, ReceivedNoise{std::string(piece->bytes)});
  }
  RpcItem item = std::move(ready_.front());
  ready_.pop_front();
  return item;
}

void RpcDecoder::on_event(const Event& event) {
  if (event.test_id == "subunit.parser") {
    malformed_packet_ = true;
  } else if (event.test_id == kRpcTestId) {
    if (event.file_name) on_chunk(event);
  } else {
    ready_.emplace_back(ReceivedEvent{ChannelEvent(event)});
  }
}

void RpcDecoder::on_chunk(const Event& event) {
  const auto key = std::make_pair(std::string(*event.file_name), std::string(event.route_code.value_or("")));
  const auto [found, first] = joining_.try_emplace(key);
  Joining& joining = found->second;
  if (first) joining.is_message = event.mime_type && is_rpc_mime_type(*event.mime_type);
  if (joining.text.size() + event.file_bytes.size() > kLargestMessage) {
    joining.too_long = true;
    joining.text.clear();
  }
  if (joining.is_message && !joining.too_long) joining.text += event.file_bytes;
  if (!event.eof) return;
  Joining whole = std::move(joining);
  joining_.erase(found);
  if (whole.too_long) {
    ready_.emplace_back(
        ReceivedMessage{MalformedMessage{"it is longer than any message may be"}, "", key.second});
  } else if (whole.is_message) {
    RpcMessage message = parse_rpc_message(whole.text);
    ready_.emplace_back(ReceivedMessage{std::move(message), std::move(whole.text), key.second});
  }
}

std::string rpc_packets(const RpcMessage& message, std::string_view route, std::size_t chunk) {
  return rpc_packets_of_text(rpc_message_text(message), route, chunk);
}

std::string rpc_packets_of_text(std::string_view text, std::string_view route, std::size_t chunk) {
  std::string packets;
  Event event;
  event.test_id = kRpcTestId;
  event.runnable = false;
  event.file_name = "message";
  event.mime_type = kRpcMimeType;
  if (!route.empty()) event.route_code = route;
  for (std::size_t at = 0; !event.eof; at += chunk) {
    event.file_bytes = text.substr(at, chunk);
    event.eof = at + chunk >= text.size();
    repo_reader::encode_event(event, packets);
    event.mime_type = std::nullopt;  // it counts on a file's first packet alone
  }
  return packets;
}

}  // namespace flakebisect::bisect
