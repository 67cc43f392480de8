#pragma once

/// Streaming decoder of subunit v1 (text) and v2 (binary). docs/formats.md says what it accepts, and where it
/// goes on although the reference implementation stops.

#include <memory>
#include <string_view>

#include "repo_reader/subunit_event.h"

namespace flakebisect::repo_reader {

enum class Version : std::uint8_t {
  automatic = 0,  ///< v2 if the first byte is 0xB3, or if a plausible v2 packet comes before any v1 directive
  v1 = 1,
  v2 = 2,
};

struct DecoderOptions {
  Version version = Version::automatic;
  /// false: contents of files that belong to a test are neither reported nor kept; their names are.
  bool details = true;
  /// v1: what follows the last line end is dropped instead of read as a line. For files that another process
  /// may still be writing.
  bool drop_partial_line = false;
};

/// Decodes a stream that arrives in pieces of any size. Events come as soon as the bytes that make them are
/// fed: at the last byte of a v2 packet, at the line end that closes a v1 test. Text that belongs to no
/// packet and no directive comes as events without test id, file name "stdout"; how it is cut into events
/// depends on the pieces fed. Damage comes as the two "subunit.parser" events of the reference; decoding goes
/// on after it.
///
/// Memory: one packet (v2, at most 4 MiB) or one line and the details of one test (v1). Not thread-safe;
/// instances are independent. Throws nothing of its own but std::bad_alloc.
class StreamDecoder {
 public:
  /// `sink` must outlive the decoder.
  explicit StreamDecoder(EventSink& sink, DecoderOptions options = {});
  ~StreamDecoder();
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;

  void feed(std::string_view bytes);

  /// End of the stream: reports what was cut off. Nothing may be fed afterwards. Idempotent.
  void finish();

  /// The version in use: automatic until the stream has shown which one it is.
  Version version() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Decodes a whole stream that is in memory.
void decode_stream(std::string_view bytes, EventSink& sink, DecoderOptions options = {});

}  // namespace flakebisect::repo_reader
