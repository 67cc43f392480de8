#pragma once

/// Credible intervals for a failure rate.

namespace flakebisect::stats {

struct Interval {
  double low = 0;
  double high = 1;
};

/// Equal-tailed credible interval of a rate after `failures` in `runs`, with Jeffreys prior Beta(1/2, 1/2)
/// (Brown, Cai, DasGupta 2001). The end that the data cannot bound is 0 or 1: no failure gives low = 0, no
/// pass gives high = 1. Both counts may be fractional; mass in (0, 1).
Interval jeffreys_interval(double failures, double runs, double mass = 0.95);

/// P(rate > bound) after `failures` in `runs`, with Jeffreys prior. Counts may be fractional.
double probability_above(double failures, double runs, double bound);

/// P(rate of arm a > rate of arm b) for independent Jeffreys posteriors; by quadrature, to about 1e-4.
double probability_greater(double failures_a, double runs_a, double failures_b, double runs_b);

}  // namespace flakebisect::stats
