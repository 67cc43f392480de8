#pragma once

/// Draws cases. Case k of seed s and kind K is the same whatever else is simulated, and each aspect of it
/// (sizes, durations, rates, history, …) has a stream of random numbers of its own, so that fixing one option
/// leaves the rest of the case as it was.

#include <cstdint>
#include <optional>

#include "bisect/simulate/sim_case.h"

namespace flakebisect::bisect::simulate {

struct Range {
  double low = 0;
  double high = 0;  ///< equal to low: a fixed value
};

/// How q is drawn within its range.
enum class RateShape : std::uint8_t {
  wild,         ///< as in IDoFT's 101 re-run tests, each in its worst order
  log_uniform,  ///< each factor of two as often as another
};

/// What cases are like. The defaults are the field as docs/simulation.md describes it; everything that is
/// optional here is drawn from the field unless it is given.
struct CaseOptions {
  Range tests{5, 5000};          ///< before the victim; lognormal around 300, redrawn until in range
  Range startup_seconds{1, 20};  ///< log-uniform
  Range q{0.01, 1};              ///< failure rate
  RateShape q_shape = RateShape::wild;
  std::optional<Range> background;    ///< r as a rate; else 0 in 80 % of cases, 0.01 q to 0.3 q in the others
  std::optional<double> correlation;  ///< within a server process; given: every case has a warm server
  std::uint32_t server_probes = 20;   ///< that one warm server serves, where there is one
  std::optional<double> drift;        ///< amplitude in log-odds
  std::optional<double> void_rate;
  std::optional<double> other_rate;
  std::optional<std::uint32_t> history_runs;  ///< stored runs besides the one to explain
  std::optional<bool> cleaners;               ///< whether polluters have cleaners
  std::uint32_t victim_runs = 1;              ///< that one probe may make (Problem::most_victim_runs)
  double decided_by_process = 0;  ///< share of cases in which the first run of a process decides for all
  std::uint32_t set_size = 0;     ///< of a polluter set; 0: two in 80 % of cases, three in 15 %, four in 5 %
};

/// Throws std::invalid_argument where a range is empty or out of its domain.
void check_case_options(const CaseOptions& options);

/// Case `number` of `seed` and `kind`.
SimCase generate_case(const CaseOptions& options, CaseKind kind, std::uint64_t seed, std::uint64_t number);

}  // namespace flakebisect::bisect::simulate
