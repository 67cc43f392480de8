#pragma once

/// Arithmetic on logarithms of probabilities. Natural logarithms throughout; minus infinity is log 0.

#include <math.h>  // lgamma_r, which is POSIX's

#include <cmath>
#include <limits>

namespace flakebisect::stats {

inline constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// log(exp(a) + exp(b)) without overflow; either may be minus infinity.
inline double log_add(double a, double b) {
  const double high = a > b ? a : b;
  const double low = a > b ? b : a;
  if (low == minus_infinity) return high;
  return high + std::log1p(std::exp(low - high));
}

/// log of the gamma function of x > 0. For threads: std::lgamma writes the sign to a variable that all share.
inline double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

/// log of how many ways there are to choose k of n; 0 <= k <= n.
inline double log_choose(double n, double k) {
  return log_gamma(n + 1) - log_gamma(k + 1) - log_gamma(n - k + 1);
}

/// Entropy in nats of an event of probability p; 0 outside (0, 1), so that rounding errors at the ends do no
/// harm.
inline double binary_entropy(double p) {
  if (!(p > 0.0) || !(p < 1.0)) return 0.0;
  return -p * std::log(p) - (1.0 - p) * std::log1p(-p);
}

inline double logit(double p) {
  return std::log(p) - std::log1p(-p);
}

inline double inverse_logit(double u) {
  return u >= 0 ? 1.0 / (1.0 + std::exp(-u)) : std::exp(u) / (1.0 + std::exp(u));
}

/// log(p) and log(1 - p) for p = inverse_logit(u), accurate at both ends.
inline double log_inverse_logit(double u) {
  return -std::log1p(std::exp(-std::abs(u))) + (u < 0 ? u : 0.0);
}

}  // namespace flakebisect::stats
