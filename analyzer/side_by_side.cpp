#include "analyzer/side_by_side.h"

#include <algorithm>
#include <cmath>

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

constexpr double first_turn_probes = 30;
constexpr double first_turn_probes_side_by_side = 10;
constexpr double share_of_budget = 0.4;

}  // namespace

Turn turn_of(std::uint64_t number, bool side_by_side, std::optional<double> seconds_left) {
  Turn turn;
  const double first = side_by_side ? first_turn_probes_side_by_side : first_turn_probes;
  turn.probes =
      static_cast<std::uint64_t>(std::ldexp(first, static_cast<int>(std::min<std::uint64_t>(number, 30))));
  if (seconds_left) turn.seconds = share_of_budget * *seconds_left;
  return turn;
}

Kind side_by_side_kind(Kind kind) {
  switch (kind) {
    case Kind::polluter:
    case Kind::polluter_set:
    case Kind::cumulative:
      return Kind::concurrent;
    default:
      return kind;
  }
}

bisect::Verdict side_by_side_verdict(bisect::Verdict verdict) {
  verdict.kind = side_by_side_kind(verdict.kind);
  verdict.alternatives = side_by_side_explanations(std::move(verdict.alternatives));
  return verdict;
}

std::vector<bisect::Explanation> side_by_side_explanations(std::vector<bisect::Explanation> explanations) {
  for (auto& explanation : explanations) explanation.kind = side_by_side_kind(explanation.kind);
  return explanations;
}

TimeLimits side_by_side_limits(const BisectCase& facts, std::optional<double> test_timeout_seconds) {
  const auto& side = *facts.side_by_side;
  BisectCase all = facts;
  all.candidates.insert(all.candidates.end(), side.own.begin(), side.own.end());
  all.longest_seconds.insert(all.longest_seconds.end(), side.own_longest_seconds.begin(),
                             side.own_longest_seconds.end());
  all.startup_seconds += side.own_seconds;
  return time_limits(all, test_timeout_seconds);
}

std::vector<bisect::Observation> own_worker_runs(const std::vector<StoredObservation>& first_session,
                                                 const BisectCase& first) {
  std::vector<bisect::TestIndex> full;
  for (bisect::TestIndex i = 0; i < first.candidates.size(); ++i) {
    if (first.candidate_facts[i].in_failing_run) full.push_back(i);
  }
  std::vector<bisect::Observation> runs;
  for (const auto& stored : first_session) {
    const auto& one = stored.observation;
    const bool usable = one.outcome == bisect::Outcome::pass || one.outcome == bisect::Outcome::fail;
    if (one.source != bisect::Source::probe || !usable || one.ran != full || stored.beside != 0) continue;
    bisect::Observation run;
    run.outcome = one.outcome;
    run.victim_runs = one.victim_runs;
    run.source = bisect::Source::history;
    run.seconds = one.seconds;
    runs.push_back(run);
  }
  return runs;
}

}  // namespace flakebisect::analyzer
