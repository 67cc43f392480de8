#pragma once

/// The grammar of a subunit v2 packet, shared by decoder and encoder.
///
///   packet    := 0xB3 flags:u16 length:varint(1..3 bytes) fields crc32:u32
///   fields    := [timestamp] [id] [tags] [mime type] [file] [route code]     each with its flag only
///   timestamp := seconds:u32 nanoseconds:varint
///   tags      := count:varint string*count
///   file      := name:string count:varint bytes
///   string    := count:varint UTF-8 without NUL
///   varint    := big endian; the top two bits of the first byte are its number of further bytes
///
/// All integers are big endian; length counts the whole packet, and the checksum covers all that precedes it.

#include <cstddef>

namespace flakebisect::repo_reader::wire {

inline constexpr char signature = static_cast<char>(0xB3);
inline constexpr unsigned version_2 = 0x2000;
inline constexpr unsigned flag_test_id = 0x0800;
inline constexpr unsigned flag_route_code = 0x0400;
inline constexpr unsigned flag_timestamp = 0x0200;
inline constexpr unsigned flag_runnable = 0x0100;
inline constexpr unsigned flag_tags = 0x0080;
inline constexpr unsigned flag_file_content = 0x0040;
inline constexpr unsigned flag_mime_type = 0x0020;
inline constexpr unsigned flag_eof = 0x0010;
inline constexpr unsigned flag_reserved = 0x0008;
inline constexpr unsigned status_mask = 0x0007;

inline constexpr std::size_t crc_bytes = 4;
inline constexpr std::size_t shortest_packet = 8;

}  // namespace flakebisect::repo_reader::wire
