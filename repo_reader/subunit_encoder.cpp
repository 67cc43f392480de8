#include "repo_reader/subunit_encoder.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include "repo_reader/utf8.h"
#include "repo_reader/v2_wire.h"

namespace flakebisect::repo_reader {
namespace {

void append_big_endian(std::string& out, std::uint32_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
}

void append_number(std::string& out, std::size_t value) {
  const auto number = static_cast<std::uint32_t>(value);
  if (value < (1U << 6)) {
    append_big_endian(out, number, 1);
  } else if (value < (1U << 14)) {
    append_big_endian(out, number | 0x4000U, 2);
  } else if (value < (1U << 22)) {
    append_big_endian(out, number | 0x80'0000U, 3);
  } else if (value < (1U << 30)) {
    append_big_endian(out, number | 0xC000'0000U, 4);
  } else {
    throw EncodeError(fmt::format("{} is more than a subunit packet can count", value));
  }
}

void append_text(std::string& out, std::string_view text, const char* what) {
  if (!check_utf8(text).complete()) throw EncodeError(fmt::format("the {} is not UTF-8", what));
  if (text.find('\0') != text.npos) throw EncodeError(fmt::format("the {} holds a NUL byte", what));
  append_number(out, text.size());
  out.append(text);
}

std::uint16_t append_fields(const Event& event, std::string& out) {
  unsigned flags = wire::version_2 | static_cast<unsigned>(event.status);
  if (event.runnable) flags |= wire::flag_runnable;
  if (event.eof) flags |= wire::flag_eof;
  if (event.timestamp) {
    flags |= wire::flag_timestamp;
    const std::int64_t micros = event.timestamp->microseconds;
    if (micros < 0 || micros / 1'000'000 > 0xFFFF'FFFFLL) {
      throw EncodeError(fmt::format("the time {} s is outside of 1970 to 2106", event.timestamp->seconds()));
    }
    append_big_endian(out, static_cast<std::uint32_t>(micros / 1'000'000), 4);
    append_number(out, static_cast<std::size_t>(micros % 1'000'000) * 1000);
  }
  if (event.test_id) {
    flags |= wire::flag_test_id;
    append_text(out, *event.test_id, "test id");
  }
  if (event.tags) {
    flags |= wire::flag_tags;
    append_number(out, event.tags->size());
    for (std::string_view tag : *event.tags) append_text(out, tag, "tag");
  }
  if (event.mime_type) {
    flags |= wire::flag_mime_type;
    append_text(out, *event.mime_type, "MIME type");
  }
  if (event.file_name) {
    flags |= wire::flag_file_content;
    append_text(out, *event.file_name, "file name");
    append_number(out, event.file_bytes.size());
    out.append(event.file_bytes);
  }
  if (event.route_code) {
    flags |= wire::flag_route_code;
    append_text(out, *event.route_code, "route code");
  }
  return static_cast<std::uint16_t>(flags);
}

}  // namespace

void encode_event(const Event& event, std::string& out) {
  const std::size_t start = out.size();
  try {
    // The length field's own length depends on the fields: write them behind a gap of the longest form.
    constexpr std::size_t longest_header = 6;
    out.append(longest_header, '\0');
    const std::uint16_t flags = append_fields(event, out);
    const std::size_t base = out.size() - start - 3 + wire::crc_bytes;  // all but the length field
    const std::size_t length_bytes = base <= 62 ? 1 : base <= 16'381 ? 2 : 3;
    const std::size_t total = base + length_bytes;
    if (total > max_packet_bytes) {
      throw EncodeError(fmt::format("a packet of {} bytes exceeds the limit of {}; cut the file content",
                                    total, max_packet_bytes));
    }
    std::string header;
    header.push_back(wire::signature);
    append_big_endian(header, flags, 2);
    append_number(header, total);
    out.replace(start, longest_header, header);
    append_big_endian(out, libdeflate_crc32(0, out.data() + start, out.size() - start), wire::crc_bytes);
  } catch (...) {
    out.resize(start);
    throw;
  }
}

}  // namespace flakebisect::repo_reader
