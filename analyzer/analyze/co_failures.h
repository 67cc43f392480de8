#pragma once

/// Tests that fail in the same runs: one cause is reported once.

#include <vector>

#include "analyzer/analyze/flaky_test.h"

namespace flakebisect::analyzer {

/// Groups flaky tests by the runs they failed in: lists of indices into `tests`, most failures first within a
/// group. Two tests may share a group only where chance, granted all pairs, would let them share so many
/// failing runs in less than one history of a hundred; groups are made by average linkage on Jaccard's
/// similarity (shared failing runs over all failing runs), at 0.5 and above (after Parry et al., 2025).
/// `runs` is the number of runs. Beyond the 1,500 tests with the most failures each is a group of its own.
std::vector<std::vector<std::size_t>> group_co_failures(const std::vector<FlakyTest>& tests,
                                                        std::size_t runs);

}  // namespace flakebisect::analyzer
