#pragma once

/// The analysis of a repository: everything that the report says, before any of it is written.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/analyze/flaky_counts.h"
#include "analyzer/analyze/index_update.h"
#include "analyzer/analyze/interference.h"

namespace flakebisect::analyzer {

/// Flaky tests that fail in the same runs; tests[0] failed most and stands for the others.
struct FlakyGroup {
  std::vector<std::size_t> tests;  ///< indices into Analysis::tests
  std::uint64_t failed_runs = 0;   ///< in which any of them failed
  double run_seconds = 0;          ///< wall-clock seconds of those runs: what the group has cost
};

struct Analysis {
  std::string repository;  ///< path as the user named it
  IndexedHistory indexed;
  FlakyCounts counts;  ///< its `flaky` has moved to `tests`
  std::vector<FlakyTest> tests;
  std::vector<FlakyGroup> groups;  ///< most actionable first
  std::size_t shown = 0;           ///< groups[0, shown) were judged
  Interference graph;
  std::vector<std::string> warnings;

  const History& history() const { return indexed.history; }
  const std::string& name(std::uint32_t test) const { return history().tests[test]; }
  const std::string& name(const FlakyTest& test) const { return name(test.test); }
};

struct AnalysisRequest {
  std::function<bool(const std::string&)> wanted;  ///< tests to report, by their ids
  std::size_t top = 10;                            ///< groups to judge; 0: all
  std::string command_prefix;  ///< "flakebisect" with the options that name the repository
  SessionFindings sessions;    ///< what bisections have found
};

/// Finds, groups, orders and judges the flaky tests; in threads.
Analysis analyze_history(std::string repository, IndexedHistory indexed, const AnalysisRequest& request);

}  // namespace flakebisect::analyzer
