#pragma once

/// More than one polluter: several that are each enough, or two that are needed together.

#include <cstdint>
#include <functional>
#include <vector>

#include "analyzer/analyze/exposure.h"

namespace flakebisect::analyzer {

/// Which of a few tests ran before the flaky one in each execution, as rows of bits.
struct Membership {
  std::vector<std::uint32_t> tests;
  std::vector<std::vector<std::uint64_t>> rows;  ///< by place in `tests`
  std::vector<std::uint64_t> failed;
};

/// The tests whose presence goes along with failures most (two proportions' z), at most 40: members of sets.
std::vector<std::uint32_t> likely_members(const Exposure& exposure);

/// Over the executions [regime_first, regime_end) of the flaky test.
Membership measure_membership(const History& history, const FlakyTest& test,
                              std::vector<std::uint32_t> members);

struct PolluterSet {
  std::vector<std::uint32_t> tests;  ///< ascending
  bool needs_all = false;            ///< else each is enough
  Presence present;                  ///< executions in which it could act
  double score = 0;
};

/// The sets worth weighing, by `score` of their presence: of all pairs needed together the best; of sets of
/// two to four that are each enough the best that grow from the best smaller ones (beam search).
std::vector<PolluterSet> promising_sets(const Membership& membership,
                                        const std::function<double(const Presence&)>& score);

}  // namespace flakebisect::analyzer
