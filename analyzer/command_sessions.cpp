/// `flakebisect sessions`: lists, shows, exports and deletes what the session file holds.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analyzer/command_line.h"
#include "analyzer/commands.h"
#include "analyzer/exit_status.h"
#include "analyzer/session_file.h"
#include "analyzer/session_store.h"

namespace flakebisect::analyzer {

namespace po = boost::program_options;
using nlohmann::json;

namespace {

std::string local_time(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  localtime_r(&whole, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string state_of(SessionStore& store, const SessionInfo& info) {
  if (info.state != "running") return info.state;
  const auto holder = store.holder(info.id);
  return holder ? "running (" + *holder + ")" : "killed";
}

/// The finding of a session's last report in a few words; empty where it never ended.
std::string finding(const SessionInfo& info) {
  if (info.report.empty()) return {};
  const auto report = json::parse(info.report, nullptr, false);
  if (report.is_discarded() || !report.contains("verdict")) return {};
  const auto& verdict = report["verdict"];
  std::string text = verdict.value("kind", "");
  for (const auto& test : verdict.value("tests", std::vector<std::string>{})) text += " " + test;
  return text;
}

int list_sessions(SessionStore& store) {
  const auto sessions = store.list();
  if (sessions.empty()) std::fprintf(stderr, "no sessions in %s\n", store.path().c_str());
  for (const auto& info : sessions) {
    std::puts(fmt::format("{:>4}  {}  {:<16} run {} {}  {}  {} probes{}", info.id, local_time(info.updated),
                          state_of(store, info), info.run_id.empty() ? "-" : info.run_id, info.worker,
                          info.victim, info.observations,
                          finding(info).empty() ? "" : "  => " + finding(info))
                  .c_str());
  }
  return exit_ok;
}

SessionInfo require(SessionStore& store, const std::string& word) {
  std::int64_t id = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), id);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) {
    throw UsageError("a session is named by its number, not '" + word +
                     "'; 'flakebisect sessions' lists them");
  }
  auto info = store.find(id);
  if (!info) {
    throw MissingSession("there is no session " + word + " in " + store.path() +
                         "; 'flakebisect sessions' lists them");
  }
  return *info;
}

int show_session(SessionStore& store, const SessionInfo& info) {
  std::puts(
      fmt::format("session   {}\nstate     {}\nstarted   {}\nupdated   {}\ndirectory {}\nrun       {} {}\n"
                  "victim    {}\nprobes    {}",
                  info.id, state_of(store, info), local_time(info.created), local_time(info.updated),
                  info.directory, info.run_id.empty() ? "-" : info.run_id, info.worker, info.victim,
                  info.observations)
          .c_str());
  if (info.campaign != 0) std::puts(fmt::format("campaign  {}", info.campaign).c_str());
  if (!finding(info).empty()) std::puts(("finding   " + finding(info)).c_str());
  for (const auto& failure : store.failures(info.id)) {
    std::puts(fmt::format("failure   {} x {}{}", failure.count, failure.signature,
                          failure.matches ? "" : " (another failure than the one to explain)")
                  .c_str());
  }
  return exit_ok;
}

int export_session(SessionStore& store, const SessionInfo& info) {
  json observations = json::array();
  for (const auto& stored : store.observations(info.id)) {
    const auto& observation = stored.observation;
    observations.push_back(
        {{"source", static_cast<int>(observation.source)},
         {"purpose", static_cast<int>(observation.purpose)},
         {"outcome", static_cast<int>(observation.outcome)},
         {"victim_runs", observation.victim_runs},
         {"victim_runs_asked", observation.victim_runs_asked},
         {"weight", observation.weight},
         {"asked", stored.asked},
         {"ran", observation.ran},
         {"seconds", observation.seconds},
         {"startup_seconds", stored.startup_seconds},
         {"victim_seconds", stored.victim_seconds < 0 ? json(nullptr) : json(stored.victim_seconds)},
         {"process", observation.process},
         {"signature", stored.signature},
         {"void_reason", stored.void_reason},
         {"lost", observation.lost},
         {"made_at", stored.made_at},
         {"runner", stored.runner},
         {"beside", stored.beside},
         {"version", stored.version}});
  }
  json failures = json::array();
  for (const auto& failure : store.failures(info.id)) {
    failures.push_back({{"signature", failure.signature},
                        {"matches", failure.matches},
                        {"count", failure.count},
                        {"traceback", failure.traceback}});
  }
  const auto parsed = [](const std::string& text) {
    return text.empty() ? json(nullptr) : json::parse(text);
  };
  const json whole = {{"schema", "flakebisect/session/1"},
                      {"id", info.id},
                      {"created", info.created},
                      {"updated", info.updated},
                      {"state", info.state},
                      {"directory", info.directory},
                      {"run_id", info.run_id},
                      {"worker", info.worker},
                      {"victim", info.victim},
                      {"options", parsed(info.options)},
                      {"problem", parsed(info.problem)},
                      {"context", parsed(info.context)},
                      {"report", parsed(info.report)},
                      {"one_at_a_time", info.one_at_a_time},
                      {"campaign", info.campaign == 0 ? json(nullptr) : json(info.campaign)},
                      {"observations", observations},
                      {"failures", failures}};
  std::puts(whole.dump(1, ' ', false, json::error_handler_t::replace).c_str());
  return exit_ok;
}

}  // namespace

int command_sessions(const Arguments& args) {
  po::options_description options("Options");
  options.add_options()("session", po::value<std::string>()->value_name("FILE"),
                        "the SQLite file of sessions");
  po::options_description hidden;
  hidden.add_options()("words", po::value<std::vector<std::string>>());
  po::options_description all;
  all.add(options).add(common_options()).add(hidden);
  po::positional_options_description positional;
  positional.add("words", -1);
  const auto values = parse_options(args, all, positional);
  if (values["help"].as<bool>()) {
    std::ostringstream text;
    text << "Usage: flakebisect sessions [list]\n"
            "       flakebisect sessions show|export|delete ID\n\n"
         << options << common_options();
    std::fputs(text.str().c_str(), stdout);
    return exit_ok;
  }
  const auto common = read_common(values);
  check_directory(common.directory);
  const auto file =
      session_file(common.directory, values.count("session") != 0
                                         ? std::optional<std::string>(values["session"].as<std::string>())
                                         : std::nullopt);
  std::vector<std::string> words = {"list"};
  if (values.count("words") != 0) words = values["words"].as<std::vector<std::string>>();
  const std::vector<std::string> actions = {"list", "show", "export", "delete"};
  if (std::find(actions.begin(), actions.end(), words[0]) == actions.end()) {
    const auto suggestion = nearest(words[0], actions);
    throw UsageError("'sessions' knows list, show, export and delete, not '" + words[0] + "'" +
                     (suggestion ? "; did you mean '" + *suggestion + "'?" : ""));
  }
  const bool takes_id = words[0] != "list";
  if (words.size() != (takes_id ? 2U : 1U)) {
    throw UsageError("'sessions " + words[0] + "' takes " +
                     (takes_id ? "one session's number" : "no more words"));
  }
  if (!std::filesystem::exists(file)) {
    if (takes_id) throw MissingSession("there is no session file " + file + "; a bisection makes it");
    std::fprintf(stderr, "no sessions in %s\n", file.c_str());
    return exit_ok;
  }
  const bool reads = words[0] != "delete";
  SessionStore store(file, reads ? SessionStore::Access::read : SessionStore::Access::write);
  if (!takes_id) return list_sessions(store);
  const auto info = require(store, words[1]);
  if (words[0] == "show") return show_session(store, info);
  if (words[0] == "export") return export_session(store, info);
  store.remove(info.id);
  return exit_ok;
}

}  // namespace flakebisect::analyzer
