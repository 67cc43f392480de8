#pragma once

/// From a stored run's file to what the index keeps of it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "analyzer/analyze/history.h"

namespace flakebisect::analyzer {

/// What tells that a run's file has changed.
struct FileStamp {
  std::int64_t size = -1;
  std::int64_t modified_nanos = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};

/// The stamp of a file; size -1 where it is gone or cannot be looked at.
FileStamp stamp_of(const std::filesystem::path& file);

/// A decoded run that has no place in an index yet: Result::test and Result::signature are indices into the
/// names here (signature 0 is none, k is signatures[k - 1]).
struct ImportedRun {
  repo_reader::RunId run = 0;
  FileStamp stamp;
  std::string error;  ///< why the file could not be read; empty where it could
  std::uint32_t damaged_parts = 0;
  std::int64_t started_micros = 0;
  double wall_seconds = 0;
  std::vector<std::string> tests;
  std::vector<std::string> signatures;
  std::vector<HistoryProcess> processes;
  std::vector<Result> results;
};

/// Decodes a run. Never throws for a bad file: error says what is wrong. What is no test that can be asked
/// for by its id (fixtures, import errors, synthetic ids) is left out. Thread-safe.
ImportedRun import_run(const repo_reader::Repository& repository, repo_reader::RunId run);

}  // namespace flakebisect::analyzer
