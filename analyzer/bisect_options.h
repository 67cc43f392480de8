#pragma once

/// The options of `flakebisect bisect`, as asked for on the command line.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/command_line.h"

namespace flakebisect::analyzer {

/// A report asked for: "json", "markdown", "text", "html", "jira", "dot", ... to a file ("-": standard
/// output).
struct ReportRequest {
  std::string format;
  std::string file;
};

struct BisectOptions {
  CommonOptions common;
  std::optional<std::string> run_id;  ///< a number or "latest"
  std::optional<std::string> worker;
  std::optional<std::string> test;
  bool all_failures = false;  ///< a campaign: every failure of the run
  bool flaky = false;         ///< a campaign: every test that both passed and failed
  std::optional<std::string> load_list;
  std::optional<std::string> command;
  std::optional<std::string> server;
  bool no_server = false;
  double confidence = 0.95;
  std::optional<double> budget_seconds;
  std::uint64_t max_probes = 0;  ///< 0: no limit
  std::uint64_t jobs = 1;
  bool jobs_given = false;  ///< else a launcher with several machines decides
  /// Runs of the victim that one probe may make, 1 to most_runs_of_a_probe; nothing: RunnerPlan decides.
  std::optional<std::uint32_t> victim_runs;
  std::optional<std::string> launcher;  ///< where probes run: see docs/scaling.md
  std::optional<std::string> launcher_directory;
  std::optional<double> test_timeout_seconds;
  std::optional<std::string> match;   ///< regular expression over the traceback
  std::vector<std::string> suspects;  ///< regular expressions over test ids
  bool no_history = false;
  bool find_all = false;
  bool find_cleaners = false;
  std::uint64_t seed = 1;
  std::optional<std::string> session;  ///< SQLite file
  std::vector<ReportRequest> reports;
  bool stdout_taken = false;  ///< a campaign's summary goes there: the report's words go to standard error
};

/// Parses the words behind the command. Throws UsageError. `help` becomes true where --help was asked for.
BisectOptions parse_bisect_options(const std::vector<std::string>& args, bool& help);

/// Takes what `bisect` and `resume` have in common: --confidence, --budget, --max-probes, --jobs and the
/// reports, where given. Throws UsageError.
void read_limits_and_reports(const boost::program_options::variables_map& values, BisectOptions& options);

/// The reports asked for. Throws UsageError where more than one is to go to standard output.
std::vector<ReportRequest> read_report_requests(const boost::program_options::variables_map& values);

/// The text of `flakebisect bisect --help`.
std::string bisect_help();

/// The options that a resumed session needs, as JSON, and back. The repository's path is made absolute: a
/// session may be resumed from another directory. Throws UsageError where one of them is no UTF-8 text.
std::string bisect_options_to_json(const BisectOptions& options);
BisectOptions bisect_options_from_json(const std::string& text);

/// Those with which a stored search goes on: `stored` as JSON, `common` of the command that resumes it (but
/// for the directory), without the limits of its earlier life.
BisectOptions options_to_go_on(const std::string& stored, const CommonOptions& common,
                               const std::string& directory);

}  // namespace flakebisect::analyzer
