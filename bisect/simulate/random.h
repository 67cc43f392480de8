#pragma once

/// Random numbers that are the same on every machine and in every thread: the standard library's
/// distributions differ between implementations, and a simulated case must not.

#include <cstdint>
#include <string_view>
#include <vector>

namespace flakebisect::bisect::simulate {

/// A hash of two words (the finaliser of SplitMix64, Steele et al. 2014): neighbouring inputs give unrelated
/// outputs, so that every aspect of a case can own a stream of its own.
std::uint64_t mix(std::uint64_t a, std::uint64_t b);
/// The same for a name, such as "durations".
std::uint64_t mix(std::uint64_t a, std::string_view name);
/// A uniform number in [0, 1) made from the top 53 bits.
double unit_interval(std::uint64_t word);

/// A SplitMix64 stream. Cheap to make; copy it to replay it. Not thread-safe; one for each owner.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// In [0, 1).
  double uniform() { return unit_interval(next()); }
  /// In [low, high); low where they are equal.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// exp of a uniform number between log(low) and log(high); both > 0.
  double log_uniform(double low, double high);
  /// In {0, …, count − 1}; count > 0.
  std::uint64_t below(std::uint64_t count);
  bool chance(double probability) { return uniform() < probability; }
  /// Standard normal (Box–Muller).
  double normal();
  /// Gamma with unit scale (Marsaglia & Tsang 2000); shape > 0.
  double gamma(double shape);
  /// Beta with mean `mean` and intra-class correlation `correlation` in (0, 1): a = mean (1 − c) / c,
  /// b = (1 − mean) (1 − c) / c. The mean itself where it is 0 or 1 or the correlation is 0.
  double beta_around(double mean, double correlation);
  /// `count` different numbers below `total`, ascending; all of them where count ≥ total.
  std::vector<std::uint32_t> choose(std::uint32_t total, std::uint32_t count);

 private:
  std::uint64_t state_;
};

}  // namespace flakebisect::bisect::simulate
