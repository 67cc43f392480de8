#pragma once

/// SIGINT and SIGTERM as a flag that loops look at, so that everything seen so far is saved and reported.

#include <atomic>

namespace flakebisect::analyzer {

struct StopSignals {
  std::atomic<int> number{0};          ///< of the signal that came; 0: none
  std::atomic<bool> requested{false};  ///< the same as a flag, for runners
};

/// Thrown where a signal came before there was anything to report; main() turns it into status 128 + number.
struct Interrupted {
  int signal;
};

/// From now on SIGINT and SIGTERM set the returned flags instead of ending the process, and SIGPIPE is
/// ignored (a write to a closed pipe fails instead). The flags live as long as the process.
const StopSignals& catch_stop_signals();

}  // namespace flakebisect::analyzer
