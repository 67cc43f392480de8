#pragma once

/// The one model of a report. Every rendering is made from it, and its JSON form (report_json.h) holds all of
/// it, so that `flakebisect report` can render a stored session again. Test ids are strings here, never
/// indices (except in ReportProbe and PosteriorStep, where space matters). All text may come from tests and
/// is hostile: each rendering escapes it.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::analyzer {

struct ReportExplanation {
  bisect::Kind kind = bisect::Kind::inconclusive;
  std::vector<std::string> tests;  ///< polluters or state-setters; empty for self and others
  double probability = 0;          ///< posterior, over all explanations
};

struct ReportVerdict {
  bisect::Kind kind = bisect::Kind::inconclusive;
  std::vector<std::string> tests;  ///< culprits or state-setters
  double probability = 0;
  double confidence = 0.95;                                 ///< what was asked for
  bool confirmed = false;                                   ///< fresh runs agreed
  double e_value = 0;                                       ///< of the confirmation; 0: none was made
  std::vector<ReportExplanation> alternatives;              ///< best first
  std::vector<std::vector<std::string>> further_polluters;  ///< others, each enough by itself
  std::vector<std::string> cleaners;                        ///< tests that undo the pollution
  std::vector<std::string> remarks;  ///< sentences: amplified by others, varies by process, ...
  std::string abstains;              ///< why there is no verdict, one sentence; empty where there is one
  bool exhausted = false;  ///< without a verdict the search ended by itself: more time would buy nothing
};

/// Runs of the victim, several of one process each for itself where they count so, and failures behind one
/// list of tests.
struct ReportArm {
  std::string name;  ///< as bisect::Arm::name
  std::vector<std::string> tests;
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;
  double rate = 0;           ///< in [0, 1]
  double low = 0, high = 1;  ///< 95 % credible interval of the rate
};

/// Fisher's exact test of two arms. It takes the numbers of runs as fixed in advance, which they are not: the
/// e-value allows for that, p does not, and p is shown for readers who are used to it.
struct ReportExactTest {
  std::string treatment;  ///< name of the arm
  std::string control;
  double p = 1;  ///< two-sided
};

struct ReportCost {
  std::uint64_t probes = 0;       ///< void ones included
  std::uint64_t void_probes = 0;  ///< without a usable result
  double test_seconds = 0;        ///< sum over the probes
  double wall_seconds = 0;
  std::uint64_t repeats = 0;  ///< runs of the victim beyond the first one of each probe
};

/// How often the victim ran.
inline std::uint64_t victim_runs(const ReportCost& cost) {
  return cost.probes - std::min(cost.probes, cost.void_probes) + cost.repeats;
}

struct ReportReproduce {
  std::vector<std::string> tests;   ///< in order, the victim last
  std::vector<std::string> beside;  ///< tests of other workers that run at the same time
  std::string command;              ///< for a shell; empty where none is known
  double rate = 0;                  ///< failures a run, posterior mean; 0: unknown
  double seconds_per_run = 0;       ///< expected; 0: unknown
};

struct ReportFailure {
  std::string signature;  ///< as signature_text() gives it
  std::string traceback;
};

/// Another failure of the victim that was seen and counted apart.
struct ReportOtherFailure {
  std::string signature;
  std::uint64_t count = 0;
  std::string example;  ///< traceback of the first one
};

/// What the repository's stored runs say about the victim.
struct ReportHistory {
  std::uint64_t runs = 0;  ///< stored runs in which the victim ran
  std::uint64_t failures = 0;
};

struct ReportEnvironment {
  std::string host;
  std::string git_revision;
  std::vector<std::pair<std::string, std::string>> versions;  ///< name and value: "python" "3.11.2", ...
};

/// What more time would buy, where there is no verdict: the search played on from its end in worlds drawn
/// from the posterior (bisect/forecast.h).
struct ReportForecast {
  std::uint64_t simulations = 0;
  std::uint64_t unfinished = 0;          ///< of them, without a verdict when they were stopped
  std::optional<double> median_seconds;  ///< wall clock; absent: too many were stopped before
  std::optional<double> low_seconds;     ///< one in ten takes less
  std::optional<double> high_seconds;    ///< one in ten takes more
  double spent_seconds = 0;              ///< by the search so far
  double share_with_as_much_again = 0;   ///< of the simulations that end within spent_seconds
};

/// One probe as it was made.
struct ReportProbe {
  std::vector<bisect::TestIndex> ran;  ///< into Report::candidate_tests, as the tests really ran
  bisect::Outcome outcome = bisect::Outcome::void_probe;
  bisect::Purpose purpose = bisect::Purpose::search;
  double seconds = 0;             ///< start-up included
  std::uint32_t victim_runs = 1;  ///< in one process; the outcome is that of the last one, the others passed
};

/// The posterior after some probes: pairs of an index into Report::explanations and a probability.
/// Explanations that are missing were not among the leading ones.
struct PosteriorStep {
  std::uint64_t probes = 0;
  std::vector<std::pair<std::uint32_t, double>> leading;
};

struct Report {
  ReportVerdict verdict;
  std::string victim;
  std::string run_id;                        ///< of the run to explain; may be empty (a load list)
  std::string worker;                        ///< may be empty
  std::uint64_t position = 0;                ///< of the victim on its worker, 1 is the first; 0: unknown
  std::vector<std::string> candidate_tests;  ///< that ran before the victim, in execution order
  /// Other workers were run beside the victim's: candidate_tests are theirs, and all of own_tests ran before
  /// the victim in each probe.
  bool side_by_side = false;
  std::vector<std::string> own_tests;
  std::vector<ReportArm> arms;
  std::optional<ReportExactTest> exact_test;
  ReportCost cost;
  ReportReproduce reproduce;
  ReportFailure failure;
  std::vector<ReportOtherFailure> other_failures;
  ReportHistory history;
  std::vector<std::string> ruled_out;  ///< sentences
  std::optional<ReportForecast> forecast;
  ReportEnvironment environment;
  std::vector<ReportProbe> probes;              ///< in the order their results came in
  std::vector<ReportExplanation> explanations;  ///< that ever led; the probability is the last known one
  std::vector<PosteriorStep> evolution;
  std::string session;  ///< how `flakebisect report` and `resume` name it
  std::uint64_t seed = 1;
  std::vector<std::string> warnings;
  std::string version;  ///< of flakebisect
};

/// Copies an engine's verdict into the report, indices made test ids, and derives from it what a reader wants
/// besides: reproduce.tests and rate, the exact test of the two arms that decide, and what was ruled out.
/// `report.victim` and `report.candidate_tests` must be set before. The arms of earlier calls are replaced.
/// Throws std::out_of_range where the verdict names a candidate that is not there.
void fill_verdict(Report& report, const bisect::Verdict& verdict, double confidence);

/// reproduce.seconds_per_run, from the probes of the reproduction's own tests: their mean, start-up included,
/// without what further runs of the victim took. Unchanged where there were none.
void set_seconds_per_run(Report& report);

/// Adds a step to the evolution of the posterior.
void add_posterior_step(Report& report, std::uint64_t probes,
                        const std::vector<bisect::Explanation>& leading);

/// The name that an engine's arm has where other workers were run beside the victim's: "own worker only" for
/// "alone", "beside culprits" for "culprits", ...
std::string side_by_side_name(const std::string& arm);

/// The arm of this name, or of its name side by side, if it ran at all; nullptr otherwise. The report owns
/// it.
const ReportArm* find_arm(const Report& report, const std::string& name);

/// How many runs show at least one failure with 95 % probability, at this failure rate; nothing where the
/// rate is 0 or unknown.
std::optional<std::uint64_t> runs_for_95_percent(double rate);

/// Stable for a finding: victim, kind, culprits (in any order) and failure signature, hashed; 16 hexadecimal
/// digits. Runs, counts, times and machines do not enter it, so a CI job can find the issue it filed before.
std::string fingerprint(const Report& report);

}  // namespace flakebisect::analyzer
