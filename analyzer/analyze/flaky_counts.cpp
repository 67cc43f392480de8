#include "analyzer/analyze/flaky_counts.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace flakebisect::analyzer {

namespace {

constexpr std::uint64_t broken_run_tests = 10;
constexpr double broken_run_share = 0.8;
constexpr double sure_of_change = 0.9;
/// A rate from which on, or below which, a stretch of runs counts as broken, or as mended.
constexpr double broken_rate = 0.9;
constexpr std::uint64_t broken_failures = 3;

double median(std::vector<float>& values) {
  if (values.empty()) return -1;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

struct TestCount {
  std::uint64_t passes = 0;
  std::uint64_t failures = 0;
};

/// Counts each test's outcomes in all runs but broken ones; says which those are. One pass over all results:
/// what a broken run has added is taken away again.
std::vector<bool> count_outcomes(const History& history, std::vector<TestCount>& of_test,
                                 FlakyCounts& counts) {
  std::vector<bool> broken(history.runs.size());
  for (std::size_t r = 0; r < history.runs.size(); ++r) {
    std::uint64_t failures = 0;
    std::uint64_t tests = 0;
    for (const auto& process : history.processes_of(history.runs[r])) {
      for (const auto& result : history.results_of(process)) {
        if (!result.counts()) continue;
        ++tests;
        failures += result.failed() ? 1U : 0U;
        ++(result.failed() ? of_test[result.test].failures : of_test[result.test].passes);
      }
    }
    if (tests < broken_run_tests ||
        static_cast<double>(failures) < broken_run_share * static_cast<double>(tests))
      continue;
    broken[r] = true;
    counts.broken.push_back({static_cast<std::uint32_t>(r), failures, tests});
    for (const auto& process : history.processes_of(history.runs[r]))
      for (const auto& result : history.results_of(process))
        if (result.counts())
          --(result.failed() ? of_test[result.test].failures : of_test[result.test].passes);
  }
  return broken;
}

void count_streaks(const History& history, FlakyTest& test) {
  std::uint64_t streak = 0;
  for (const auto& execution : test.executions) {
    const Result& result = history.results[execution.result];
    if (!result.failed()) {
      streak = 0;
      ++test.passes_since;
      continue;
    }
    test.passes_since = 0;
    if (++streak == 1) ++test.streaks;
    test.longest_streak = std::max(test.longest_streak, streak);
    if (test.failed_runs.empty()) test.first_failed = execution.run;
    if (test.failed_runs.empty() || test.failed_runs.back() != execution.run) {
      test.failed_runs.push_back(execution.run);
      test.run_seconds += history.runs[execution.run].wall_seconds;
    }
    test.last_failed = execution.run;
  }
}

void count_signatures(const History& history, FlakyTest& test) {
  std::unordered_map<std::uint32_t, std::size_t> place;
  for (const auto& execution : test.executions) {
    const Result& result = history.results[execution.result];
    if (!result.failed()) continue;
    const auto [entry, added] = place.try_emplace(result.signature, test.signatures.size());
    if (added) test.signatures.push_back({result.signature, 0, 0});
    ++test.signatures[entry->second].count;
    test.signatures[entry->second].last_run = execution.run;
  }
  std::stable_sort(test.signatures.begin(), test.signatures.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
}

/// The change over outcomes[first, end), with indices of the whole; nothing where it is in doubt.
std::optional<stats::ChangePoint> change_in(const std::vector<std::uint8_t>& outcomes, std::size_t first,
                                            std::size_t end, bool rise) {
  auto change = stats::find_change_point(std::span(outcomes).subspan(first, end - first));
  if (change.probability < sure_of_change || change.rises() != rise) return std::nullopt;
  change.at += first;
  change.low += first;
  change.high += first;
  return change;
}

/// When the failures began and when they ended, and from that the runs that the causes are judged by.
void date(const History& history, FlakyTest& test) {
  std::vector<std::uint8_t> outcomes;
  outcomes.reserve(test.executions.size());
  for (const auto& execution : test.executions)
    outcomes.push_back(history.results[execution.result].failed() ? 1 : 0);
  const std::size_t n = outcomes.size();
  test.began = change_in(outcomes, 0, n, true);
  if (test.began) {
    test.ended = change_in(outcomes, test.began->at, n, false);
  } else {
    test.ended = change_in(outcomes, 0, n, false);
    if (test.ended) test.began = change_in(outcomes, 0, test.ended->at, true);
    // Without the passes before it the end is seen more sharply.
    if (test.began)
      if (const auto sharper = change_in(outcomes, test.began->at, n, false)) test.ended = sharper;
  }
  test.regime_first = test.began ? test.began->at : 0;
  test.regime_end = test.ended ? test.ended->at : n;
  const auto failures = [&](std::size_t first, std::size_t end) {
    return static_cast<std::uint64_t>(std::count(outcomes.begin() + static_cast<std::ptrdiff_t>(first),
                                                 outcomes.begin() + static_cast<std::ptrdiff_t>(end), 1));
  };
  const auto inside = failures(test.regime_first, test.regime_end);
  const bool dated = test.began || test.ended;
  if (dated && inside >= broken_failures &&
      static_cast<double>(inside) >= broken_rate * static_cast<double>(test.regime_end - test.regime_first) &&
      static_cast<double>(inside) >= broken_rate * static_cast<double>(test.failures)) {
    test.state = FlakyState::regressed;
  } else if (test.ended && failures(test.regime_end, n) == 0) {
    test.state = FlakyState::fixed;
  }
  if (static_cast<double>(inside) < 0.8 * static_cast<double>(test.failures)) {
    test.regime_first = 0;
    test.regime_end = n;
  }
}

}  // namespace

const char* cause_name(Cause cause) {
  switch (cause) {
    case Cause::alone:
      return "alone";
    case Cause::polluter:
      return "polluter";
    case Cause::polluter_set:
      return "polluter-set";
    case Cause::state_setter:
      return "brittle";
    case Cause::worker:
      return "worker";
    case Cause::amount:
      return "amount";
    case Cause::overlap:
      return "overlap";
    case Cause::time_of_day:
      return "time-of-day";
    case Cause::run_length:
      return "run-length";
    case Cause::time_out:
      return "time-out";
  }
  return "alone";
}

const char* strength_name(Strength strength) {
  switch (strength) {
    case Strength::too_thin:
      return "too thin";
    case Strength::positive:
      return "positive";
    case Strength::strong:
      return "strong";
    case Strength::very_strong:
      return "very strong";
  }
  return "too thin";
}

const char* state_name(FlakyState state) {
  switch (state) {
    case FlakyState::active:
      return "active";
    case FlakyState::fixed:
      return "fixed";
    case FlakyState::regressed:
      return "regressed";
  }
  return "active";
}

FlakyCounts count_flaky(const History& history, const std::function<bool(const std::string&)>& wanted) {
  FlakyCounts counts;
  std::vector<TestCount> of_test(history.tests.size());
  const auto broken = count_outcomes(history, of_test, counts);
  constexpr std::uint32_t not_flaky = ~std::uint32_t{0};
  std::vector<std::uint32_t> place(history.tests.size(), not_flaky);
  for (std::uint32_t t = 0; t < of_test.size(); ++t) {
    const auto& count = of_test[t];
    if (count.passes + count.failures == 0 || !wanted(history.tests[t])) continue;
    ++counts.tests;
    counts.results += count.passes + count.failures;
    if (count.failures == 0) continue;
    if (count.passes == 0) {
      counts.always_failing.push_back(t);
      continue;
    }
    place[t] = static_cast<std::uint32_t>(counts.flaky.size());
    FlakyTest test;
    test.test = t;
    test.runs = count.passes + count.failures;
    test.failures = count.failures;
    test.rate = static_cast<double>(count.failures) / static_cast<double>(test.runs);
    test.interval =
        stats::jeffreys_interval(static_cast<double>(count.failures), static_cast<double>(test.runs));
    test.executions.reserve(test.runs);
    counts.flaky.push_back(std::move(test));
  }
  std::vector<std::vector<float>> seconds(counts.flaky.size());
  counts.run_seconds.resize(history.runs.size());
  for (std::uint32_t r = 0; r < history.runs.size(); ++r) {
    if (broken[r]) continue;
    const auto& run = history.runs[r];
    for (std::size_t p = run.first_process; p < run.first_process + run.process_count; ++p) {
      const auto& process = history.processes[p];
      for (std::size_t i = process.first; i < process.first + process.count; ++i) {
        const Result& result = history.results[i];
        const auto& count = of_test[result.test];
        if (100 * count.failures <= count.passes && result.ending == Ending::pass && result.seconds > 0)
          counts.run_seconds[r] += static_cast<double>(result.seconds);
        if (place[result.test] == not_flaky || !result.counts()) continue;
        auto& test = counts.flaky[place[result.test]];
        test.executions.push_back({r, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(i)});
        test.unfinished += result.ending == Ending::unfinished ? 1U : 0U;
        if (!result.failed() && result.seconds >= 0) seconds[place[result.test]].push_back(result.seconds);
      }
    }
  }
  for (std::size_t i = 0; i < counts.flaky.size(); ++i) {
    auto& test = counts.flaky[i];
    test.median_seconds = median(seconds[i]);
    count_streaks(history, test);
    count_signatures(history, test);
    date(history, test);
  }
  return counts;
}

}  // namespace flakebisect::analyzer
