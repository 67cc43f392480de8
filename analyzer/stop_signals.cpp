#include "analyzer/stop_signals.h"

#include <csignal>

namespace flakebisect::analyzer {

namespace {

StopSignals stop_signals;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void remember(int signal) {
  stop_signals.number = signal;
  stop_signals.requested = true;
}

}  // namespace

const StopSignals& catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return stop_signals;
}

}  // namespace flakebisect::analyzer
