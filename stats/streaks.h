#pragma once

/// Do failures cluster in time?

#include <cstdint>
#include <span>

namespace flakebisect::stats {

/// How much each outcome of a sequence counts, in (0, 1]. The sequence is cut into blocks of 2, 4, 8, ...
/// outcomes (eight blocks at least). Were outcomes independent, the number of failures of a block would have
/// the variance of a binomial distribution; the ratio to that (the Fano factor of over-dispersion) says how
/// many outcomes are worth one. The weight is one over the largest ratio among those that exceed 1 by two of
/// their standard deviations, sqrt(2 / (blocks - 1)); 1 where there is none. Runs of a bad hour are hardly
/// more evidence than one of them.
double streak_weight(std::span<const std::uint8_t> failed);

}  // namespace flakebisect::stats
