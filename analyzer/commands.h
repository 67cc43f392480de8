#pragma once

/// The program's commands. Each takes the words behind the command word, writes findings to standard output
/// and narration to standard error, and returns an exit status (exit_status.h). Expected failures are thrown
/// as UsageError, repo_reader::InputError, bisect::CannotRun, SessionError or OutputError; main() turns them
/// into statuses.

#include <string>
#include <vector>

namespace flakebisect::analyzer {

using Arguments = std::vector<std::string>;

int command_analyze(const Arguments& args);
int command_bisect(const Arguments& args);
int command_list(const Arguments& args);
int command_report(const Arguments& args);
int command_resume(const Arguments& args);
int command_sessions(const Arguments& args);

struct Command {
  const char* name;
  const char* summary;  ///< one line for `flakebisect help`
  int (*run)(const Arguments& args);
};

/// Every command a user can call, in the order `flakebisect help` shows them.
const std::vector<Command>& commands();

/// Runs the program: picks the command, turns exceptions into messages and exit statuses, and makes sure that
/// what was printed has really been written. `args` are the words behind the program's name.
int run_program(Arguments args);

}  // namespace flakebisect::analyzer
