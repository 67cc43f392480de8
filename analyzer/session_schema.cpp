#include "analyzer/session_schema.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <chrono>
#include <thread>

#include "analyzer/session_store.h"

namespace flakebisect::analyzer {

namespace {

constexpr int schema_version = 4;

/// Told apart from other programs' SQLite files by this application id ("FBis").
constexpr int application_id = 0x46426973;

/// Step k brings a file of schema version k to version k + 1. Steps are only ever added.
constexpr std::array<const char*, schema_version> migrations = {R"sql(
  CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created REAL NOT NULL, updated REAL NOT NULL, state TEXT NOT NULL,
    directory TEXT NOT NULL, run_id TEXT NOT NULL, worker TEXT NOT NULL, victim TEXT NOT NULL,
    options TEXT NOT NULL, problem TEXT NOT NULL, context TEXT NOT NULL, report TEXT NOT NULL DEFAULT '');
  CREATE TABLE observation (
    session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    source INTEGER NOT NULL, purpose INTEGER NOT NULL, outcome INTEGER NOT NULL,
    weight REAL NOT NULL, asked TEXT NOT NULL, ran TEXT NOT NULL,
    seconds REAL NOT NULL, startup_seconds REAL NOT NULL, victim_seconds REAL NOT NULL,
    process INTEGER NOT NULL, signature TEXT NOT NULL, void_reason TEXT NOT NULL,
    made_at REAL NOT NULL, runner TEXT NOT NULL,
    PRIMARY KEY (session, sequence)) WITHOUT ROWID;
  CREATE TABLE failure (
    session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,
    signature TEXT NOT NULL, traceback TEXT NOT NULL,
    PRIMARY KEY (session, signature)) WITHOUT ROWID;
)sql",
                                                                R"sql(
  ALTER TABLE session ADD COLUMN one_at_a_time INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE observation ADD COLUMN beside INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE observation ADD COLUMN version TEXT NOT NULL DEFAULT '';
)sql",
                                                                R"sql(
  CREATE TABLE campaign (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, directory TEXT NOT NULL,
    options TEXT NOT NULL, victims TEXT NOT NULL, all_tried INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE shared_run (
    campaign INTEGER NOT NULL REFERENCES campaign(id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    victim TEXT NOT NULL, ran TEXT NOT NULL, outcome INTEGER NOT NULL, traceback TEXT NOT NULL,
    beside INTEGER NOT NULL,
    PRIMARY KEY (campaign, sequence)) WITHOUT ROWID;
  ALTER TABLE session ADD COLUMN campaign INTEGER REFERENCES campaign(id) ON DELETE SET NULL;
  ALTER TABLE session ADD COLUMN campaign_victim INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE observation ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
)sql",
                                                                R"sql(
  ALTER TABLE observation ADD COLUMN victim_runs INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE observation ADD COLUMN victim_runs_asked INTEGER NOT NULL DEFAULT 1;
)sql"};

}  // namespace

void check_owner(SQLite::Database& database, const std::string& path) {
  // In this order: another process may be about to make the file, tables and id at once.
  const int tables = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
  const int application = database.execAndGet("PRAGMA application_id").getInt();
  if (tables != 0 && application != application_id) {
    throw UnusableSession("the session file " + path +
                          " is the SQLite file of another program; name another with --session FILE");
  }
}

void use_write_ahead_log(SQLite::Database& database) {
  constexpr int sqlite_busy = 5;
  constexpr auto pause = std::chrono::milliseconds(5);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (const SQLite::Exception& error) {
      if (error.getErrorCode() != sqlite_busy || std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(pause);
  }
}

void migrate(SQLite::Database& database, const std::string& path) {
  // Steps are only ever added: where none is missing, nothing has to be written.
  if (database.execAndGet("PRAGMA user_version").getInt() == schema_version) return;
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  const int found = database.execAndGet("PRAGMA user_version").getInt();
  if (found > schema_version) {
    throw UnusableSession("the session file " + path + " was written by a newer flakebisect (its schema is " +
                          std::to_string(found) + ", this program knows up to " +
                          std::to_string(schema_version) +
                          "); use that version, or name another file with --session FILE");
  }
  for (int step = found; step < schema_version; ++step)
    database.exec(migrations[static_cast<std::size_t>(step)]);
  if (found != schema_version) {
    database.exec("PRAGMA application_id = " + std::to_string(application_id));
    database.exec("PRAGMA user_version = " + std::to_string(schema_version));
  }
  transaction.commit();
}

}  // namespace flakebisect::analyzer
