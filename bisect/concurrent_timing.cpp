#include "bisect/concurrent_timing.h"

#include <algorithm>

namespace flakebisect::bisect {

bool met_victim(const BesideTest& test, double victim_seconds) {
  return test.lead_seconds && *test.lead_seconds <= victim_seconds && *test.lead_seconds + test.seconds >= 0;
}

StartDelays start_delays(const std::vector<std::vector<BesideTest>>& lists, double own_seconds,
                         double victim_seconds) {
  StartDelays delays;
  delays.beside.assign(lists.size(), 0);
  double earliest = 0;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    double before = 0;
    for (const auto& test : lists[i]) {
      if (met_victim(test, victim_seconds)) {
        delays.beside[i] = own_seconds + *test.lead_seconds - before;
        break;
      }
      before += test.seconds;
    }
    earliest = std::min(earliest, delays.beside[i]);
  }
  // What should have started before the victim's worker makes that one wait.
  delays.own -= earliest;
  for (auto& delay : delays.beside) delay -= earliest;
  return delays;
}

}  // namespace flakebisect::bisect
