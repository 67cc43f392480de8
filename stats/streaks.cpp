#include "stats/streaks.h"

#include <algorithm>
#include <cmath>

namespace flakebisect::stats {

double streak_weight(std::span<const std::uint8_t> failed) {
  constexpr std::size_t least_blocks = 8;
  double failures = 0;
  for (const auto outcome : failed) failures += outcome;
  const double rate = failures / static_cast<double>(std::max<std::size_t>(failed.size(), 1));
  if (failures < 2 || rate >= 1) return 1;
  double largest = 1;
  for (std::size_t length = 2; failed.size() / length >= least_blocks; length *= 2) {
    const std::size_t blocks = failed.size() / length;
    const double expected = rate * static_cast<double>(length);
    double squares = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      double count = 0;
      for (const auto outcome : failed.subspan(b * length, length)) count += outcome;
      squares += (count - expected) * (count - expected);
    }
    const double ratio = squares / static_cast<double>(blocks - 1) / (expected * (1 - rate));
    const double deviation = std::sqrt(2 / static_cast<double>(blocks - 1));
    if (ratio > 1 + 3 * deviation) largest = std::max(largest, ratio);
  }
  return 1 / largest;
}

}  // namespace flakebisect::stats
