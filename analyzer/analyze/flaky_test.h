#pragma once

/// What the analysis says about one flaky test: the model that all renderings are made of.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/analyze/history.h"
#include "stats/beta.h"
#include "stats/change_point.h"

namespace flakebisect::analyzer {

/// What a failure may depend on, as far as stored runs can tell.
enum class Cause : std::uint8_t {
  alone,         ///< nothing that was seen: it fails on its own
  polluter,      ///< a test that ran before it in the same process; or one of several, each enough
  polluter_set,  ///< two tests that ran before it in the same process, both needed
  state_setter,  ///< a test that did not run before it in the same process (brittle)
  worker,        ///< the worker it ran on
  amount,        ///< how many tests ran before it in the same process
  overlap,       ///< what another worker ran at the same time
  time_of_day,   ///< the hour (UTC)
  run_length,    ///< how long the run took
  time_out,      ///< it fails on its own, and takes far longer when it does
};

/// "polluter", "time-of-day", ...: the JSON names.
const char* cause_name(Cause cause);

/// One thing that a failure may depend on: under it the test fails more often.
struct Suspect {
  std::vector<std::uint32_t>
      tests;               ///< polluters, state-setter or overlapping test; empty where it is no test
  std::string what;        ///< "at least 40 tests before it", "on worker-3"; empty where it is a test
  double probability = 0;  ///< posterior, among all explanations of this test's failures
  std::uint64_t failures_with = 0, runs_with = 0;        ///< executions under it
  std::uint64_t failures_without = 0, runs_without = 0;  ///< and the others
};

struct CausePosterior {
  Cause cause = Cause::alone;
  double probability = 0;
  double log10_bayes_factor = 0;  ///< against 'alone'; 0 for alone itself
  std::vector<Suspect> suspects;  ///< best first, few; empty for alone
};

/// How much the stored runs say about the cause. Bayes factors after Kass and Raftery (1995).
enum class Strength : std::uint8_t { too_thin, positive, strong, very_strong };
const char* strength_name(Strength strength);

/// Failures with the same signature.
struct SignatureCount {
  std::uint32_t signature = 0;
  std::uint64_t count = 0;
  std::uint32_t last_run = 0;  ///< index into History::runs
};

enum class FlakyState : std::uint8_t {
  active,     ///< fails now and then
  fixed,      ///< its failures have stopped: a change to about none, and none since
  regressed,  ///< fails always since a run, or failed always between two: broken rather than flaky
};
const char* state_name(FlakyState state);

/// One execution of the test; in the order of the runs.
struct Execution {
  std::uint32_t run = 0;      ///< index into History::runs
  std::uint32_t process = 0;  ///< index into History::processes
  std::uint32_t result = 0;   ///< index into History::results
};

struct Cleaner {
  std::uint32_t test = 0;
  double probability = 0;  ///< that it undoes what the suspected polluter did
};

/// The next bisection.
struct Suggestion {
  std::string command;  ///< ready to be pasted
  double probes = 0;
  double seconds = 0;
};

/// The confirmed verdict of a bisection about a test.
struct KnownVerdict {
  std::string victim;
  std::string words;  ///< what follows the victim's name: "fails on its own", "fails after a.b.c"
  double probability = 0;
  std::int64_t session = 0;
};

struct FlakyTest {
  std::uint32_t test = 0;
  std::uint64_t runs = 0;  ///< executions that passed or failed
  std::uint64_t failures = 0;
  std::uint64_t unfinished = 0;  ///< of the failures: hung, crashed or cut off
  double rate = 0;
  stats::Interval interval;
  std::uint32_t first_failed = 0, last_failed = 0;  ///< indices into History::runs
  std::uint64_t streaks = 0;                        ///< of failures without a pass between
  std::uint64_t longest_streak = 0;
  std::uint64_t passes_since = 0;  ///< after the last failure
  double median_seconds = -1;      ///< of passes; below 0 where unknown
  double run_seconds = 0;          ///< cost: wall-clock seconds of the runs it failed, together
  std::vector<std::uint32_t> failed_runs;
  std::vector<SignatureCount> signatures;  ///< most frequent first

  FlakyState state = FlakyState::active;
  std::optional<stats::ChangePoint> began;       ///< indices into `executions`; a rise
  std::optional<stats::ChangePoint> ended;       ///< a fall
  std::vector<Execution> executions;             ///< those outside of broken runs
  std::size_t regime_first = 0, regime_end = 0;  ///< the executions that the causes are judged by

  bool judged = false;                 ///< the rest was worked out
  std::vector<CausePosterior> causes;  ///< best first
  Strength strength = Strength::too_thin;
  double streak_weight = 1;         ///< what each outcome counted: less than 1 where failures come in streaks
  bool order_varied = false;        ///< what ran before it differed between executions
  double time_out_probability = 0;  ///< that its failures are time-outs, whatever causes them
  double failed_median_seconds = -1;
  std::vector<Cleaner> cleaners;
  std::optional<Suggestion> suggestion;   ///< none where a bisection has answered
  std::optional<KnownVerdict> bisection;  ///< the latest confirmed one
};

}  // namespace flakebisect::analyzer
