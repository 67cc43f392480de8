#pragma once

/// One simulated flaky failure: what the search is told (problem, history) and what is true.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::bisect::simulate {

/// Kinds of case. Several polluters are a kind of their own here: the verdict is then any one of them.
enum class CaseKind : std::uint8_t {
  self,
  polluter,
  polluters,
  polluter_set,
  brittle,
  cumulative,
  not_reproduced,
};

inline constexpr CaseKind all_case_kinds[] = {
    CaseKind::self,    CaseKind::polluter,   CaseKind::polluters,     CaseKind::polluter_set,
    CaseKind::brittle, CaseKind::cumulative, CaseKind::not_reproduced};

/// "self", "polluter", "polluters", "polluter-set", …
std::string case_kind_name(CaseKind kind);
std::optional<CaseKind> case_kind_from_name(std::string_view name);

/// What is true of a case.
struct Truth {
  CaseKind kind = CaseKind::self;
  double q = 0;                        ///< failure rate under the condition that shows the failure
  double r = 0;                        ///< failure rate otherwise (the background); 0 in a pure case
  std::vector<TestIndex> culprits;     ///< polluters, or state-setters of a brittle victim; ascending
  std::vector<TestIndex> cleaners;     ///< undo every pollution made before them
  std::optional<TestIndex> amplifier;  ///< self only: the rate is q with this test and r without it
  double dose_power = 1;  ///< cumulative: rate = q · max(0, (x − threshold) / (1 − threshold))^power, x the
  double dose_threshold = 0;  ///< share of the full list's leak that ran
  double correlation = 0;  ///< of outcomes in one server process: the rate is Beta-distributed between them
  /// Where the victim runs several times in one process: whether the first run decides for all.
  bool decided_by_process = false;
  double drift = 0;           ///< amplitude, in log-odds, of a slow wave of the rate over the search
  double drift_period = 100;  ///< of that wave, in probes
  double void_rate = 0;       ///< a probe gives nothing usable
  double other_rate = 0;      ///< the victim fails with another signature, whatever ran before
};

struct SimCase {
  std::uint64_t seed = 0;    ///< all of the case follows from it
  std::uint64_t number = 0;  ///< k of "case k of seed s"
  Truth truth;
  Problem problem;
  std::vector<double> leak;         ///< cumulative only: what each candidate leaks
  std::uint32_t server_probes = 0;  ///< probes that one warm server serves; 0: a new process for each probe
  double fresh_start_seconds =
      0;  ///< start-up of a new process; problem.startup_seconds unless a server is warm
  std::vector<Observation>
      history;  ///< stored runs, oldest first, the run to explain last (Source::selected)

  /// The tests of the run to explain, in execution order: what every policy but ours can see.
  std::vector<TestIndex> listed() const;
};

}  // namespace flakebisect::bisect::simulate
