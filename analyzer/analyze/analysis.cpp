#include "analyzer/analyze/analysis.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <set>
#include <thread>

#include "analyzer/analyze/causes.h"
#include "analyzer/analyze/co_failures.h"
#include "analyzer/analyze/suggestion.h"

namespace flakebisect::analyzer {

namespace {

/// Suspicions from stored runs that enter the graph.
constexpr double least_edge_probability = 0.3;

/// Runs work(i) for every i below `count`, on all processors.
template <class Work>
void for_each_in_threads(std::size_t count, Work work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::atomic<bool> failed = false;
  const auto loop = [&] {
    try {
      for (std::size_t i = next++; i < count && !failed; i = next++) work(i);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  const std::size_t extra =
      std::min<std::size_t>(count, std::max(1U, std::thread::hardware_concurrency())) - (count == 0 ? 0 : 1);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < extra; ++i) threads.emplace_back(loop);
  loop();
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

FlakyGroup make_group(const Analysis& analysis, std::vector<std::size_t> members) {
  FlakyGroup group;
  std::set<std::uint32_t> runs;
  for (const auto member : members)
    runs.insert(analysis.tests[member].failed_runs.begin(), analysis.tests[member].failed_runs.end());
  group.failed_runs = runs.size();
  for (const auto run : runs) group.run_seconds += analysis.history().runs[run].wall_seconds;
  // Those still active first: they stand for the group.
  std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
    const auto& left = analysis.tests[a];
    const auto& right = analysis.tests[b];
    if (left.state != right.state) return left.state < right.state;
    return left.failures > right.failures;
  });
  group.tests = std::move(members);
  return group;
}

/// What fails now before what was broken and what is mended; within these by what it has cost.
void order_groups(Analysis& analysis) {
  const auto rank = [&](const FlakyGroup& group) {
    switch (analysis.tests[group.tests.front()].state) {
      case FlakyState::active:
        return 0;
      case FlakyState::regressed:
        return 1;
      case FlakyState::fixed:
        return 2;
    }
    return 0;
  };
  std::stable_sort(analysis.groups.begin(), analysis.groups.end(),
                   [&](const FlakyGroup& a, const FlakyGroup& b) {
                     if (rank(a) != rank(b)) return rank(a) < rank(b);
                     if (a.run_seconds != b.run_seconds) return a.run_seconds > b.run_seconds;
                     return a.failed_runs > b.failed_runs;
                   });
}

void add_suspicions(const Analysis& analysis, const FlakyTest& test,
                    std::vector<KnownInterference>& findings) {
  const auto& victim = analysis.name(test);
  for (const auto& cause : test.causes) {
    InterferenceKind kind;
    switch (cause.cause) {
      case Cause::polluter:
      case Cause::polluter_set:
        kind = InterferenceKind::pollutes;
        break;
      case Cause::state_setter:
        kind = InterferenceKind::sets_up;
        break;
      case Cause::overlap:
        kind = InterferenceKind::overlaps;
        break;
      default:
        continue;
    }
    for (const auto& suspect : cause.suspects)
      if (suspect.probability >= least_edge_probability)
        for (const auto suspected : suspect.tests)
          findings.push_back({analysis.name(suspected), victim, kind, suspect.probability, false});
  }
  for (const auto& cleaner : test.cleaners)
    findings.push_back(
        {analysis.name(cleaner.test), victim, InterferenceKind::cleans, cleaner.probability, false});
}

}  // namespace

Analysis analyze_history(std::string repository, IndexedHistory indexed, const AnalysisRequest& request) {
  Analysis analysis;
  analysis.repository = std::move(repository);
  analysis.indexed = std::move(indexed);
  analysis.warnings = analysis.indexed.warnings;
  analysis.counts = count_flaky(analysis.history(), request.wanted);
  analysis.tests = std::move(analysis.counts.flaky);
  for (auto& members : group_co_failures(analysis.tests, analysis.history().runs.size()))
    analysis.groups.push_back(make_group(analysis, std::move(members)));
  order_groups(analysis);
  analysis.shown = request.top == 0 ? analysis.groups.size() : std::min(request.top, analysis.groups.size());

  std::vector<std::size_t> judged;
  for (std::size_t g = 0; g < analysis.shown; ++g) judged.push_back(analysis.groups[g].tests.front());
  for_each_in_threads(judged.size(), [&](std::size_t i) {
    auto& test = analysis.tests[judged[i]];
    judge_causes(analysis.history(), analysis.counts.run_seconds, test);
    const bool over =
        test.state == FlakyState::fixed || (test.state == FlakyState::regressed && test.passes_since > 0);
    for (const auto& verdict : request.sessions.verdicts)
      if (verdict.victim == analysis.name(test)) test.bisection = verdict;
    if (!over && !test.bisection)
      test.suggestion = suggest_bisection(analysis.history(), test, request.command_prefix);
  });

  std::vector<KnownInterference> findings = request.sessions.interference;
  for (const auto i : judged) add_suspicions(analysis, analysis.tests[i], findings);
  std::vector<std::string> flaky;
  for (const auto& test : analysis.tests) flaky.push_back(analysis.name(test));
  analysis.graph = make_interference(findings, flaky);
  return analysis;
}

}  // namespace flakebisect::analyzer
