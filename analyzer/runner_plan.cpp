#include "analyzer/runner_plan.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "analyzer/exit_status.h"
#include "bisect/list_timeout.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

using repo_reader::InputError;

namespace {

void plan_launchers(RunnerPlan& plan, const BisectOptions& options, repo_reader::ConfigFamily family,
                    const StopSignals& stop) {
  if (!options.launcher) return;
  const auto& directory = options.common.directory;
  if (*options.launcher == "testr") {
    const auto config = repo_reader::read_config(directory, family);
    if (!config) {
      throw InputError(
          InputError::Kind::unreadable,
          "--launcher testr takes its instances from a .testr.conf, and there is none in " + directory);
    }
    try {
      plan.instances = std::make_shared<Instances>(*config, directory, options.jobs, stop.requested,
                                                   options.budget_seconds);
    } catch (const bisect::CannotRun&) {
      if (stop.requested) throw Interrupted{stop.number};
      throw;
    }
    for (const auto& id : plan.instances->ids())
      plan.launchers.push_back(bisect::instance_launcher(*config->instance_execute, id));
  } else {
    const auto here = std::filesystem::absolute(directory).lexically_normal().string();
    plan.launchers = bisect::parse_launchers(*options.launcher, options.launcher_directory.value_or(here));
  }
  plan.configuration += "launcher: " + *options.launcher + "\n";
  if (plan.command) plan.command->launcher = plan.launchers.front();
  if (plan.server) plan.server->launcher = plan.launchers.front();
}

}  // namespace

std::string RunnerPlan::name(std::size_t slot) const {
  return launchers.empty() ? name() : name() + " " + launchers[slot % launchers.size()].name;
}

std::uint64_t RunnerPlan::jobs(const BisectOptions& options) const {
  return options.jobs_given ? options.jobs : std::max<std::uint64_t>(options.jobs, launchers.size());
}

std::uint32_t RunnerPlan::victim_runs(const BisectOptions& options) const {
  constexpr std::uint32_t usual = 32;
  return server ? options.victim_runs.value_or(usual) : 1;
}

RunnerPlan plan_runners(const BisectOptions& options, repo_reader::ConfigFamily family,
                        const StopSignals& stop) {
  RunnerPlan plan;
  const auto& directory = options.common.directory;
  std::optional<repo_reader::TestConfig> config;
  if (!options.load_list && !(options.command && (options.server || options.no_server))) {
    config = repo_reader::read_config(directory, family);
  }
  if (options.command) {
    bisect::CommandRunnerOptions command;
    command.command.command = *options.command;
    command.output = bisect::OutputKind::automatic;
    plan.command = std::move(command);
  } else if (config && (config->test_command || !config->test_server_command || options.no_server)) {
    bisect::CommandRunnerOptions command;
    command.command.command = repo_reader::require_test_command(*config);
    command.command.id_option = config->test_id_option.value_or("");
    command.command.list_option = config->test_list_option.value_or("");
    command.command.id_list_default = config->test_id_list_default;
    command.output = bisect::OutputKind::subunit;
    plan.command = std::move(command);
  }
  const auto server_command = options.server                 ? options.server
                              : config && !options.no_server ? config->test_server_command
                                                             : std::nullopt;
  if (server_command) {
    bisect::ServerRunnerOptions server;
    server.command = *server_command;
    server.directory = directory;
    plan.server = std::move(server);
  }
  if (!plan.command && !plan.server) {
    throw InputError(
        InputError::Kind::unreadable,
        "nothing says how to run the tests: there is no .testr.conf, .stestr.conf, [tool.stestr] in "
        "pyproject.toml or [stestr] in tox.ini in " +
            directory + "; name the directory with -C, or give the command with --command");
  }
  const bool unexpected_success_fails = family == repo_reader::ConfigFamily::stestr;
  if (plan.command) {
    plan.command->directory = directory;
    plan.command->unexpected_success_fails = unexpected_success_fails;
    plan.configuration += "command: " + plan.command->command.command + "\n" +
                          plan.command->command.id_option + "\n" + plan.command->command.list_option + "\n";
  }
  if (plan.server) {
    plan.server->unexpected_success_fails = unexpected_success_fails;
    plan.configuration += "server: " + plan.server->command + "\n";
    if (plan.command) {
      auto reproducer = std::make_shared<bisect::CommandRunner>(*plan.command);
      plan.server->reproduction = [reproducer](const std::vector<std::string>& tests) {
        return reproducer->reproduction_command(tests);
      };
    }
  }
  plan_launchers(plan, options, family, stop);
  return plan;
}

Discovered discover(RunnerPlan& plan, const StopSignals& stop, const BisectOptions& options) {
  constexpr double most_seconds = 300;
  const double limit_seconds = std::min(most_seconds, options.budget_seconds.value_or(most_seconds));
  Discovered discovered;
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds_since = [](std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // Any machine may tell, so one that is dead is passed over.
  for (std::size_t next = 1;; ++next) {
    const auto start = std::chrono::steady_clock::now();
    const double left = std::max(0.001, limit_seconds - seconds_since(begin));
    try {
      if (plan.server) {
        auto server = *plan.server;
        server.queue_limit_seconds = std::min(server.queue_limit_seconds, left);
        bisect::ServerRunner runner(std::move(server));
        discovered.tests = runner.list_tests(stop.requested, left);
      } else {
        bisect::CommandRunner runner(*plan.command);
        discovered.tests = runner.list_tests(stop.requested, left);
        plan.command->discovered = discovered.tests;
      }
      discovered.seconds = seconds_since(start);
      break;
    } catch (const bisect::ListTimeout& timeout) {
      if (limit_seconds >= most_seconds) throw;
      throw BudgetEnded(std::string("--budget ended while the tests were being listed; give it more: ") +
                        timeout.what());
    } catch (const bisect::MachineLost&) {
      if (next >= plan.launchers.size() || seconds_since(begin) >= limit_seconds || stop.requested) throw;
      if (plan.command) plan.command->launcher = plan.launchers[next];
      if (plan.server) plan.server->launcher = plan.launchers[next];
    }
  }
  if (stop.requested) throw Interrupted{stop.number};
  return discovered;
}

std::vector<std::unique_ptr<bisect::Runner>> make_runners(const RunnerPlan& plan, std::uint64_t jobs) {
  std::vector<std::unique_ptr<bisect::Runner>> runners;
  for (std::uint64_t slot = 0; slot < jobs; ++slot) {
    std::optional<bisect::Launcher> launcher;
    if (!plan.launchers.empty()) {
      launcher = plan.launchers[slot % plan.launchers.size()];
      launcher->slot = static_cast<unsigned>(slot);
    }
    if (plan.server) {
      auto options = *plan.server;
      options.launcher = launcher;
      runners.push_back(std::make_unique<bisect::ServerRunner>(std::move(options)));
    } else {
      auto options = *plan.command;
      options.launcher = launcher;
      runners.push_back(std::make_unique<bisect::CommandRunner>(std::move(options)));
    }
  }
  return runners;
}

}  // namespace flakebisect::analyzer
