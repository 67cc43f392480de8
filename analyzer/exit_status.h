#pragma once

/// The exit statuses users and CI jobs rely on. 120 is never used, and 1 and 2 never mean anything but
/// errors.

#include <stdexcept>

namespace flakebisect::analyzer {

enum ExitStatus : int {
  exit_ok = 0,
  exit_internal_error = 1,  ///< a defect of ours, or output that could not be written
  exit_usage = 2,
  exit_inconclusive = 3,  ///< the budget ended first; the session can be resumed
  exit_not_reproduced = 4,
  exit_bad_input = 5,
  exit_cannot_run = 6,
  exit_not_conforming = 7,  ///< check-server: the server lacks something that is required
  exit_too_flaky = 8,       ///< analyze --fail-if: a flaky test fails too often
  exit_interrupted = 130,
  exit_terminated = 143,
};

/// The command line is wrong (exit status 2).
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One word more than a command takes. Thrown where options are parsed; the command's name is added by who
/// knows it.
struct SurplusArgument : UsageError {
  using UsageError::UsageError;
};

/// The session named on the command line does not exist (exit status 5).
struct MissingSession : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The budget ended before the first probe (exit status 3).
struct BudgetEnded : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Something that was to be written could not be (exit status 1).
struct OutputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace flakebisect::analyzer
