#include "analyzer/session_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "analyzer/index_list.h"

namespace flakebisect::analyzer {

namespace {

constexpr int schema_version = 3;

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
)sql"};

/// Tries to get a lock: ten seconds' worth.
constexpr int most_attempts = 500;

std::string host_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return host.data();
}

/// The lock file names a process of this host that is no more.
bool holder_is_dead(int lock_file) {
  std::array<char, 300> text{};
  if (pread(lock_file, text.data(), text.size() - 1, 0) <= 0) return false;
  long pid = 0;
  std::array<char, 256> host{};
  if (std::sscanf(text.data(), "pid %ld on %255s", &pid, host.data()) != 2 || pid <= 0) return false;
  return host_name() == host.data() && kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

std::string advice(const std::string& path, const SQLite::Exception& error) {
  std::string start = "the session file " + path + ": " + error.what();
  switch (error.getErrorCode()) {
    case 8:   // SQLITE_READONLY
    case 14:  // SQLITE_CANTOPEN
      return start + "; name a file that can be written with --session FILE";
    case 13:  // SQLITE_FULL
      return start + "; free space on the disk, then go on with 'flakebisect resume'";
    case 26:  // SQLITE_NOTADB
    case 11:  // SQLITE_CORRUPT
      return start + "; move it away or name another with --session FILE";
    default:
      return start;
  }
}

[[noreturn]] void fail(const std::string& path, const SQLite::Exception& error) {
  const int code = error.getErrorCode();
  if (code == 26 || code == 11) throw UnusableSession(advice(path, error));
  throw SessionError(advice(path, error));
}

/// The name of a file that nobody may write, for SQLite: it needs no files beside it then.
std::string read_only_name(const std::string& path) {
  std::string name = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%')
      name += fmt::format("%{:02x}", static_cast<unsigned>(c));
    else
      name += c;
  }
  return name + "?immutable=1";
}

SessionInfo read_session(SQLite::Statement& row) {
  SessionInfo info;
  info.id = row.getColumn(0).getInt64();
  info.created = row.getColumn(1).getDouble();
  info.updated = row.getColumn(2).getDouble();
  info.state = row.getColumn(3).getString();
  info.directory = row.getColumn(4).getString();
  info.run_id = row.getColumn(5).getString();
  info.worker = row.getColumn(6).getString();
  info.victim = row.getColumn(7).getString();
  info.options = row.getColumn(8).getString();
  info.problem = row.getColumn(9).getString();
  info.context = row.getColumn(10).getString();
  info.report = row.getColumn(11).getString();
  info.one_at_a_time = row.getColumn(12).getInt() != 0;
  info.campaign = row.getColumn(13).getInt64();
  info.campaign_victim = static_cast<std::uint64_t>(row.getColumn(14).getInt64());
  info.observations = static_cast<std::uint64_t>(row.getColumn(15).getInt64());
  return info;
}

const std::string select_session =
    "SELECT id, created, updated, state, directory, run_id, worker, victim, options, problem, context, "
    "report, one_at_a_time, coalesce(campaign, 0), campaign_victim,"
    " (SELECT count(*) FROM observation WHERE session = id AND source = 1) FROM session ";

}  // namespace

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct SessionStore::State {
  std::string path;
  SQLite::Database database;
  std::map<std::string, int> locks;                    ///< lock files that are held, and their descriptors
  std::map<std::int64_t, std::int64_t> last_sequence;  ///< of each session, as committed

  explicit State(const std::string& file)
      : path(file), database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 10000) {}
  State(const std::string& file, int flags)
      : path(file), database(read_only_name(file), flags | SQLite::OPEN_URI, 10000) {}

  std::string lock_path(std::int64_t id) const { return path + "." + std::to_string(id) + ".lock"; }
  std::string campaign_lock_path(std::int64_t id) const {
    return path + ".campaign-" + std::to_string(id) + ".lock";
  }

  /// `what`: "session 3".
  void hold(const std::string& lock, const std::string& what);
  std::optional<std::string> holder(const std::string& lock) const;

  /// Runs an action on the database and turns what SQLite throws into a SessionError with advice.
  template <class Action>
  auto guard(Action action) {
    try {
      return action();
    } catch (const SQLite::Exception& error) {
      fail(path, error);
    }
  }

  /// Within a transaction. Returns the sequence number of the last one, to be remembered once it is
  /// committed.
  std::int64_t insert(std::int64_t id, const std::vector<StoredObservation>& observations) {
    std::int64_t sequence = 0;
    if (const auto known = last_sequence.find(id); known != last_sequence.end()) {
      sequence = known->second;
    } else {
      SQLite::Statement last(database,
                             "SELECT coalesce(max(sequence), 0) FROM observation WHERE session = ?");
      last.bind(1, id);
      last.executeStep();
      sequence = last.getColumn(0).getInt64();
    }
    for (const auto& stored : observations) insert(id, ++sequence, stored);
    SQLite::Statement update(database, "UPDATE session SET updated = ? WHERE id = ?");
    update.bind(1, now_seconds());
    update.bind(2, id);
    update.exec();
    return sequence;
  }

  void insert(std::int64_t id, std::int64_t sequence, const StoredObservation& stored) {
    const auto& observation = stored.observation;
    SQLite::Statement row(
        database,
        "INSERT INTO observation (session, sequence, source, purpose, outcome, weight, asked, ran,"
        " seconds, startup_seconds, victim_seconds, process, signature, void_reason, made_at,"
        " runner, beside, version, lost)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(1, id);
    row.bind(2, sequence);
    row.bind(3, static_cast<int>(observation.source));
    row.bind(4, static_cast<int>(observation.purpose));
    row.bind(5, static_cast<int>(observation.outcome));
    row.bind(6, observation.weight);
    row.bind(7, encode_indices(stored.asked));
    row.bind(8, encode_indices(observation.ran));
    row.bind(9, observation.seconds);
    row.bind(10, stored.startup_seconds);
    row.bind(11, stored.victim_seconds);
    row.bind(12, static_cast<std::int64_t>(observation.process));
    row.bind(13, stored.signature);
    row.bind(14, stored.void_reason);
    row.bind(15, stored.made_at);
    row.bind(16, stored.runner);
    row.bind(17, static_cast<std::int64_t>(stored.beside));
    row.bind(18, stored.version);
    row.bind(19, observation.lost ? 1 : 0);
    row.exec();
    if (stored.signature.empty()) return;
    SQLite::Statement failure(
        database, "INSERT OR IGNORE INTO failure (session, signature, traceback) VALUES (?, ?, ?)");
    failure.bind(1, id);
    failure.bind(2, stored.signature);
    failure.bind(3, stored.traceback);
    failure.exec();
  }

  /// A result that a session's probe brought of another victim of its campaign.
  void insert(std::int64_t session, const KnownRun& known) {
    SQLite::Statement row(
        database,
        "INSERT INTO shared_run (campaign, sequence, victim, ran, outcome, traceback, beside)"
        " SELECT campaign, 1 + (SELECT coalesce(max(sequence), 0) FROM shared_run"
        "   WHERE campaign = session.campaign), ?, ?, ?, ?, ?"
        " FROM session WHERE id = ? AND campaign IS NOT NULL");
    row.bind(1, known.victim);
    row.bind(2, nlohmann::json(known.run.ran).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    row.bind(3, static_cast<int>(known.run.end));
    row.bind(4, known.run.traceback);
    row.bind(5, static_cast<std::int64_t>(known.run.beside));
    row.bind(6, session);
    row.exec();
  }

  /// Throws where the file is not ours; to be asked before anything in it is changed.
  void check_owner() {
    // In this order: another process may be about to make the file, tables and id at once.
    const int tables = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    const int application = database.execAndGet("PRAGMA application_id").getInt();
    if (tables != 0 && application != application_id) {
      throw UnusableSession("the session file " + path +
                            " is the SQLite file of another program; name another with --session FILE");
    }
  }

  void migrate() {
    // Steps are only ever added: where none is missing, nothing has to be written.
    if (database.execAndGet("PRAGMA user_version").getInt() == schema_version) return;
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    const int found = database.execAndGet("PRAGMA user_version").getInt();
    if (found > schema_version) {
      throw UnusableSession("the session file " + path +
                            " was written by a newer flakebisect (its schema is " + std::to_string(found) +
                            ", this program knows up to " + std::to_string(schema_version) +
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
};

SessionStore::SessionStore(const std::string& path, Access access) {
  std::error_code error;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) {
    throw SessionError("cannot make the folder " + folder.string() + " for the session file: " +
                       error.message() + "; name a file that can be written with --session FILE");
  }
  try {
    state_ = std::make_unique<State>(path);
    state_->check_owner();
    state_->database.exec("PRAGMA journal_mode = WAL");
    state_->database.exec("PRAGMA synchronous = FULL");
    state_->database.exec("PRAGMA foreign_keys = ON");
    state_->migrate();
  } catch (const SQLite::Exception& failure) {
    const int code = failure.getErrorCode();
    if (access == Access::write || (code != 8 && code != 14)) fail(path, failure);  // READONLY, CANTOPEN
    try {
      state_ = std::make_unique<State>(path, SQLite::OPEN_READONLY);
      state_->migrate();
    } catch (const SQLite::Exception& again) {
      fail(path, again);
    }
  }
}

SessionStore::~SessionStore() {
  for (const auto& [lock, descriptor] : state_->locks) {
    unlink(lock.c_str());
    close(descriptor);
  }
}

const std::string& SessionStore::path() const {
  return state_->path;
}

std::int64_t SessionStore::create(const SessionInfo& info, const std::vector<StoredObservation>& known) {
  const std::int64_t id = state_->guard([&] {
    SQLite::Transaction transaction(state_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement insert(
        state_->database,
        "INSERT INTO session (created, updated, state, directory, run_id, worker, victim,"
        " options, problem, context, one_at_a_time, campaign, campaign_victim)"
        " VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?)");
    const double now = now_seconds();
    insert.bind(1, now);
    insert.bind(2, now);
    insert.bind(3, info.directory);
    insert.bind(4, info.run_id);
    insert.bind(5, info.worker);
    insert.bind(6, info.victim);
    insert.bind(7, info.options);
    insert.bind(8, info.problem);
    insert.bind(9, info.context);
    insert.bind(10, info.one_at_a_time ? 1 : 0);
    insert.bind(11, info.campaign);
    insert.bind(12, static_cast<std::int64_t>(info.campaign_victim));
    insert.exec();
    const std::int64_t number = state_->database.getLastInsertRowid();
    const auto last = state_->insert(number, known);
    transaction.commit();
    state_->last_sequence[number] = last;
    return number;
  });
  hold(id);
  return id;
}

void SessionStore::hold(std::int64_t id) {
  state_->hold(state_->lock_path(id), "session " + std::to_string(id));
}

std::optional<std::string> SessionStore::holder(std::int64_t id) {
  return state_->holder(state_->lock_path(id));
}

void SessionStore::hold_campaign(std::int64_t id) {
  state_->hold(state_->campaign_lock_path(id), "campaign " + std::to_string(id));
}

void SessionStore::State::hold(const std::string& lock, const std::string& what) {
  if (locks.count(lock) != 0) return;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const int descriptor = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      throw SessionError("cannot make the lock file " + lock + ": " + std::strerror(errno) +
                         "; name a session file in a folder that can be written with --session FILE");
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const bool dead = holder_is_dead(descriptor);
      close(descriptor);
      if (dead && attempt + 1 < most_attempts) {
        // A child that was just forked when its parent was killed has a copy of the descriptor until it has
        // closed it.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      throw UnusableSession(what + " is being worked on by " + holder(lock).value_or("another process") +
                            "; wait for it, or end it and go on with 'flakebisect resume'");
    }
    // The former holder removes its file when it ends: a lock on a removed file protects nothing.
    std::error_code error;
    const auto same = std::filesystem::equivalent("/proc/self/fd/" + std::to_string(descriptor), lock, error);
    if (error || !same) {
      close(descriptor);
      continue;
    }
    const std::string text = "pid " + std::to_string(getpid()) + " on " + host_name() + "\n";
    if (ftruncate(descriptor, 0) != 0 || write(descriptor, text.data(), text.size()) < 0) {
      close(descriptor);
      throw SessionError("cannot write the lock file " + lock + ": " + std::strerror(errno));
    }
    locks[lock] = descriptor;
    return;
  }
  throw SessionError("cannot get hold of the lock file " + lock + "; try again");
}

std::optional<std::string> SessionStore::State::holder(const std::string& lock) const {
  const int descriptor = open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  std::optional<std::string> result;
  const bool own = locks.count(lock) != 0;
  if (own || (flock(descriptor, LOCK_SH | LOCK_NB) != 0 && !holder_is_dead(descriptor))) {
    std::array<char, 300> text{};
    const ssize_t length = read(descriptor, text.data(), text.size() - 1);
    result = length > 1 ? std::string(text.data(), static_cast<std::size_t>(length) - 1) : "another process";
  }
  close(descriptor);
  return result;
}

std::vector<SessionInfo> SessionStore::list() {
  return state_->guard([&] {
    std::vector<SessionInfo> sessions;
    SQLite::Statement query(state_->database, select_session + "ORDER BY id");
    while (query.executeStep()) sessions.push_back(read_session(query));
    return sessions;
  });
}

std::optional<SessionInfo> SessionStore::find(std::int64_t id) {
  return state_->guard([&]() -> std::optional<SessionInfo> {
    SQLite::Statement query(state_->database, select_session + "WHERE id = ?");
    query.bind(1, id);
    if (!query.executeStep()) return std::nullopt;
    return read_session(query);
  });
}

std::optional<Unfinished> SessionStore::latest_unfinished() {
  return state_->guard([&]() -> std::optional<Unfinished> {
    // A campaign is as recent as the last of its sessions.
    SQLite::Statement query(
        state_->database,
        "SELECT id, coalesce(campaign, 0), updated FROM session WHERE state <> 'done'"
        " UNION ALL SELECT 0, id, max(created, coalesce("
        "   (SELECT max(updated) FROM session WHERE campaign = campaign.id), 0)) FROM campaign"
        "   WHERE all_tried = 0 ORDER BY 3 DESC, 1 DESC LIMIT 1");
    if (!query.executeStep()) return std::nullopt;
    return Unfinished{query.getColumn(0).getInt64(), query.getColumn(1).getInt64()};
  });
}

std::int64_t SessionStore::create_campaign(const CampaignInfo& info) {
  const std::int64_t id = state_->guard([&] {
    SQLite::Statement insert(
        state_->database, "INSERT INTO campaign (created, directory, options, victims) VALUES (?, ?, ?, ?)");
    insert.bind(1, now_seconds());
    insert.bind(2, info.directory);
    insert.bind(3, info.options);
    insert.bind(4, info.victims);
    insert.exec();
    return static_cast<std::int64_t>(state_->database.getLastInsertRowid());
  });
  hold_campaign(id);
  return id;
}

std::optional<CampaignInfo> SessionStore::find_campaign(std::int64_t id) {
  return state_->guard([&]() -> std::optional<CampaignInfo> {
    SQLite::Statement query(
        state_->database,
        "SELECT id, created, directory, options, victims, all_tried FROM campaign WHERE id = ?");
    query.bind(1, id);
    if (!query.executeStep()) return std::nullopt;
    return CampaignInfo{query.getColumn(0).getInt64(),  query.getColumn(1).getDouble(),
                        query.getColumn(2).getString(), query.getColumn(3).getString(),
                        query.getColumn(4).getString(), query.getColumn(5).getInt() != 0};
  });
}

std::vector<SessionInfo> SessionStore::sessions_of_campaign(std::int64_t id) {
  return state_->guard([&] {
    std::vector<SessionInfo> sessions;
    SQLite::Statement query(
        state_->database,
        select_session + "WHERE campaign = ? AND campaign_victim <> 0 ORDER BY campaign_victim, id");
    query.bind(1, id);
    while (query.executeStep()) sessions.push_back(read_session(query));
    return sessions;
  });
}

std::vector<KnownRun> SessionStore::shared_runs(std::int64_t campaign) {
  return state_->guard([&] {
    std::vector<KnownRun> runs;
    SQLite::Statement row(state_->database,
                          "SELECT victim, ran, outcome, traceback, beside FROM shared_run WHERE campaign = ?"
                          " ORDER BY sequence");
    row.bind(1, campaign);
    while (row.executeStep()) {
      KnownRun known;
      known.victim = row.getColumn(0).getString();
      known.run.ran = nlohmann::json::parse(row.getColumn(1).getString()).get<std::vector<std::string>>();
      known.run.end = static_cast<bisect::VictimEnd>(row.getColumn(2).getInt());
      known.run.traceback = row.getColumn(3).getString();
      known.run.beside = static_cast<std::uint64_t>(row.getColumn(4).getInt64());
      runs.push_back(std::move(known));
    }
    return runs;
  });
}

void SessionStore::set_all_tried(std::int64_t campaign, bool all_tried) {
  state_->guard([&] {
    SQLite::Statement update(state_->database, "UPDATE campaign SET all_tried = ? WHERE id = ?");
    update.bind(1, all_tried ? 1 : 0);
    update.bind(2, campaign);
    update.exec();
  });
}

void SessionStore::add(std::int64_t id, const StoredObservation& observation,
                       const std::vector<KnownRun>& shared) {
  state_->guard([&] {
    SQLite::Transaction transaction(state_->database, SQLite::TransactionBehavior::IMMEDIATE);
    const auto last = state_->insert(id, {observation});
    for (const auto& known : shared) state_->insert(id, known);
    transaction.commit();
    state_->last_sequence[id] = last;
  });
}

void SessionStore::add(std::int64_t id, const std::vector<StoredObservation>& observations) {
  if (observations.empty()) return;
  state_->guard([&] {
    SQLite::Transaction transaction(state_->database, SQLite::TransactionBehavior::IMMEDIATE);
    const auto last = state_->insert(id, observations);
    transaction.commit();
    state_->last_sequence[id] = last;
  });
}

std::vector<StoredObservation> SessionStore::observations(std::int64_t id) {
  return state_->guard([&] {
    std::vector<StoredObservation> result;
    SQLite::Statement row(state_->database,
                          "SELECT source, purpose, outcome, weight, asked, ran, seconds, startup_seconds,"
                          " victim_seconds, process, signature, void_reason, made_at, runner,"
                          " beside, version, lost FROM observation WHERE session = ? ORDER BY sequence");
    row.bind(1, id);
    while (row.executeStep()) {
      StoredObservation stored;
      auto& observation = stored.observation;
      observation.source = static_cast<bisect::Source>(row.getColumn(0).getInt());
      observation.purpose = static_cast<bisect::Purpose>(row.getColumn(1).getInt());
      observation.outcome = static_cast<bisect::Outcome>(row.getColumn(2).getInt());
      observation.weight = row.getColumn(3).getDouble();
      stored.asked = decode_indices(row.getColumn(4).getString());
      observation.ran = decode_indices(row.getColumn(5).getString());
      if (observation.source == bisect::Source::probe && stored.asked != observation.ran)
        observation.asked = stored.asked;
      observation.seconds = row.getColumn(6).getDouble();
      stored.startup_seconds = row.getColumn(7).getDouble();
      stored.victim_seconds = row.getColumn(8).getDouble();
      observation.process = static_cast<std::uint64_t>(row.getColumn(9).getInt64());
      stored.signature = row.getColumn(10).getString();
      stored.void_reason = row.getColumn(11).getString();
      stored.made_at = row.getColumn(12).getDouble();
      stored.runner = row.getColumn(13).getString();
      stored.beside = static_cast<std::uint64_t>(row.getColumn(14).getInt64());
      stored.version = row.getColumn(15).getString();
      observation.lost = row.getColumn(16).getInt() != 0;
      result.push_back(std::move(stored));
    }
    return result;
  });
}

std::vector<StoredFailure> SessionStore::failures(std::int64_t id) {
  return state_->guard([&] {
    std::vector<StoredFailure> result;
    SQLite::Statement row(state_->database,
                          "SELECT failure.signature, max(outcome = 2), count(*), traceback FROM failure"
                          " JOIN observation ON observation.session = failure.session"
                          " AND observation.signature = failure.signature AND observation.source = 1"
                          " WHERE failure.session = ? GROUP BY failure.signature"
                          " ORDER BY 2 DESC, 3 DESC, 1");
    row.bind(1, id);
    while (row.executeStep()) {
      result.push_back({row.getColumn(0).getString(), row.getColumn(1).getInt() != 0,
                        static_cast<std::uint64_t>(row.getColumn(2).getInt64()),
                        row.getColumn(3).getString()});
    }
    return result;
  });
}

void SessionStore::finish(std::int64_t id, const std::string& state, const std::string& report) {
  state_->guard([&] {
    SQLite::Statement update(state_->database,
                             "UPDATE session SET state = ?, report = ?, updated = ? WHERE id = ?");
    update.bind(1, state);
    update.bind(2, report);
    update.bind(3, now_seconds());
    update.bind(4, id);
    update.exec();
  });
}

void SessionStore::set_state(std::int64_t id, const std::string& state) {
  state_->guard([&] {
    SQLite::Statement update(state_->database, "UPDATE session SET state = ?, updated = ? WHERE id = ?");
    update.bind(1, state);
    update.bind(2, now_seconds());
    update.bind(3, id);
    update.exec();
  });
}

void SessionStore::set_context(std::int64_t id, const std::string& context) {
  state_->guard([&] {
    SQLite::Statement update(state_->database, "UPDATE session SET context = ? WHERE id = ?");
    update.bind(1, context);
    update.bind(2, id);
    update.exec();
  });
}

void SessionStore::set_one_at_a_time(std::int64_t id) {
  state_->guard([&] {
    SQLite::Statement update(state_->database, "UPDATE session SET one_at_a_time = 1 WHERE id = ?");
    update.bind(1, id);
    update.exec();
  });
}

void SessionStore::remove(std::int64_t id) {
  const auto info = find(id);
  if (!info) throw SessionError("there is no session " + std::to_string(id) + " in " + state_->path);
  hold(id);
  const bool campaign_runs = state_->holder(state_->campaign_lock_path(info->campaign)).has_value();
  state_->guard([&] {
    SQLite::Transaction transaction(state_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement erase(state_->database, "DELETE FROM session WHERE id = ?");
    erase.bind(1, id);
    erase.exec();
    if (campaign_runs) return transaction.commit();
    SQLite::Statement last(state_->database,
                           "DELETE FROM campaign WHERE id = ?"
                           " AND NOT EXISTS (SELECT 1 FROM session WHERE campaign = campaign.id)");
    last.bind(1, info->campaign);
    last.exec();
    transaction.commit();
  });
}

}  // namespace flakebisect::analyzer
