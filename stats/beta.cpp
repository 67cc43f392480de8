#include "stats/beta.h"

#include <boost/math/special_functions/beta.hpp>
#include <cmath>

namespace flakebisect::stats {

namespace {

/// In double precision throughout: long double would add no digit that is shown.
using Doubles = boost::math::policies::policy<boost::math::policies::promote_double<false>>;

double ibeta_inv(double a, double b, double p) {
  return boost::math::ibeta_inv(a, b, p, Doubles{});
}

}  // namespace

Interval jeffreys_interval(double failures, double runs, double mass) {
  const double a = failures + 0.5;
  const double b = runs - failures + 0.5;
  const double tail = (1.0 - mass) / 2.0;
  Interval interval;
  if (failures > 0) interval.low = ibeta_inv(a, b, tail);
  if (failures < runs) interval.high = boost::math::ibetac_inv(a, b, tail, Doubles{});
  return interval;
}

double probability_above(double failures, double runs, double bound) {
  return boost::math::ibetac(failures + 0.5, runs - failures + 0.5, bound, Doubles{});
}

double probability_greater(double failures_a, double runs_a, double failures_b, double runs_b) {
  const double a = failures_a + 0.5;
  const double b = runs_a - failures_a + 0.5;
  // Quantiles of arm a at the midpoints of equal slices of probability: a quadrature that needs no density.
  constexpr int slices = 200;
  double sum = 0;
  for (int i = 0; i < slices; ++i) {
    const double rate = ibeta_inv(a, b, (i + 0.5) / slices);
    sum += boost::math::ibeta(failures_b + 0.5, runs_b - failures_b + 0.5, rate, Doubles{});
  }
  return sum / slices;
}

}  // namespace flakebisect::stats
