#pragma once

/// Finds subunit v2 packets in the bytes of a live channel that tests may print into.
///
/// A stored stream is read to its end, so a reader may trust a packet's length. On a live channel that can
/// wait for ever: a stray B3 byte that a test prints looks like a packet of up to 4 MiB, and the reply behind
/// it would never be seen. So here only a whole packet with a valid checksum is a packet, everything else is
/// noise, and a candidate that stays incomplete while the channel is silent can be given up.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flakebisect::bisect {

class RpcFramer {
 public:
  struct Piece {
    bool packet = false;     ///< false: noise
    std::string_view bytes;  ///< valid until the next call of any other member than next()
  };

  void receive(std::string_view bytes);
  /// The end of the stream: what is left is noise (or packets inside it).
  void end() { ended_ = true; }
  /// The next packet or run of noise; nothing where more bytes are needed. Neighbouring noise may come in
  /// several pieces.
  std::optional<Piece> next();
  /// Call when nothing has come for a while: where a whole packet stands behind an incomplete candidate, the
  /// candidate is noise. Without such a packet nothing changes (it may be a large packet that comes slowly).
  void give_up_incomplete();
  /// Bytes received and not yet returned.
  std::size_t pending() const { return buffer_.size() - position_; }
  /// Candidates that had a valid header and a wrong checksum, so far.
  std::size_t checksum_failures() const { return checksum_failures_; }

 private:
  std::string buffer_;
  std::size_t position_ = 0;     ///< everything before has been returned
  std::size_t noise_until_ = 0;  ///< bytes before this are known to be no packet's start
  std::size_t checksum_failures_ = 0;
  bool ended_ = false;
};

}  // namespace flakebisect::bisect
