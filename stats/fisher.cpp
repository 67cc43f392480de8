#include "stats/fisher.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "stats/log_math.h"

namespace flakebisect::stats {

double fisher_exact_two_sided(std::uint64_t failures_a, std::uint64_t runs_a, std::uint64_t failures_b,
                              std::uint64_t runs_b) {
  if (failures_a > runs_a || failures_b > runs_b)
    throw std::invalid_argument("fisher_exact_two_sided: more failures than runs");
  const std::uint64_t failures = failures_a + failures_b;
  const std::uint64_t runs = runs_a + runs_b;
  if (runs_a == 0 || runs_b == 0 || failures == 0 || failures == runs) return 1;
  const auto real = [](std::uint64_t value) { return static_cast<double>(value); };
  const double total = log_choose(real(runs), real(failures));
  const auto log_probability = [&](std::uint64_t in_a) {
    return log_choose(real(runs_a), real(in_a)) + log_choose(real(runs_b), real(failures - in_a)) - total;
  };
  // Tables as likely as the one seen count, so rounding must not decide about them.
  const double limit = log_probability(failures_a) + 1e-7;
  const std::uint64_t least = failures > runs_b ? failures - runs_b : 0;
  const std::uint64_t most = std::min(failures, runs_a);
  double p = 0;
  for (std::uint64_t in_a = least; in_a <= most; ++in_a) {
    const double log_p = log_probability(in_a);
    if (log_p <= limit) p += std::exp(log_p);
  }
  return std::min(p, 1.0);
}

}  // namespace flakebisect::stats
