#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "analyzer/analyze/run_index.h"

namespace flakebisect::analyzer {

IndexLock::IndexLock(const std::string& path, double seconds) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw IndexError(fmt::format("cannot make {}: {}", path, std::strerror(errno)), false);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    if (reason == EINTR) continue;
    if (reason != EWOULDBLOCK || std::chrono::steady_clock::now() >= until) {
      ::close(descriptor_);
      throw IndexError(reason == EWOULDBLOCK
                           ? fmt::format("another process has held {} for {:.0f} seconds", path, seconds)
                           : fmt::format("cannot lock {}: {}", path, std::strerror(reason)),
                       false);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

IndexLock::~IndexLock() {
  ::close(descriptor_);
}

}  // namespace flakebisect::analyzer
