#pragma once

/// Many victims in one job: every failure of a run (--all-failures), or every test of the repository that
/// both passed and failed (--flaky). Each victim is a session of its own, so resuming, exporting and
/// reporting work as for one.

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

/// The words of a command line without the options in `names` ("--test", ...) and their values.
std::vector<std::string> without_options(const std::vector<std::string>& args,
                                         const std::vector<std::string>& names);

/// "report.json" -> "report-3.json".
std::string numbered_file(const std::string& file, std::size_t number);

/// `flakebisect bisect` for one victim of a campaign, whose probes bring results of the later ones.
/// `stdout_taken`: the summary goes to standard output, and nothing else may.
int bisect_in_campaign(const std::vector<std::string>& args, const std::shared_ptr<SharedRuns>& shared,
                       bool stdout_taken);

/// `flakebisect resume` for a victim of the campaign that runs: what its own tests changed meanwhile is no
/// change that asks for --force. `stdout_taken` likewise.
int resume_in_campaign(const std::vector<std::string>& args, bool stdout_taken);

/// Runs the campaign: every victim within its share of the budget, then those without a verdict again within
/// what is left, the soonest expected first. Returns the exit status: 0 where every victim has a verdict.
int run_campaign(const std::vector<std::string>& args, const BisectOptions& options);

}  // namespace flakebisect::analyzer
