#include "analyzer/bisect_options.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analyzer/exit_status.h"
#include "analyzer/pattern.h"
#include "analyzer/report_formats.h"
#include "bisect/engine_repeats.h"
#include "bisect/launcher.h"

namespace flakebisect::analyzer {

namespace po = boost::program_options;
using nlohmann::json;

namespace {

po::options_description bisect_options() {
  po::options_description options("What to explain");
  // clang-format off
  options.add_options()
    ("run-id", po::value<std::string>()->value_name("N"),
     "the stored run to explain; latest (the default): the latest run in which a test failed")
    ("worker", po::value<std::string>()->value_name("TAG"),
     "whose ordered list to take, such as worker-0 (default: the worker on which the victim failed)")
    ("test", po::value<std::string>()->value_name("ID"),
     "the victim (default: the first test that failed on that worker)")
    ("all-failures", po::bool_switch(),
     "a campaign: every test that failed in the run, one after the other, within one budget")
    ("flaky", po::bool_switch(), "a campaign: every test that both passed and failed in the stored runs")
    ("load-list", po::value<std::string>()->value_name("FILE"),
     "an ordered list instead of a repository, one test id a line (-: standard input); "
     "needs --test and --command or --server");
  po::options_description running("How to run the tests");
  running.add_options()
    ("command", po::value<std::string>()->value_name("CMD"),
     "runs a list of tests in a new process; $IDFILE or $IDLIST is replaced "
     "(default: test_command of the configuration)")
    ("server", po::value<std::string>()->value_name("CMD"),
     "a test server (default: test_server_command of the configuration)")
    ("no-server", po::bool_switch(), "ignore the configuration's test server")
    ("jobs", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "probes at once")
    ("launcher", po::value<std::string>()->value_name("WHERE"),
     "runs the probes elsewhere: ssh:HOST,..., slurm, kubectl:POD,..., testr (the instances of .testr.conf), or shell "
     "text with $COMMAND in it")
    ("launcher-directory", po::value<std::string>()->value_name("DIR"),
     "the directory there (default: the same path as here)")
    ("test-timeout", po::value<std::string>()->value_name("TIME"), "for one test (default: from its history)")
    ("victim-runs", po::value<std::uint64_t>()->value_name("N"),
     "runs of the victim that one probe may make, where the test server can repeat it; 1: never (default: 32)");
  po::options_description search("How to decide");
  search.add_options()
    ("confidence", po::value<double>()->default_value(0.95, "0.95")->value_name("P"),
     "a verdict is given only at this posterior probability, and confirmed")
    ("budget", po::value<std::string>()->value_name("TIME"), "wall-clock limit: 90s, 30m, 8h")
    ("max-probes", po::value<std::uint64_t>()->value_name("N"), "limit on the number of probes")
    ("match", po::value<std::string>()->value_name("REGEX"),
     "only a failure whose traceback matches is the failure (default: same exception type and innermost line of the "
     "test's own file)")
    ("suspect", po::value<std::vector<std::string>>()->value_name("REGEX"),
     "tests to suspect more than others; may be repeated")
    ("all", po::bool_switch(), "after a polluter is found, look for further ones")
    ("cleaners", po::bool_switch(), "after a polluter is found, look for tests that undo it")
    ("no-history", po::bool_switch(), "start from the prior alone")
    ("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "every random choice follows from it");
  po::options_description output("What to write");
  output.add_options()
    ("session", po::value<std::string>()->value_name("FILE"),
     "the SQLite file of sessions (default: .flakebisect/sessions.sqlite under the directory)");
  for (const auto& format : known_report_formats()) {
    output.add_options()(format.c_str(), po::value<std::string>()->value_name("FILE"),
                         ("write a report in this format (-: standard output)"));
  }
  // clang-format on
  options.add(running).add(search).add(output).add(common_options());
  return options;
}

template <class T>
std::optional<T> optional_value(const po::variables_map& values, const char* name) {
  if (values.count(name) == 0) return std::nullopt;
  return values[name].as<T>();
}

void check_regex(const std::string& text, const std::string& option) {
  try {
    const Pattern compiled(text);
  } catch (const BadPattern& error) {
    throw UsageError(option + ": '" + text + "' is not a regular expression: " + error.what());
  }
}

}  // namespace

std::vector<ReportRequest> read_report_requests(const po::variables_map& values) {
  std::vector<ReportRequest> requests;
  std::size_t to_stdout = 0;
  for (const auto& format : known_report_formats()) {
    if (const auto file = optional_value<std::string>(values, format.c_str())) {
      requests.push_back({format, *file});
      if (*file == "-") ++to_stdout;
    }
  }
  if (to_stdout > 1) throw UsageError("only one report can go to standard output (-)");
  return requests;
}

void read_limits_and_reports(const po::variables_map& values, BisectOptions& options) {
  if (const auto confidence = optional_value<double>(values, "confidence")) options.confidence = *confidence;
  if (!(options.confidence > 0.5 && options.confidence < 1)) {
    throw UsageError("--confidence takes a probability above 0.5 and below 1, such as 0.95");
  }
  if (const auto text = optional_value<std::string>(values, "budget")) {
    options.budget_seconds = parse_duration_seconds(*text, "--budget");
  }
  if (const auto most = optional_value<std::uint64_t>(values, "max-probes")) {
    if (*most == 0) throw UsageError("--max-probes must be at least 1");
    options.max_probes = *most;
  }
  if (const auto jobs = optional_value<std::uint64_t>(values, "jobs")) {
    if (*jobs < 1 || *jobs > 4096) throw UsageError("--jobs takes a number from 1 to 4096");
    options.jobs = *jobs;
    options.jobs_given = options.jobs_given || !values["jobs"].defaulted();
  }
  options.reports = read_report_requests(values);
}

BisectOptions parse_bisect_options(const std::vector<std::string>& args, bool& help) {
  const auto description = bisect_options();
  const auto values = parse_options(args, description);
  BisectOptions options;
  options.common = read_common(values);
  help = values["help"].as<bool>();
  if (help) return options;

  options.run_id = optional_value<std::string>(values, "run-id");
  options.worker = optional_value<std::string>(values, "worker");
  options.test = optional_value<std::string>(values, "test");
  options.all_failures = values["all-failures"].as<bool>();
  options.flaky = values["flaky"].as<bool>();
  if (options.all_failures || options.flaky) {
    const std::string campaign = options.flaky ? "--flaky" : "--all-failures";
    if (options.all_failures && options.flaky)
      throw UsageError("--all-failures and --flaky: give one of them");
    if (options.test || values.count("load-list") != 0)
      throw UsageError(campaign + " finds its victims itself: leave --test and --load-list out");
    if (options.flaky && (options.run_id || options.worker))
      throw UsageError("--flaky looks at all stored runs: leave --run-id and --worker out");
    for (const auto& format : known_report_formats()) {
      if (format != "json" && optional_value<std::string>(values, format.c_str()) == "-")
        throw UsageError(
            fmt::format("{} writes a report for each victim: give --{} a file's name", campaign, format));
    }
  }
  options.load_list = optional_value<std::string>(values, "load-list");
  options.command = optional_value<std::string>(values, "command");
  options.server = optional_value<std::string>(values, "server");
  options.no_server = values["no-server"].as<bool>();
  read_limits_and_reports(values, options);
  options.launcher = optional_value<std::string>(values, "launcher");
  options.launcher_directory = optional_value<std::string>(values, "launcher-directory");
  if (options.launcher_directory && !options.launcher)
    throw UsageError("--launcher-directory needs --launcher");
  if (options.launcher && *options.launcher != "testr") {
    try {
      bisect::parse_launchers(*options.launcher, "/");
    } catch (const bisect::LauncherError& error) {
      throw UsageError(std::string("--launcher: ") + error.what());
    }
  }
  if (const auto text = optional_value<std::string>(values, "test-timeout")) {
    options.test_timeout_seconds = parse_duration_seconds(*text, "--test-timeout");
  }
  if (const auto runs = optional_value<std::uint64_t>(values, "victim-runs")) {
    if (*runs < 1 || *runs > bisect::most_runs_of_a_probe)
      throw UsageError(
          fmt::format("--victim-runs takes a number from 1 to {}", bisect::most_runs_of_a_probe));
    options.victim_runs = static_cast<std::uint32_t>(*runs);
  }
  options.match = optional_value<std::string>(values, "match");
  if (options.match) check_regex(*options.match, "--match");
  if (values.count("suspect") != 0) options.suspects = values["suspect"].as<std::vector<std::string>>();
  for (const auto& suspect : options.suspects) check_regex(suspect, "--suspect");
  options.find_all = values["all"].as<bool>();
  options.find_cleaners = values["cleaners"].as<bool>();
  options.no_history = values["no-history"].as<bool>();
  options.seed = values["seed"].as<std::uint64_t>();
  options.session = optional_value<std::string>(values, "session");

  if (options.load_list) {
    if (!options.test) throw UsageError("--load-list needs --test ID, the victim");
    if (!options.command && !options.server)
      throw UsageError("--load-list needs --command CMD or --server CMD");
    if (options.run_id || options.worker)
      throw UsageError("--load-list replaces --run-id and --worker: give one of them");
  }
  if (options.server && options.no_server) throw UsageError("--server and --no-server contradict each other");
  return options;
}

std::string bisect_help() {
  std::ostringstream text;
  text << "Usage: flakebisect [bisect] [OPTIONS]\n\n"
          "Explains why a test failed in a stored run: on its own, after which other tests, or only without "
          "one.\n\n"
       << bisect_options()
       << "\nExit status: 0 a verdict; 3 inconclusive (resume it); 4 not reproduced; 1, 2, 5, 6 errors; 130, "
          "143 "
          "interrupted.\n";
  return text.str();
}

namespace {

template <class T>
json nullable(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

template <class T>
std::optional<T> from_nullable(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<T>();
}

}  // namespace

std::string bisect_options_to_json(const BisectOptions& options) {
  std::optional<std::string> repo;
  if (options.common.repo) repo = std::filesystem::absolute(*options.common.repo).lexically_normal().string();
  const json all{{"repo", nullable(repo)},
                 {"run_id", nullable(options.run_id)},
                 {"worker", nullable(options.worker)},
                 {"test", nullable(options.test)},
                 {"load_list", nullable(options.load_list)},
                 {"command", nullable(options.command)},
                 {"server", nullable(options.server)},
                 {"no_server", options.no_server},
                 {"confidence", options.confidence},
                 {"budget_seconds", nullable(options.budget_seconds)},
                 {"max_probes", options.max_probes},
                 {"jobs", options.jobs},
                 {"jobs_given", options.jobs_given},
                 {"launcher", nullable(options.launcher)},
                 {"launcher_directory", nullable(options.launcher_directory)},
                 {"test_timeout_seconds", nullable(options.test_timeout_seconds)},
                 {"victim_runs", nullable(options.victim_runs)},
                 {"match", nullable(options.match)},
                 {"suspects", options.suspects},
                 {"no_history", options.no_history},
                 {"find_all", options.find_all},
                 {"find_cleaners", options.find_cleaners},
                 {"seed", options.seed}};
  for (const auto& [name, value] : all.items()) {
    try {
      value.dump();
    } catch (const json::type_error&) {
      throw UsageError(
          "an option is no UTF-8 text, as which sessions and reports keep it: what was given for its " +
          name + "; write it in UTF-8");
    }
  }
  return all.dump();
}

BisectOptions bisect_options_from_json(const std::string& text) {
  const json object = json::parse(text);
  BisectOptions options;
  options.common.repo = from_nullable<std::string>(object, "repo");
  options.run_id = from_nullable<std::string>(object, "run_id");
  options.worker = from_nullable<std::string>(object, "worker");
  options.test = from_nullable<std::string>(object, "test");
  options.load_list = from_nullable<std::string>(object, "load_list");
  options.command = from_nullable<std::string>(object, "command");
  options.server = from_nullable<std::string>(object, "server");
  options.no_server = object.at("no_server").get<bool>();
  options.confidence = object.at("confidence").get<double>();
  options.budget_seconds = from_nullable<double>(object, "budget_seconds");
  options.max_probes = object.at("max_probes").get<std::uint64_t>();
  options.jobs = object.at("jobs").get<std::uint64_t>();
  options.jobs_given = object.value("jobs_given", true);
  options.launcher = from_nullable<std::string>(object, "launcher");
  options.launcher_directory = from_nullable<std::string>(object, "launcher_directory");
  options.test_timeout_seconds = from_nullable<double>(object, "test_timeout_seconds");
  options.victim_runs = from_nullable<std::uint32_t>(object, "victim_runs");
  options.match = from_nullable<std::string>(object, "match");
  options.suspects = object.at("suspects").get<std::vector<std::string>>();
  options.no_history = object.at("no_history").get<bool>();
  options.find_all = object.at("find_all").get<bool>();
  options.find_cleaners = object.at("find_cleaners").get<bool>();
  options.seed = object.at("seed").get<std::uint64_t>();
  return options;
}

BisectOptions options_to_go_on(const std::string& stored, const CommonOptions& common,
                               const std::string& directory) {
  auto options = bisect_options_from_json(stored);
  const auto repo = common.repo ? common.repo : options.common.repo;
  options.common = common;
  options.common.repo = repo;
  options.common.directory = directory;
  options.budget_seconds.reset();
  options.max_probes = 0;
  return options;
}

}  // namespace flakebisect::analyzer
