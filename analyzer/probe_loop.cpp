#include "analyzer/probe_loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace flakebisect::analyzer {

namespace {

using Clock = std::chrono::steady_clock;
using bisect::Observation;
using bisect::Outcome;
using bisect::Probe;
using bisect::ProbeRequest;
using bisect::ProbeResult;
using bisect::Runner;
using bisect::VictimEnd;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One runner with the thread that runs its probes.
class Slot {
 public:
  Slot(Runner& runner, std::mutex& mutex, std::condition_variable& changed)
      : runner_(runner), mutex_(mutex), changed_(changed), thread_([this] { work(); }) {}

  ~Slot() {
    quit();
    thread_.join();
  }

  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  // The members below are guarded by the loop's mutex.
  std::optional<Probe> probe;         ///< in flight or finished, not yet taken
  std::optional<ProbeResult> result;  ///< of the probe
  std::exception_ptr failure;
  Clock::time_point started{};

  std::uint64_t beside = 0;  ///< other probes in flight with it, at the most
  bool of_check = false;     ///< the interference guard asked for it
  unsigned losses = 0;       ///< in a row
  Clock::time_point rests_until{};
  std::string last_loss;

  void start(Probe next, ProbeRequest request) {
    probe = std::move(next);
    request_ = std::move(request);
    started = Clock::now();
    go_.notify_one();
  }
  void cancel() { cancel_ = true; }
  /// Ends the thread once its probe is over; not to be called with the mutex held.
  void quit() {
    {
      std::lock_guard lock(mutex_);
      quit_ = true;
      cancel_ = true;
    }
    go_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      go_.wait(lock, [this] { return quit_ || request_.has_value(); });
      if (quit_) return;
      const ProbeRequest request = std::move(*request_);
      request_.reset();
      lock.unlock();
      std::optional<ProbeResult> outcome;
      std::exception_ptr error;
      try {
        outcome = runner_.run(request, cancel_);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      result = std::move(outcome);
      failure = error;
      changed_.notify_all();
    }
  }

  Runner& runner_;
  std::mutex& mutex_;
  std::condition_variable& changed_;  ///< tells the loop of a result
  std::condition_variable go_;        ///< its own, so that a start wakes one thread and not a thousand
  std::optional<ProbeRequest> request_;
  std::atomic<bool> cancel_{false};
  bool quit_ = false;
  std::thread thread_;
};

/// The candidates' indices by id.
using IndexOf = std::unordered_map<std::string, bisect::TestIndex>;

Observation make_observation(const Probe& probe, const ProbeResult& result, const IndexOf& index_of,
                             std::size_t candidates, Outcome outcome) {
  Observation observation;
  observation.lost = result.lost;
  std::vector<bool> seen(candidates, false);
  for (const auto& test : result.ran) {
    const auto found = index_of.find(test.id);
    if (found == index_of.end() || seen[found->second]) continue;
    seen[found->second] = true;
    observation.ran.push_back(found->second);
  }
  observation.outcome = outcome;
  observation.victim_runs = std::max<std::uint32_t>(1, result.victim_runs);
  observation.victim_runs_asked = probe.victim_runs;
  observation.purpose = probe.purpose;
  observation.seconds = result.wall_seconds;
  observation.process = result.process;
  observation.probe_id = probe.id;
  return observation;
}

/// Rests end within ten minutes, however often a machine was lost.
constexpr double longest_rest_seconds = 600;
constexpr unsigned losses_that_count = 3;
/// So many runs alone, of a reproduction that fails at this rate, would show a failure as good as surely:
/// where they did not, the verdict is not given.
double most_verdict_checks(double rate) {
  return std::max(300.0, 5 / std::max(rate, 1e-3));
}

class Loop {
 public:
  Loop(bisect::Engine& engine, const std::vector<std::unique_ptr<Runner>>& runners,
       const LoopSettings& settings, const LoopHooks& hooks, const std::atomic<int>& stop,
       InterferenceGuard guard)
      : engine_(engine), settings_(settings), hooks_(hooks), stop_(stop), guard_(std::move(guard)) {
    for (std::size_t i = 0; i < settings.candidates.size(); ++i)
      index_of_.emplace(settings.candidates[i], static_cast<bisect::TestIndex>(i));
    one_at_a_time_ = settings.one_at_a_time;
    full_left_ = settings.full_first;
    // Evidence of an earlier life's probes among others needs the guard also where there is one slot now.
    guarded_ = hooks.interference && !one_at_a_time_ && (runners.size() > 1 || guard_.saw_company());
    slots_.reserve(runners.size());
    for (const auto& runner : runners) slots_.push_back(std::make_unique<Slot>(*runner, mutex_, changed_));
  }
  ~Loop() {
    // All at once, so that ending a thousand slots takes as long as ending one.
    for (auto& slot : slots_) slot->quit();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  LoopResult run();

 private:
  /// What start() did.
  enum class Fill { started, nothing_more, not_now };

  Fill fill(Slot& slot);
  void start(Slot& slot, Probe probe, bool of_check);
  void take_result(Slot& slot, std::size_t number);
  void lose(Slot& slot, std::size_t number, const std::string& reason);
  void go_one_at_a_time(const std::string& sentence);
  /// The probe that the engine's verdict still needs.
  std::optional<InterferenceCheck> wanted_check() const;
  /// The engine has its verdict, and nothing more has to be run for it.
  bool verdict_stands();
  bool issued_all() const { return settings_.max_probes && issued_ >= *settings_.max_probes; }
  std::size_t busy() const;
  void update_status();

  bisect::Engine& engine_;
  const LoopSettings& settings_;
  const LoopHooks& hooks_;
  const std::atomic<int>& stop_;
  InterferenceGuard guard_;
  IndexOf index_of_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::deque<InterferenceCheck> checks_;
  Clock::time_point start_ = Clock::now();
  LoopResult loop_;
  std::uint64_t issued_ = 0;
  std::uint64_t full_left_ = 0;
  std::uint64_t voids_in_a_row_ = 0;
  std::uint64_t verdict_checks_ = 0;
  bool one_at_a_time_ = false;
  bool guarded_ = false;
  bool alone_ = false;  ///< the probe in flight must not get company
};

std::size_t Loop::busy() const {
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->probe.has_value(); }));
}

void Loop::update_status() {
  loop_.status.elapsed_seconds = seconds_since(start_);
  loop_.status.slots.resize(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = *slots_[i];
    SlotStatus& status = loop_.status.slots[i];
    status = {};
    status.busy = slot.probe.has_value();
    status.resting = slot.losses != 0 && slot.rests_until > Clock::now();
    if (!status.busy) continue;
    status.tests = slot.probe->subset.size();
    status.running_seconds = seconds_since(slot.started);
    status.purpose = slot.probe->purpose;
    status.victim_runs = slot.probe->victim_runs;
  }
}

void Loop::start(Slot& slot, Probe probe, bool of_check) {
  ++issued_;
  ProbeRequest request;
  for (const auto index : probe.subset) request.before.push_back(settings_.candidates[index]);
  request.victim = settings_.victim;
  request.victim_runs = probe.victim_runs;
  // What runs behind a victim that was repeated has another past than any run to explain.
  if (probe.victim_runs == 1) request.after = settings_.after;
  request.time_limit_seconds = settings_.limits.of_probe(probe.victim_runs);
  request.test_limit_seconds = settings_.limits.test_seconds;
  request.own_test_limits = settings_.limits.own;
  request.fresh_process = probe.fresh_process;
  request.hang_is_failure = settings_.hang_is_failure;
  const std::uint64_t others = busy();
  for (auto& other : slots_) {
    if (other->probe) other->beside = std::max(other->beside, others);
  }
  slot.beside = others;
  slot.of_check = of_check;
  slot.start(std::move(probe), std::move(request));
}

Loop::Fill Loop::fill(Slot& slot) {
  if (issued_all()) return Fill::nothing_more;
  if (alone_ || slot.rests_until > Clock::now()) return Fill::not_now;
  const std::size_t in_flight = busy();
  if (one_at_a_time_ && in_flight != 0) return Fill::not_now;
  if (!checks_.empty()) {
    if (checks_.front().alone && in_flight != 0) return Fill::not_now;
    alone_ = checks_.front().alone;
    Probe probe;
    probe.subset = std::move(checks_.front().subset);
    checks_.pop_front();
    start(slot, std::move(probe), true);
    return Fill::started;
  }
  if (full_left_ > 0 && loop_.status.failures == 0) {
    --full_left_;
    Probe probe;
    for (bisect::TestIndex i = 0; i < settings_.candidates.size(); ++i) probe.subset.push_back(i);
    start(slot, std::move(probe), true);
    return Fill::started;
  }
  if (engine_.done()) return Fill::nothing_more;
  auto probe = engine_.next_probe();
  if (!probe) return Fill::nothing_more;
  start(slot, std::move(*probe), false);
  return Fill::started;
}

void Loop::go_one_at_a_time(const std::string& sentence) {
  one_at_a_time_ = true;
  guarded_ = false;
  checks_.clear();
  // What runs now runs beside others: it would not count.
  engine_ = hooks_.interference(sentence);
}

void Loop::lose(Slot& slot, std::size_t number, const std::string& reason) {
  const double rest = std::min(longest_rest_seconds, settings_.rest_seconds * std::exp2(slot.losses));
  ++slot.losses;
  slot.last_loss = reason;
  slot.rests_until =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(rest));
  const bool all = std::all_of(slots_.begin(), slots_.end(),
                               [](const auto& one) { return one->losses >= losses_that_count; });
  if (all) {
    throw bisect::CannotRun("no machine can be reached any more; the last one: " + reason +
                            "; check the launcher and its machines, then go on with 'flakebisect resume'");
  }
  if (hooks_.lost) hooks_.lost(number, reason, rest);
}

void Loop::take_result(Slot& slot, std::size_t number) {
  const Probe probe = std::move(*slot.probe);
  slot.probe.reset();
  const std::uint64_t beside = slot.beside;
  const bool asked_alone = alone_;
  if (beside == 0) alone_ = false;
  // The guard waits for as many results as it asked for.
  const auto ask_again = [&] {
    if (guarded_ && slot.of_check) checks_.push_front({probe.subset, asked_alone});
  };
  if (slot.failure) {
    const auto failure = std::exchange(slot.failure, nullptr);
    if (!settings_.slots_may_fail) std::rethrow_exception(failure);
    engine_.abandon(probe.id);
    try {
      std::rethrow_exception(failure);
    } catch (const bisect::CannotRun& error) {
      // With a single slot nothing tells that the tests could be run on another machine.
      if (slots_.size() == 1 && dynamic_cast<const bisect::MachineLost*>(&error) == nullptr) throw;
      ask_again();
      lose(slot, number, error.what());
    }
    return;
  }
  const ProbeResult result = std::move(*slot.result);
  slot.result.reset();
  Classified classified;
  if (result.end != VictimEnd::void_probe) classified = hooks_.classify(result);
  const auto observation =
      make_observation(probe, result, index_of_, settings_.candidates.size(), classified.outcome);
  if (hooks_.record) hooks_.record({probe, result, classified, beside, number}, observation);
  if (!one_at_a_time_ || beside == 0) engine_.observe(observation);
  if (guarded_ && !result.lost) {
    guard_.observe(observation, beside, slot.of_check);
    if (guard_.found()) {
      go_one_at_a_time(*guard_.found());
    } else if (slots_.size() > 1) {
      for (auto& check : guard_.checks()) checks_.push_back(std::move(check));
    }
  }
  ++loop_.status.probes;
  if (classified.outcome == Outcome::fail) ++loop_.status.failures;
  if (result.lost) {
    ++loop_.status.voids;
    ask_again();
    lose(slot, number, result.void_reason);
    return;
  }
  slot.losses = 0;
  if (classified.outcome != Outcome::void_probe) {
    voids_in_a_row_ = 0;
    return;
  }
  ++loop_.status.voids;
  if (++voids_in_a_row_ == settings_.give_up_after_voids && loop_.status.voids == loop_.status.probes) {
    throw bisect::CannotRun(
        "none of the first " + std::to_string(loop_.status.probes) +
        " probes gave a result: " + result.void_reason +
        (result.output_tail.empty() ? "" : "\nThe last one's output ended:\n" + result.output_tail));
  }
}

std::optional<InterferenceCheck> Loop::wanted_check() const {
  std::vector<bisect::TestIndex> full;
  for (bisect::TestIndex i = 0; i < settings_.candidates.size(); ++i) full.push_back(i);
  return guard_.before(engine_.verdict(), full);
}

bool Loop::verdict_stands() {
  if (!engine_.done()) return false;
  if (!guarded_) return true;
  if (!checks_.empty() || alone_) return false;
  auto check = wanted_check();
  if (!check ||
      static_cast<double>(++verdict_checks_) > most_verdict_checks(engine_.verdict().reproduce_rate))
    return true;
  checks_.push_back(std::move(*check));
  return false;
}

LoopResult Loop::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i]->failure || slots_[i]->result) take_result(*slots_[i], i);
    }
    const bool stands = verdict_stands();
    bool nothing_more = false;
    const bool gives_way = !stands && hooks_.give_way && hooks_.give_way(loop_.status);
    if (!stands && !gives_way) {
      for (auto& slot : slots_) {
        if (!slot->probe && fill(*slot) == Fill::nothing_more) {
          nothing_more = true;
          break;
        }
      }
    }
    update_status();
    if (hooks_.tick) hooks_.tick(loop_.status);
    if (stop_.load() != 0) {
      loop_.end = LoopEnd::stopped;
      break;
    }
    if (settings_.budget_seconds && loop_.status.elapsed_seconds >= *settings_.budget_seconds) {
      loop_.end = LoopEnd::budget;
      break;
    }
    if (stands) break;
    if (busy() == 0) {
      if (issued_all()) {
        loop_.end = LoopEnd::max_probes;
        break;
      }
      if (gives_way) {
        loop_.end = LoopEnd::gave_way;
        break;
      }
      if (nothing_more && !engine_.waiting() && !engine_.done()) break;
    }
    // A result may have come while the hooks were at work.
    const bool ready = std::any_of(slots_.begin(), slots_.end(),
                                   [](const auto& slot) { return slot->failure || slot->result; });
    if (!ready) changed_.wait_for(lock, std::chrono::milliseconds(100));
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& slot = *slots_[i];
    slot.cancel();
    if (slot.result) {
      take_result(slot, i);
    } else if (slot.probe) {
      engine_.abandon(slot.probe->id);
    }
  }
  loop_.unchecked = guarded_ && engine_.done() && wanted_check();
  lock.unlock();
  for (auto& slot : slots_) slot->quit();
  slots_.clear();
  update_status();
  return loop_;
}

}  // namespace

LoopResult run_probe_loop(bisect::Engine& engine, const std::vector<std::unique_ptr<Runner>>& runners,
                          const LoopSettings& settings, const LoopHooks& hooks, const std::atomic<int>& stop,
                          InterferenceGuard guard) {
  return Loop(engine, runners, settings, hooks, stop, std::move(guard)).run();
}

}  // namespace flakebisect::analyzer
