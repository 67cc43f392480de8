#pragma once

/// One search of a bisection: the engine, its probes, what is seen while it goes, and its report.

#include <cstdint>
#include <optional>
#include <vector>

#include "analyzer/bisection.h"
#include "analyzer/exit_status.h"
#include "analyzer/probe_loop.h"
#include "analyzer/report.h"
#include "analyzer/session_store.h"
#include "analyzer/side_by_side.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// What a search came to.
struct SearchEnd {
  Report report;
  bisect::Verdict verdict;
  LoopResult loop;
  std::uint64_t failures = 0;  ///< of the failure to explain, earlier lives included
  int status = exit_inconclusive;
  bool gave_way() const { return loop.end == LoopEnd::gave_way; }
  bool found() const { return status == exit_ok; }
};

/// Runs one search until a verdict, a limit, a signal or the end of its turn (nothing: it has all the time).
/// A search that gave way has no report yet. Throws as run_bisection does.
SearchEnd run_search(Bisection& bisection, const std::optional<Turn>& turn);

/// What is known before the first probe: stored runs, and what probes for other victims saw of this one.
std::vector<StoredObservation> first_evidence(const Bisection& bisection);

/// What of the budget is kept for ending the probes, the forecast and the reports, so that all of it is done
/// by the deadline.
double reserve_seconds(double budget);

}  // namespace flakebisect::analyzer
