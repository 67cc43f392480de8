#include "repo_reader/v2_parser.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <string>

#include "repo_reader/damage.h"
#include "repo_reader/v2_wire.h"

namespace flakebisect::repo_reader {
namespace {

/// Why a packet cannot be read. Never leaves this file.
struct PacketError {
  std::string message;
};

constexpr std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = (value << 8) | byte_at(bytes, at + i);
  return value;
}

/// Reads the fields of a packet one after another, never past its end.
class FieldReader {
 public:
  /// `start`: where the fields begin. `base`: the position that error messages call 0.
  FieldReader(std::string_view packet, std::size_t start, std::size_t end, std::size_t base)
      : packet_(packet), at_(start), end_(end), base_(base) {}

  Timestamp timestamp() {
    if (left() < 4)
      throw PacketError{fmt::format("Timestamp at offset {} extends past end of packet", offset())};
    const std::int64_t seconds = big_endian(packet_, at_, 4);
    at_ += 4;
    const std::uint32_t nanoseconds = number();
    // To the nearest microsecond, halves to the even one.
    std::int64_t micros = nanoseconds / 1000;
    const std::uint32_t rest = nanoseconds % 1000;
    if (rest > 500 || (rest == 500 && micros % 2 == 1)) ++micros;
    return {seconds * 1'000'000 + micros};
  }

  std::uint32_t number() {
    if (left() < 1) throw past_end();
    const std::size_t bytes = 1 + (byte_at(packet_, at_) >> 6);
    if (left() < bytes) throw past_end();
    const std::uint32_t value = big_endian(packet_, at_, bytes) & (0xFFFF'FFFFU >> (8 * (4 - bytes) + 2));
    at_ += bytes;
    return value;
  }

  std::string_view text() {
    const std::size_t length = number();
    if (length > left()) {
      throw PacketError{
          fmt::format("UTF8 string at offset {} extends past end of packet: claimed {} bytes, {} available",
                      text_offset(), length, left())};
    }
    const std::string_view value = packet_.substr(at_, length);
    if (value.find('\0') != value.npos) {
      throw PacketError{fmt::format("UTF8 string at offset {} contains NUL byte", text_offset())};
    }
    const Utf8Check check = check_utf8(value);
    if (!check.valid) throw PacketError{fmt::format("UTF8 string at offset {} is not UTF8", text_offset())};
    if (check.undecoded > 0) {
      throw PacketError{fmt::format("Invalid (partially decodable) string at offset {}, {} undecoded bytes",
                                    text_offset(), check.undecoded)};
    }
    at_ += length;
    return value;
  }

  std::string_view file_content() {
    const std::size_t length = number();
    if (length > left()) {
      throw PacketError{fmt::format("File content extends past end of packet: claimed {} bytes, {} available",
                                    length, left())};
    }
    const std::string_view value = packet_.substr(at_, length);
    at_ += length;
    return value;
  }

 private:
  std::size_t left() const { return at_ < end_ ? end_ - at_ : 0; }
  std::size_t offset() const { return at_ - base_; }
  // The reference counts from two bytes before the text; negative numbers do occur.
  std::ptrdiff_t text_offset() const { return static_cast<std::ptrdiff_t>(offset()) - 2; }
  PacketError past_end() const {
    return {fmt::format("Number at offset {} extends past end of packet", offset())};
  }

  std::string_view packet_;
  std::size_t at_;
  std::size_t end_;
  std::size_t base_;
};

void drop_duplicates(std::vector<std::string_view>& tags) {
  constexpr std::size_t few = 16;
  if (tags.size() > few) {
    std::sort(tags.begin(), tags.end());
    tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
    return;
  }
  auto kept = tags.begin();
  for (auto tag = tags.begin(); tag != tags.end(); ++tag) {
    if (std::find(tags.begin(), kept, *tag) == kept) *kept++ = *tag;
  }
  tags.erase(kept, tags.end());
}

constexpr std::size_t fixed_header = 6;  // what the reference reads before it looks at the length

}  // namespace

std::size_t V2Parser::consume(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (bytes[at] == wire::signature && boundary_.at_boundary()) {
      const std::size_t used = packet(bytes.substr(at));
      if (used == 0) break;
      at += used;
    } else {
      const std::size_t used = boundary_.scan(bytes.substr(at));
      report_text(sink_, bytes.substr(at, used));
      at += used;
    }
  }
  return at;
}

std::size_t V2Parser::packet(std::string_view bytes) {
  if (bytes.size() < 4) return 0;
  const std::size_t length_bytes = 1 + (byte_at(bytes, 3) >> 6);
  if (length_bytes == 4) {
    if (bytes.size() < fixed_header) return 0;
    report_damage(sink_, bytes.substr(0, fixed_header), "3 byte maximum given but 4 byte value found.");
    return fixed_header;
  }
  if (bytes.size() < 3 + length_bytes) return 0;
  const std::size_t length =
      big_endian(bytes, 3, length_bytes) & (0xFFFF'FFFFU >> (8 * (4 - length_bytes) + 2));
  if (length < fixed_header) {
    // The reference would take the rest of the stream for this packet, and wait for the end of a live one.
    report_damage(
        sink_, bytes.substr(0, 3 + length_bytes),
        fmt::format("Packet length {} is below the minimum of {} bytes", length, wire::shortest_packet));
    return 3 + length_bytes;
  }
  if (bytes.size() < length) return 0;
  try {
    body(bytes.substr(0, length), length_bytes);
  } catch (const PacketError& error) {
    report_damage(sink_, bytes.substr(0, length), error.message);
  }
  return length;
}

void V2Parser::body(std::string_view packet, std::size_t length_bytes) {
  const std::size_t end = packet.size() - wire::crc_bytes;
  if (length_bytes == 3 && end < fixed_header) {
    throw PacketError{fmt::format("Packet length {} leaves no room for a checksum", packet.size())};
  }
  const std::uint32_t calculated = libdeflate_crc32(0, packet.data(), end);
  const std::uint32_t stored = big_endian(packet, end, wire::crc_bytes);
  if (calculated != stored) {
    throw PacketError{fmt::format("Bad checksum - calculated (0x{:x}), stored (0x{:x})", calculated, stored)};
  }
  const unsigned flags = big_endian(packet, 1, 2);
  FieldReader fields(packet, 3 + length_bytes, end, length_bytes == 3 ? fixed_header : 1);
  Event event;
  event.status = static_cast<Status>(flags & wire::status_mask);
  event.runnable = (flags & wire::flag_runnable) != 0;
  event.eof = (flags & wire::flag_eof) != 0;
  if (flags & wire::flag_timestamp) event.timestamp = fields.timestamp();
  if (flags & wire::flag_test_id) event.test_id = fields.text();
  if (flags & wire::flag_tags) {
    tags_.clear();
    for (std::uint32_t left = fields.number(); left > 0; --left) tags_.push_back(fields.text());
    drop_duplicates(tags_);
    event.tags = tags_;
  }
  if (flags & wire::flag_mime_type) event.mime_type = fields.text();
  if (flags & wire::flag_file_content) {
    event.file_name = fields.text();
    event.file_bytes = fields.file_content();
  }
  if (flags & wire::flag_route_code) event.route_code = fields.text();
  if (!details_ && event.test_id) event.file_bytes = {};
  sink_.on_event(event);
}

void V2Parser::finish(std::string_view rest) {
  if (rest.empty()) return;
  constexpr std::size_t after_signature = fixed_header - 1;
  if (rest.size() < fixed_header) {
    report_damage(
        sink_, rest.substr(0, 1),
        fmt::format("Short read - got {} bytes, wanted {} bytes", rest.size() - 1, after_signature));
    return;
  }
  const std::size_t length_bytes = 1 + (byte_at(rest, 3) >> 6);
  const std::size_t length =
      big_endian(rest, 3, length_bytes) & (0xFFFF'FFFFU >> (8 * (4 - length_bytes) + 2));
  report_damage(sink_, rest.substr(0, fixed_header),
                fmt::format("Short read - got {} bytes, wanted {} bytes", rest.size() - fixed_header,
                            length - fixed_header));
}

bool plausible_v2_packet(std::string_view bytes, bool& unsure) {
  unsure = false;
  if (bytes.size() >= 2 && (byte_at(bytes, 1) & 0xF0U) != 0x20U) return false;
  if (bytes.size() >= 3 && (byte_at(bytes, 2) & wire::flag_reserved) != 0) return false;
  if (bytes.size() < 4) {
    unsure = true;
    return false;
  }
  const std::size_t length_bytes = 1 + (byte_at(bytes, 3) >> 6);
  if (length_bytes == 4) return false;
  if (bytes.size() < 3 + length_bytes) {
    unsure = true;
    return false;
  }
  const std::size_t length =
      big_endian(bytes, 3, length_bytes) & (0xFFFF'FFFFU >> (8 * (4 - length_bytes) + 2));
  return length >= wire::shortest_packet;
}

}  // namespace flakebisect::repo_reader
