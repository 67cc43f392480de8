#pragma once

#include <SQLiteCpp/Exception.h>

namespace flakebisect::analyzer {

/// Whether SQLite met bytes in a file that it cannot have written there itself: the file is damaged.
/// Result codes: https://www.sqlite.org/rescode.html
inline bool means_damage(const SQLite::Exception& error) {
  switch (error.getErrorCode()) {
    case 11:  // SQLITE_CORRUPT
    case 18:  // SQLITE_TOOBIG: a row that claims more than a gigabyte, though we write none that large
    case 24:  // SQLITE_FORMAT
    case 26:  // SQLITE_NOTADB
      return true;
    default:
      return false;
  }
}

}  // namespace flakebisect::analyzer
