#include "analyzer/other_workers.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "analyzer/failure_match.h"
#include "analyzer/overlap.h"
#include "analyzer/pattern.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

using repo_reader::ExecutedTest;
using repo_reader::InputError;
using repo_reader::Repository;
using repo_reader::RunId;
using repo_reader::Status;
using repo_reader::TestRun;
using repo_reader::WorkerRun;

namespace {

/// Stored runs looked at for overlaps, the nearest ones; and how fast they lose weight.
constexpr std::size_t most_runs = 100;
constexpr double half_life_runs = 50;
/// What --suspect multiplies a prior weight by.
constexpr double suspect_factor = 20;

/// Where the victim ran in a run.
struct Place {
  const WorkerRun* worker = nullptr;
  std::size_t index = 0;
  const ExecutedTest& test() const { return worker->tests[index]; }
};

/// The execution that is explained: on that worker, the first failed one; else any one that failed; else any.
std::optional<Place> place_of(const TestRun& run, const std::string& victim, const std::string& worker) {
  std::optional<Place> best;
  int best_rank = -1;
  for (const auto& one : run.workers) {
    for (std::size_t i = 0; i < one.tests.size(); ++i) {
      if (one.tests[i].id != victim) continue;
      const int rank = (one.tests[i].failed() ? 2 : 0) + (one.tag == worker ? 1 : 0);
      if (rank <= best_rank) continue;
      best_rank = rank;
      best = Place{&one, i};
    }
  }
  return best;
}

std::optional<Interval> interval_of(const ExecutedTest& test) {
  if (!test.start) return std::nullopt;
  const double start = test.start->seconds();
  if (test.seconds) return Interval{start, start + *test.seconds};
  return Interval{start, test.stop ? std::max(start, test.stop->seconds()) : start};
}

std::vector<Neighbour> neighbours(const TestRun& run, const std::string& own_tag) {
  std::vector<Neighbour> tests;
  for (const auto& worker : run.workers) {
    if (worker.tag == own_tag) continue;
    for (const auto& test : worker.tests) {
      if (const auto when = interval_of(test); when && test.runnable) tests.push_back({test.id, *when});
    }
  }
  return tests;
}

/// Whether the victim failed in this run in the way to explain; nothing where the run says nothing on it.
class Judge {
 public:
  Judge(const BisectCase& facts, const BisectOptions& options) : match_(facts, options.match) {}

  std::optional<bool> failed(const Repository& repository, RunId id, const ExecutedTest& test) const {
    if (test.status == Status::success || test.status == Status::xfail) return false;
    if (test.status != Status::fail || test.unfinished) return std::nullopt;
    const auto traceback = repo_reader::failure_text(repository.read_details(id, test));
    const bool same = match_.same(traceback, match_.signature(traceback)).value_or(false);
    return same ? std::optional(true) : std::nullopt;
  }

 private:
  FailureMatch match_;
};

void count_history(OverlapCounts& counts, const Repository& repository, RunId explained,
                   const BisectCase& facts, const BisectOptions& options) {
  const Judge judge(facts, options);
  const auto distance = [&](RunId id) {
    return id > explained ? static_cast<double>(id - explained) : static_cast<double>(explained - id);
  };
  auto ids = repository.run_ids();
  std::erase(ids, explained);
  std::sort(ids.begin(), ids.end(), [&](RunId a, RunId b) { return distance(a) < distance(b); });
  if (ids.size() > most_runs) ids.resize(most_runs);
  for (const RunId id : ids) {
    try {
      const auto run = repository.read_run(id);
      const auto place = place_of(run, facts.victim, facts.worker);
      if (!place) continue;
      const auto when = interval_of(place->test());
      const auto failed = judge.failed(repository, id, place->test());
      if (!when || !failed) continue;
      counts.add_run(*when, *failed, neighbours(run, place->worker->tag),
                     std::exp2(-distance(id) / half_life_runs));
    } catch (const InputError&) {
      continue;  // removed or replaced meanwhile, or damaged: the other runs still count
    }
  }
}

/// A candidate before its index is known.
struct Found {
  bisect::BesideTest test;
  double longest_seconds = 0;
};

std::vector<Found> find_others(const TestRun& run, const Place& victim,
                               const std::optional<std::vector<std::string>>& discovered,
                               std::vector<std::string>& workers) {
  std::unordered_set<std::string> known;
  if (discovered) known.insert(discovered->begin(), discovered->end());
  const auto own = interval_of(victim.test());
  std::vector<Found> found;
  std::unordered_set<std::string> seen = {victim.test().id};
  for (const auto& worker : run.workers) {
    if (worker.tag == victim.worker->tag) continue;
    const auto number = std::find(workers.begin(), workers.end(), worker.tag) - workers.begin();
    bool used = false;
    for (const auto& test : worker.tests) {
      if (!test.runnable || (discovered && known.count(test.id) == 0)) continue;
      const auto when = interval_of(test);
      if (own && when && when->start > own->end) continue;  // a cause does not come after its effect
      if (!seen.insert(test.id).second) continue;
      used = true;
      Found one;
      one.test = {test.id, static_cast<std::uint32_t>(number), test.seconds.value_or(0), std::nullopt};
      if (own && when) one.test.lead_seconds = when->start - own->start;
      one.longest_seconds = one.test.seconds;
      found.push_back(std::move(one));
    }
    if (used && static_cast<std::size_t>(number) == workers.size()) workers.push_back(worker.tag);
  }
  // The order of starts, where all of them are known; a worker's own order stays as it is.
  if (std::all_of(found.begin(), found.end(),
                  [](const Found& one) { return one.test.lead_seconds.has_value(); })) {
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
      return *a.test.lead_seconds < *b.test.lead_seconds;
    });
  }
  return found;
}

}  // namespace

std::optional<BisectCase> side_by_side_case(const Repository& repository, const BisectCase& first,
                                            std::int64_t first_session, const BisectOptions& options,
                                            const std::optional<std::vector<std::string>>& discovered) {
  const RunId id = repository.resolve(first.run_id);
  const auto run = repository.read_run(id);
  const auto victim = place_of(run, first.victim, first.worker);
  if (!victim) return std::nullopt;
  BisectCase result = first;
  result.candidates.clear();
  result.candidate_facts.clear();
  result.longest_seconds.clear();
  result.history.clear();
  result.warnings.clear();
  result.most_victim_runs = 1;
  auto& side = result.side_by_side.emplace();
  side.first_session = first_session;
  for (std::size_t i = 0; i < first.candidates.size(); ++i) {
    if (!first.candidate_facts[i].in_failing_run) continue;
    side.own.push_back(first.candidates[i]);
    side.own_longest_seconds.push_back(i < first.longest_seconds.size() ? first.longest_seconds[i] : 0);
    side.own_seconds += first.candidate_facts[i].seconds;
  }

  OverlapCounts counts;
  if (const auto when = interval_of(victim->test())) {
    counts.set_explained(*when, neighbours(run, victim->worker->tag));
    if (!options.no_history) count_history(counts, repository, id, first, options);
  }
  std::vector<Pattern> suspects(options.suspects.begin(), options.suspects.end());
  for (auto& found : find_others(run, *victim, discovered, side.workers)) {
    const auto& name = found.test.id;
    const bool suspected = std::any_of(suspects.begin(), suspects.end(),
                                       [&](const Pattern& suspect) { return suspect.found_in(name); });
    result.candidates.push_back(name);
    result.candidate_facts.push_back(
        {found.test.seconds, true, counts.weight(name) * (suspected ? suspect_factor : 1)});
    result.longest_seconds.push_back(found.longest_seconds);
    side.others.push_back(std::move(found.test));
  }
  if (result.candidates.empty()) return std::nullopt;
  return result;
}

}  // namespace flakebisect::analyzer
