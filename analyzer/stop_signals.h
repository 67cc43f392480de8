#pragma once

/// SIGINT and SIGTERM as a flag that loops look at, so that everything seen so far is saved and reported.

#include <atomic>

namespace flakebisect::analyzer {

/// From now on SIGINT and SIGTERM set the returned flag to their number instead of ending the process, and
/// SIGPIPE is ignored (a write to a closed pipe fails instead). The flag lives as long as the process.
const std::atomic<int>& catch_stop_signals();

}  // namespace flakebisect::analyzer
