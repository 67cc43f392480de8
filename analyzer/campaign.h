#pragma once

/// Many victims in one job: every failure of a run (--all-failures), or every test of the repository that
/// both passed and failed (--flaky). Each victim is a session of its own, so resuming, exporting and
/// reporting work as for one. The campaign itself is in the session file too: one that was killed goes on
/// with the victims that had no turn.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analyzer/bisect_options.h"
#include "analyzer/shared_runs.h"
#include "repo_reader/repository.h"

namespace flakebisect::analyzer {

/// One failure to explain.
struct CampaignVictim {
  std::string run_id;
  std::string worker;  ///< empty: the run's only worker
  std::string id;
  std::uint64_t failures = 0;  ///< in the stored runs looked at
  double list_seconds = 0;     ///< what ran before it and itself, from the failing run
  std::size_t position = 0;    ///< in its worker's list
};

/// The victims, the most promising first: by failures seen for each second that its full list takes. Throws
/// repo_reader::InputError where there are none.
std::vector<CampaignVictim> campaign_victims(const repo_reader::Repository& repository,
                                             const BisectOptions& options);

/// "report.json" -> "report-3.json".
std::string numbered_file(const std::string& file, std::size_t number);

/// A victim's turn in a campaign: its probes bring results of the later ones, and its session is the
/// campaign's.
struct CampaignTurn {
  std::int64_t campaign = 0;  ///< 0: a bisection of its own
  std::uint64_t number = 0;   ///< of the victim, from 1
  std::shared_ptr<SharedRuns> shared;
};

/// `flakebisect bisect` for one victim, of a campaign or by itself.
int bisect_victim(BisectOptions options, const CampaignTurn& turn);

/// `flakebisect resume` for one. `stdout_taken`: the summary goes to standard output, and nothing else may.
/// `compare`: what has changed since the session was last worked on needs --force. (What the tests of a
/// campaign that runs have changed does not.)
int resume_in_campaign(const std::vector<std::string>& args, const CampaignTurn& turn, bool stdout_taken,
                       bool compare);

/// What `resume` says for all victims alike.
struct CampaignResumption {
  std::int64_t campaign = 0;
  std::string file;  ///< of sessions
  CommonOptions common;
  std::function<void(BisectOptions&)> limits;  ///< sets limits and reports
  std::vector<std::string> words;              ///< the same limits and --force as words for one `resume`
};

/// Runs the campaign: every victim within its share of the budget, then those without a verdict again within
/// what is left, the soonest expected first. Returns the exit status: 0 where every victim has a verdict.
int run_campaign(const BisectOptions& options);

/// Goes on with one that was ended: victims without a verdict have a turn each.
int resume_campaign(const CampaignResumption& resumption);

}  // namespace flakebisect::analyzer
