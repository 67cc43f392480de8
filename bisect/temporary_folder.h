#pragma once

/// A private directory for what one command needs on disk, which goes away whatever happens to us.
///
/// Three things remove it: the object's end; the command's supervisor, where we were killed meanwhile
/// (ChildOptions::scratch); and the next flakebisect, where we were killed before there was a supervisor. The
/// last tells a folder that is in use by the lock its owner holds on it, which ends with the owner, so it
/// works across containers and hosts that share the directory, where process ids mean nothing.

#include <array>
#include <filesystem>
#include <string>

namespace flakebisect::bisect {

/// The files a folder may hold: the supervisor removes these names and no others.
inline constexpr std::array<const char*, 3> scratch_files = {"ids", "command", "launched"};

class TemporaryFolder {
 public:
  /// Throws CannotRun. The first one of a process removes what dead processes left (see
  /// remove_stale_folders()).
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string path_of(const char* name) const { return (path_ / name).string(); }
  /// Makes a file, one of scratch_files; returns its path. Throws CannotRun.
  std::string write(const char* name, const std::string& text) const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

/// Removes the folders in `parent` that nobody holds. What cannot be removed stays, silently: it may be
/// another user's.
void remove_stale_folders(const std::filesystem::path& parent);

}  // namespace flakebisect::bisect
