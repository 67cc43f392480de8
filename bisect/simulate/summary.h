#pragma once

/// What many results amount to: counts, means, ratios and their intervals.

#include <cstdint>
#include <vector>

#include "bisect/simulate/campaign.h"

namespace flakebisect::bisect::simulate {

struct Interval {
  double low = 0;
  double high = 0;
};

/// One policy on one batch.
struct Tally {
  std::uint64_t cases = 0;
  std::uint64_t right = 0;
  std::uint64_t wrong = 0;
  std::uint64_t abstained = 0;
  std::uint64_t accused = 0;  ///< answers that accuse a test
  std::uint64_t errors = 0;   ///< cases in which the policy threw
  double mean_probes = 0;
  double mean_search_probes = 0;
  double mean_seconds = 0;
  double median_seconds = 0;
  double mean_wall_seconds = 0;

  std::uint64_t given() const { return right + wrong; }
  /// Share of the verdicts given that are wrong; 0 where none was given.
  double wrong_share() const;
};

Tally tally(const std::vector<CaseResult>& results);

/// Share of cases that abstain or cost more than `times` the mean: what a budget of that much would leave
/// without a verdict (the search does not depend on its budget, so one run tells both).
double unanswered_within(const std::vector<CaseResult>& results, double times);

/// 95 % Wilson interval of a share; [0, 1] of nothing.
Interval wilson(std::uint64_t hits, std::uint64_t total);

struct Ratio {
  double value = 0;   ///< mean of `ours` divided by mean of `theirs`
  Interval interval;  ///< 95 %, percentile bootstrap over the pairs (1,000 resamples)
};

/// Ratio of the mean costs over paired cases (equal length). Deterministic.
Ratio cost_ratio(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs);
/// The same of the wall-clock times, and of the numbers of probes.
Ratio wall_ratio(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs);
Ratio probes_ratio(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs);

/// Every choice time of all results, ascending, in seconds.
std::vector<double> choice_times(const std::vector<CaseResult>& results);
/// The p-quantile of ascending numbers; 0 of none.
double quantile(const std::vector<double>& ascending, double p);

}  // namespace flakebisect::bisect::simulate
