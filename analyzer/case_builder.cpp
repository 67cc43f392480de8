#include "analyzer/case_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "analyzer/command_line.h"
#include "analyzer/pattern.h"
#include "analyzer/signature.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

using bisect::Observation;
using bisect::Outcome;
using bisect::TestIndex;
using repo_reader::ExecutedTest;
using repo_reader::InputError;
using repo_reader::Repository;
using repo_reader::RunId;
using repo_reader::Status;
using repo_reader::WorkerRun;

namespace {

/// Stored runs looked at, the latest ones: older ones say little about today's code.
constexpr std::size_t most_history_runs = 400;
/// A stored run this many runs away counts half.
constexpr double history_half_life_runs = 50;
/// Tests that ran before the victim in other runs only, which may be state-setters it lacked.
constexpr std::size_t most_possible_setters = 1000;
constexpr std::size_t most_names_in_a_message = 5;

std::string join(const std::vector<std::string>& words, std::size_t most = most_names_in_a_message) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + words[i];
  if (words.size() > most) text += fmt::format(" and {} more", words.size() - most);
  return text;
}

std::string worker_name(const WorkerRun& worker) {
  std::string name = worker.tag.empty() ? "the run's only worker" : worker.tag;
  if (worker.generation > 1) name += fmt::format(" (process {} of a combined run)", worker.generation);
  return name;
}

/// `unexpected_success`: one counts as a failure.
bool failed(const ExecutedTest& test, bool unexpected_success) {
  return test.runnable && test.failed(unexpected_success);
}

std::vector<std::string> failed_ids(const WorkerRun& worker, bool unexpected_success) {
  std::vector<std::string> ids;
  for (const auto& test : worker.tests) {
    if (failed(test, unexpected_success)) ids.push_back(test.id);
  }
  return ids;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The execution of `id` in a worker's list that a search would explain: the first failed one, else the last.
std::optional<std::size_t> execution_of(const WorkerRun& worker, const std::string& id,
                                        bool unexpected_success) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < worker.tests.size(); ++i) {
    if (worker.tests[i].id != id) continue;
    found = i;
    if (failed(worker.tests[i], unexpected_success)) break;
  }
  return found;
}

/// Raises the prior weight of what --suspect names.
double suspect_weight(const std::string& id, const std::vector<Pattern>& suspects) {
  constexpr double raised = 20;
  return std::any_of(suspects.begin(), suspects.end(),
                     [&](const Pattern& suspect) { return suspect.found_in(id); })
             ? raised
             : 1;
}

std::vector<Pattern> compile(const std::vector<std::string>& patterns) {
  return {patterns.begin(), patterns.end()};
}

[[noreturn]] void unknown_victim(const std::string& victim, const std::vector<std::string>& discovered) {
  const auto similar = nearest(victim, discovered);
  throw InputError(
      InputError::Kind::no_such_test,
      "the victim " + victim + " is not among the " + std::to_string(discovered.size()) +
          " tests that the configuration's list command prints: it was renamed or removed, or the command "
          "runs other tests" +
          (similar ? "; the nearest name is " + *similar : "") +
          ". Check out the revision the run was made with, or name another with --test");
}

/// Collects what the other runs say of the case.
class HistoryReader {
 public:
  HistoryReader(const Repository& repository, const StoredVictim& victim, const BisectOptions& options,
                BisectCase& facts)
      : repository_(repository), victim_(victim), facts_(facts), durations_(facts.candidates.size()) {
    for (std::size_t i = 0; i < facts.candidates.size(); ++i) {
      index_of_.emplace(facts.candidates[i], static_cast<TestIndex>(i));
    }
    if (options.match) pattern_.emplace(*options.match);
    if (!victim.traceback.empty()) expected_ = failure_signature(victim.traceback, facts.victim);
    add_durations(victim.worker);
  }

  void read(bool as_evidence) {
    auto ids = repository_.run_ids();
    // The nearest in number first; what lies too far away is not looked at.
    std::sort(ids.begin(), ids.end(), [&](RunId a, RunId b) { return distance(a) < distance(b); });
    if (ids.size() > most_history_runs) ids.resize(most_history_runs);
    std::sort(ids.begin(), ids.end());
    for (const RunId id : ids) {
      if (id == victim_.run) continue;
      try {
        const auto run = repository_.read_run(id);
        for (const auto& worker : run.workers) read_worker(id, worker, as_evidence);
      } catch (const InputError&) {
        continue;  // removed or replaced meanwhile, or damaged: the other runs still count
      }
    }
  }

  /// Tests that ran before the victim where it passed, but not in the failing run; the most frequent first.
  std::vector<std::string> possible_setters() const {
    std::vector<std::pair<std::string, std::size_t>> counted(before_passes_.begin(), before_passes_.end());
    std::sort(counted.begin(), counted.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    if (counted.size() > most_possible_setters) counted.resize(most_possible_setters);
    std::vector<std::string> ids;
    for (auto& entry : counted) ids.push_back(entry.first);
    return ids;
  }

  double seconds_of(std::size_t candidate) const { return median(durations_[candidate]); }
  double seconds_of_setter(const std::string& id) const {
    const auto found = setter_durations_.find(id);
    return found == setter_durations_.end() ? 0 : median(found->second);
  }
  double victim_seconds() const { return median(victim_durations_); }
  double victim_longest_seconds() const { return longest(victim_durations_); }
  /// Of a candidate or a possible setter; 0 where no run tells.
  double longest_seconds_of(const std::string& id) const {
    const auto candidate = index_of_.find(id);
    if (candidate != index_of_.end()) return longest(durations_[candidate->second]);
    const auto setter = setter_durations_.find(id);
    return setter == setter_durations_.end() ? 0 : longest(setter->second);
  }

  /// The lists of the other runs in which the victim gave a result, by id: build_case turns them into
  /// observations once every candidate has its index.
  struct Past {
    std::vector<std::string> before;
    Outcome outcome;
    double weight;
  };
  const std::vector<Past>& past() const { return past_; }

 private:
  static double longest(const std::vector<double>& seconds) {
    return seconds.empty() ? 0 : *std::max_element(seconds.begin(), seconds.end());
  }

  double distance(RunId id) const {
    return id > victim_.run ? static_cast<double>(id - victim_.run) : static_cast<double>(victim_.run - id);
  }

  void add_durations(const WorkerRun& worker) {
    for (const auto& test : worker.tests) {
      if (!test.seconds) continue;
      const auto found = index_of_.find(test.id);
      if (found != index_of_.end()) durations_[found->second].push_back(*test.seconds);
      if (test.id == facts_.victim) victim_durations_.push_back(*test.seconds);
    }
  }

  Outcome outcome_of(RunId id, const ExecutedTest& test) const {
    if (test.status == Status::success || test.status == Status::xfail) return Outcome::pass;
    if (test.status == Status::uxsuccess) {
      return facts_.victim_status == "uxsuccess" ? Outcome::fail : Outcome::pass;
    }
    if (test.unfinished) return victim_.unfinished ? Outcome::fail : Outcome::void_probe;
    if (test.status != Status::fail) return Outcome::void_probe;
    const auto traceback = repo_reader::failure_text(repository_.read_details(id, test));
    if (pattern_) return pattern_->found_in(traceback) ? Outcome::fail : Outcome::other_failure;
    if (victim_.traceback.empty()) return Outcome::other_failure;
    return same_failure(failure_signature(traceback, facts_.victim), expected_) ? Outcome::fail
                                                                                : Outcome::other_failure;
  }

  void read_worker(RunId id, const WorkerRun& worker, bool as_evidence) {
    add_durations(worker);
    const auto index = execution_of(worker, facts_.victim, facts_.victim_status == "uxsuccess");
    if (!index) return;
    const Outcome outcome = outcome_of(id, worker.tests[*index]);
    if (outcome == Outcome::void_probe) return;
    ++facts_.history_runs;
    if (outcome == Outcome::fail) ++facts_.history_failures;
    if (outcome == Outcome::other_failure) ++facts_.history_other_failures;
    if (!as_evidence) return;
    Past past{{}, outcome, std::exp2(-distance(id) / history_half_life_runs)};
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < *index; ++i) {
      const auto& test = worker.tests[i];
      if (!test.runnable || test.id == facts_.victim || !seen.insert(test.id).second) continue;
      past.before.push_back(test.id);
      if (outcome == Outcome::pass && index_of_.count(test.id) == 0) {
        ++before_passes_[test.id];
        if (test.seconds) setter_durations_[test.id].push_back(*test.seconds);
      }
    }
    past_.push_back(std::move(past));
  }

  const Repository& repository_;
  const StoredVictim& victim_;
  BisectCase& facts_;
  std::unordered_map<std::string, TestIndex> index_of_;
  std::vector<std::vector<double>> durations_;
  std::vector<double> victim_durations_;
  std::unordered_map<std::string, std::size_t> before_passes_;
  std::unordered_map<std::string, std::vector<double>> setter_durations_;
  std::vector<Past> past_;
  std::optional<Pattern> pattern_;
  Signature expected_;
};

/// Puts possible state-setters among the candidates: where the list command's order has them, else in front.
void add_setters(BisectCase& facts, const std::vector<std::string>& setters, const HistoryReader& history,
                 const std::vector<Pattern>& suspects,
                 const std::unordered_map<std::string, std::size_t>& rank) {
  const auto rank_of = [&](const std::string& id) {
    const auto found = rank.find(id);
    return found == rank.end() ? std::size_t{0} : found->second + 1;
  };
  struct Placed {
    std::string id;
    bisect::Candidate candidate;
  };
  std::vector<Placed> placed;
  for (const auto& id : setters) {
    placed.push_back({id, {history.seconds_of_setter(id), false, suspect_weight(id, suspects)}});
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [&](const Placed& a, const Placed& b) { return rank_of(a.id) < rank_of(b.id); });
  std::vector<std::string> ids;
  std::vector<bisect::Candidate> candidates;
  std::size_t next = 0;
  for (std::size_t i = 0; i < facts.candidates.size(); ++i) {
    while (next < placed.size() && rank_of(placed[next].id) < rank_of(facts.candidates[i])) {
      ids.push_back(placed[next].id);
      candidates.push_back(placed[next++].candidate);
    }
    ids.push_back(facts.candidates[i]);
    candidates.push_back(facts.candidate_facts[i]);
  }
  for (; next < placed.size(); ++next) {
    ids.push_back(placed[next].id);
    candidates.push_back(placed[next].candidate);
  }
  facts.candidates = std::move(ids);
  facts.candidate_facts = std::move(candidates);
}

/// A failed execution in a stored run.
struct Failure {
  const WorkerRun* worker = nullptr;
  std::size_t index = 0;
  const ExecutedTest& test() const { return worker->tests[index]; }
};

/// The failure to explain: the one that started first; of those that the user's pattern matches where there
/// is one. What has no text, such as a hang, is taken where none matches: its probes tell. Nothing where
/// nothing failed.
std::optional<Failure> choose(const Repository& repository, RunId run, std::vector<Failure> found,
                              const std::optional<std::string>& match) {
  if (found.empty()) return std::nullopt;
  const auto earlier = [](const Failure& a, const Failure& b) {
    return a.test().start && b.test().start && *a.test().start < *b.test().start;
  };
  const auto take_first = [&] {
    const auto first = std::min_element(found.begin(), found.end(), earlier);
    const Failure failure = *first;
    found.erase(first);
    return failure;
  };
  if (!match) return take_first();
  const Pattern pattern(*match);
  std::optional<Failure> without_text;
  const auto first_id = std::min_element(found.begin(), found.end(), earlier)->test().id;
  const std::size_t failures = found.size();
  while (!found.empty()) {
    const Failure failure = take_first();
    const auto text = repo_reader::failure_text(repository.read_details(run, failure.test()));
    if (text.empty() && !without_text) without_text = failure;
    if (!text.empty() && pattern.found_in(text)) return failure;
  }
  if (without_text) return without_text;
  throw InputError(
      InputError::Kind::no_such_test,
      fmt::format("the failure in run {} does not match --match '{}': {}{}; leave --match out to explain it",
                  run, *match, first_id,
                  failures > 1 ? fmt::format(" and {} more that failed there", failures - 1) : ""));
}

}  // namespace

StoredVictim find_victim(const Repository& repository, const BisectOptions& options) {
  StoredVictim victim;
  victim.run = repository.resolve(options.run_id.value_or("latest"));
  auto run = repository.read_run(victim.run);
  const std::string where = fmt::format("run {} of {}", victim.run, repository.path().string());
  if (auto damage = repo_reader::damage_warning(repository, victim.run, run))
    victim.warnings.push_back(*std::move(damage));
  if (run.workers.empty()) {
    throw InputError(InputError::Kind::no_such_test,
                     where + " holds no test results; choose another with --run-id");
  }

  std::vector<const WorkerRun*> workers;
  std::vector<std::string> tags;
  for (const auto& worker : run.workers) {
    if (std::find(tags.begin(), tags.end(), worker.tag) == tags.end()) tags.push_back(worker.tag);
    if (!options.worker || *options.worker == worker.tag) workers.push_back(&worker);
  }
  if (workers.empty()) {
    for (auto& tag : tags) {
      if (tag.empty()) tag = "(no tag: leave --worker out)";
    }
    throw InputError(InputError::Kind::no_such_worker,
                     where + " has no worker '" + *options.worker + "'; its workers are: " + join(tags, 20));
  }

  // The victim: the named test where it failed, else the failure that came first.
  const bool unexpected_success = repository.unexpected_success_fails();
  std::vector<Failure> found;
  bool ran = false;
  for (const auto* worker : workers) {
    for (std::size_t i = 0; i < worker->tests.size(); ++i) {
      const auto& test = worker->tests[i];
      if (options.test && test.id != *options.test) continue;
      ran = true;
      if (failed(test, unexpected_success || options.test.has_value())) found.push_back({worker, i});
    }
  }
  const auto chosen = choose(repository, victim.run, found, options.match);
  if (!chosen) {
    std::vector<std::string> failures;
    std::vector<std::string> synthetic;
    for (const auto& worker : run.workers) {
      for (const auto& test : worker.tests) {
        if (failed(test, unexpected_success)) failures.push_back(test.id + " (" + worker_name(worker) + ")");
        if (!test.runnable && test.failed()) synthetic.push_back(test.id);
      }
    }
    const std::string whom = options.worker ? "on " + *options.worker + " in " + where : "in " + where;
    std::string message;
    if (options.test && !ran) {
      std::vector<std::string> known;
      for (const auto* worker : workers) {
        for (const auto& test : worker->tests) known.push_back(test.id);
      }
      const auto similar = nearest(*options.test, known);
      message = "the test " + *options.test + " did not run " + whom +
                (similar ? "; did you mean " + *similar + "?" : "");
    } else if (options.test) {
      message = "the test " + *options.test + " did not fail " + whom;
    } else {
      message = "no test failed " + whom;
    }
    if (!failures.empty()) {
      message += "; what failed in that run: " + join(failures);
    } else if (!synthetic.empty()) {
      message += "; what failed there is no test that can be run by its id: " + join(synthetic);
    } else if (!options.test) {
      message += "; choose another with --run-id, or leave it out to take the latest run with a failure";
    }
    throw InputError(InputError::Kind::no_such_test, message);
  }
  victim.other_workers = tags.size() - 1;
  victim.worker = *chosen->worker;
  victim.index = chosen->index;
  const auto& test = victim.worker.tests[victim.index];
  victim.unfinished = test.unfinished;
  victim.traceback = repo_reader::failure_text(repository.read_details(victim.run, test));
  for (const auto& id : failed_ids(victim.worker, unexpected_success)) {
    if (id != test.id) victim.other_failed.push_back(id);
  }
  return victim;
}

BisectCase build_case(const Repository& repository, const StoredVictim& victim, const BisectOptions& options,
                      const std::optional<std::vector<std::string>>& discovered) {
  const auto& tests = victim.worker.tests;
  const auto& test = tests[victim.index];
  BisectCase facts;
  facts.run_id = std::to_string(victim.run);
  facts.worker = victim.worker.tag;
  facts.victim = test.id;
  facts.position = victim.index + 1;
  facts.worker_tests = tests.size();
  facts.traceback = victim.traceback;
  facts.victim_status = victim.unfinished ? "unfinished" : std::string(repo_reader::status_name(test.status));
  facts.other_failed = victim.other_failed;
  facts.warnings = victim.warnings;
  facts.other_workers = victim.other_workers;

  std::unordered_map<std::string, std::size_t> rank;
  if (discovered) {
    for (std::size_t i = 0; i < discovered->size(); ++i) rank.emplace((*discovered)[i], i);
    if (rank.count(facts.victim) == 0) unknown_victim(facts.victim, *discovered);
  }
  const auto suspects = compile(options.suspects);
  std::unordered_set<std::string> seen;
  std::vector<std::string> unknown;
  std::size_t repeated = 0;
  bool victim_ran_before = false;
  for (std::size_t i = 0; i < victim.index; ++i) {
    const auto& id = tests[i].id;
    if (!tests[i].runnable) continue;
    if (id == facts.victim) {
      victim_ran_before = true;
    } else if (!seen.insert(id).second) {
      ++repeated;
    } else if (discovered && rank.count(id) == 0) {
      unknown.push_back(id);
    } else {
      facts.candidates.push_back(id);
      facts.candidate_facts.push_back({0, true, suspect_weight(id, suspects)});
    }
  }
  if (!unknown.empty()) {
    facts.warnings.push_back(
        fmt::format("{} of the tests that ran before the victim {} no longer there (renamed or removed) and "
                    "cannot be suspected: {}",
                    unknown.size(), unknown.size() == 1 ? "is" : "are", join(unknown)));
  }
  if (repeated != 0) {
    facts.warnings.push_back(
        fmt::format("{} test{} ran more than once before the victim; a probe runs each once", repeated,
                    repeated == 1 ? "" : "s"));
  }
  if (victim_ran_before) {
    facts.warnings.push_back("the victim itself had run before on that worker; a probe runs it once");
  }

  HistoryReader history(repository, victim, options, facts);
  history.read(!options.no_history);
  for (std::size_t i = 0; i < facts.candidates.size(); ++i)
    facts.candidate_facts[i].seconds = history.seconds_of(i);
  facts.victim_seconds = history.victim_seconds();
  facts.victim_longest_seconds = history.victim_longest_seconds();
  if (!options.no_history) {
    auto setters = history.possible_setters();
    if (discovered) std::erase_if(setters, [&](const std::string& id) { return rank.count(id) == 0; });
    add_setters(facts, setters, history, suspects, rank);
  }
  for (const auto& id : facts.candidates) facts.longest_seconds.push_back(history.longest_seconds_of(id));

  std::unordered_map<std::string, TestIndex> index_of;
  for (std::size_t i = 0; i < facts.candidates.size(); ++i) {
    index_of.emplace(facts.candidates[i], static_cast<TestIndex>(i));
  }
  const auto add = [&](const std::vector<std::string>& before, Outcome outcome, bisect::Source source,
                       double weight) {
    Observation observation;
    for (const auto& id : before) {
      const auto found = index_of.find(id);
      if (found != index_of.end()) observation.ran.push_back(found->second);
    }
    observation.outcome = outcome;
    observation.source = source;
    observation.weight = weight;
    facts.history.push_back(std::move(observation));
  };
  for (const auto& past : history.past())
    add(past.before, past.outcome, bisect::Source::history, past.weight);
  std::vector<std::string> before;
  for (std::size_t i = 0; i < facts.candidates.size(); ++i) {
    if (facts.candidate_facts[i].in_failing_run) before.push_back(facts.candidates[i]);
  }
  add(before, Outcome::fail, bisect::Source::selected, 1);
  return facts;
}

BisectCase case_from_list(const std::string& lines, const BisectOptions& options,
                          const std::optional<std::vector<std::string>>& discovered) {
  BisectCase facts;
  facts.victim = options.test.value_or("");
  std::unordered_set<std::string> known;
  if (discovered) {
    known.insert(discovered->begin(), discovered->end());
    if (known.count(facts.victim) == 0) unknown_victim(facts.victim, *discovered);
  }
  const auto suspects = compile(options.suspects);
  std::istringstream text(lines);
  std::unordered_set<std::string> seen;
  std::vector<std::string> unknown;
  bool found = false;
  for (std::string line; std::getline(text, line);) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) continue;
    const std::string id = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    ++facts.worker_tests;
    if (found) continue;
    if (id == facts.victim) {
      found = true;
      facts.position = facts.worker_tests;
    } else if (discovered && known.count(id) == 0) {
      unknown.push_back(id);
    } else if (seen.insert(id).second) {
      facts.candidates.push_back(id);
      facts.candidate_facts.push_back({0, true, suspect_weight(id, suspects)});
    }
  }
  if (facts.worker_tests == 0) {
    throw InputError(
        InputError::Kind::no_such_test,
        fmt::format("the load list {} holds no test id; it takes one a line, in the order in which they ran",
                    options.load_list.value_or("-")));
  }
  if (!unknown.empty()) {
    facts.warnings.push_back(
        fmt::format("{} of the listed tests {} not known to the list command and cannot be "
                    "suspected: {}",
                    unknown.size(), unknown.size() == 1 ? "is" : "are", join(unknown)));
  }
  if (!found) facts.position = facts.candidates.size() + 1;
  facts.longest_seconds.assign(facts.candidates.size(), 0);
  return facts;
}

}  // namespace flakebisect::analyzer
