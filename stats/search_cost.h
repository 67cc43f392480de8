#pragma once

/// What a search for the cause of a flaky failure costs, roughly and before its first probe.

#include <cstddef>

namespace flakebisect::stats {

/// The most a probe can tell, in bits, about which test makes a victim fail with rate `rate` (a Z-channel's
/// capacity): log2(1 + q (1 - q)^((1 - q) / q)).
double probe_capacity_bits(double rate);

struct SearchEstimate {
  double probes = 0;
  double seconds = 0;
};

/// There are `bits` of doubt among the explanations (log2 of the number of candidates at most); the victim
/// fails with `rate` under the likeliest one. A probe takes `startup_seconds` and the victim's time, and
/// while the search goes on half of `list_seconds` as well. The search is granted twice the bound bits /
/// capacity; the confirmation of a culprit five failures with as many controls, that of 'alone' three
/// failures.
SearchEstimate estimate_search(double bits, double rate, bool alone, double startup_seconds,
                               double list_seconds, double victim_seconds);

}  // namespace flakebisect::stats
