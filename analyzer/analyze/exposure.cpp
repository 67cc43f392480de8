#include "analyzer/analyze/exposure.h"

#include <algorithm>
#include <cmath>

namespace flakebisect::analyzer {

namespace {

constexpr std::int64_t micros_a_day = 86'400'000'000;

/// Says of each test once an execution whether it was met already.
class Seen {
 public:
  explicit Seen(std::size_t tests) : stamp_(tests) {}
  void next() { ++now_; }
  bool first_time(std::uint32_t test) {
    if (stamp_[test] == now_) return false;
    stamp_[test] = now_;
    return true;
  }

 private:
  std::vector<std::uint32_t> stamp_;
  std::uint32_t now_ = 0;
};

/// Visits the results of a process that overlap [start, stop). Results of a process follow one another, so
/// the first of them is found by bisection; where clocks were turned back one or two may be missed.
template <class Visit>
void visit_overlaps(std::span<const Result> results, std::int64_t start, std::int64_t stop, Visit visit) {
  auto at = std::partition_point(results.begin(), results.end(), [&](const Result& result) {
    return !result.has_start() || result.stop_micros() <= start;
  });
  for (; at != results.end(); ++at) {
    if (!at->has_start()) continue;
    if (at->start_micros >= stop) break;
    visit(*at);
  }
}

}  // namespace

Exposure measure_exposure(const History& history, const std::vector<double>& run_seconds,
                          const FlakyTest& test) {
  Exposure exposure;
  exposure.before.resize(history.tests.size());
  Seen seen(history.tests.size());
  for (std::size_t e = test.regime_first; e < test.regime_end; ++e) {
    const auto& execution = test.executions[e];
    const auto& run = history.runs[execution.run];
    const auto& process = history.processes[execution.process];
    const Result& own = history.results[execution.result];
    const bool failed = own.failed();
    exposure.all.add(failed);
    exposure.workers[process.worker].add(failed);

    seen.next();
    seen.first_time(test.test);
    Circumstance circumstance;
    for (std::size_t i = process.first; i < execution.result; ++i) {
      const auto other = history.results[i].test;
      if (history.results[i].ending == Ending::skip || !seen.first_time(other)) continue;
      exposure.before[other].add(failed);
      ++circumstance.tests_before;
    }

    bool concurrent = false;
    if (own.has_start() && run.process_count > 1) {
      seen.next();
      seen.first_time(test.test);
      // As long as it usually takes: a failure that takes longer would meet more, whatever its cause.
      const std::int64_t usual = static_cast<std::int64_t>(std::max(0.0, test.median_seconds) * 1e6);
      const std::int64_t stop = own.start_micros + std::max<std::int64_t>(usual, 1);
      for (const auto& other : history.processes_of(run)) {
        if (other.first == process.first || other.generation != process.generation) continue;
        visit_overlaps(history.results_of(other), own.start_micros, stop, [&](const Result& result) {
          concurrent = true;
          if (exposure.overlap.empty()) exposure.overlap.resize(history.tests.size());
          if (seen.first_time(result.test)) exposure.overlap[result.test].add(failed);
        });
      }
    }
    if (concurrent) exposure.concurrent.add(failed);

    circumstance.failed = failed;
    circumstance.worker = process.worker;
    if (own.has_start()) {
      const auto within = ((own.start_micros % micros_a_day) + micros_a_day) % micros_a_day;
      circumstance.hour = static_cast<double>(within) / 3.6e9;
    }
    circumstance.run_seconds = run_seconds[execution.run];
    circumstance.seconds = own.seconds;
    circumstance.unfinished = own.ending == Ending::unfinished;
    exposure.circumstances.push_back(circumstance);
  }
  return exposure;
}

std::vector<Presence> measure_between(const History& history, const FlakyTest& test, std::uint32_t polluter,
                                      Presence& all) {
  std::vector<Presence> between(history.tests.size());
  Seen seen(history.tests.size());
  for (std::size_t e = test.regime_first; e < test.regime_end; ++e) {
    const auto& execution = test.executions[e];
    const auto& process = history.processes[execution.process];
    std::size_t at = execution.result;
    while (at > process.first && history.results[at - 1].test != polluter) --at;
    if (at == process.first) continue;
    const bool failed = history.results[execution.result].failed();
    all.add(failed);
    seen.next();
    seen.first_time(test.test);
    for (std::size_t i = at; i < execution.result; ++i)
      if (history.results[i].ending != Ending::skip && seen.first_time(history.results[i].test))
        between[history.results[i].test].add(failed);
  }
  return between;
}

}  // namespace flakebisect::analyzer
