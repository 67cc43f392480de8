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

/// Readers and a writer do not wait for each other from now on (the file keeps that). SQLite does not wait
/// where several processes switch a new file over at once, whatever its busy timeout; this does, for ten
/// seconds.
void use_write_ahead_log(SQLite::Database& database);

/// Makes the tables, or brings them up to date. Throws UnusableSession where a newer version wrote them.
void migrate(SQLite::Database& database, const std::string& path);

}  // namespace flakebisect::analyzer
