#pragma once

/// SHA-256 (FIPS 180-4): for fingerprints of findings and for the content security policy of the HTML report.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace flakebisect::analyzer {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view data);
/// 64 hexadecimal digits.
std::string sha256_hex(std::string_view data);
/// Base64 with padding, as content security policies write a hash.
std::string sha256_base64(std::string_view data);

}  // namespace flakebisect::analyzer
