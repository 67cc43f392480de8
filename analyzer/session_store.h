#pragma once

/// Sessions in one SQLite file: what was asked, and every observation as it was made, each committed before
/// the next probe starts. Posteriors are never stored: they are recomputed from the observations.

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "analyzer/shared_runs.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// The session file cannot be opened, read or written (full disk, permissions, a file of something else or of
/// a newer version), or another process holds the session. The message says which and what to do.
struct SessionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Of these, what is wrong with the file or session that was named rather than with writing it: no session
/// file, one of a newer version, or a session that another process holds (exit status 5).
struct UnusableSession : SessionError {
  using SessionError::SessionError;
};

/// What a session was started with. JSON members hold what `resume` needs to go on; see docs/sessions.md.
struct SessionInfo {
  std::int64_t id = 0;
  double created = 0;     ///< seconds since 1970
  double updated = 0;     ///< of the last observation or change of state
  std::string state;      ///< "running", "done", "inconclusive", "not-reproduced", "interrupted", "failed"
  std::string directory;  ///< absolute
  std::string run_id;
  std::string worker;
  std::string victim;
  std::string options;  ///< JSON: the options of the command line that matter
  std::string problem;  ///< JSON: candidates with durations and weights, start-up, the failure to explain
  std::string context;  ///< JSON: git revision, configuration and list hashes, versions, host
  std::string report;   ///< JSON report of the last end with one; empty before
  /// Probes at once were found to disturb each other: only those that ran alone count.
  bool one_at_a_time = false;
  std::uint64_t observations = 0;  ///< probes only, not history
  std::int64_t campaign = 0;       ///< 0: none
  /// Which of the campaign's victims, from 1; 0: none, or the search side by side that belongs to one.
  std::uint64_t campaign_victim = 0;
};

/// A campaign of many victims (campaign.h), each of which gets a session.
struct CampaignInfo {
  std::int64_t id = 0;
  double created = 0;      ///< seconds since 1970
  std::string directory;   ///< absolute
  std::string options;     ///< JSON: the options that all victims have in common
  std::string victims;     ///< JSON: an array, in the order of their turns
  bool all_tried = false;  ///< every victim had its turn: what is open is open in a session
};

/// What `resume` goes on with.
struct Unfinished {
  std::int64_t session = 0;   ///< 0: none; the campaign counts
  std::int64_t campaign = 0;  ///< 0: none
};

/// Seconds since 1970, as the store keeps times.
double now_seconds();

/// One observation with its circumstances.
struct StoredObservation {
  bisect::Observation observation;
  std::vector<bisect::TestIndex> asked;  ///< the subset asked for; observation.ran is what ran
  std::string signature;                 ///< of the failure; empty where the victim passed
  std::string traceback;                 ///< kept for the first failure of each signature only
  std::string void_reason;
  double startup_seconds = 0;
  double victim_seconds = -1;  ///< -1: unknown
  double made_at = 0;          ///< seconds since 1970
  std::string runner;          ///< "command", "server", with its launcher: "server ssh:node3", ...
  std::uint64_t beside = 0;    ///< other probes of this search that ran at the same time, at the most
  std::string version;         ///< of the flakebisect that made it
};

/// A kind of failure seen in a session's observations.
struct StoredFailure {
  std::string signature;
  bool matches = false;  ///< it is the failure to explain
  std::uint64_t count = 0;
  std::string traceback;  ///< the first one seen
};

/// One process works on a session at a time: hold() takes an advisory lock that ends with the process,
/// whatever ends it.
class SessionStore {
 public:
  /// `read`: nothing is to be written, so a file that is read-only will do, in a folder that is, too.
  enum class Access : std::uint8_t { write, read };

  /// Opens or creates the file and its folder; brings an older schema up to date. Throws SessionError.
  explicit SessionStore(const std::string& path, Access access = Access::write);
  ~SessionStore();
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  const std::string& path() const;

  /// Adds a session (info.id, created, updated and state are set here) and holds it. What is known from the
  /// start is committed with it: all of it is there, or no session is.
  std::int64_t create(const SessionInfo& info, const std::vector<StoredObservation>& known = {});
  /// Holds a session for this process; throws SessionError naming the holder where another process has it.
  void hold(std::int64_t id);
  /// Who holds the session: "pid 123 on host since ..."; nothing where nobody does.
  std::optional<std::string> holder(std::int64_t id);

  std::vector<SessionInfo> list();
  std::optional<SessionInfo> find(std::int64_t id);
  /// What was last worked on and has no verdict yet: a session, or the whole campaign that it is part of.
  std::optional<Unfinished> latest_unfinished();

  /// Adds a campaign (info.id and created are set here) and holds it.
  std::int64_t create_campaign(const CampaignInfo& info);
  std::optional<CampaignInfo> find_campaign(std::int64_t id);
  /// As hold(), of a campaign: no other process gives its victims their turns.
  void hold_campaign(std::int64_t id);
  /// The sessions of its victims, by their number.
  std::vector<SessionInfo> sessions_of_campaign(std::int64_t id);
  /// What the campaign's probes brought of victims other than their own, in the order in which they were
  /// made.
  std::vector<KnownRun> shared_runs(std::int64_t campaign);
  void set_all_tried(std::int64_t campaign, bool all_tried);

  /// Commits one observation, and what its probe brought of the campaign's other victims; they are on the
  /// disk when this returns.
  void add(std::int64_t id, const StoredObservation& observation, const std::vector<KnownRun>& shared = {});
  /// Commits all of them at once, or none.
  void add(std::int64_t id, const std::vector<StoredObservation>& observations);
  std::vector<StoredObservation> observations(std::int64_t id);
  std::vector<StoredFailure> failures(std::int64_t id);
  void finish(std::int64_t id, const std::string& state, const std::string& report);
  /// Changes the state and keeps the report.
  void set_state(std::int64_t id, const std::string& state);
  void set_context(std::int64_t id, const std::string& context);
  /// From now on only observations that were made alone (beside == 0) are evidence.
  void set_one_at_a_time(std::int64_t id);
  /// Deletes a session and its observations, and with its last session a campaign; throws SessionError where
  /// somebody holds it or there is none.
  void remove(std::int64_t id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flakebisect::analyzer
