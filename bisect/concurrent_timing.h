#pragma once

/// When each process of a side-by-side run starts, so that tests that met in the run to explain meet again.
/// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace flakebisect::bisect {

/// A test that another worker ran.
struct BesideTest {
  std::string id;
  std::uint32_t worker = 0;  ///< number of that worker, from 0
  double seconds = 0;        ///< expected duration; 0 where unknown
  /// Its start in the run to explain, counted from the victim's start (negative: before); nothing where the
  /// run has no times.
  std::optional<double> lead_seconds;
};

/// Whether the test ran while the victim did, in the run to explain.
bool met_victim(const BesideTest& test, double victim_seconds);

/// Seconds between the start of the probe and the start of each process; the least of them is 0.
struct StartDelays {
  double own = 0;
  std::vector<double> beside;  ///< of each list
};

/// `own_seconds`: from the first test of the victim's worker to the victim's start. Each list is one other
/// worker's tests, in the order in which they run. A list that holds tests that met the victim starts so that
/// the first of them stands to the victim as it did then, whatever was taken out of the list before it. A
/// list without one starts with the probe.
StartDelays start_delays(const std::vector<std::vector<BesideTest>>& lists, double own_seconds,
                         double victim_seconds);

}  // namespace flakebisect::bisect
