#include "bisect/simulate/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace flakebisect::bisect::simulate {
namespace {

constexpr std::uint64_t golden_gamma = 0x9E3779B97F4A7C15ULL;

std::uint64_t scramble(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return scramble(scramble(a + golden_gamma) + golden_gamma * (b + 1));
}

std::uint64_t mix(std::uint64_t a, std::string_view name) {
  std::uint64_t hash = mix(a, name.size());
  for (const char c : name) {
    hash = mix(hash, static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  }
  return hash;
}

double unit_interval(std::uint64_t word) {
  return static_cast<double>(word >> 11) * 0x1.0p-53;
}

std::uint64_t Random::next() {
  state_ += golden_gamma;
  return scramble(state_);
}

double Random::log_uniform(double low, double high) {
  return low >= high ? low : std::exp(uniform(std::log(low), std::log(high)));
}

std::uint64_t Random::below(std::uint64_t count) {
  // The bias of scaling 53 bits is below 1e-9 for every count that a case uses.
  return std::min(static_cast<std::uint64_t>(uniform() * static_cast<double>(count)), count - 1);
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

double Random::gamma(double shape) {
  if (shape < 1) {
    const double boost = std::pow(1 - uniform(), 1 / shape);
    return gamma(shape + 1) * boost;
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal();
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return d * v;
    }
  }
}

double Random::beta_around(double mean, double correlation) {
  if (mean <= 0 || mean >= 1 || correlation <= 0) {
    return mean;
  }
  const double strength = (1 - correlation) / correlation;
  const double x = gamma(mean * strength);
  const double y = gamma((1 - mean) * strength);
  return x + y > 0 ? x / (x + y) : mean;
}

std::vector<std::uint32_t> Random::choose(std::uint32_t total, std::uint32_t count) {
  std::vector<std::uint32_t> all(total);
  std::iota(all.begin(), all.end(), 0U);
  count = std::min(count, total);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::swap(all[i], all[i + below(total - i)]);
  }
  all.resize(count);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace flakebisect::bisect::simulate
