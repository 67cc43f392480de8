#include "bisect/rpc_framer.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstdint>

namespace flakebisect::bisect {

namespace {

constexpr char kSignature = '\xb3';
constexpr std::size_t kShortestPacket = 8;  // signature, flags, one byte of length, checksum

enum class PacketGuess { packet, incomplete, no_packet, wrong_checksum };

std::uint32_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

/// Judges what starts at bytes[0], which is a signature byte. Sets length where the header is whole.
PacketGuess judge(std::string_view bytes, std::size_t& length) {
  if (bytes.size() < 2) return PacketGuess::incomplete;
  if ((byte_at(bytes, 1) & 0xf0U) != 0x20U) return PacketGuess::no_packet;
  if (bytes.size() < 4) return PacketGuess::incomplete;
  const std::uint32_t first = byte_at(bytes, 3);
  const std::size_t length_bytes = (first >> 6U) + 1;
  if (length_bytes > 3) return PacketGuess::no_packet;
  if (bytes.size() < 3 + length_bytes) return PacketGuess::incomplete;
  length = first & 0x3fU;
  for (std::size_t i = 1; i < length_bytes; ++i) length = (length << 8U) | byte_at(bytes, 3 + i);
  if (length < kShortestPacket) return PacketGuess::no_packet;
  if (bytes.size() < length) return PacketGuess::incomplete;
  std::uint32_t stated = 0;
  for (std::size_t i = length - 4; i < length; ++i) stated = (stated << 8U) | byte_at(bytes, i);
  return libdeflate_crc32(0, bytes.data(), length - 4) == stated ? PacketGuess::packet
                                                                 : PacketGuess::wrong_checksum;
}

}  // namespace

void RpcFramer::receive(std::string_view bytes) {
  if (position_ > 0) {
    buffer_.erase(0, position_);
    noise_until_ = noise_until_ > position_ ? noise_until_ - position_ : 0;
    position_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<RpcFramer::Piece> RpcFramer::next() {
  const std::string_view all = buffer_;
  std::size_t start = std::max(position_, noise_until_);
  while (start < all.size()) {
    start = std::min(all.find(kSignature, start), all.size());
    if (start == all.size()) break;
    std::size_t length = 0;
    const PacketGuess candidate = judge(all.substr(start), length);
    if (candidate == PacketGuess::packet && start == position_) {
      position_ = noise_until_ = start + length;
      return Piece{true, all.substr(start, length)};
    }
    if (candidate == PacketGuess::packet) break;
    if (candidate == PacketGuess::incomplete && !ended_) break;
    if (candidate == PacketGuess::wrong_checksum) ++checksum_failures_;
    noise_until_ = ++start;
  }
  if (start == position_) return std::nullopt;
  const Piece noise{false, all.substr(position_, start - position_)};
  position_ = noise_until_ = start;
  return noise;
}

void RpcFramer::give_up_incomplete() {
  const std::string_view all = buffer_;
  for (std::size_t start = all.find(kSignature, std::max(position_, noise_until_)); start < all.size();
       start = all.find(kSignature, start + 1)) {
    std::size_t length = 0;
    if (judge(all.substr(start), length) != PacketGuess::packet) continue;
    noise_until_ = start;
    return;
  }
}

}  // namespace flakebisect::bisect
