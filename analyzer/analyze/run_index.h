#pragma once

/// The index of stored runs: one SQLite file under .flakebisect/, so that only new runs have to be decoded.
/// It holds nothing that the repository does not: it may be deleted at any time.

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "analyzer/analyze/history.h"
#include "analyzer/analyze/run_import.h"

namespace flakebisect::analyzer {

/// The file is damaged, or cannot be written any more. The message says which file and what was found.
struct IndexError : std::runtime_error {
  IndexError(const std::string& message, bool is_damaged)
      : std::runtime_error(message), damaged(is_damaged) {}
  bool damaged;  ///< making it anew will help
};

/// Keeps other processes of this program from the same index; they wait for it. Ends with the process.
class IndexLock {
 public:
  /// Waits for at most `seconds`. Throws IndexError (not damaged) where the lock cannot be had.
  IndexLock(const std::string& path, double seconds);
  ~IndexLock();
  IndexLock(const IndexLock&) = delete;
  IndexLock& operator=(const IndexLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// What the index holds of one stored run.
struct IndexedRun {
  repo_reader::RunId run = 0;
  FileStamp stamp;
};

/// Not thread-safe. Everything throws IndexError.
class RunIndex {
 public:
  /// Opens or makes the file at `path` (":memory:" for none), for the runs of the repository at `repository`
  /// (an absolute path). An index of an older schema is emptied; one of a newer schema or of another program
  /// is an IndexError that is no damage.
  RunIndex(const std::string& path, const std::string& repository);
  ~RunIndex();
  RunIndex(const RunIndex&) = delete;
  RunIndex& operator=(const RunIndex&) = delete;

  /// In ascending order of run numbers.
  std::vector<IndexedRun> runs();
  /// Stores runs, in place of what is known of the same ones, in one transaction.
  void store(const std::vector<ImportedRun>& batch);
  /// Forgets runs whose files are gone.
  void forget(const std::vector<repo_reader::RunId>& gone);
  /// All runs from `first_run` on that started at `since_micros` or later, with all names.
  History load(repo_reader::RunId first_run, std::int64_t since_micros);

  /// Removes the file and what belongs to it. Only while holding its lock.
  static void remove(const std::string& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flakebisect::analyzer
