#pragma once

/// The tables of the session file, and how those of older versions become today's.

#include <string>

namespace SQLite {
class Database;
}

namespace flakebisect::analyzer {

/// Throws UnusableSession where the file is another program's; to be asked before anything in it is changed.
/// `path` is for the message. What SQLite throws passes through, here and below.
void check_owner(SQLite::Database& database, const std::string& path);

/// Makes the tables, or brings them up to date. Throws UnusableSession where a newer version wrote them.
void migrate(SQLite::Database& database, const std::string& path);

}  // namespace flakebisect::analyzer
