#include "bisect/temporary_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>

#include "bisect/runner.h"

namespace flakebisect::bisect {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "flakebisect-probe-";

fs::path parent_folder() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  return error ? fs::path("/tmp") : parent;
}

/// Locks a folder; -1 where somebody else has it, or it is gone.
int lock_folder(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return -1;
  struct stat held {};
  // Somebody may have removed it between open() and the lock.
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &held) == 0 && held.st_nlink != 0)
    return descriptor;
  close(descriptor);
  return -1;
}

}  // namespace

void remove_stale_folders(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(prefix)) continue;
    const int lock = lock_folder(entry->path());
    if (lock < 0) continue;
    std::error_code ignored;
    fs::remove_all(entry->path(), ignored);
    close(lock);
  }
}

TemporaryFolder::TemporaryFolder() {
  const fs::path parent = parent_folder();
  static std::once_flag swept;
  std::call_once(swept, [&] { remove_stale_folders(parent); });
  // Another flakebisect that starts just now may take a folder for a stale one before it is locked.
  for (int attempt = 0; lock_ < 0 && attempt < 100; ++attempt) {
    std::string name = (parent / (std::string(prefix) + "XXXXXX")).string();
    if (mkdtemp(name.data()) == nullptr) {
      throw CannotRun(
          fmt::format("cannot make a temporary directory {}: {}; set TMPDIR to a writable directory", name,
                      std::strerror(errno)));
    }
    path_ = name;
    lock_ = lock_folder(path_);
    if (lock_ < 0 && (errno == EMFILE || errno == ENFILE)) break;
  }
  if (lock_ < 0) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    throw CannotRun(
        fmt::format("cannot open the temporary directory {}: {}; raise the limit of open files "
                    "(ulimit -n), or set TMPDIR to another directory",
                    path_.string(), std::strerror(errno)));
  }
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  close(lock_);
}

std::string TemporaryFolder::write(const char* name, const std::string& text) const {
  auto file = path_of(name);
  std::ofstream stream(file, std::ios::binary);
  if (!(stream << text).flush()) {
    throw CannotRun(fmt::format("cannot write {}: {}; is the disk full? TMPDIR names another place", file,
                                std::strerror(errno)));
  }
  return file;
}

}  // namespace flakebisect::bisect
