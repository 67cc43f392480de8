#include "analyzer/commands.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "analyzer/command_check_server.h"
#include "analyzer/command_ending.h"
#include "analyzer/command_line.h"
#include "analyzer/command_simulate.h"
#include "analyzer/exit_status.h"

namespace flakebisect::analyzer {

namespace {

/// The command of this name. Throws UsageError with the nearest name where there is none.
const Command& command_named(const std::string& name) {
  const auto& all = commands();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Command& command) { return name == command.name; });
  if (found != all.end()) return *found;
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const auto& command : all) names.emplace_back(command.name);
  const auto suggestion = nearest(name, names);
  throw UsageError("unknown command '" + name + "'" +
                   (suggestion ? "; did you mean '" + *suggestion + "'?" : "; see 'flakebisect help'"));
}

int command_help(const Arguments& args) {
  if (!args.empty() && args[0].rfind('-', 0) != 0) {
    const auto& command = command_named(args[0]);
    if (command.run != command_help) return command.run({"--help"});
  }
  std::puts(
      "flakebisect explains flaky tests: why did this test fail in that run?\n"
      "\n"
      "Usage: flakebisect [OPTIONS]                    bisect the latest run in which a test failed\n"
      "       flakebisect --run-id 1615 --worker worker-0\n"
      "       flakebisect COMMAND [OPTIONS]\n"
      "\n"
      "Commands:");
  for (const auto& command : commands()) std::printf("  %-14s%s\n", command.name, command.summary);
  std::puts(
      "\n'flakebisect COMMAND --help' shows the options of a command; 'flakebisect --version' the version.");
  return exit_ok;
}

int fail(int status, const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "flakebisect: %s\n", message.c_str());
  return status;
}

int dispatch(Arguments args) {
  if (asks_for_version(args)) {
    std::puts("flakebisect " FLAKEBISECT_VERSION);
    return exit_ok;
  }
  const auto word = take_command_word(args);
  const auto& command = command_named(word.value_or("bisect"));
  if (!word && args.size() == 1 && (args[0] == "--help" || args[0] == "-h")) return command_help({});
  try {
    return command.run(args);
  } catch (const SurplusArgument& surplus) {
    throw UsageError(fmt::format("an argument too many for '{}': '{}'; see 'flakebisect {} --help'",
                                 command.name, surplus.what(), command.name));
  }
}

/// Where a standard descriptor is closed, the next file opened would get its number, and what is printed
/// would end up in that file. /dev/null, opened for reading, keeps the place; writing to it fails and is
/// reported.
void hold_standard_descriptors() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) (void)::open("/dev/null", O_RDONLY);
  }
}

/// Standard output and error are flushed and checked: a full disk must not look like success.
int check_streams(int status) {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    const int reason = errno;
    std::fprintf(stderr, "flakebisect: cannot write to standard output: %s\n",
                 reason != 0 ? std::strerror(reason) : "an earlier write failed");
    return exit_internal_error;
  }
  if (std::fflush(stderr) != 0 || std::ferror(stderr) != 0) return exit_internal_error;
  return status;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"bisect", "explain why a test failed in a stored run (the default)", command_bisect},
      {"list", "print the tests a worker ran, in execution order", command_list},
      {"analyze", "tell from all stored runs which tests are flaky, and perhaps why", command_analyze},
      {"report", "write a session's report again, in any format", command_report},
      {"resume", "go on with a session that has no verdict yet", command_resume},
      {"sessions", "list, show, export and delete stored sessions", command_sessions},
      {"check-server", "try every requirement of the protocol on a test server", command_check_server},
      {"simulate", "measure the search and its peers on simulated flaky failures", command_simulate},
      {"help", "show this help, or a command's", command_help},
  };
  return all;
}

int run_program(Arguments args) {
  hold_standard_descriptors();
  int status = exit_internal_error;
  try {
    status = dispatch(std::move(args));
  } catch (...) {
    const auto ending = ending_of_exception();
    status = fail(ending.status, ending.message);
  }
  return check_streams(status);
}

}  // namespace flakebisect::analyzer
