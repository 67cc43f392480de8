#include "stats/co_occurrence.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "stats/log_math.h"

namespace flakebisect::stats {

namespace {

double log_choose_of(std::size_t n, std::size_t k) {
  return log_choose(static_cast<double>(n), static_cast<double>(k));
}

}  // namespace

double log10_chance_of_overlap(std::size_t runs, std::size_t a, std::size_t b, std::size_t common) {
  const std::size_t most = std::min(a, b);
  if (a > runs || b > runs || common > most) throw std::invalid_argument("these sets of runs cannot be");
  const std::size_t least = a + b > runs ? a + b - runs : 0;
  if (common <= least) return 0;
  const double all = log_choose_of(runs, b);
  double tail = minus_infinity;
  for (std::size_t k = common; k <= most; ++k)
    tail = log_add(tail, log_choose_of(a, k) + log_choose_of(runs - a, b - k) - all);
  return std::min(0.0, tail / std::log(10.0));
}

}  // namespace flakebisect::stats
