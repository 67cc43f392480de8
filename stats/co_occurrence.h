#pragma once

/// Do two kinds of events happen in the same runs more often than chance has it?

#include <cstddef>

namespace flakebisect::stats {

/// log10 of the probability that two sets of `a` and `b` runs, drawn independently from `runs`, share
/// `common` or more (hypergeometric tail, Fisher's one-sided test). 0 where common is 0. Linear in min(a, b).
/// Throws std::invalid_argument where the counts contradict each other.
double log10_chance_of_overlap(std::size_t runs, std::size_t a, std::size_t b, std::size_t common);

}  // namespace flakebisect::stats
