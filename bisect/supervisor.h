#pragma once

/// The process between us and a command; see child_process.h. Runs after fork() in a program with threads, so
/// it uses async-signal-safe calls only.

#include <sys/types.h>

namespace flakebisect::bisect {

/// What a supervisor needs, prepared before the fork.
struct SupervisorPlan {
  const char* const* argv;  ///< of the command, argv[0] a path
  const char* const* environment;
  const char* directory;  ///< or null
  const char* scratch;    ///< a TemporaryFolder to remove at the end, or null
  int in, out, err;       ///< the command's standard streams
  int control;            ///< read end
  int status;             ///< write end
};

/// Messages on the status pipe.
struct SupervisorMessage {
  enum Kind : int { started = 1, failed = 2, ended = 3 };
  int kind;
  int value;  ///< started: the command's pid; failed: errno; ended: wait status
};

/// The supervisor's exit statuses.
constexpr int supervisor_clean = 0;
constexpr int supervisor_left_something = 1;

/// Starts the command, obeys the control pipe, kills everything at its end; never returns.
[[noreturn]] void supervise(const SupervisorPlan& plan);

}  // namespace flakebisect::bisect
