#pragma once

/// A conformance check of any test server against docs/protocol.md, in the manner of h2spec: each requirement
/// is tried on a real server process, and a failure shows what was sent and what came back.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace flakebisect::bisect {

/// Numbered because reports store it: never renumber.
enum class CheckOutcome : std::uint8_t {
  passed = 1,
  failed = 2,
  not_offered = 3,  ///< needs a feature or version that the server does not name, or may leave out
  skipped = 4,      ///< could not be tried: the server knows no test, or did not even answer Hello
};

/// "passed", "failed", "not offered", "skipped".
std::string check_outcome_name(CheckOutcome outcome);

struct CheckedRequirement {
  std::string id;     ///< "hello.answer"; never renamed
  std::string title;  ///< what is required, as a clause with the server as subject
  CheckOutcome outcome = CheckOutcome::skipped;
  std::string why;                    ///< of all but passed; may be empty
  std::vector<std::string> sent;      ///< of a failure
  std::vector<std::string> received;  ///< of a failure; cut where very long
};

struct CheckReport {
  std::string command;
  bool answered_hello = false;
  std::int64_t version = 0;  ///< the highest that both speak
  std::string server;
  std::vector<std::string> features;
  std::vector<CheckedRequirement> requirements;
  std::string error_tail;  ///< of the last server that failed a requirement

  /// No requirement failed, and Hello was answered.
  bool conforms() const;
  std::size_t count(CheckOutcome outcome) const;
};

struct CheckOptions {
  std::string directory;           ///< to run the server in; empty: ours
  std::vector<std::string> tests;  ///< to run; empty: the first few that the server lists
  /// Ids of the requirements to try; empty: all. hello.answer is always tried first.
  std::vector<std::string> only;
  double handshake_limit_seconds = 60;
  double reply_limit_seconds = 30;  ///< for any other answer, the tests' own time included
  double exit_limit_seconds = 10;   ///< from Goodbye, or the end of input, to the server's end
  /// Called after each requirement, in order, for output as it comes; may be empty.
  std::function<void(const CheckedRequirement&)> on_requirement;
};

/// The ids of all requirements, in order.
std::vector<std::string> check_ids();

/// Starts `command` (for /bin/sh) a few times and tries every requirement. No process is left. Throws
/// CannotRun only where no process can be made at all.
CheckReport check_server(const std::string& command, const CheckOptions& options);

}  // namespace flakebisect::bisect
