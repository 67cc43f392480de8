#pragma once

/// The search: observations in, the next probe and a verdict out. No I/O, no clock, no global state: every
/// random choice follows from EngineOptions::seed and the sequence of observations, so a stored session can
/// be replayed.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flakebisect::bisect {

/// Index into Problem::candidates. Candidates stand in execution order.
using TestIndex = std::uint32_t;

/// How the victim ended in one probe. Numbered because sessions store it: never renumber.
enum class Outcome : std::uint8_t {
  pass = 1,
  fail = 2,  ///< failed with the signature to explain
  other_failure =
      3,  ///< failed with another signature: counted apart, says nothing about the failure to explain
  void_probe = 4,  ///< nothing usable: the victim did not run, an earlier test crashed, a time limit
};

/// Where an observation comes from. Numbered because sessions store it: never renumber.
enum class Source : std::uint8_t {
  probe = 1,     ///< made by this search
  history = 2,   ///< a stored run in which the victim ran
  selected = 3,  ///< the run to explain itself: it is there because it failed, so it says nothing about rates
};

/// What a probe is for. Numbered because sessions store it: never renumber.
enum class Purpose : std::uint8_t {
  search = 1,     ///< chosen for its information
  treatment = 2,  ///< confirmation: the minimal reproduction
  control = 3,    ///< confirmation: the victim alone, or everything but the culprits
};

/// A test that may influence the victim.
struct Candidate {
  double seconds = 0;          ///< expected duration; 0 where unknown
  bool in_failing_run = true;  ///< false: known only from other runs or workers (a possible state-setter);
                               ///< the failing run's victim failed without it
  double weight = 1;           ///< prior weight relative to the others (--suspect raises it); > 0
  /// The engine's own estimate; callers leave it at 0. The probability that a probe with it gives nothing
  /// usable, and that it is to blame; those of several tests add up.
  double void_share = 0;
};

struct Problem {
  std::vector<Candidate> candidates;  ///< in execution order; may be empty
  double victim_seconds = 0;          ///< expected duration of the victim
  double startup_seconds = 0;         ///< expected cost of a probe before its first test
  /// How often one probe can run the victim (see Probe::victim_runs); 1: once. Where the answers show that it
  /// was asked for in vain, it is not asked for again.
  std::uint32_t most_victim_runs = 1;
};

struct EngineOptions {
  double confidence =
      0.95;  ///< a verdict is given only at this posterior probability, and confirmed; in (0, 1)
  std::uint64_t seed = 1;
  bool count_probes = false;  ///< minimise the number of probes instead of seconds
  bool find_all = false;      ///< after a verdict, look for further polluters (--all)
  bool find_cleaners =
      false;  ///< after a polluter verdict, look for tests between it and the victim that undo it
  std::uint64_t max_probes = 0;  ///< 0: no limit. Counts probes issued by next_probe(), void ones included
};

/// One run of the victim after some candidates.
struct Observation {
  std::vector<TestIndex>
      ran;  ///< the candidates that really ran before the victim, in the order they ran; no repeats
  /// Of a replayed probe: what it had been asked to run, where that differs from `ran`.
  std::optional<std::vector<TestIndex>> asked;
  Outcome outcome = Outcome::void_probe;
  /// Runs of the victim after these candidates, in one process; at least 1. The outcome is that of the last
  /// one; all before it passed.
  std::uint32_t victim_runs = 1;
  /// Of a replayed probe: how many it had been asked for; 0: not known.
  std::uint32_t victim_runs_asked = 0;
  /// A void probe whose machine was lost: it tells nothing of its list either.
  bool lost = false;
  Source source = Source::probe;
  Purpose purpose = Purpose::search;
  double weight = 1;   ///< of history: 1 is as good as a probe, less is tempered likelihood (age, other code)
  double seconds = 0;  ///< what it cost, start-up included
  std::uint64_t process = 0;   ///< equal values: made by forks of one warm server; 0: a process of its own
  std::uint64_t probe_id = 0;  ///< Probe::id it answers; 0 for history
};

struct Probe {
  std::uint64_t id = 0;           ///< 1, 2, ...
  std::vector<TestIndex> subset;  ///< in execution order; the victim runs after them
  std::uint32_t victim_runs = 1;  ///< the victim runs so many times, or until it first fails
  Purpose purpose = Purpose::search;
  bool fresh_process = false;  ///< must not share a warm server with earlier probes
};

/// Kinds of explanation; names as in the JSON report. Numbered because sessions store it: never renumber.
enum class Kind : std::uint8_t {
  self = 1,
  polluter = 2,
  polluter_set = 3,
  brittle = 4,
  cumulative = 5,
  concurrent = 6,
  not_reproduced = 7,
  inconclusive = 8,
};

/// The JSON report's name of a kind: "self", "polluter-set", ...
std::string kind_name(Kind kind);
/// The kind of that name; nothing where there is none.
std::optional<Kind> kind_from_name(std::string_view name);

struct Explanation {
  Kind kind = Kind::inconclusive;
  std::vector<TestIndex> tests;  ///< polluters or state-setters; empty for self and others
  double probability = 0;        ///< posterior, over all explanations
};

/// Runs and failures of one subset of candidates; the interval is a 95 % credible one (Jeffreys prior).
struct Arm {
  /// "alone", "culprits", "culprits but no. 1" (of a set: without the first of its tests), "without
  /// culprits", "full", ...
  std::string name;
  std::vector<TestIndex> tests;
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;
  double rate = 0;
  double low = 0, high = 1;
};

struct Verdict {
  Kind kind = Kind::inconclusive;
  std::vector<TestIndex> tests;  ///< culprits or state-setters
  double probability = 0;        ///< posterior of this explanation; at most its confirmation allows
  bool confirmed = false;        ///< the anytime-valid confirmation on fresh probes agreed
  double e_value = 0;            ///< of the confirmation; at least 1 / (1 - confidence) where confirmed
  std::vector<Explanation> alternatives;  ///< best first, the verdict's own explanation among them
  std::vector<Arm> arms;                  ///< evidence from probes (history apart: see history_arms)
  std::vector<std::vector<TestIndex>> further_polluters;  ///< with find_all: others, each enough
  std::vector<TestIndex> cleaners;                        ///< with find_cleaners
  std::vector<TestIndex> reproduce;  ///< the shortest known list (without the victim) that shows the failure
  double reproduce_rate = 0;         ///< posterior mean of the failure rate of that list
  std::vector<std::string> remarks;  ///< for the reader: amplified by others, varies by process, drift, ...
};

/// The search itself. Usage:
///   for each stored run: observe(...); then while (auto p = next_probe()) observe(result of *p); then
///   verdict().
/// next_probe() may be called several times before the results are in: it takes the probes in flight into
/// account. A probe that will never be answered is withdrawn with abandon(). Single-threaded: the caller
/// locks.
class Engine {
 public:
  /// Throws std::invalid_argument where options or problem are out of range.
  Engine(Problem problem, EngineOptions options);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// The probe that is worth most now; nothing when the search is over (verdict reached, max_probes issued,
  /// or no probe can inform), or when only the results of probes in flight can tell what to do next (see
  /// waiting()).
  std::optional<Probe> next_probe();
  /// True: next_probe() returned nothing only because it waits for probes in flight.
  bool waiting() const;
  /// Whether a verdict at the asked confidence has been reached and confirmed (with find_all: all of them).
  bool done() const;

  /// Takes evidence: history (before or between probes) or the answer to a probe. Throws
  /// std::invalid_argument, and takes nothing, where it names a candidate that the problem does not have.
  void observe(const Observation& observation);
  /// Withdraws a probe in flight (lost machine, cancelled).
  void abandon(std::uint64_t probe_id);

  /// The best answer so far: final when done(), else Kind::inconclusive or not_reproduced with the
  /// alternatives.
  Verdict verdict() const;
  /// The leading explanations, at most `most`, best first. Cheap enough for a live status line.
  std::vector<Explanation> leading(std::size_t most) const;
  /// Expected seconds to a verdict from here, a rough estimate for a status line; nothing where unknown.
  std::optional<double> expected_seconds_left() const;
  /// True: that it fails on its own is shown, and what goes on is the comparison of the victim alone with the
  /// whole list.
  bool comparing_lists() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flakebisect::bisect
