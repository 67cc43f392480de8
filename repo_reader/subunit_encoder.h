#pragma once

/// Encoder of subunit v2.

#include <stdexcept>
#include <string>

#include "repo_reader/subunit_event.h"

namespace flakebisect::repo_reader {

/// The longest packet there can be, in bytes, from signature to checksum.
inline constexpr std::size_t max_packet_bytes = 4'194'303;

/// An event that has no v2 form: too long, text that is not UTF-8 or holds NUL, a time before 1970 or
/// after 2106.
class EncodeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Appends the packet for `event` to `out`. Nothing is split: file contents that may exceed max_packet_bytes
/// are the caller's to cut. Fields that are present are written even where empty. Throws EncodeError, leaving
/// `out` as it was.
void encode_event(const Event& event, std::string& out);

}  // namespace flakebisect::repo_reader
