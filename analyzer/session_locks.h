#pragma once

/// Advisory locks of sessions and campaigns: a file each, which names its holder. A lock ends with the
/// process, whatever ends it.

#include <map>
#include <optional>
#include <string>

namespace flakebisect::analyzer {

class SessionLocks {
 public:
  SessionLocks() = default;
  /// Lets go of all of them.
  ~SessionLocks();
  SessionLocks(const SessionLocks&) = delete;
  SessionLocks& operator=(const SessionLocks&) = delete;

  /// Holds the lock of this file; once is enough. Throws UnusableSession naming the holder where another
  /// process has it (`what`, such as "session 3", is for the message), SessionError where the file cannot be
  /// made.
  void hold(const std::string& lock, const std::string& what);

  /// Who holds it, this process or another: "pid 123 on host"; nothing where nobody does.
  std::optional<std::string> holder(const std::string& lock) const;

 private:
  std::map<std::string, int> held_;  ///< open descriptors, by file
};

}  // namespace flakebisect::analyzer
