#include "analyzer/session_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "analyzer/index_list.h"
#include "analyzer/session_locks.h"
#include "analyzer/session_schema.h"
#include "analyzer/sqlite_damage.h"

namespace flakebisect::analyzer {

namespace {

std::string advice(const std::string& path, const SQLite::Exception& error) {
  std::string start = "the session file " + path + ": " + error.what();
  if (means_damage(error)) return start + "; move it away or name another with --session FILE";
  switch (error.getErrorCode()) {
    case 8:   // SQLITE_READONLY
    case 14:  // SQLITE_CANTOPEN
      return start + "; name a file that can be written with --session FILE";
    case 13:  // SQLITE_FULL
      return start + "; free space on the disk, then go on with 'flakebisect resume'";
    default:
      return start;
  }
}

[[noreturn]] void fail(const std::string& path, const SQLite::Exception& error) {
  if (means_damage(error)) throw UnusableSession(advice(path, error));
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
  SessionLocks locks;
  std::map<std::int64_t, std::int64_t> last_sequence;  ///< of each session, as committed

  explicit State(const std::string& file)
      : path(file), database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 10000) {}
  State(const std::string& file, int flags)
      : path(file), database(read_only_name(file), flags | SQLite::OPEN_URI, 10000) {}

  std::string lock_path(std::int64_t id) const { return path + "." + std::to_string(id) + ".lock"; }
  std::string campaign_lock_path(std::int64_t id) const {
    return path + ".campaign-" + std::to_string(id) + ".lock";
  }

  /// Runs an action on the database and turns what SQLite throws into a SessionError with advice.
  template <class Action>
  auto guard(Action action) {
    try {
      return action();
    } catch (const SQLite::Exception& error) {
      fail(path, error);
    }
  }

  /// One statement with its parameters.
  template <class... Values>
  void execute(const char* sql, const Values&... values) {
    guard([&] {
      SQLite::Statement statement(database, sql);
      SQLite::bind(statement, values...);
      statement.exec();
    });
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
        " runner, beside, version, lost, victim_runs, victim_runs_asked)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
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
    row.bind(20, static_cast<std::int64_t>(observation.victim_runs));
    row.bind(21, static_cast<std::int64_t>(std::max<std::uint32_t>(1, observation.victim_runs_asked)));
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
    check_owner(state_->database, path);
    use_write_ahead_log(state_->database);
    state_->database.exec("PRAGMA synchronous = FULL");
    state_->database.exec("PRAGMA foreign_keys = ON");
    migrate(state_->database, path);
  } catch (const SQLite::Exception& failure) {
    const int code = failure.getErrorCode();
    if (access == Access::write || (code != 8 && code != 14)) fail(path, failure);  // READONLY, CANTOPEN
    try {
      state_ = std::make_unique<State>(path, SQLite::OPEN_READONLY);
      migrate(state_->database, path);
    } catch (const SQLite::Exception& again) {
      fail(path, again);
    }
  }
}

SessionStore::~SessionStore() = default;

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
  state_->locks.hold(state_->lock_path(id), "session " + std::to_string(id));
}

std::optional<std::string> SessionStore::holder(std::int64_t id) {
  return state_->locks.holder(state_->lock_path(id));
}

void SessionStore::hold_campaign(std::int64_t id) {
  state_->locks.hold(state_->campaign_lock_path(id), "campaign " + std::to_string(id));
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
  state_->execute("UPDATE campaign SET all_tried = ? WHERE id = ?", all_tried ? 1 : 0, campaign);
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
                          " beside, version, lost, victim_runs, victim_runs_asked FROM observation WHERE "
                          "session = ? ORDER BY sequence");
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
      observation.victim_runs = row.getColumn(17).getUInt();
      observation.victim_runs_asked = row.getColumn(18).getUInt();
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
  state_->execute("UPDATE session SET state = ?, report = ?, updated = ? WHERE id = ?", state, report,
                  now_seconds(), id);
}

void SessionStore::set_state(std::int64_t id, const std::string& state) {
  state_->execute("UPDATE session SET state = ?, updated = ? WHERE id = ?", state, now_seconds(), id);
}

void SessionStore::set_context(std::int64_t id, const std::string& context) {
  state_->execute("UPDATE session SET context = ? WHERE id = ?", context, id);
}

void SessionStore::set_one_at_a_time(std::int64_t id) {
  state_->execute("UPDATE session SET one_at_a_time = 1 WHERE id = ?", id);
}

void SessionStore::remove(std::int64_t id) {
  const auto info = find(id);
  if (!info) throw SessionError("there is no session " + std::to_string(id) + " in " + state_->path);
  hold(id);
  const bool campaign_runs = state_->locks.holder(state_->campaign_lock_path(info->campaign)).has_value();
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
