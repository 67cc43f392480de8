/// `flakebisect bisect` and `flakebisect resume`.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analyzer/bisection.h"
#include "analyzer/campaign.h"
#include "analyzer/case_builder.h"
#include "analyzer/command_line.h"
#include "analyzer/commands.h"
#include "analyzer/environment.h"
#include "analyzer/exit_status.h"
#include "analyzer/other_workers.h"
#include "analyzer/report_formats.h"
#include "analyzer/runner_plan.h"
#include "analyzer/search.h"
#include "analyzer/session_file.h"
#include "analyzer/sha256.h"
#include "analyzer/side_by_side.h"
#include "bisect/concurrent_runner.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

namespace po = boost::program_options;
using nlohmann::json;
using repo_reader::ConfigFamily;
using repo_reader::InputError;
using repo_reader::Repository;

namespace {

/// A warm server's probe starts in about this time.
constexpr double warm_startup_seconds = 0.02;

Repository open_repository(const CommonOptions& common) {
  return common.repo ? Repository::open(*common.repo) : Repository::find(common.directory);
}

std::string read_list(const std::string& file) {
  if (file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::error_code error;
  const bool directory =
      std::filesystem::is_directory(file, error);  // a stream opens one, and reading throws
  std::ifstream stream;
  if (!directory) stream.open(file);
  if (!stream.is_open()) {
    throw InputError(InputError::Kind::unreadable,
                     "cannot read the load list " + file + (directory ? ", which is a directory" : "") +
                         "; it takes a file with one test id a line (-: standard input)");
  }
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// What a resumed session compares, to say what has changed since.
json make_context(const ReportEnvironment& environment, const RunnerPlan& plan,
                  const Discovered& discovered) {
  std::string tests;
  if (discovered.tests) {
    for (const auto& id : *discovered.tests) tests += id + "\n";
  }
  return {{"git_revision", environment.git_revision},
          {"host", environment.host},
          {"configuration", sha256_hex(plan.configuration)},
          {"tests", discovered.tests ? sha256_hex(tests) : ""},
          {"version", FLAKEBISECT_VERSION}};
}

void set_startup(BisectCase& facts, const RunnerPlan& plan, const Discovered& discovered) {
  facts.startup_seconds = plan.server ? warm_startup_seconds : discovered.seconds;
}

void take_runners(Bisection& bisection, const RunnerPlan& plan) {
  const auto jobs = plan.jobs(bisection.options);
  bisection.instances = plan.instances;
  bisection.runners = make_runners(plan, jobs);
  for (std::size_t slot = 0; slot < jobs; ++slot) bisection.runner_names.push_back(plan.name(slot));
}

/// The runner of a search side by side: all its processes on one machine, or on testr's instances.
std::unique_ptr<bisect::Runner> side_by_side_runner(RunnerPlan plan, const BisectCase& facts) {
  const auto& side = *facts.side_by_side;
  if (!plan.instances && plan.launchers.size() > 1) plan.launchers.resize(1);
  auto runners = make_runners(plan, 1 + side.workers.size());
  bisect::ConcurrentOptions options;
  options.own = side.own;
  options.own_seconds = side.own_seconds;
  options.victim_seconds = facts.victim_seconds;
  options.others = side.others;
  auto own = std::move(runners.front());
  runners.erase(runners.begin());
  return std::make_unique<bisect::ConcurrentRunner>(std::move(options), std::move(own), std::move(runners));
}

/// The session of the search side by side that belongs to a search on one worker.
std::optional<SessionInfo> side_by_side_session(SessionStore& store, const SessionInfo& first) {
  for (auto& info : store.list()) {
    if (info.run_id != first.run_id || info.victim != first.victim || info.id == first.id) continue;
    const auto facts = case_from_json(info.problem);
    if (facts.side_by_side && facts.side_by_side->first_session == first.id) return std::move(info);
  }
  return std::nullopt;
}

/// Lets the search go on side by side where the run to explain has other workers.
void offer_side_by_side(Bisection& bisection, const RunnerPlan& plan, const Discovered& discovered) {
  if (bisection.facts.other_workers == 0 || bisection.facts.run_id.empty()) return;
  bisection.beside = [plan, tests = discovered.tests](const Bisection& first) {
    auto beside = std::make_unique<Bisection>();
    auto& store = *first.store;
    const auto info = store.find(first.session);
    const auto known = info ? side_by_side_session(store, *info) : std::nullopt;
    if (known) {
      beside->facts = case_from_json(known->problem);
      beside->session = known->id;
      store.hold(known->id);
    } else {
      auto facts = side_by_side_case(open_repository(first.options.common), first.facts, first.session,
                                     first.options, tests);
      if (!facts || !info) return std::unique_ptr<Bisection>();
      facts->history = own_worker_runs(store.observations(first.session), first.facts);
      SessionInfo own = *info;
      own.campaign_victim = 0;
      own.problem = case_to_json(*facts);
      beside->facts = std::move(*facts);
      beside->session = store.create(own, first_evidence(*beside));
    }
    beside->options = first.options;
    beside->instances = plan.instances;
    beside->runners.push_back(side_by_side_runner(plan, beside->facts));
    beside->runner_names.push_back(std::string(side_by_side_mark) + plan.name(0));
    beside->environment = first.environment;
    beside->store = first.store;
    beside->began = first.began;
    return beside;
  };
}

/// The later victims of a campaign that can run behind this one.
void take_part(Bisection& bisection, const std::shared_ptr<SharedRuns>& shared,
               const Discovered& discovered) {
  if (!shared) return;
  const auto& victim = bisection.facts.victim;
  shared->begin(victim);
  bisection.shared = shared;
  bisection.one_at_a_time = shared->one_at_a_time();
  for (const auto& id : shared->behind(victim)) {
    const auto& known = discovered.tests;
    if (known && std::find(known->begin(), known->end(), id) != known->end()) bisection.after.push_back(id);
  }
}

/// `compare`: what has changed since the session was last worked on needs --force.
int resume_session(const Arguments& args, bool compare, bool stdout_taken, const CampaignTurn& turn);

}  // namespace

int command_bisect(const Arguments& args) {
  bool help = false;
  auto options = parse_bisect_options(args, help);
  if (help) {
    std::fputs(bisect_help().c_str(), stdout);
    return exit_ok;
  }
  catch_stop_signals();
  check_directory(options.common.directory);
  if (options.all_failures || options.flaky) return run_campaign(options);
  return bisect_victim(std::move(options), {});
}

int command_resume(const Arguments& args) {
  return resume_session(args, true, false, {});
}

int resume_in_campaign(const Arguments& args, const CampaignTurn& turn, bool stdout_taken, bool compare) {
  return resume_session(args, compare, stdout_taken, turn);
}

int bisect_victim(BisectOptions asked, const CampaignTurn& turn) {
  Bisection bisection;
  bisection.options = std::move(asked);
  const auto& stop = catch_stop_signals();
  const auto& options = bisection.options;
  std::optional<Repository> repository;
  std::optional<StoredVictim> victim;
  std::string list;
  auto family = ConfigFamily::testr;
  if (options.load_list) {
    list = read_list(*options.load_list);
  } else {
    repository = open_repository(options.common);
    family = repository->family();
    victim = find_victim(*repository, options);
  }
  auto plan = plan_runners(options, family, stop);
  if (!options.common.quiet) std::fputs("listing the tests ...\n", stderr);
  const auto discovered = discover(plan, stop, options);
  bisection.facts = victim ? build_case(*repository, *victim, options, discovered.tests)
                           : case_from_list(list, options, discovered.tests);
  set_startup(bisection.facts, plan, discovered);
  bisection.facts.most_victim_runs = plan.victim_runs(options);
  if (bisection.facts.victim_status == "uxsuccess") {
    if (plan.command) plan.command->unexpected_success_fails = true;
    if (plan.server) plan.server->unexpected_success_fails = true;
  }
  if (plan.command && !plan.server) {
    std::vector<std::string> order;
    for (std::size_t i = 0; i < bisection.facts.candidates.size(); ++i) {
      if (bisection.facts.candidate_facts[i].in_failing_run) order.push_back(bisection.facts.candidates[i]);
    }
    order.push_back(bisection.facts.victim);
    const bisect::CommandRunner runner(*plan.command);
    if (const auto warning = runner.order_warning(order)) bisection.facts.warnings.push_back(*warning);
  }
  take_runners(bisection, plan);
  bisection.environment = read_environment(options.common.directory);

  SessionStore store(session_file(options.common.directory, options.session));
  SessionInfo info;
  info.directory = std::filesystem::absolute(options.common.directory).lexically_normal().string();
  info.run_id = bisection.facts.run_id;
  info.worker = bisection.facts.worker;
  info.victim = bisection.facts.victim;
  info.options = bisect_options_to_json(options);
  info.problem = case_to_json(bisection.facts);
  info.context = make_context(bisection.environment, plan, discovered).dump();
  info.campaign = turn.campaign;
  info.campaign_victim = turn.number;
  take_part(bisection, turn.shared, discovered);
  info.one_at_a_time = bisection.one_at_a_time;
  bisection.earlier = first_evidence(bisection);
  bisection.session = store.create(info, bisection.earlier);
  bisection.store = &store;
  offer_side_by_side(bisection, plan, discovered);
  return run_bisection(bisection);
}

namespace {

po::options_description resume_options() {
  po::options_description options("Options");
  // clang-format off
  options.add_options()
    ("session", po::value<std::string>()->value_name("FILE"), "the SQLite file of sessions")
    ("campaign", po::value<std::int64_t>()->value_name("N"), "go on with all victims of this campaign")
    ("force", po::bool_switch(), "go on although code, configuration or tests changed since")
    ("budget", po::value<std::string>()->value_name("TIME"), "wall-clock limit from now on: 90s, 30m, 8h")
    ("max-probes", po::value<std::uint64_t>()->value_name("N"), "limit on the number of further probes")
    ("jobs", po::value<std::uint64_t>()->value_name("N"), "probes at once")
    ("confidence", po::value<double>()->value_name("P"), "another confidence than the session began with");
  for (const auto& format : known_report_formats()) {
    options.add_options()(format.c_str(), po::value<std::string>()->value_name("FILE"),
                          "write a report in this format (-: standard output)");
  }
  // clang-format on
  options.add(common_options());
  return options;
}

std::int64_t parse_session_id(const std::string& word) {
  std::int64_t id = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), id);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) {
    throw UsageError("a session is named by its number, not '" + word +
                     "'; 'flakebisect sessions' lists them");
  }
  return id;
}

/// Names what differs between the session's circumstances and today's.
std::vector<std::string> differences(const json& then, const json& now) {
  static const std::vector<std::pair<const char*, const char*>> members = {
      {"git_revision", "the git revision"},
      {"configuration", "the command or server that runs the tests"},
      {"tests", "the list of tests"},
      {"version", "flakebisect's version"}};
  std::vector<std::string> changed;
  for (const auto& [member, words] : members) {
    const auto before = then.value(member, "");
    const auto after = now.value(member, "");
    if (before == after) continue;
    const bool show = std::string(member) == "git_revision" || std::string(member) == "version";
    changed.push_back(show ? fmt::format("{} (was {}, is {})", words, before.empty() ? "none" : before,
                                         after.empty() ? "none" : after)
                           : words);
  }
  return changed;
}

/// What the command line names, else what was last worked on.
Unfinished what_to_resume(SessionStore& store, const po::variables_map& values) {
  const bool session = values.count("id") != 0;
  const bool campaign = values.count("campaign") != 0;
  if (session && campaign) throw UsageError("name a session or --campaign, not both");
  if (session) return {parse_session_id(values["id"].as<std::string>()), 0};
  if (campaign) return {0, values["campaign"].as<std::int64_t>()};
  if (const auto latest = store.latest_unfinished()) return *latest;
  throw MissingSession("every session in " + store.path() +
                       " has its verdict: there is nothing to go on with");
}

/// The words with which each victim's session goes on, but for the budget and the reports.
CampaignResumption campaign_resumption(const po::variables_map& values, std::int64_t campaign,
                                       const CommonOptions& common, const std::string& file) {
  CampaignResumption resumption;
  resumption.campaign = campaign;
  resumption.file = file;
  resumption.common = common;
  resumption.limits = [&values](BisectOptions& options) { read_limits_and_reports(values, options); };
  auto& words = resumption.words;
  if (values["force"].as<bool>()) words.emplace_back("--force");
  for (const char* name : {"max-probes", "jobs"}) {
    if (values.count(name) != 0)
      words.insert(words.end(), {std::string("--") + name, std::to_string(values[name].as<std::uint64_t>())});
  }
  if (values.count("confidence") != 0)
    words.insert(words.end(), {"--confidence", fmt::format("{}", values["confidence"].as<double>())});
  return resumption;
}

int resume_session(const Arguments& args, bool compare, bool stdout_taken, const CampaignTurn& turn) {
  const auto description = resume_options();
  po::options_description all;
  all.add(description);
  all.add_options()("id", po::value<std::string>());
  po::positional_options_description positional;
  positional.add("id", 1);
  const auto values = parse_options(args, all, positional);
  if (values["help"].as<bool>()) {
    std::ostringstream text;
    text << "Usage: flakebisect resume [ID] [OPTIONS]\n\n"
            "Goes on with a session that has no verdict yet (default: the one last worked on; where it is\n"
            "part of a campaign, with all victims of the campaign).\n\n"
         << description;
    std::fputs(text.str().c_str(), stdout);
    return exit_ok;
  }
  const auto& stop = catch_stop_signals();
  const auto common = read_common(values);
  // A wrong command line is told before a session is looked for.
  BisectOptions unused;
  read_limits_and_reports(values, unused);
  const auto file = session_file(common.directory, values.count("session") != 0
                                                       ? std::optional(values["session"].as<std::string>())
                                                       : std::nullopt);
  if (!std::filesystem::exists(file)) {
    throw MissingSession("there is no session file " + file +
                         "; name it with --session, or the directory with -C");
  }
  SessionStore store(file);
  const auto chosen = what_to_resume(store, values);
  if (chosen.campaign != 0)
    return resume_campaign(campaign_resumption(values, chosen.campaign, common, file));
  const auto id = chosen.session;
  std::int64_t id_of_session = id;
  auto info = store.find(id);
  if (!info) {
    throw MissingSession(
        fmt::format("there is no session {} in {}; 'flakebisect sessions' lists them", id, file));
  }
  Bisection bisection;
  bisection.facts = case_from_json(info->problem);
  if (const auto side = bisection.facts.side_by_side) {
    // The search on one worker and the one side by side go on together.
    const auto first = store.find(side->first_session);
    if (!first) {
      throw MissingSession(
          fmt::format("session {} went on from session {}, which is no longer in {}; start anew", id,
                      side->first_session, file));
    }
    bisection.begin_side_by_side = true;
    id_of_session = side->first_session;
    info = first;
    bisection.facts = case_from_json(info->problem);
  }
  store.hold(id_of_session);

  auto& options = bisection.options;
  options = options_to_go_on(info->options, common, info->directory);
  options.stdout_taken = stdout_taken;
  read_limits_and_reports(values, options);
  check_directory(options.common.directory);
  const auto family = info->run_id.empty() ? ConfigFamily::testr : open_repository(options.common).family();
  auto plan = plan_runners(options, family, stop);
  const auto discovered = discover(plan, stop, options);
  if (!plan.server) bisection.facts.most_victim_runs = 1;
  if (bisection.facts.victim_status == "uxsuccess") {
    if (plan.command) plan.command->unexpected_success_fails = true;
    if (plan.server) plan.server->unexpected_success_fails = true;
  }
  bisection.environment = read_environment(options.common.directory);
  const auto context = make_context(bisection.environment, plan, discovered);
  const auto changed =
      compare ? differences(json::parse(info->context), context) : std::vector<std::string>();
  if (!changed.empty()) {
    std::string what;
    for (const auto& difference : changed) what += (what.empty() ? "" : ", ") + difference;
    if (!values["force"].as<bool>()) {
      throw InputError(
          InputError::Kind::unreadable,
          fmt::format("since session {} was last worked on something changed: {}. Its observations may "
                      "not hold any more: go on anyway with --force, or start anew with 'flakebisect'",
                      id, what));
    }
    bisection.facts.warnings.push_back("evidence from before and after a change was taken together: " + what);
    store.set_context(id_of_session, context.dump());
  }
  take_runners(bisection, plan);
  bisection.store = &store;
  bisection.session = id_of_session;
  bisection.earlier = store.observations(id_of_session);
  take_part(bisection, turn.shared, discovered);
  bisection.one_at_a_time = info->one_at_a_time;
  offer_side_by_side(bisection, plan, discovered);
  return run_bisection(bisection);
}

}  // namespace

}  // namespace flakebisect::analyzer
