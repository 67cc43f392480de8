#include "analyzer/bisection.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <utility>

#include "analyzer/ci_log.h"
#include "analyzer/exit_status.h"
#include "analyzer/report_json.h"
#include "analyzer/report_writer.h"
#include "analyzer/search.h"
#include "analyzer/session_file.h"
#include "analyzer/side_by_side.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

namespace {

using bisect::Kind;
using bisect::Source;

std::string state_of(int status) {
  switch (status) {
    case exit_ok:
      return "done";
    case exit_not_reproduced:
      return "not-reproduced";
    case exit_inconclusive:
      return "inconclusive";
    default:
      return "interrupted";
  }
}

/// Ends the sessions and writes the reports. `other`: the session of the search by turns with this one.
int conclude(Bisection& bisection, SearchEnd& end, std::optional<std::int64_t> other) {
  const auto& options = bisection.options;
  std::optional<SessionError> not_kept;
  try {
    const auto json = render_json(end.report);
    // The other's question is answered, or as open as this one's.
    if (other) bisection.store->finish(*other, state_of(end.status), json);
    bisection.store->finish(bisection.session, state_of(end.status), json);
  } catch (const SessionError& error) {
    not_kept = error;  // a full disk for the session is no reason to keep the answer from the user
  }
  std::optional<std::string> html_file;
  for (const auto& request : options.reports) {
    if (request.format == "html") html_file = request.file;
  }
  append_job_summary(end.report, html_file);
  write_reports(end.report, options.reports, options.common, options.stdout_taken);
  if (not_kept) throw *not_kept;
  if (end.report.verdict.exhausted)
    std::fprintf(stderr, "there is nothing more to try: begin a new search once something has changed\n");
  else if (end.status != exit_ok)
    std::fprintf(stderr, "to go on: %s\n",
                 resume_command(bisection.store->path(), std::to_string(bisection.session)).c_str());
  return end.status;
}

/// The search on one worker and the search side by side, by turns.
class Turns {
 public:
  explicit Turns(Bisection& first) : first_(first), most_probes_(first.options.max_probes) {}

  int run() {
    bool alone = !first_.begin_side_by_side;
    for (std::uint64_t number = 0;; alone = !alone) {
      if (!alone && !beside_) beside_ = first_.beside(first_);
      if (!alone && !beside_) {
        // No test of another worker is there any more.
        one_worker_only_ = true;
        continue;
      }
      Bisection& now = alone ? first_ : *beside_;
      take_up(now);
      auto end = run_search(
          now, one_worker_only_ ? std::nullopt : std::optional(turn_of(number, !alone, seconds_left())));
      made_ += end.loop.status.probes;
      auto& cost = alone ? first_cost_ : beside_cost_;
      spent(cost, end);
      if (!alone) ++number;
      if (end.gave_way()) continue;
      if (!alone && end.found() && end.verdict.kind == Kind::self) {
        // No other worker is needed: the search on one worker knows now that it fails there.
        give_own_runs();
        one_worker_only_ = true;
        continue;
      }
      say_what_the_other_saw(end, alone);
      count_cost(end.report);
      return conclude(now, end, other_of(now));
    }
  }

 private:
  std::optional<double> seconds_left() const {
    const auto& budget = first_.options.budget_seconds;
    if (!budget) return std::nullopt;
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - first_.began;
    return std::max(0.1, *budget - gone.count() - reserve_seconds(*budget));
  }

  std::optional<std::int64_t> other_of(const Bisection& bisection) const {
    if (&bisection != &first_) return first_.session;
    return beside_ ? std::optional(beside_->session) : std::nullopt;
  }

  void take_up(Bisection& bisection) const {
    bisection.earlier = bisection.store->observations(bisection.session);
    if (most_probes_ != 0) bisection.probes_left = most_probes_ - std::min(most_probes_, made_);
  }

  static void spent(ReportCost& cost, const SearchEnd& end) {
    cost.probes += end.loop.status.probes;
    cost.void_probes += end.loop.status.voids;
    cost.wall_seconds += end.loop.status.elapsed_seconds;
    cost.test_seconds += end.loop.status.elapsed_seconds;
  }

  /// The cost of both searches, each probe counted once, with the time of all turns of this life.
  void count_cost(Report& report) const {
    report.cost.wall_seconds = first_cost_.wall_seconds + beside_cost_.wall_seconds;
    if (!beside_) return;
    report.cost.probes = report.cost.void_probes = report.cost.repeats = 0;
    report.cost.test_seconds = 0;
    for (const auto* search : {&first_, beside_.get()}) {
      for (const auto& stored : search->store->observations(search->session)) {
        const bool given = search == &first_ && stored.runner.starts_with(side_by_side_mark);
        if (stored.observation.source != Source::probe || given) continue;
        ++report.cost.probes;
        if (stored.observation.outcome == bisect::Outcome::void_probe) ++report.cost.void_probes;
        report.cost.test_seconds += stored.observation.seconds;
        report.cost.repeats += stored.observation.victim_runs - 1;
      }
    }
  }

  /// What the search side by side saw of the victim's worker alone becomes evidence of the other one. A run
  /// that an earlier life gave is known by its runner and its time, and is not given again.
  void give_own_runs() {
    std::vector<bisect::TestIndex> full;
    for (bisect::TestIndex i = 0; i < first_.facts.candidates.size(); ++i) {
      if (first_.facts.candidate_facts[i].in_failing_run) full.push_back(i);
    }
    std::set<std::pair<std::string, double>> there;
    for (const auto& stored : first_.store->observations(first_.session))
      there.emplace(stored.runner, stored.made_at);
    std::vector<StoredObservation> given;
    for (auto& stored : beside_->store->observations(beside_->session)) {
      auto& one = stored.observation;
      if (one.source != Source::probe || !one.ran.empty()) continue;
      if (there.count({stored.runner, stored.made_at}) != 0) continue;
      one.ran = full;
      one.purpose = bisect::Purpose::search;
      one.process = 0;
      stored.asked = full;
      given.push_back(std::move(stored));
    }
    first_.store->add(first_.session, given);
  }

  void say_what_the_other_saw(SearchEnd& end, bool alone) const {
    auto& remarks = end.report.verdict.remarks;
    if (!alone && first_cost_.probes != 0)
      remarks.push_back(fmt::format("the victim's worker alone did not show the failure in {} run{}",
                                    first_cost_.probes, first_cost_.probes == 1 ? "" : "s"));
    if (alone && beside_cost_.probes != 0 && !one_worker_only_)
      remarks.push_back(fmt::format("beside the other workers it did not fail either, in {} run{}",
                                    beside_cost_.probes, beside_cost_.probes == 1 ? "" : "s"));
    if (one_worker_only_ && beside_)
      remarks.emplace_back(
          "it fails on its own worker with nothing beside it: no other worker is needed; but that was first "
          "seen "
          "after other workers had been run, so look at what they leave behind as well (lock files, rows, "
          "servers)");
  }

  Bisection& first_;
  std::unique_ptr<Bisection> beside_;
  bool one_worker_only_ = false;
  std::uint64_t most_probes_ = 0;
  std::uint64_t made_ = 0;
  ReportCost first_cost_;
  ReportCost beside_cost_;
};

}  // namespace

int run_bisection(Bisection& bisection) {
  if (bisection.beside) return Turns(bisection).run();
  auto end = run_search(bisection, std::nullopt);
  return conclude(bisection, end, std::nullopt);
}

}  // namespace flakebisect::analyzer
