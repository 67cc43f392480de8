#pragma once

/// Fisher's exact test of two rates.

#include <cstdint>

namespace flakebisect::stats {

/// The two-sided p of Fisher's exact test (Fisher, Statistical Methods for Research Workers, 1934): the
/// probability, given both margins, of a table at most as likely as the one seen. Time and no memory: linear
/// in the smaller margin. 1 where a margin is 0. Throws std::invalid_argument where there are more failures
/// than runs.
double fisher_exact_two_sided(std::uint64_t failures_a, std::uint64_t runs_a, std::uint64_t failures_b,
                              std::uint64_t runs_b);

}  // namespace flakebisect::stats
