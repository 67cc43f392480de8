#include "bisect/simulate/campaign.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "bisect/simulate/case_store.h"

namespace flakebisect::bisect::simulate {
namespace {

struct Task {
  std::size_t batch = 0;
  std::size_t policy = 0;
  std::uint64_t offset = 0;
};

CaseResult run_one(const Batch& batch, const Policy& policy, const CampaignOptions& options,
                   std::uint64_t number) {
  const SimCase sim_case = generate_case(batch.cases, batch.kind, options.seed, number);
  CaseResult result;
  result.number = number;
  result.q = sim_case.truth.q;
  std::optional<PolicyAnswer> stored;
  if (options.store != nullptr) stored = options.store->find(batch, policy, number);
  if (stored) {
    result.answer = std::move(*stored);
  } else {
    World world(sim_case);
    result.answer = policy.explain(sim_case, world, batch.options);
    result.answer.probes = world.probes();
    result.answer.seconds = world.seconds();
    if (result.answer.wall_seconds == 0) {
      result.answer.wall_seconds = world.seconds();
    }
    if (options.store != nullptr) options.store->add(batch, policy, number, result.answer);
  }
  result.judgement = judge(sim_case, result.answer);
  return result;
}

/// A counter that is overwritten on a terminal; elsewhere a line every ten seconds.
class Progress {
 public:
  Progress(std::FILE* out, std::size_t total)
      : out_(out), total_(total), terminal_(out != nullptr && isatty(fileno(out)) == 1) {}
  void advance(const std::string& label) {
    if (out_ == nullptr) {
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    const auto now = std::chrono::steady_clock::now();
    const auto pause = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10000);
    if (now - last_ < pause && done_ != total_) {
      return;
    }
    last_ = now;
    std::fprintf(out_, "%ssimulated %zu of %zu (%s)%s", terminal_ ? "\r\033[K" : "", done_, total_,
                 label.c_str(), terminal_ && done_ != total_ ? "" : "\n");
    std::fflush(out_);
  }

 private:
  std::FILE* out_;
  std::size_t total_;
  bool terminal_;
  std::size_t done_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
};

}  // namespace

std::vector<BatchResult> run_campaign(const std::vector<Batch>& batches, const CampaignOptions& options) {
  std::vector<BatchResult> results(batches.size());
  std::vector<Task> tasks;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const std::size_t policies = batches[b].policies.size();
    results[b].by_policy.assign(policies, std::vector<CaseResult>(batches[b].count));
    for (std::uint64_t offset = 0; offset < batches[b].count; ++offset) {
      for (std::size_t p = 0; p < policies; ++p) {
        tasks.push_back({b, p, offset});
      }
    }
  }

  Progress progress(options.progress, tasks.size());
  std::atomic<std::size_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto work = [&] {
    for (std::size_t t = next++; t < tasks.size(); t = next++) {
      const Task& task = tasks[t];
      const Batch& batch = batches[task.batch];
      try {
        results[task.batch].by_policy[task.policy][task.offset] =
            run_one(batch, *batch.policies[task.policy], options, batch.first + task.offset);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(error_mutex);
        error = std::current_exception();
        next = tasks.size();
      }
      progress.advance(batch.label);
    }
  };
  const unsigned threads =
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> pool;
  for (unsigned i = 1; i < threads; ++i) {
    pool.emplace_back(work);
  }
  work();
  for (std::thread& thread : pool) {
    thread.join();
  }
  if (error) {
    std::rethrow_exception(error);
  }
  return results;
}

}  // namespace flakebisect::bisect::simulate
