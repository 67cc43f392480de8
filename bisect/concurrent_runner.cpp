#include "bisect/concurrent_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace flakebisect::bisect {

namespace {

/// A list that runs nothing so often in a row is not started again in this probe.
constexpr unsigned most_idle_rounds = 3;
constexpr double idle_pause_seconds = 0.1;
/// Clocks of the machines of one probe may differ by so much.
constexpr double clock_slack_seconds = 1;
constexpr double least_finish_seconds = 3;
constexpr double most_finish_seconds = 60;
/// How often the flags are looked at while a process waits for its start.
constexpr auto look_interval = std::chrono::milliseconds(10);

/// The end of a probe: told to all its threads.
struct Ending {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> over{false};  ///< the victim's result is in: no list is begun any more
  std::atomic<bool> cut{false};   ///< those that still run are ended
  std::size_t at_work = 0;        ///< threads; guarded by the mutex

  void begin_work() {
    std::lock_guard lock(mutex);
    ++at_work;
  }
  void end_work() {
    {
      std::lock_guard lock(mutex);
      --at_work;
    }
    changed.notify_all();
  }
  /// Waits until nobody is at work, and no longer than this or until *cancel.
  bool finished(double seconds, const std::atomic<bool>& cancel) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::unique_lock lock(mutex);
    while (at_work != 0 && !cancel && std::chrono::steady_clock::now() < until)
      changed.wait_for(lock, look_interval);
    return at_work == 0;
  }

  void end() {
    {
      std::lock_guard lock(mutex);
      over = true;
    }
    changed.notify_all();
  }
  /// False: the probe was over before.
  bool wait(double seconds) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return over.load(); });
  }
};

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A part of a probe by this machine's clock, seconds since 1970.
struct Period {
  double begin = now_seconds();
  double end = 0;
  /// A time that a stream tells, where it lies in the period. Streams of tests that set their clock, or of a
  /// machine whose clock is wrong, tell nothing.
  std::optional<double> believed(const std::optional<double>& told) const {
    const bool inside = told && *told >= begin - clock_slack_seconds && *told <= end + clock_slack_seconds;
    return inside ? told : std::nullopt;
  }
};

struct Started {
  std::string id;
  std::optional<double> time;  ///< nothing: unknown
};

/// What one other worker did in a probe.
struct Company {
  std::vector<Started> started;
  std::exception_ptr failure;
  std::string idle_reason;  ///< why it ran nothing, where it was given up
};

/// Runs a list over and over until the probe is over.
void accompany(Runner& runner, const std::vector<std::string>& list, const ProbeRequest& limits,
               double delay_seconds, Ending& ending, Company& company) {
  try {
    if (delay_seconds > 0 && !ending.wait(delay_seconds)) return;
    ProbeRequest request = limits;
    request.before.assign(list.begin(), list.end() - 1);
    request.victim = list.back();
    request.after.clear();
    request.hang_is_failure = false;
    request.victim_runs = 1;
    unsigned idle = 0;
    while (!ending.over) {
      Period round;
      const auto result = runner.run(request, ending.cut);
      round.end = now_seconds();
      for (const auto& test : result.ran)
        company.started.push_back({test.id, round.believed(test.start_time)});
      const bool last_started = result.end != VictimEnd::void_probe || result.victim_started;
      if (last_started) company.started.push_back({list.back(), round.believed(result.victim_start_time)});
      if (last_started || !result.ran.empty()) {
        idle = 0;
      } else if (++idle == most_idle_rounds) {
        company.idle_reason = result.void_reason;
        return;
      } else if (!ending.wait(idle_pause_seconds)) {
        return;
      }
    }
  } catch (...) {
    company.failure = std::current_exception();
  }
}

/// How long a list may go on behind the victim's result: as long as it takes, and half as long again.
double seconds_to_finish(const std::vector<BesideTest>& list, double startup_seconds) {
  double seconds = startup_seconds;
  for (const auto& test : list) seconds += test.seconds;
  return std::clamp(1.5 * seconds + least_finish_seconds, 0.0, most_finish_seconds);
}

}  // namespace

struct ConcurrentRunner::Impl {
  ConcurrentOptions options;
  std::unique_ptr<Runner> own;
  std::vector<std::unique_ptr<Runner>> beside;
  std::unordered_map<std::string, std::size_t> place;  ///< in options.others
  double own_seconds = 0;                              ///< as last seen, else as expected

  /// What each other worker runs of these tests.
  std::vector<std::vector<BesideTest>> lists_of(const std::vector<std::string>& tests) const {
    std::vector<std::vector<BesideTest>> lists(beside.size());
    for (const auto& id : tests) {
      const auto found = place.find(id);
      if (found == place.end()) continue;
      const auto& test = options.others[found->second];
      lists[test.worker].push_back(test);
    }
    return lists;
  }
};

namespace {

std::vector<std::string> ids_of(const std::vector<BesideTest>& tests) {
  std::vector<std::string> ids;
  for (const auto& test : tests) ids.push_back(test.id);
  return ids;
}

}  // namespace

ConcurrentRunner::ConcurrentRunner(ConcurrentOptions options, std::unique_ptr<Runner> own,
                                   std::vector<std::unique_ptr<Runner>> beside)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->own = std::move(own);
  impl_->beside = std::move(beside);
  impl_->own_seconds = impl_->options.own_seconds;
  for (std::size_t i = 0; i < impl_->options.others.size(); ++i)
    impl_->place.emplace(impl_->options.others[i].id, i);
}

ConcurrentRunner::~ConcurrentRunner() = default;

ProbeResult ConcurrentRunner::run(const ProbeRequest& request, const std::atomic<bool>& cancel) {
  Impl& self = *impl_;
  const auto lists = self.lists_of(request.before);
  const auto delays = start_delays(lists, self.own_seconds, self.options.victim_seconds);

  const auto begin = std::chrono::steady_clock::now();
  Ending ending;
  std::vector<Company> companies(lists.size());
  std::vector<std::thread> threads;
  ProbeRequest own_request = request;
  own_request.before = self.options.own;
  own_request.victim_runs = 1;  // each run of the victim needs the other workers' tests beside it
  ProbeResult result;
  Period own_period;
  std::exception_ptr failure;
  try {
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (lists[i].empty()) continue;
      ending.begin_work();
      threads.emplace_back([&, i, ids = ids_of(lists[i])] {
        accompany(*self.beside[i], ids, request, delays.beside[i], ending, companies[i]);
        ending.end_work();
      });
    }
    const auto start = std::chrono::steady_clock::now() + std::chrono::duration<double>(delays.own);
    while (!cancel && std::chrono::steady_clock::now() < start) std::this_thread::sleep_for(look_interval);
    result = self.own->run(own_request, cancel);
  } catch (...) {
    failure = std::current_exception();
  }
  own_period.end = now_seconds();
  ending.end();
  double grace = 0;
  for (const auto& list : lists) {
    if (!list.empty()) grace = std::max(grace, seconds_to_finish(list, result.startup_seconds));
  }
  const bool in_peace = ending.finished(failure ? 0 : grace, cancel);
  ending.cut = true;
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
  for (const auto& company : companies) {
    if (company.failure) std::rethrow_exception(company.failure);
  }

  if (result.end != VictimEnd::void_probe && result.victim_seconds)
    self.own_seconds =
        std::max(0.0, result.wall_seconds - result.startup_seconds - result.victim_seconds.value_or(0));
  result.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!in_peace && !cancel)
    result.remarks.emplace_back(
        "another worker's tests did not end in time and were ended; what they leave behind may "
        "disturb later probes");
  std::unordered_set<std::string> started;
  const double over = own_period.believed(result.victim_stop_time).value_or(own_period.end);
  for (const auto& company : companies) {
    for (const auto& test : company.started) {
      if (!test.time || *test.time <= over) started.insert(test.id);
    }
    if (!company.idle_reason.empty())
      result.remarks.push_back("another worker's tests did not run: " + company.idle_reason);
  }
  result.ran.clear();
  for (const auto& test : self.options.others) {
    if (started.count(test.id) != 0) result.ran.push_back({test.id, "unknown", std::nullopt});
  }
  return result;
}

std::string ConcurrentRunner::reproduction_command(const std::vector<std::string>& tests) const {
  const Impl& self = *impl_;
  auto own = self.options.own;
  own.push_back(tests.back());
  const auto lists = self.lists_of({tests.begin(), tests.end() - 1});
  const auto delays = start_delays(lists, self.own_seconds, self.options.victim_seconds);
  // The loops go on while a folder is there: when it goes they finish their lists, and leave nothing half
  // done.
  std::string text =
      "(during=$(mktemp -d) && trap 'rmdir \"$during\" 2> /dev/null' EXIT && trap 'exit 130' INT TERM\n";
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (lists[i].empty()) continue;
    text += "(";
    if (delays.beside[i] >= 0.01) text += fmt::format("sleep {:.2f}\n", delays.beside[i]);
    text += "while [ -d \"$during\" ]; do\n" + self.beside[i]->reproduction_command(ids_of(lists[i])) +
            "\ndone) > /dev/null 2>&1 &\n";
  }
  if (delays.own >= 0.01) text += fmt::format("sleep {:.2f}\n", delays.own);
  text += self.own->reproduction_command(own) + "\n";
  return text + "status=$?\nrmdir \"$during\"\nwait\nexit $status)";
}

std::string ConcurrentRunner::description() const {
  const Impl& self = *impl_;
  return fmt::format("the victim's worker ({} test{} and the victim) beside tests of {} other worker{}: {}",
                     self.options.own.size(), self.options.own.size() == 1 ? "" : "s", self.beside.size(),
                     self.beside.size() == 1 ? "" : "s", self.own->description());
}

}  // namespace flakebisect::bisect
