#include "analyzer/analyze/index_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

#include "analyzer/analyze/run_index.h"

namespace flakebisect::analyzer {

namespace {

using repo_reader::Repository;
using repo_reader::RunId;

/// Committed at once: what an interrupt may cost.
constexpr std::size_t batch_results = 100'000;
constexpr double lock_wait_seconds = 60;
constexpr std::size_t most_warnings = 5;

/// Decodes runs in threads and hands them out as they come. At most a few are in memory at a time.
class ImportPool {
 public:
  ImportPool(const Repository& repository, const std::vector<RunId>& runs)
      : repository_(repository), runs_(runs) {
    const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t count = std::min({processors, std::size_t{8}, runs.size()});
    room_ = 2 * count + 2;
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }
  ~ImportPool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  ImportPool(const ImportPool&) = delete;
  ImportPool& operator=(const ImportPool&) = delete;

  /// The next decoded run; nothing when all were taken.
  std::optional<ImportedRun> take() {
    std::unique_lock lock(mutex_);
    if (taken_ == runs_.size()) return std::nullopt;
    changed_.wait(lock, [&] { return !ready_.empty() || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    ImportedRun run = std::move(ready_.front());
    ready_.pop_front();
    ++taken_;
    changed_.notify_all();
    return run;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || next_ == runs_.size() || next_ - taken_ < room_; });
      if (stopping_ || next_ == runs_.size()) return;
      const RunId run = runs_[next_++];
      lock.unlock();
      try {
        ImportedRun imported = import_run(repository_, run);
        lock.lock();
        ready_.push_back(std::move(imported));
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        failure_ = std::current_exception();
      }
      changed_.notify_all();
    }
  }

  const Repository& repository_;
  const std::vector<RunId>& runs_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ImportedRun> ready_;
  std::exception_ptr failure_;
  std::size_t room_ = 1;
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
  bool stopping_ = false;
};

/// Warnings about runs, the first few of them in full.
class RunWarnings {
 public:
  void add(std::string text) {
    if (++count_ <= most_warnings) texts_.push_back(std::move(text));
  }
  void finish(std::vector<std::string>& into) {
    into.insert(into.end(), texts_.begin(), texts_.end());
    if (count_ > most_warnings)
      into.push_back(fmt::format("{} more runs could not be read, or only in part", count_ - most_warnings));
  }

 private:
  std::size_t count_ = 0;
  std::vector<std::string> texts_;
};

void update(RunIndex& index, const Repository& repository, IndexedHistory& result,
            const IndexProgress& progress) {
  const auto stored = repository.run_ids();
  result.stored_runs = stored.size();
  const auto indexed = index.runs();
  std::vector<RunId> wanted;
  std::vector<RunId> gone;
  auto known = indexed.begin();
  for (const RunId run : stored) {
    for (; known != indexed.end() && known->run < run; ++known) gone.push_back(known->run);
    const bool same =
        known != indexed.end() && known->run == run && known->stamp == stamp_of(repository.run_path(run));
    if (known != indexed.end() && known->run == run) ++known;
    if (!same) wanted.push_back(run);
  }
  for (; known != indexed.end(); ++known) gone.push_back(known->run);
  index.forget(gone);
  result.forgotten_runs = gone.size();
  result.decoded_runs = 0;
  ImportPool pool(repository, wanted);
  std::vector<ImportedRun> batch;
  std::size_t results = 0;
  RunWarnings warnings;
  while (auto run = pool.take()) {
    progress(++result.decoded_runs, wanted.size());
    if (!run->error.empty()) {
      // Not stored: it is tried again, and said again, the next time.
      warnings.add(fmt::format("run {} is left out: {}", run->run, run->error));
      index.forget({run->run});
      continue;
    }
    results += run->results.size();
    batch.push_back(*std::move(run));
    if (results < batch_results) continue;
    index.store(batch);
    batch.clear();
    results = 0;
  }
  index.store(batch);
  warnings.finish(result.warnings);
}

void warn_of_damage(IndexedHistory& result) {
  RunWarnings warnings;
  for (const auto& run : result.history.runs) {
    if (run.damaged_parts == 0) continue;
    warnings.add(fmt::format("run {} has {} damaged part{}; what can be read of it counts{}", run.id,
                             run.damaged_parts, run.damaged_parts == 1 ? "" : "s",
                             run.process_count == 0 ? ": nothing" : ""));
  }
  warnings.finish(result.warnings);
}

IndexedHistory attempt(const std::string& index_path, const Repository& repository,
                       const RunSelection& selection, const IndexProgress& progress) {
  IndexedHistory result;
  RunIndex index(index_path, std::filesystem::absolute(repository.path()).lexically_normal().string());
  update(index, repository, result, progress);
  result.history = index.load(selection.first_run, selection.since_micros);
  warn_of_damage(result);
  return result;
}

}  // namespace

IndexedHistory indexed_history(const Repository& repository, const std::string& index_path,
                               const RunSelection& selection, const IndexProgress& progress) {
  std::vector<std::string> warnings;
  try {
    const auto folder = std::filesystem::path(index_path).parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error)
      throw IndexError(fmt::format("cannot make the folder {}: {}", folder.string(), error.message()), false);
    const IndexLock lock(index_path + ".lock", lock_wait_seconds);
    try {
      return attempt(index_path, repository, selection, progress);
    } catch (const IndexError& failure) {
      if (!failure.damaged) throw;
      warnings.push_back(
          fmt::format("the index is damaged ({}); it is made anew from the repository", failure.what()));
      RunIndex::remove(index_path);
    }
    auto result = attempt(index_path, repository, selection, progress);
    result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());
    return result;
  } catch (const IndexError& failure) {
    warnings.push_back(
        fmt::format("no index is kept ({}): every run is decoded each time, in memory", failure.what()));
  }
  auto result = attempt(":memory:", repository, selection, progress);
  result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());
  return result;
}

}  // namespace flakebisect::analyzer
