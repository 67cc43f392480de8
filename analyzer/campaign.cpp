#include "analyzer/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "analyzer/command_ending.h"
#include "analyzer/commands.h"
#include "analyzer/exit_status.h"
#include "analyzer/pattern.h"
#include "analyzer/report_formats.h"
#include "analyzer/session_file.h"
#include "analyzer/session_store.h"
#include "analyzer/status_view.h"
#include "analyzer/stop_signals.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

using nlohmann::json;
using repo_reader::InputError;
using repo_reader::Repository;
using repo_reader::RunId;

namespace {

/// Stored runs looked at by --flaky, the latest ones.
constexpr std::size_t most_runs = 200;
/// Less than this is no time to explain anything in.
constexpr double least_share_seconds = 2;

constexpr const char* no_turn = "a signal came before its turn";

/// What became of a victim. A turn that never came is what the first two members say at first.
struct VictimOutcome {
  CampaignVictim victim;
  int status = exit_internal_error;
  std::string error;         ///< why it could not be tried; empty where it could
  std::int64_t session = 0;  ///< 0: none
  json report;               ///< null: none
};

double list_seconds(const repo_reader::WorkerRun& worker, std::size_t index) {
  double seconds = 0;
  for (std::size_t i = 0; i <= index; ++i) seconds += worker.tests[i].seconds.value_or(0);
  return seconds;
}

void sort_by_promise(std::vector<CampaignVictim>& victims) {
  const auto promise = [](const CampaignVictim& victim) {
    return static_cast<double>(victim.failures) / (victim.list_seconds + 0.1);
  };
  std::stable_sort(victims.begin(), victims.end(), [&](const auto& a, const auto& b) {
    return promise(a) != promise(b) ? promise(a) > promise(b) : a.id < b.id;
  });
}

std::vector<CampaignVictim> failures_of_run(const Repository& repository, const BisectOptions& options) {
  const RunId id = repository.resolve(options.run_id.value_or("latest"));
  const auto run = repository.read_run(id);
  std::vector<CampaignVictim> victims;
  std::set<std::string> seen;
  std::optional<Pattern> pattern;
  if (options.match) pattern.emplace(*options.match);
  const auto matches = [&](const repo_reader::ExecutedTest& test) {
    const auto text = repo_reader::failure_text(repository.read_details(id, test));
    return text.empty() || pattern->found_in(text);
  };
  for (const auto& worker : run.workers) {
    if (options.worker && *options.worker != worker.tag) continue;
    for (std::size_t i = 0; i < worker.tests.size(); ++i) {
      const auto& test = worker.tests[i];
      if (!test.runnable || !test.failed(repository.unexpected_success_fails())) continue;
      if ((pattern && !matches(test)) || !seen.insert(test.id).second) continue;
      victims.push_back({std::to_string(id), worker.tag, test.id, 1, list_seconds(worker, i), i});
    }
  }
  if (victims.empty())
    throw InputError(
        InputError::Kind::no_such_test,
        fmt::format("no test failed in run {}{}", id, pattern ? " in a way that matches --match" : ""));
  return victims;
}

std::vector<CampaignVictim> flaky_tests(const Repository& repository) {
  auto ids = repository.run_ids();
  std::sort(ids.begin(), ids.end());
  if (ids.size() > most_runs) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(most_runs));
  struct Seen {
    bool passed = false;
    CampaignVictim latest;
  };
  std::map<std::string, Seen> tests;
  const bool unexpected_success = repository.unexpected_success_fails();
  for (const RunId id : ids) {
    repo_reader::TestRun run;
    try {
      run = repository.read_run(id);
    } catch (const InputError&) {
      continue;  // damaged, or removed meanwhile: the others still count
    }
    for (const auto& worker : run.workers) {
      for (std::size_t i = 0; i < worker.tests.size(); ++i) {
        const auto& test = worker.tests[i];
        if (!test.runnable) continue;
        auto& seen = tests[test.id];
        if (test.failed(unexpected_success)) {
          const auto failures = seen.latest.failures + 1;
          seen.latest = {std::to_string(id), worker.tag, test.id, failures, list_seconds(worker, i), i};
        } else if (test.status == repo_reader::Status::success || test.status == repo_reader::Status::xfail) {
          seen.passed = true;
        }
      }
    }
  }
  std::vector<CampaignVictim> victims;
  for (const auto& [id, seen] : tests) {
    if (seen.passed && seen.latest.failures != 0) victims.push_back(seen.latest);
  }
  if (victims.empty()) {
    throw InputError(InputError::Kind::no_such_test,
                     fmt::format("no test both passed and failed in the {} stored runs of {}", ids.size(),
                                 repository.path().string()));
  }
  return victims;
}

/// Runs a command, and turns what it throws about this victim into its error. A signal is told by the status.
int attempt(VictimOutcome& outcome, const std::function<int()>& command) {
  try {
    return command();
  } catch (const UsageError&) {
    throw;  // it would be the same for each of them
  } catch (const Interrupted& interrupted) {
    if (outcome.session == 0) outcome.error = "a signal came before its first probe";
    return 128 + interrupted.signal;
  } catch (...) {
    const auto ending = ending_of_exception();
    outcome.error = ending.message;
    return ending.status;
  }
}

std::string verdict_words(const VictimOutcome& outcome) {
  const auto error = outcome.error.substr(0, outcome.error.find('\n'));
  if (!outcome.report.is_object()) return error.empty() ? "no report" : "could not be tried: " + error;
  const auto& verdict = outcome.report["verdict"];
  std::string words = verdict.value("kind", "");
  for (const auto& test : verdict.value("tests", std::vector<std::string>{})) words += " " + test;
  if (!error.empty()) words += "; " + error;
  return words;
}

json summary_json(const std::vector<VictimOutcome>& outcomes, const std::string& file) {
  json victims = json::array();
  for (const auto& outcome : outcomes) {
    victims.push_back({{"victim", outcome.victim.id},
                       {"run_id", outcome.victim.run_id},
                       {"worker", outcome.victim.worker},
                       {"status", outcome.status},
                       {"error", outcome.error.empty() ? json(nullptr) : json(outcome.error)},
                       {"session", outcome.session == 0 ? json(nullptr) : json(outcome.session)},
                       {"report", outcome.report}});
  }
  return {{"schema", "flakebisect/campaign/1"}, {"sessions", file}, {"victims", victims}};
}

std::string summary_text(const std::vector<VictimOutcome>& outcomes) {
  std::string text =
      fmt::format("\nSummary of {} victim{}\n", outcomes.size(), outcomes.size() == 1 ? "" : "s");
  for (const auto& outcome : outcomes) {
    text += fmt::format("  {}\n    run {} {}: {}{}\n", outcome.victim.id, outcome.victim.run_id,
                        outcome.victim.worker, verdict_words(outcome),
                        outcome.session == 0 ? "" : fmt::format(" (session {})", outcome.session));
  }
  return text;
}

int overall(const std::vector<VictimOutcome>& outcomes) {
  int worst = exit_ok;
  for (const auto& outcome : outcomes) {
    // Of what is left open, the one that more time may still answer counts first.
    if (outcome.status == exit_inconclusive) return exit_inconclusive;
    if (worst == exit_ok || worst == exit_not_reproduced)
      worst = outcome.status == exit_ok ? worst : outcome.status;
  }
  return worst;
}

/// Victims as the session file keeps them.
std::string victims_to_json(const std::vector<CampaignVictim>& victims) {
  json list = json::array();
  for (const auto& victim : victims) {
    list.push_back({{"run_id", victim.run_id},
                    {"worker", victim.worker},
                    {"test", victim.id},
                    {"failures", victim.failures},
                    {"list_seconds", victim.list_seconds},
                    {"position", victim.position}});
  }
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<CampaignVictim> victims_from_json(const std::string& text) {
  std::vector<CampaignVictim> victims;
  for (const auto& one : json::parse(text)) {
    victims.push_back({one.at("run_id").get<std::string>(), one.at("worker").get<std::string>(),
                       one.at("test").get<std::string>(), one.at("failures").get<std::uint64_t>(),
                       one.at("list_seconds").get<double>(), one.at("position").get<std::size_t>()});
  }
  return victims;
}

class Campaign {
 public:
  /// A new one.
  Campaign(BisectOptions options, const std::vector<CampaignVictim>& victims)
      : options_(std::move(options)), store_(session_file(options_.common.directory, options_.session)) {
    CampaignInfo info;
    info.directory = std::filesystem::absolute(options_.common.directory).lexically_normal().string();
    info.options = bisect_options_to_json(options_);
    info.victims = victims_to_json(victims);
    id_ = store_.create_campaign(info);
    expect(victims);
  }

  /// One of an earlier life.
  explicit Campaign(const CampaignResumption& resumption)
      : store_(resumption.file), id_(resumption.campaign), words_(resumption.words), resumed_(true) {
    const auto info = store_.find_campaign(id_);
    if (!info)
      throw MissingSession(fmt::format(
          "there is no campaign {} in {}; 'flakebisect sessions show ID' names the campaign of a session",
          id_, store_.path()));
    store_.hold_campaign(id_);
    options_ = options_to_go_on(info->options, resumption.common, info->directory);
    options_.session = resumption.file;
    resumption.limits(options_);
    check_directory(options_.common.directory);
    expect(victims_from_json(info->victims));
    take_up();
  }

  int run() {
    const auto open = static_cast<std::size_t>(std::count_if(
        outcomes_.begin(), outcomes_.end(), [](const auto& outcome) { return outcome.status != exit_ok; }));
    if (resumed_) {
      std::fprintf(stderr, "going on with campaign %lld: %zu of %zu victims have no verdict\n",
                   static_cast<long long>(id_), open, outcomes_.size());
    }
    std::size_t among = open;
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
      const auto& outcome = outcomes_[i];
      if (outcome.status == exit_ok) continue;
      std::fprintf(stderr, "--- victim %zu of %zu: %s\n", i + 1, outcomes_.size(), outcome.victim.id.c_str());
      if (!step(i, share(among--), true)) return finish();
    }
    // Time that quick victims left over goes to the others, the soonest expected first.
    while (const auto next = most_promising()) {
      std::fprintf(stderr, "--- again, with what is left of the budget: %s\n",
                   outcomes_[*next].victim.id.c_str());
      tried_.insert(*next);
      if (!step(*next, left(), false)) break;
    }
    return finish();
  }

 private:
  void expect(const std::vector<CampaignVictim>& victims) {
    for (const auto& victim : victims) {
      outcomes_.push_back({victim, exit_internal_error, no_turn, 0, nullptr});
      shared_->expect(victim.run_id, victim.worker, victim.id, victim.position);
    }
  }

  /// What earlier lives have found.
  void take_up() {
    for (const auto& known : store_.shared_runs(id_)) shared_->add(known);
    for (const auto& info : store_.sessions_of_campaign(id_)) {
      if (info.campaign_victim > outcomes_.size()) continue;
      auto& outcome = outcomes_[info.campaign_victim - 1];
      outcome.session = info.id;
      outcome.status = info.state == "done" ? exit_ok : exit_inconclusive;
      outcome.error.clear();
      read_report(outcome);
      shared_->begin(outcome.victim.id);
      if (info.one_at_a_time) shared_->disturbed();
    }
  }

  std::optional<double> left() const {
    if (!options_.budget_seconds) return std::nullopt;
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - began_;
    return std::max(0.0, *options_.budget_seconds - gone.count());
  }
  std::optional<double> share(std::size_t among) const {
    const auto rest = left();
    return rest ? std::optional(*rest / static_cast<double>(among)) : std::nullopt;
  }

  /// A turn of a victim whose search has not begun.
  int bisect(std::size_t i, std::optional<double> seconds, const CampaignTurn& turn) const {
    const auto& victim = outcomes_[i].victim;
    BisectOptions options = options_;
    options.all_failures = options.flaky = false;
    options.test = victim.id;
    options.run_id = victim.run_id;
    options.worker = victim.worker.empty() ? std::nullopt : std::optional(victim.worker);
    options.budget_seconds = seconds;
    options.reports = reports_of(i);
    options.stdout_taken = stdout_taken();
    return bisect_victim(std::move(options), turn);
  }

  /// A turn of one whose search goes on. `first`: in this life.
  int resume(std::size_t i, std::optional<double> seconds, const CampaignTurn& turn, bool first) {
    const auto session = outcomes_[i].session;
    Arguments words = {std::to_string(session), "--session", store_.path(), "-C", options_.common.directory};
    if (options_.common.repo) words.insert(words.end(), {"--repo", *options_.common.repo});
    if (options_.common.quiet) words.emplace_back("-q");
    if (options_.common.verbose) words.emplace_back("-v");
    words.insert(words.end(), words_.begin(), words_.end());
    if (seconds) words.insert(words.end(), {"--budget", fmt::format("{:.0f}s", *seconds)});
    for (const auto& request : reports_of(i))
      words.insert(words.end(), {"--" + request.format, request.file});
    if (shared_->one_at_a_time()) store_.set_one_at_a_time(session);
    return resume_in_campaign(words, turn, stdout_taken(), first && resumed_);
  }

  std::vector<ReportRequest> reports_of(std::size_t i) const {
    std::vector<ReportRequest> requests;
    for (const auto& request : options_.reports) {
      if (request.file != "-") requests.push_back({request.format, numbered_file(request.file, i + 1)});
    }
    return requests;
  }

  bool stdout_taken() const {
    return std::any_of(options_.reports.begin(), options_.reports.end(),
                       [](const ReportRequest& request) { return request.file == "-"; });
  }

  /// `first`: the victim's first turn in this life. False: a signal ended it.
  bool step(std::size_t i, std::optional<double> seconds, bool first) {
    auto& outcome = outcomes_[i];
    if (seconds && *seconds < least_share_seconds) {
      if (outcome.session == 0) {
        outcome.status = exit_inconclusive;
        outcome.error = "the budget ended before its turn";
      }
      return true;
    }
    if (seconds) seconds = std::floor(*seconds);
    const CampaignTurn turn{id_, i + 1, shared_};
    outcome.error.clear();
    const int status = attempt(outcome, [&] {
      return outcome.session == 0 ? bisect(i, seconds, turn) : resume(i, seconds, turn, first);
    });
    if (!outcome.error.empty()) std::fprintf(stderr, "flakebisect: %s\n", outcome.error.c_str());
    if (!outcome.error.empty() && !first && outcome.report.is_object()) {
      // A second turn that fails takes nothing from what the first one found.
      outcome.error.clear();
      return true;
    }
    outcome.status = status;
    find_session(outcome, i + 1);
    read_report(outcome);
    return outcome.status < 128;
  }

  void find_session(VictimOutcome& outcome, std::uint64_t number) {
    if (outcome.session != 0) return;
    try {
      for (const auto& info : store_.sessions_of_campaign(id_)) {
        if (info.campaign_victim == number) outcome.session = info.id;
      }
    } catch (const SessionError&) {
      // The victim's search says what is wrong with the file.
    }
  }

  void read_report(VictimOutcome& outcome) {
    if (outcome.session == 0) return;
    try {
      const auto info = store_.find(outcome.session);
      if (info && !info->report.empty()) outcome.report = json::parse(info->report, nullptr, false);
    } catch (const SessionError& error) {
      if (outcome.error.empty()) outcome.error = error.what();
    }
  }

  /// Of those that lack a verdict and had no second turn, the one that is expected to need the least time.
  std::optional<std::size_t> most_promising() const {
    const auto rest = left();
    if (!rest || *rest < least_share_seconds) return std::nullopt;
    std::optional<std::size_t> best;
    double least = 0;
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
      const auto& outcome = outcomes_[i];
      if (outcome.status != exit_inconclusive || outcome.session == 0 || tried_.count(i) != 0) continue;
      double expected = 1e18;
      if (outcome.report.is_object() && outcome.report.contains("forecast") &&
          outcome.report["forecast"]["median_seconds"].is_number())
        expected = outcome.report["forecast"]["median_seconds"].get<double>();
      if (best && expected >= least) continue;
      best = i;
      least = expected;
    }
    return best;
  }

  /// Where a victim had no turn, `resume` goes on with the campaign.
  void keep_state() {
    const bool all_tried = std::none_of(outcomes_.begin(), outcomes_.end(), [](const auto& outcome) {
      return outcome.session == 0 &&
             (outcome.status == exit_inconclusive || outcome.status >= 128 || outcome.error == no_turn);
    });
    try {
      store_.set_all_tried(id_, all_tried);
    } catch (const SessionError&) {
      // Told by the victim's search.
    }
  }

  int finish() {
    keep_state();
    auto text = summary_text(outcomes_);
    if (std::any_of(outcomes_.begin(), outcomes_.end(),
                    [](const auto& outcome) { return outcome.status != exit_ok; }))
      text += fmt::format("Go on with all that have no verdict: {}\n",
                          resume_command(store_.path(), fmt::format("--campaign {}", id_)));
    bool to_stdout = true;
    std::string not_written;
    for (const auto& request : options_.reports) {
      if (request.format == "json") {
        const auto summary =
            summary_json(outcomes_, store_.path()).dump(1, ' ', false, json::error_handler_t::replace) + "\n";
        if (request.file == "-") {
          to_stdout = false;
          std::fputs(summary.c_str(), stdout);
        } else {
          std::ofstream out(request.file);
          if (!(out << summary).flush()) not_written = request.file;
        }
      }
    }
    std::fputs(text.c_str(), to_stdout ? stdout : stderr);
    if (!not_written.empty()) throw OutputError("cannot write the summary " + not_written);
    for (const auto& outcome : outcomes_) {
      if (outcome.status >= 128) return outcome.status;
    }
    return overall(outcomes_);
  }

  BisectOptions options_;
  SessionStore store_;  ///< holds the campaign
  std::int64_t id_ = 0;
  Arguments words_;  ///< of `resume`, for all victims alike
  bool resumed_ = false;
  std::vector<VictimOutcome> outcomes_;
  std::set<std::size_t> tried_;
  std::shared_ptr<SharedRuns> shared_ = std::make_shared<SharedRuns>();
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace

std::vector<CampaignVictim> campaign_victims(const Repository& repository, const BisectOptions& options) {
  auto victims = options.flaky ? flaky_tests(repository) : failures_of_run(repository, options);
  sort_by_promise(victims);
  return victims;
}

std::string numbered_file(const std::string& file, std::size_t number) {
  const auto slash = file.rfind('/');
  auto dot = file.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) dot = file.size();
  return fmt::format("{}-{}{}", file.substr(0, dot), number, file.substr(dot));
}

int run_campaign(const BisectOptions& options) {
  const auto repository = options.common.repo ? Repository::open(*options.common.repo)
                                              : Repository::find(options.common.directory);
  return Campaign(options, campaign_victims(repository, options)).run();
}

int resume_campaign(const CampaignResumption& resumption) {
  return Campaign(resumption).run();
}

}  // namespace flakebisect::analyzer
