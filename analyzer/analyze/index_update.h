#pragma once

/// Brings the index up to date with the repository and reads it.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/analyze/history.h"

namespace flakebisect::analyzer {

/// Which runs count.
struct RunSelection {
  repo_reader::RunId first_run = 0;
  std::int64_t since_micros = std::numeric_limits<std::int64_t>::min();
};

struct IndexedHistory {
  History history;
  std::size_t stored_runs = 0;     ///< in the repository, whatever the selection
  std::size_t decoded_runs = 0;    ///< that were new or had changed
  std::size_t forgotten_runs = 0;  ///< whose files are gone
  std::vector<std::string> warnings;
};

/// `decoded` of `all` runs are decoded.
using IndexProgress = std::function<void(std::size_t decoded, std::size_t all)>;

/// Decodes what is new in threads, keeps it in the index at `index_path` and reads the selected runs. Where
/// the index is damaged it is made anew; where it cannot be written (read-only directory, another program's
/// file, full disk) the work is done in memory; both with a warning. The repository is only read. Throws
/// repo_reader::InputError where it cannot be listed.
IndexedHistory indexed_history(const repo_reader::Repository& repository, const std::string& index_path,
                               const RunSelection& selection, const IndexProgress& progress);

}  // namespace flakebisect::analyzer
