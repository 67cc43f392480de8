#pragma once

/// Repositories of testr and stestr. Only ever read.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo_reader/config.h"
#include "repo_reader/stream_folder.h"
#include "repo_reader/test_run.h"

namespace flakebisect::repo_reader {

using RunId = std::uint64_t;

/// A run number as testr and stestr name their files: decimal digits without leading zeros. nullopt
/// otherwise.
std::optional<RunId> parse_run_id(std::string_view text);

/// A directory of stored runs. Nothing is cached: every call looks at the files as they are, so another
/// process may write runs meanwhile. Only files with a number for a name are runs; temporary files,
/// `failing`, `next-stream`, `times.dbm` and the like are passed over, and numbers may be missing.
/// Thread-safe.
class Repository {
 public:
  /// The first of .testr, .testrepository and .stestr in `directory`. Throws InputError (no_repository).
  static Repository find(const std::filesystem::path& directory);

  /// The repository at `path`; a directory that holds one will do too. Throws InputError (no_repository).
  static Repository open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

  /// Whose repository it is: stestr's where the directory is named .stestr, else testr's.
  ConfigFamily family() const;
  /// Whether a test that passed although it was expected to fail counts as failed: for stestr, not for testr.
  bool unexpected_success_fails() const { return family() == ConfigFamily::stestr; }

  /// Stored runs in ascending order. Throws InputError (unreadable).
  std::vector<RunId> run_ids() const;

  /// The highest run number. Throws InputError (no_run) if there is no run at all.
  RunId latest_run() const;

  /// The latest run in which a test failed. Synthetic ids such as process-returncode do not count.
  /// Throws InputError (no_run) if there is none.
  RunId latest_failing_run() const;

  /// "latest" for latest_failing_run(), else a run number. Throws InputError (no_such_run, no_run); the
  /// message names the nearest stored runs.
  RunId resolve(std::string_view run) const;

  /// Reads a run. Throws InputError (no_such_run, unreadable).
  TestRun read_run(RunId run) const;

  /// Folds the stream of a run without ordering it and without details, at decoding speed: for scans of
  /// thousands of runs. Throws InputError (no_such_run, unreadable).
  void scan_run(RunId run, TestVisitor& visitor) const;

  /// The files attached to one execution of a test: the traceback, logs. Reads the run again up to there;
  /// empty if the file has changed meanwhile. Throws InputError (no_such_run, unreadable).
  std::vector<Attachment> read_details(RunId run, const ExecutedTest& test) const;

  /// The file of a run; it may not exist.
  std::filesystem::path run_path(RunId run) const;

 private:
  explicit Repository(std::filesystem::path path) : path_(std::move(path)) {}
  void require_run(RunId run) const;
  [[noreturn]] void no_such_run(const std::string& wanted, std::optional<RunId> number) const;

  std::filesystem::path path_;
};

/// Says that parts of a run could not be read, for the user; nothing where all of it could.
std::optional<std::string> damage_warning(const Repository& repository, RunId run, const TestRun& tests);

/// What failed, as text: the file "traceback" if there is one, else all text files one after another.
std::string failure_text(const std::vector<Attachment>& details);

}  // namespace flakebisect::repo_reader
