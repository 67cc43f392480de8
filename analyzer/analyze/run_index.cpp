#include "analyzer/analyze/run_index.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "analyzer/analyze/run_codec.h"
#include "analyzer/sqlite_damage.h"

namespace flakebisect::analyzer {

namespace {

/// Also to be raised when runs are decoded differently: an older index is made anew. 2: unexpected successes
/// are failures in stestr's repositories.
constexpr int schema_version = 2;
/// Told apart from other programs' SQLite files by this application id ("FBix").
constexpr int application_id = 0x46426978;
constexpr int sqlite_error = 1;

constexpr const char* schema = R"sql(
  CREATE TABLE repository (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
  CREATE TABLE test (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE signature (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
  CREATE TABLE run (
    repository INTEGER NOT NULL REFERENCES repository(id),
    run INTEGER NOT NULL,
    size INTEGER NOT NULL, modified_nanos INTEGER NOT NULL, inode INTEGER NOT NULL,
    started_micros INTEGER NOT NULL, wall_seconds REAL NOT NULL, damaged_parts INTEGER NOT NULL,
    results BLOB NOT NULL,
    PRIMARY KEY (repository, run));
)sql";

/// Numbers for texts of one table; the table decides, the map saves asking it again.
class Names {
 public:
  Names(SQLite::Database& database, const std::string& table, const std::string& column)
      : insert_(database, "INSERT OR IGNORE INTO " + table + " (" + column + ") VALUES (?)"),
        select_(database, "SELECT id FROM " + table + " WHERE " + column + " = ?") {}

  std::uint32_t number(const std::string& text) {
    const auto known = known_.find(text);
    if (known != known_.end()) return known->second;
    insert_.reset();
    insert_.bindNoCopy(1, text);
    insert_.exec();
    select_.reset();
    select_.bindNoCopy(1, text);
    select_.executeStep();
    const auto id = static_cast<std::uint32_t>(select_.getColumn(0).getInt64());
    select_.reset();
    known_.emplace(text, id);
    return id;
  }

  void forget() { known_.clear(); }

 private:
  SQLite::Statement insert_;
  SQLite::Statement select_;
  std::unordered_map<std::string, std::uint32_t> known_;
};

/// Names are numbered from 1 on without gaps, as nothing ever removes one. Nothing where they are not.
std::optional<std::vector<std::string>> read_names(SQLite::Database& database, const std::string& sql) {
  std::vector<std::string> names(1);
  SQLite::Statement query(database, sql);
  while (query.executeStep()) {
    if (query.getColumn(0).getInt64() != static_cast<std::int64_t>(names.size())) return std::nullopt;
    names.push_back(query.getColumn(1).getString());
  }
  return names;
}

}  // namespace

struct RunIndex::State {
  std::string path;
  SQLite::Database database;
  bool ours = false;  ///< the file was found to be an index of this program's
  std::int64_t repository = 0;
  std::optional<Names> tests;
  std::optional<Names> signatures;

  explicit State(const std::string& file)
      : path(file), database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 10000) {}

  template <class Action>
  auto guard(Action action) {
    try {
      return action();
    } catch (const SQLite::Exception& error) {
      throw converted(path, error, ours);
    }
  }

  static IndexError converted(const std::string& path, const SQLite::Exception& error, bool is_ours) {
    // The statements are right: where one of them is wrong for an index, its tables are not what they were.
    const bool tables_lost = is_ours && error.getErrorCode() == sqlite_error;
    return IndexError(fmt::format("{}: {}", path, error.what()), tables_lost || means_damage(error));
  }

  /// Before anything is changed: another program's file is left as it is.
  void refuse_what_is_not_ours() {
    const int application = database.execAndGet("PRAGMA application_id").getInt();
    const int tables = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    if (tables != 0 && application != application_id)
      throw IndexError(path + " is the SQLite file of another program", false);
    const int found = database.execAndGet("PRAGMA user_version").getInt();
    if (found > schema_version)
      throw IndexError(fmt::format("{} was written by a newer flakebisect (schema {}, this program knows {})",
                                   path, found, schema_version),
                       false);
    ours = tables != 0;
  }

  void prepare_schema() {
    if (database.execAndGet("PRAGMA user_version").getInt() == schema_version) return;
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    database.exec(
        "DROP TABLE IF EXISTS run; DROP TABLE IF EXISTS signature; DROP TABLE IF EXISTS test;"
        "DROP TABLE IF EXISTS repository;");
    database.exec(schema);
    database.exec(
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application_id, schema_version));
    transaction.commit();
  }
};

RunIndex::RunIndex(const std::string& path, const std::string& repository) {
  try {
    state_ = std::make_unique<State>(path);
    auto& database = state_->database;
    state_->refuse_what_is_not_ours();
    database.exec("PRAGMA journal_mode = WAL");
    // A crash of the machine may cost the last runs, which are then decoded again.
    database.exec("PRAGMA synchronous = NORMAL");
    state_->prepare_schema();
    SQLite::Statement insert(database, "INSERT OR IGNORE INTO repository (path) VALUES (?)");
    insert.bind(1, repository);
    insert.exec();
    SQLite::Statement select(database, "SELECT id FROM repository WHERE path = ?");
    select.bind(1, repository);
    select.executeStep();
    state_->repository = select.getColumn(0).getInt64();
    state_->tests.emplace(database, "test", "name");
    state_->signatures.emplace(database, "signature", "text");
  } catch (const SQLite::Exception& error) {
    throw State::converted(path, error, state_ && state_->ours);
  }
}

RunIndex::~RunIndex() = default;

std::vector<IndexedRun> RunIndex::runs() {
  return state_->guard([&] {
    std::vector<IndexedRun> runs;
    SQLite::Statement query(
        state_->database,
        "SELECT run, size, modified_nanos, inode FROM run WHERE repository = ? ORDER BY run");
    query.bind(1, state_->repository);
    while (query.executeStep()) {
      runs.push_back({static_cast<repo_reader::RunId>(query.getColumn(0).getInt64()),
                      {query.getColumn(1).getInt64(), query.getColumn(2).getInt64(),
                       static_cast<std::uint64_t>(query.getColumn(3).getInt64())}});
    }
    return runs;
  });
}

void RunIndex::store(const std::vector<ImportedRun>& batch) {
  if (batch.empty()) return;
  state_->guard([&] {
    auto& database = state_->database;
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement insert(
        database,
        "INSERT OR REPLACE INTO run (repository, run, size, modified_nanos, inode, started_micros,"
        " wall_seconds, damaged_parts, results) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    try {
      for (const auto& run : batch) {
        std::vector<Result> results = run.results;
        for (auto& result : results) {
          result.test = state_->tests->number(run.tests[result.test]);
          if (result.signature != 0)
            result.signature = state_->signatures->number(run.signatures[result.signature - 1]);
        }
        const std::string bytes = encode_run(run.processes, results);
        insert.reset();
        insert.bind(1, state_->repository);
        insert.bind(2, static_cast<std::int64_t>(run.run));
        insert.bind(3, run.stamp.size);
        insert.bind(4, run.stamp.modified_nanos);
        insert.bind(5, static_cast<std::int64_t>(run.stamp.inode));
        insert.bind(6, run.started_micros);
        insert.bind(7, run.wall_seconds);
        insert.bind(8, run.damaged_parts);
        insert.bindNoCopy(9, bytes.data(), static_cast<int>(bytes.size()));
        insert.exec();
      }
      transaction.commit();
    } catch (...) {
      state_->tests->forget();  // their numbers are rolled back
      state_->signatures->forget();
      throw;
    }
  });
}

void RunIndex::forget(const std::vector<repo_reader::RunId>& gone) {
  if (gone.empty()) return;
  state_->guard([&] {
    SQLite::Transaction transaction(state_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement remove(state_->database, "DELETE FROM run WHERE repository = ? AND run = ?");
    for (const auto run : gone) {
      remove.reset();
      remove.bind(1, state_->repository);
      remove.bind(2, static_cast<std::int64_t>(run));
      remove.exec();
    }
    transaction.commit();
  });
}

History RunIndex::load(repo_reader::RunId first_run, std::int64_t since_micros) {
  return state_->guard([&] {
    History history;
    auto tests = read_names(state_->database, "SELECT id, name FROM test ORDER BY id");
    auto signatures = read_names(state_->database, "SELECT id, text FROM signature ORDER BY id");
    if (!tests || !signatures)
      throw IndexError(fmt::format("{}: its table of names is damaged", state_->path), true);
    history.tests = *std::move(tests);
    history.signatures = *std::move(signatures);
    {
      // A result takes some eight bytes: room for all of them at once, instead of a copy with each growth.
      SQLite::Statement size(state_->database,
                             "SELECT total(length(results)) FROM run WHERE repository = ? AND run >= ?"
                             " AND started_micros >= ?");
      const double most = state_->database.execAndGet("PRAGMA page_count").getDouble() *
                          state_->database.execAndGet("PRAGMA page_size").getDouble();
      size.bind(1, state_->repository);
      size.bind(2, static_cast<std::int64_t>(first_run));
      size.bind(3, since_micros);
      size.executeStep();
      history.results.reserve(static_cast<std::size_t>(std::min(size.getColumn(0).getDouble(), most) / 7.5));
    }
    SQLite::Statement query(state_->database,
                            "SELECT run, started_micros, wall_seconds, damaged_parts, results FROM run"
                            " WHERE repository = ? AND run >= ? AND started_micros >= ? ORDER BY run");
    query.bind(1, state_->repository);
    query.bind(2, static_cast<std::int64_t>(first_run));
    query.bind(3, since_micros);
    while (query.executeStep()) {
      HistoryRun run;
      run.id = static_cast<repo_reader::RunId>(query.getColumn(0).getInt64());
      run.started_micros = query.getColumn(1).getInt64();
      run.wall_seconds = query.getColumn(2).getDouble();
      run.damaged_parts = static_cast<std::uint32_t>(query.getColumn(3).getInt64());
      run.first_process = history.processes.size();
      const auto column = query.getColumn(4);
      const std::size_t first_result = history.results.size();
      const auto processes = decode_run(std::string_view(static_cast<const char*>(column.getBlob()),
                                                         static_cast<std::size_t>(column.getBytes())),
                                        history);
      bool good = processes.has_value();
      for (std::size_t i = first_result; good && i < history.results.size(); ++i) {
        const Result& result = history.results[i];
        good = result.test < history.tests.size() && result.signature < history.signatures.size();
      }
      if (!good)
        throw IndexError(fmt::format("{}: what it holds of run {} is damaged", state_->path, run.id), true);
      run.process_count = *processes;
      history.runs.push_back(run);
    }
    return history;
  });
}

void RunIndex::remove(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(path + suffix, ignored);
}

}  // namespace flakebisect::analyzer
