/// libFuzzer target: decoding, folding, ordering and listing of any bytes. Run by scripts/fuzz.
///
/// The first byte chooses the version, the size of the pieces, and whether the checksums of packets are put
/// right first, so that their fields are reached; the rest is the stream. Checked: nothing crashes or hangs,
/// the pieces make no difference, and every event that can be encoded decodes to itself.

#include <libdeflate.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "repo_reader/list_pipeline.h"
#include "repo_reader/run_file.h"
#include "repo_reader/stream_decoder.h"
#include "repo_reader/subunit_encoder.h"

namespace rr = flakebisect::repo_reader;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// All an event says, in a form that can be compared; stream text is merged with its neighbours.
class Trace final : public rr::EventSink {
 public:
  void on_event(const rr::Event& event) override {
    if (!event.test_id && event.status == rr::Status::none && event.file_name == "stdout" &&
        !event.mime_type) {
      text_.append(event.file_bytes);
      return;
    }
    flush();
    add(event.test_id);
    add(std::to_string(static_cast<int>(event.status)));
    for (const std::string_view tag : event.tags.value_or(std::span<const std::string_view>{})) add(tag);
    add(event.tags ? std::string("tags") : std::string());
    add(event.runnable ? std::string("r") : std::string("-"));
    add(event.file_name);
    add(event.file_bytes);
    add(event.eof ? std::string("eof") : std::string());
    add(event.mime_type);
    add(event.route_code);
    add(event.timestamp ? std::to_string(event.timestamp->microseconds) : std::string("never"));
  }

  std::string take() {
    flush();
    return std::move(seen_);
  }

 private:
  void flush() {
    if (!text_.empty()) add("text:" + text_);
    text_.clear();
  }
  void add(std::optional<std::string_view> part) {
    seen_ += part ? std::to_string(part->size()) + ":" : std::string("~");
    seen_ += part.value_or("");
  }

  std::string text_;
  std::string seen_;
};

std::string trace(std::string_view stream, rr::Version version, std::size_t piece) {
  Trace sink;
  rr::StreamDecoder decoder(sink, {.version = version, .details = true});
  for (std::size_t at = 0; at < stream.size(); at += piece)
    decoder.feed(std::string(stream.substr(at, piece)));
  decoder.finish();
  return sink.take();
}

void round_trip(std::string_view stream, rr::Version version) {
  std::vector<std::string> packets;
  std::vector<std::string> traces;
  rr::CallbackSink encode([&](const rr::Event& event) {
    std::string packet;
    try {
      rr::encode_event(event, packet);
    } catch (const rr::EncodeError&) {
      return;
    }
    Trace sink;
    sink.on_event(event);
    traces.push_back(sink.take());
    packets.push_back(packet);
  });
  rr::decode_stream(stream, encode, {.version = version, .details = true});
  for (std::size_t i = 0; i < packets.size(); ++i) {
    require(trace(packets[i], rr::Version::v2, packets[i].size()) == traces[i]);
  }
}

/// Puts the checksum of every packet right, walking from packet to packet.
void repair_checksums(std::string& stream) {
  std::size_t at = 0;
  while ((at = stream.find('\xB3', at)) != stream.npos && stream.size() - at >= 8) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(stream[at + i]));
    };
    const std::size_t kind = byte(3) >> 6;
    std::size_t length = byte(3) & 0x3F;
    if (kind >= 1) length = length << 8 | byte(4);
    if (kind >= 2) length = length << 8 | byte(5);
    if (kind == 3 || length < 8 || length > stream.size() - at) {
      ++at;
      continue;
    }
    const std::uint32_t sum = libdeflate_crc32(0, stream.data() + at, length - 4);
    for (std::size_t i = 0; i < 4; ++i)
      stream[at + length - 1 - i] = static_cast<char>(sum >> (8 * i) & 0xFF);
    at += length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto version = static_cast<rr::Version>(data[0] % 3);
  const std::size_t piece = 1 + (data[0] & 0x7F) / 3;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 0x80) != 0) repair_checksums(bytes);
  const std::string_view stream = bytes;

  require(trace(stream, version, piece) == trace(stream, version, stream.size() + 1));
  round_trip(stream, version);
  rr::read_run_stream(stream);
  std::string listed;
  rr::print_pipeline_of(stream, "worker-0", rr::IdOutput::held_back,
                        [&](std::string_view text) { listed.append(text); });
  return 0;
}
