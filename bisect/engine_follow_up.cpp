#include "bisect/engine_follow_up.h"

#include <algorithm>
#include <cmath>

#include "bisect/engine_state.h"

namespace flakebisect::bisect {

namespace {

/// Other polluters are looked for down to this share of the known one's rate.
constexpr double least_share = 0.5;

bool contains_test(const std::vector<TestIndex>& tests, TestIndex test) {
  return std::find(tests.begin(), tests.end(), test) != tests.end();
}

}  // namespace

std::uint64_t passes_until_sure(double rate, double confidence) {
  const double bounded = std::clamp(rate, 0.001, 0.999);
  return static_cast<std::uint64_t>(std::max(1.0, std::ceil(std::log1p(-confidence) / std::log1p(-bounded))));
}

CleanerSearch::CleanerSearch(const Problem& problem, const Verdict& verdict, double confidence)
    : polluters_(verdict.tests), passes_needed_(passes_until_sure(verdict.reproduce_rate, confidence)) {
  if (polluters_.empty()) return;
  std::vector<TestIndex> behind;
  for (TestIndex test = polluters_.back() + 1; test < problem.candidates.size(); ++test)
    behind.push_back(test);
  if (!behind.empty()) groups_.push_back(std::move(behind));
}

std::vector<TestIndex> CleanerSearch::list() const {
  std::vector<TestIndex> tests = polluters_;
  tests.insert(tests.end(), groups_.back().begin(), groups_.back().end());
  return tests;
}

std::optional<std::vector<TestIndex>> CleanerSearch::next(std::uint64_t running) const {
  if (done() || passes_ + running >= passes_needed_) return std::nullopt;
  return list();
}

void CleanerSearch::observe(const std::vector<TestIndex>& ran, bool failed) {
  if (done() || ran != list()) return;
  if (!failed && ++passes_ < passes_needed_) return;
  const std::vector<TestIndex> group = std::move(groups_.back());
  groups_.pop_back();
  passes_ = 0;
  if (failed) return;
  if (group.size() == 1) {
    found_.insert(std::lower_bound(found_.begin(), found_.end(), group.front()), group.front());
    return;
  }
  const auto middle = group.begin() + static_cast<std::ptrdiff_t>(group.size() / 2);
  groups_.emplace_back(group.begin(), middle);
  groups_.emplace_back(middle, group.end());
}

FurtherSearch::FurtherSearch(const Problem& problem, const EngineOptions& options, const Verdict& verdict,
                             std::uint64_t probes_so_far)
    : options_(options),
      passes_needed_(passes_until_sure(least_share * verdict.reproduce_rate, options.confidence)) {
  problem_.victim_seconds = problem.victim_seconds;
  problem_.startup_seconds = problem.startup_seconds;
  problem_.most_victim_runs = problem.most_victim_runs;
  for (TestIndex test = 0; test < problem.candidates.size(); ++test) {
    if (contains_test(verdict.tests, test)) {
      inner_of_.push_back(-1);
      continue;
    }
    inner_of_.push_back(static_cast<std::int64_t>(outer_of_.size()));
    outer_of_.push_back(test);
    problem_.candidates.push_back(problem.candidates[test]);
    if (problem.candidates[test].in_failing_run) rest_.push_back(test);
  }
  options_.find_cleaners = false;
  options_.seed = options.seed + 1;
  // A search that finds nothing ends by this.
  options_.max_probes = std::max<std::uint64_t>(200, 4 * probes_so_far);
}

bool FurtherSearch::concerns(const std::vector<TestIndex>& ran) const {
  return std::none_of(ran.begin(), ran.end(), [&](TestIndex test) { return inner_of_[test] < 0; });
}

std::vector<TestIndex> FurtherSearch::outer(const std::vector<TestIndex>& tests) const {
  std::vector<TestIndex> result;
  for (const TestIndex test : tests) result.push_back(outer_of_[test]);
  return result;
}

Observation FurtherSearch::inner(const Observation& observation) const {
  Observation result = observation;
  result.asked.reset();
  for (TestIndex& test : result.ran) test = static_cast<TestIndex>(inner_of_[test]);
  const auto known = inner_ids_.find(observation.probe_id);
  // In a resumed session the probes were issued before this object was made, one after the other as a rule.
  result.probe_id = known == inner_ids_.end() ? told_ + 1 : known->second;
  return result;
}

bool FurtherSearch::done() const {
  if (!engine_) return rest_.empty() || passes_ >= passes_needed_;
  return given_up_ || engine_->done();
}

std::optional<Probe> FurtherSearch::next(std::uint64_t probe_id, std::uint64_t running) {
  if (done()) return std::nullopt;
  if (!engine_) {
    if (passes_ + running >= passes_needed_) return std::nullopt;
    Probe probe;
    probe.subset = rest_;
    return probe;
  }
  std::optional<Probe> probe = engine_->next_probe();
  if (!probe) {
    given_up_ = !engine_->waiting() && !engine_->done();
    return std::nullopt;
  }
  inner_ids_[probe_id] = probe->id;
  probe->subset = outer(probe->subset);
  return probe;
}

void FurtherSearch::observe(const Observation& observation) {
  if (!concerns(observation.ran)) return;
  if (engine_) {
    engine_->observe(inner(observation));
    ++told_;
    inner_ids_.erase(observation.probe_id);
    return;
  }
  if (observation.ran != rest_) return;
  if (observation.outcome == Outcome::pass) ++passes_;
  // From nothing: what was seen before failed through several polluters, which no explanation by one fits.
  if (observation.outcome == Outcome::fail) engine_.emplace(problem_, options_);
}

void FurtherSearch::observe_void(const Observation& observation) {
  if (!engine_) return;
  Observation told = observation;
  told.ran.clear();
  told.asked.reset();
  const auto known = inner_ids_.find(observation.probe_id);
  told.probe_id = known == inner_ids_.end() ? told_ + 1 : known->second;
  engine_->observe(told);
  ++told_;
  if (known != inner_ids_.end()) inner_ids_.erase(known);
}

void FurtherSearch::abandon(std::uint64_t probe_id) {
  const auto known = inner_ids_.find(probe_id);
  if (known == inner_ids_.end()) return;
  engine_->abandon(known->second);
  inner_ids_.erase(known);
}

std::vector<std::vector<TestIndex>> FurtherSearch::found() const {
  std::vector<std::vector<TestIndex>> all;
  if (!engine_) return all;
  const Verdict verdict = engine_->verdict();
  if (verdict.kind != Kind::polluter && verdict.kind != Kind::polluter_set) return all;
  all.push_back(outer(verdict.tests));
  for (const std::vector<TestIndex>& tests : verdict.further_polluters) all.push_back(outer(tests));
  return all;
}

std::string FurtherSearch::remark() const {
  if (!engine_)
    return done() && !rest_.empty() ? "without the polluter nothing failed: no other test does the like" : "";
  const Kind kind = engine_->verdict().kind;
  if (kind == Kind::polluter || kind == Kind::polluter_set) return "";
  if (!engine_->done()) return "it fails without the polluter too, and what else makes it fail was not found";
  return "without the polluter it still fails: " + kind_name(kind);
}

void Engine::State::start_follow_up() {
  if (final_verdict->kind != Kind::polluter && final_verdict->kind != Kind::polluter_set) return;
  if (options.find_cleaners) cleaner_search.emplace(problem, *final_verdict, options.confidence);
  if (options.find_all) further_search.emplace(problem, options, *final_verdict, evidence.probe_runs());
}

bool Engine::State::follow_up_done() const {
  return (!cleaner_search || cleaner_search->done()) && (!further_search || further_search->done());
}

std::optional<Probe> Engine::State::follow_up_probe() {
  Purpose purpose = Purpose::search;
  std::uint32_t victim_runs = 1;
  std::optional<std::vector<TestIndex>> subset;
  if (cleaner_search && !cleaner_search->done()) {
    subset = cleaner_search->next(0);
    if (subset) subset = cleaner_search->next(running(*subset));
  } else if (further_search) {
    std::optional<Probe> probe =
        further_search->next(next_id, further_search->searching() ? 0 : running(further_search->rest()));
    if (probe) {
      purpose = probe->purpose;
      victim_runs = probe->victim_runs;
      subset = std::move(probe->subset);
    }
  }
  if (subset) return issue(std::move(*subset), purpose, std::nullopt, victim_runs);
  waiting = !in_flight.empty() && !follow_up_done();
  return std::nullopt;
}

void Engine::State::observe_follow_up(const Observation& observation) {
  if (observation.source != Source::probe) return;
  if (cleaner_search && !cleaner_search->done())
    cleaner_search->observe(observation.ran, observation.outcome == Outcome::fail);
  else if (further_search)
    further_search->observe(observation);
}

Verdict Engine::State::verdict() {
  const bool final = settled();
  if (!final_verdict) return own_verdict(final);
  Verdict verdict = *final_verdict;
  if (!cleaner_search && !further_search) verdict.arms = arms(verdict.kind, verdict.tests);
  if (cleaner_search) {
    verdict.cleaners = cleaner_search->found();
    if (!cleaner_search->done())
      verdict.remarks.emplace_back("the search for cleaners was not finished");
    else if (verdict.cleaners.empty())
      verdict.remarks.emplace_back("no test behind the polluter was found to undo it");
  }
  if (further_search) {
    verdict.further_polluters = further_search->found();
    std::string remark = further_search->remark();
    if (!remark.empty()) verdict.remarks.push_back(std::move(remark));
    if (!further_search->done())
      verdict.remarks.emplace_back("the search for further polluters was not finished");
  }
  return verdict;
}

}  // namespace flakebisect::bisect
