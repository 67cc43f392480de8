#include "repo_reader/stream_decoder.h"

#include <string>

#include "repo_reader/damage.h"
#include "repo_reader/v1_parser.h"
#include "repo_reader/v2_parser.h"
#include "repo_reader/v2_wire.h"

namespace flakebisect::repo_reader {

struct StreamDecoder::Impl {
  Impl(EventSink& event_sink, DecoderOptions options)
      : sink(event_sink),
        version(options.version),
        drop_partial_line(options.drop_partial_line),
        v1(event_sink, options.details),
        v2(event_sink, options.details) {}

  std::size_t consume(std::string_view bytes) {
    std::size_t at = 0;
    if (version == Version::automatic) {
      at = consume_undecided(bytes);
      if (version == Version::automatic) return at;
    }
    const std::string_view rest = bytes.substr(at);
    return at + (version == Version::v2 ? v2.consume(rest) : v1.consume(rest));
  }

  /// Goes on until the version is known or `bytes` are used up; returns how many were taken.
  std::size_t consume_undecided(std::string_view bytes) {
    if (at_start && !bytes.empty() && bytes.front() == wire::signature) {
      version = Version::v2;
      return 0;
    }
    at_start = false;
    std::size_t at = 0;
    while (at < bytes.size()) {
      const std::size_t text = scanned_signature ? 0 : boundary.scan(bytes.substr(at + scanned));
      scanned += text;
      const std::string_view before = bytes.substr(at, scanned);
      const std::size_t used = v1.consume(before);
      at += used;
      scanned -= used;
      if (v1.directive_seen()) {
        version = Version::v1;
        return at;
      }
      const std::string_view packet = bytes.substr(at + scanned);
      if (packet.empty()) return at;
      bool unsure = false;
      if (plausible_v2_packet(packet, unsure)) {
        report_text(sink, bytes.substr(at, scanned));
        version = Version::v2;
        return at + scanned;
      }
      scanned_signature = unsure;
      if (unsure) return at;
      ++scanned;  // a signature byte that is text after all
    }
    return at;
  }

  void finish(std::string_view rest) {
    if (version == Version::v2) {
      v2.finish(rest);
    } else {
      rest.remove_prefix(v1.consume(rest));
      v1.finish(drop_partial_line ? std::string_view() : rest);
    }
  }

  EventSink& sink;
  Version version;
  bool drop_partial_line;
  V1Parser v1;
  V2Parser v2;
  std::string pending;  ///< fed and not yet consumed
  bool finished = false;
  // While the version is undecided:
  bool at_start = true;
  bool scanned_signature = false;  ///< the first byte behind the scanned ones is a signature
  std::size_t scanned = 0;         ///< bytes at the front of `pending` known to hold no packet
  TextBoundary boundary;
};

StreamDecoder::StreamDecoder(EventSink& sink, DecoderOptions options)
    : impl_(std::make_unique<Impl>(sink, options)) {}

StreamDecoder::~StreamDecoder() = default;

void StreamDecoder::feed(std::string_view bytes) {
  std::string& pending = impl_->pending;
  if (pending.empty()) {
    pending = bytes.substr(impl_->consume(bytes));
    return;
  }
  pending.append(bytes);
  pending.erase(0, impl_->consume(pending));
}

void StreamDecoder::finish() {
  if (impl_->finished) return;
  impl_->finished = true;
  impl_->finish(impl_->pending);
  impl_->pending.clear();
}

Version StreamDecoder::version() const {
  return impl_->version;
}

void decode_stream(std::string_view bytes, EventSink& sink, DecoderOptions options) {
  StreamDecoder decoder(sink, options);
  decoder.feed(bytes);
  decoder.finish();
}

}  // namespace flakebisect::repo_reader
