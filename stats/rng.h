#pragma once

/// A small seeded generator whose stream is the same on every platform and library version, which the
/// distributions of <random> do not promise. SplitMix64: Steele, Lea, Flood, 'Fast splittable pseudorandom
/// number generators' (OOPSLA 2014). Not for secrets.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace flakebisect::stats {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  /// An independent stream for each key: what the n-th decision draws must not depend on how many numbers the
  /// decisions before it drew.
  Rng(std::uint64_t seed, std::uint64_t key) : state_(mix(seed + 0x9e3779b97f4a7c15U) ^ mix(~key)) {}

  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15U); }

  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool bernoulli(double probability) { return uniform() < probability; }
  /// Uniform in [0, count); count > 0.
  std::uint64_t below(std::uint64_t count) {
    // Rejection removes the bias of the plain remainder.
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % count;
    std::uint64_t value = next();
    while (value >= limit) value = next();
    return value % count;
  }
  /// Exponential with mean 1.
  double exponential() { return -std::log1p(-uniform()); }

  /// Fisher-Yates.
  template <typename Container>
  void shuffle(Container& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace flakebisect::stats
