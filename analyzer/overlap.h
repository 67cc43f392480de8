#pragma once

/// Which tests of other workers ran while the victim did, in the stored runs where it failed and in those
/// where it passed: the prior evidence on a concurrent cause. Pure.

#include <string>
#include <unordered_map>
#include <vector>

#include "stats/two_rate_model.h"

namespace flakebisect::analyzer {

/// Seconds on any one clock.
struct Interval {
  double start = 0;
  double end = 0;
};

/// They share at least one moment.
bool overlap(const Interval& a, const Interval& b);

/// A test of another worker in one run.
struct Neighbour {
  std::string id;
  Interval when;
};

/// Counts, over the runs in which the victim gave a result, how often each test of another worker overlapped
/// it.
class OverlapCounts {
 public:
  OverlapCounts();

  /// The run to explain. It is there because the victim failed in it, so it says nothing about rates: a
  /// culprit overlaps the victim there with probability 0.9 (clocks are not exact, and a cause may act after
  /// its end), any other test as often as the tests of that run do.
  void set_explained(const Interval& victim, const std::vector<Neighbour>& neighbours);

  /// Another run. `weight`: at most 1, old runs count for less.
  void add_run(const Interval& victim, bool failed, const std::vector<Neighbour>& neighbours,
               double weight = 1);

  /// Prior weight of a test as a concurrent cause, relative to 1 for one of which nothing is known: the
  /// likelihood ratio of its overlaps, the failure rates with and without an overlap integrated out
  /// (stats::TwoRateModel). Kept between 1/1000 and 1000.
  double weight(const std::string& id);

 private:
  struct Overlaps {
    bool explained = false;
    double failing = 0;
    double passing = 0;
  };
  stats::TwoRateModel model_;
  bool has_explained_ = false;
  double share_ = 0.5;  ///< of the explained run's tests that overlapped the victim
  double failing_ = 0;
  double passing_ = 0;
  bool totals_set_ = false;
  std::unordered_map<std::string, Overlaps> overlaps_;
};

}  // namespace flakebisect::analyzer
