#pragma once

/// Whether runs that share a process agree more with each other than with the runs of other processes.

#include <cstdint>
#include <vector>

namespace flakebisect::stats {

/// Failures among the runs that one process made.
struct ProcessRuns {
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;  ///< at most `runs`
};

struct ProcessSpread {
  double probability = 0;  ///< posterior that each process has a rate of its own; prior_probability where
                           ///< nothing can be said
  double correlation = 0;  ///< posterior mean of the intra-process correlation, given that there is one
};

/// Compares two models of the runs of one arm: one rate for all of them (Beta(1/2, 1/2), exactly), and a rate
/// for each process drawn from a Beta of mean m and intra-process correlation c, so that a process's failures
/// are beta-binomial with a = m (1 - c) / c, b = (1 - m) (1 - c) / c (Griffiths 1973). m and c are integrated
/// out on a grid: m over the same Jeffreys prior, c uniform over (0, 1). Processes of one run weigh nothing
/// for either side but for the mean. Throws std::invalid_argument where failures exceed runs or the prior
/// lies outside of (0, 1).
ProcessSpread process_spread(const std::vector<ProcessRuns>& processes, double prior_probability = 0.1);

}  // namespace flakebisect::stats
