#pragma once

/// The single requirements of check-server, and what they share. Private to check_server*.cpp.

#include <memory>
#include <string>
#include <vector>

#include "bisect/check_server.h"
#include "bisect/check_server_session.h"

namespace flakebisect::bisect {

/// What a Run's stream said of one test.
struct TestSeen {
  std::string id;
  bool started = false;
  repo_reader::Status last = repo_reader::Status::none;
  unsigned finals = 0;  ///< packets with a final status
  unsigned starts = 0;  ///< packets that say that it starts
  unsigned passes = 0;  ///< of the final ones: success and expected failure
};

class CheckContext {
 public:
  CheckContext(const std::string& command, const CheckOptions& options, CheckReport& report);

  /// Forgets the transcripts, for the next requirement.
  void begin();
  /// The session that most requirements share, greeted with the versions that we speak.
  CheckSession& shared();
  /// A server of its own for this requirement; nothing is sent yet.
  CheckSession& another();
  /// Ends the servers of a failed requirement, so that the next one starts clean.
  void discard();
  /// Both sessions' transcripts.
  void transcript(CheckedRequirement& requirement) const;

  const CheckOptions& options() const { return options_; }
  CheckReport& report() { return report_; }
  std::int64_t version() const { return report_.version; }
  bool feature(const std::string& name) const;
  /// Throws CheckNotOffered.
  void need_version_2() const;
  void need_feature(const std::string& name) const;
  /// The tests to run, at least one; throws CheckNotOffered where the server knows none.
  const std::vector<std::string>& tests();
  void set_tests(std::vector<std::string> tests) { tests_ = std::move(tests); }

  /// Sends a List or Run and waits for its Done. `done_index`: where it stands in the session's seen().
  DoneMessage list(CheckSession& session, std::optional<std::vector<std::string>> tests,
                   std::size_t* done_index = nullptr);
  DoneMessage run(CheckSession& session, std::optional<std::vector<std::string>> tests, bool ordered = false,
                  bool isolated = false, std::size_t* done_index = nullptr);
  /// Whether the server still answers: an empty List; throws CheckFailed.
  void require_alive(CheckSession& session);

  /// Stray Dones of sessions that have ended.
  const std::vector<std::string>& stray_dones() const { return stray_dones_; }
  const std::string& error_tail() const { return error_tail_; }

 private:
  void retire(std::unique_ptr<CheckSession>& session);

  std::string command_;
  const CheckOptions& options_;
  CheckReport& report_;
  std::unique_ptr<CheckSession> shared_;
  std::vector<std::unique_ptr<CheckSession>> others_;
  std::vector<std::string> tests_;
  std::vector<std::string> stray_dones_;
  std::string error_tail_;
};

/// The tests that `exists` packets named, in seen()[0, end).
std::vector<std::string> listed(const CheckSession& session, std::size_t end);
/// The tests that ran, in the order in which they started, in seen()[0, end). Fixtures are left out.
std::vector<TestSeen> ran(const CheckSession& session, std::size_t end);
/// A result after which a test that is to be repeated runs again.
bool passes(repo_reader::Status status);
std::vector<std::string> ids_of(const std::vector<TestSeen>& tests);
/// "a, b, c", or "nothing".
std::string comma_list(const std::vector<std::string>& texts);

/// Throws CheckFailed where what a requirement asks for does not hold.
inline void expect(bool holds, const std::string& why) {
  if (!holds) throw CheckFailed{why};
}

/// One requirement. `check` returns where it holds, and throws CheckFailed or CheckNotOffered.
struct Check {
  const char* id;
  const char* title;
  void (*check)(CheckContext&);
};

const std::vector<Check>& hello_checks();
const std::vector<Check>& request_checks();
const std::vector<Check>& feature_checks();
const std::vector<Check>& end_checks();

}  // namespace flakebisect::bisect
