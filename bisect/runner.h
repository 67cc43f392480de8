#pragma once

/// The impure side of a probe: something that runs a list of tests and says how the victim ended.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace flakebisect::bisect {

/// The tests cannot be run at all (the command does not start, no handshake, it died and kept dying): exit
/// status 6. The message says where, what was found, and what to do.
struct CannotRun : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Likewise because the machine it would run on was lost, or could not be reached: another one may do.
struct MachineLost : CannotRun {
  using CannotRun::CannotRun;
};

/// How many seconds single tests may take, by id.
using TestLimits = std::map<std::string, double, std::less<>>;

struct ProbeRequest {
  std::vector<std::string> before;  ///< test ids to run before the victim, in order
  std::string victim;
  /// To run behind the victim, in this order, where the runner can keep the order and it costs no new
  /// process: other victims. They have no say in the victim's own result.
  std::vector<std::string> after;
  double time_limit_seconds = 0;  ///< for the whole probe; 0: none
  double test_limit_seconds = 0;  ///< without news of a test, where own_test_limits does not say; 0: none
  std::shared_ptr<const TestLimits> own_test_limits;  ///< for the tests it names; may be null
  bool fresh_process = false;    ///< do not use a warm server that has served another probe
  bool hang_is_failure = false;  ///< the victim passing its limit is the failure to explain, not a void probe
  /// At most so many runs of the victim in this probe, one after the other in one process, until it first
  /// fails; a runner that cannot repeat it runs it once.
  std::uint32_t victim_runs = 1;
};

/// How long there may be no news while `running` runs (empty: between two tests), in seconds; 0: for ever.
inline double quiet_limit(const ProbeRequest& request, std::string_view running) {
  if (request.own_test_limits && !running.empty()) {
    const auto own = request.own_test_limits->find(running);
    if (own != request.own_test_limits->end()) return own->second;
  }
  return request.test_limit_seconds;
}

/// How the victim's run ended, before its failure's signature is looked at.
enum class VictimEnd : std::uint8_t { pass, fail, void_probe };

struct TestRun {
  std::string id;
  std::string status;                  ///< subunit's word: success, fail, skip, xfail, uxsuccess, inprogress
  std::optional<double> seconds;       ///< from the stream's timestamps
  std::optional<double> start_time{};  ///< likewise, seconds since 1970
};

/// A test that ran behind the victim.
struct AfterRun {
  std::string id;
  VictimEnd end = VictimEnd::void_probe;
  std::string traceback;
};

struct ProbeResult {
  VictimEnd end = VictimEnd::void_probe;
  std::string void_reason;      ///< one sentence, where end is void_probe
  bool lost = false;            ///< void because the machine it ran on was lost, or could not be reached
  std::vector<TestRun> ran;     ///< what ran before the victim in the order it ran, read from the results
  bool victim_started = false;  ///< also where its result did not come any more
  /// Runs of the victim that have a result: all but the last passed, and the last one is `end`; 0 where end
  /// is void. A run that was the failure because it never ended counts.
  std::uint32_t victim_runs = 0;
  std::optional<double> victim_seconds;  ///< of the first run of it
  /// Likewise; seconds since 1970, from the stream's timestamps.
  std::optional<double> victim_start_time, victim_stop_time;
  std::vector<AfterRun> after;       ///< of ProbeRequest::after those that started, in the order they ran
  std::string traceback;             ///< the victim's failure details as text; empty where it passed
  double wall_seconds = 0;           ///< from start to the victim's result, the last one of several
  double startup_seconds = 0;        ///< from start to the first test's start
  std::uint64_t process = 0;         ///< as Observation::process
  bool by_exit_status = false;       ///< no results came: the command's exit status said how the victim ended
  std::string output_tail;           ///< last stray output and standard error, for messages
  int wait_status = -1;              ///< as waitpid gave it; -1 where the process was still to be ended by us
  std::vector<std::string> remarks;  ///< sentences for the user: the server ran another order than asked, ...
};

/// Runs probes one at a time. run() blocks until the victim's result is in, a limit ends it, or *cancel
/// becomes true (then the result is void with the reason "cancelled"). When it returns, no process of the
/// probe is left (a warm server excepted, which the destructor ends). Not thread-safe; one Runner per slot.
class Runner {
 public:
  virtual ~Runner() = default;
  /// Throws CannotRun.
  virtual ProbeResult run(const ProbeRequest& request, const std::atomic<bool>& cancel) = 0;
  /// The shell command a user can paste to run this list, self-contained.
  virtual std::string reproduction_command(const std::vector<std::string>& tests) const = 0;
  /// What is run, in one line for the user before the first probe.
  virtual std::string description() const = 0;
};

}  // namespace flakebisect::bisect
