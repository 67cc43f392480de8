#include "analyzer/probe_loop.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>

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
    {
      std::lock_guard lock(mutex_);
      quit_ = true;
      cancel_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  // The members below are guarded by the loop's mutex.
  std::optional<Probe> probe;         ///< in flight or finished, not yet taken
  std::optional<ProbeResult> result;  ///< of the probe
  std::exception_ptr failure;
  Clock::time_point started{};

  void start(Probe next, ProbeRequest request) {
    probe = std::move(next);
    request_ = std::move(request);
    started = Clock::now();
  }
  void cancel() { cancel_ = true; }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return quit_ || request_.has_value(); });
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
  std::condition_variable& changed_;
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
  std::vector<bool> seen(candidates, false);
  for (const auto& test : result.ran) {
    const auto found = index_of.find(test.id);
    if (found == index_of.end() || seen[found->second]) continue;
    seen[found->second] = true;
    observation.ran.push_back(found->second);
  }
  observation.outcome = outcome;
  observation.purpose = probe.purpose;
  observation.seconds = result.wall_seconds;
  observation.process = result.process;
  observation.probe_id = probe.id;
  return observation;
}

}  // namespace

LoopResult run_probe_loop(bisect::Engine& engine, const std::vector<std::unique_ptr<Runner>>& runners,
                          const LoopSettings& settings, const LoopHooks& hooks,
                          const std::atomic<int>& stop) {
  IndexOf index_of;
  for (std::size_t i = 0; i < settings.candidates.size(); ++i) {
    index_of.emplace(settings.candidates[i], static_cast<bisect::TestIndex>(i));
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Slot>> slots;
  slots.reserve(runners.size());
  for (const auto& runner : runners) slots.push_back(std::make_unique<Slot>(*runner, mutex, changed));

  const auto start = Clock::now();
  LoopResult loop;
  std::uint64_t issued = 0;
  std::uint64_t voids_in_a_row = 0;

  const auto update_status = [&] {
    loop.status.elapsed_seconds = seconds_since(start);
    loop.status.slots.clear();
    for (const auto& slot : slots) {
      SlotStatus status;
      status.busy = slot->probe.has_value();
      if (status.busy) {
        status.tests = slot->probe->subset.size();
        status.running_seconds = seconds_since(slot->started);
        status.purpose = slot->probe->purpose;
      }
      loop.status.slots.push_back(status);
    }
  };
  const auto take_result = [&](Slot& slot) {
    if (slot.failure) std::rethrow_exception(slot.failure);
    const Probe probe = std::move(*slot.probe);
    const ProbeResult result = std::move(*slot.result);
    slot.probe.reset();
    slot.result.reset();
    Classified classified;
    if (result.end != VictimEnd::void_probe) classified = hooks.classify(result);
    const auto observation =
        make_observation(probe, result, index_of, settings.candidates.size(), classified.outcome);
    if (hooks.record) hooks.record(probe, result, classified, observation);
    engine.observe(observation);
    ++loop.status.probes;
    if (classified.outcome == Outcome::fail) ++loop.status.failures;
    if (classified.outcome != Outcome::void_probe) {
      voids_in_a_row = 0;
      return;
    }
    ++loop.status.voids;
    if (++voids_in_a_row == settings.give_up_after_voids && loop.status.voids == loop.status.probes) {
      throw bisect::CannotRun(
          "none of the first " + std::to_string(loop.status.probes) +
          " probes gave a result: " + result.void_reason +
          (result.output_tail.empty() ? "" : "\nThe last one's output ended:\n" + result.output_tail));
    }
  };

  std::unique_lock lock(mutex);
  for (;;) {
    bool nothing_more = false;
    bool busy = false;
    for (auto& slot : slots) {
      if (slot->failure || slot->result) take_result(*slot);
      if (slot->probe) {
        busy = true;
        continue;
      }
      if (nothing_more || (settings.max_probes != 0 && issued >= settings.max_probes)) continue;
      auto probe = engine.next_probe();
      if (!probe) {
        nothing_more = true;
        continue;
      }
      ++issued;
      ProbeRequest request;
      for (const auto index : probe->subset) request.before.push_back(settings.candidates[index]);
      request.victim = settings.victim;
      request.time_limit_seconds = settings.probe_limit_seconds;
      request.test_limit_seconds = settings.test_limit_seconds;
      request.fresh_process = probe->fresh_process;
      request.hang_is_failure = settings.hang_is_failure;
      slot->start(std::move(*probe), std::move(request));
      busy = true;
    }
    changed.notify_all();
    update_status();
    if (hooks.tick) hooks.tick(loop.status);
    if (stop.load() != 0) {
      loop.end = LoopEnd::stopped;
      break;
    }
    if (settings.budget_seconds && loop.status.elapsed_seconds >= *settings.budget_seconds) {
      loop.end = LoopEnd::budget;
      break;
    }
    if (engine.done()) break;
    if (!busy) {
      if (nothing_more && !engine.waiting()) break;
      if (settings.max_probes != 0 && issued >= settings.max_probes) {
        loop.end = LoopEnd::max_probes;
        break;
      }
    }
    changed.wait_for(lock, std::chrono::milliseconds(100));
  }
  for (auto& slot : slots) {
    slot->cancel();
    if (slot->result) {
      take_result(*slot);
    } else if (slot->probe) {
      engine.abandon(slot->probe->id);
    }
  }
  lock.unlock();
  slots.clear();
  update_status();
  return loop;
}

}  // namespace flakebisect::analyzer
