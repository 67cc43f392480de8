#pragma once

/// Concurrency as a cause: where the victim's worker alone does not show the failure, its run is repeated as
/// it happened, all workers side by side, and the other workers' tests are searched for those that matter.
///
/// Two sessions are worked on by turns: the search on one worker, and the one side by side, whose candidates
/// are the other workers' tests. A turn that saw no failure gives way to the other, and the turns grow, so
/// that neither wastes more than a share of the time on the wrong question.

#include <cstdint>
#include <optional>
#include <string_view>

#include "analyzer/bisect_case.h"
#include "analyzer/bisection.h"
#include "analyzer/time_limits.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// How the names of its runners begin, which its observations keep.
constexpr std::string_view side_by_side_mark = "side by side ";

/// What a turn may take while the failure does not come.
struct Turn {
  std::uint64_t probes = 0;  ///< 0: no limit
  double seconds = 0;        ///< 0: no limit
};

/// Turn number `number` (from 0). One worker: 30 probes, then 60, 120, ..., where further runs of the victim
/// in a probe count by the time that they take; side by side: 10 runs of all, then 20, 40, ... With a budget
/// no turn takes more than 0.4 of what is left of it.
Turn turn_of(std::uint64_t number, bool side_by_side, std::optional<double> seconds_left);

/// The engine of a search side by side speaks of tests before the victim; these are its answers in words for
/// tests beside it: polluters and sets of them, and 'the more, the likelier', are concurrent causes.
bisect::Kind side_by_side_kind(bisect::Kind kind);
bisect::Verdict side_by_side_verdict(bisect::Verdict verdict);
std::vector<bisect::Explanation> side_by_side_explanations(std::vector<bisect::Explanation> explanations);

/// Time limits for the tests of all workers.
TimeLimits side_by_side_limits(const BisectCase& facts, std::optional<double> test_timeout_seconds);

/// Runs of the victim's worker with its full list and nothing beside it, as evidence for the search side by
/// side (its list of candidates empty).
std::vector<bisect::Observation> own_worker_runs(const std::vector<StoredObservation>& first_session,
                                                 const BisectCase& first);

}  // namespace flakebisect::analyzer
