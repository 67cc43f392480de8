#include "analyzer/session_locks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "analyzer/session_store.h"

namespace flakebisect::analyzer {

namespace {

/// Tries to get a lock: ten seconds' worth.
constexpr int most_attempts = 500;

std::string host_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return host.data();
}

/// The lock file names a process of this host that is no more.
bool holder_is_dead(int lock_file) {
  std::array<char, 300> text{};
  if (pread(lock_file, text.data(), text.size() - 1, 0) <= 0) return false;
  long pid = 0;
  std::array<char, 256> host{};
  if (std::sscanf(text.data(), "pid %ld on %255s", &pid, host.data()) != 2 || pid <= 0) return false;
  return host_name() == host.data() && kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

}  // namespace

SessionLocks::~SessionLocks() {
  for (const auto& [lock, descriptor] : held_) {
    unlink(lock.c_str());
    close(descriptor);
  }
}

void SessionLocks::hold(const std::string& lock, const std::string& what) {
  if (held_.count(lock) != 0) return;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const int descriptor = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      throw SessionError("cannot make the lock file " + lock + ": " + std::strerror(errno) +
                         "; name a session file in a folder that can be written with --session FILE");
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const bool dead = holder_is_dead(descriptor);
      close(descriptor);
      if (dead && attempt + 1 < most_attempts) {
        // A child that was just forked when its parent was killed has a copy of the descriptor until it has
        // closed it.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      throw UnusableSession(what + " is being worked on by " + holder(lock).value_or("another process") +
                            "; wait for it, or end it and go on with 'flakebisect resume'");
    }
    // The former holder removes its file when it ends: a lock on a removed file protects nothing.
    std::error_code error;
    const auto same = std::filesystem::equivalent("/proc/self/fd/" + std::to_string(descriptor), lock, error);
    if (error || !same) {
      close(descriptor);
      continue;
    }
    const std::string text = "pid " + std::to_string(getpid()) + " on " + host_name() + "\n";
    if (ftruncate(descriptor, 0) != 0 || write(descriptor, text.data(), text.size()) < 0) {
      close(descriptor);
      throw SessionError("cannot write the lock file " + lock + ": " + std::strerror(errno));
    }
    held_[lock] = descriptor;
    return;
  }
  throw SessionError("cannot get hold of the lock file " + lock + "; try again");
}

std::optional<std::string> SessionLocks::holder(const std::string& lock) const {
  const int descriptor = open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  std::optional<std::string> result;
  const bool own = held_.count(lock) != 0;
  if (own || (flock(descriptor, LOCK_SH | LOCK_NB) != 0 && !holder_is_dead(descriptor))) {
    std::array<char, 300> text{};
    const ssize_t length = read(descriptor, text.data(), text.size() - 1);
    result = length > 1 ? std::string(text.data(), static_cast<std::size_t>(length) - 1) : "another process";
  }
  close(descriptor);
  return result;
}

}  // namespace flakebisect::analyzer
