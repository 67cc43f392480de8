#include "stats/search_cost.h"

#include <algorithm>
#include <cmath>

namespace flakebisect::stats {

double probe_capacity_bits(double rate) {
  const double q = std::clamp(rate, 1e-9, 1.0);
  if (q >= 1) return 1;
  return std::log2(1 + q * std::exp((1 - q) / q * std::log1p(-q)));
}

SearchEstimate estimate_search(double bits, double rate, bool alone, double startup_seconds,
                               double list_seconds, double victim_seconds) {
  const double q = std::clamp(rate, 1e-4, 1.0);
  SearchEstimate estimate;
  const double searching = 2 * std::max(bits, 0.0) / probe_capacity_bits(q);
  const double confirming = (alone ? 3 : 2 * 5) / q;
  estimate.probes = searching + confirming;
  estimate.seconds = estimate.probes * (startup_seconds + victim_seconds) + searching * list_seconds / 2;
  return estimate;
}

}  // namespace flakebisect::stats
