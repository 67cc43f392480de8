#include "repo_reader/test_run.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "repo_reader/damage.h"
#include "repo_reader/test_ids.h"

namespace flakebisect::repo_reader {

struct RunBuilder::Entry {
  ExecutedTest test;
  std::optional<std::string> route_code;
  std::vector<unsigned long> workers;  // sorted
  bool bare_failure = false;           // may stand for a test that never ended
  bool only_files = false;
  bool displaced = false;  // stands at the end of the stream instead of at its place
};

namespace {

constexpr std::int64_t least_pause_micros = 200'000;  // no interpreter starts and imports tests in less

/// Entries are handed around as indices in the order of the stream.
struct Cut {
  std::size_t at = 0;
  std::int64_t pause_micros = 0;
};

template <class Entry>
std::optional<Timestamp> end_of(const Entry& entry) {
  return entry.test.stop ? entry.test.stop : entry.test.start;
}

/// Marks the bare failures at the end of entries [begin, end) as unfinished; returns where they begin.
template <class Entry>
std::size_t mark_unfinished(std::vector<Entry>& entries, std::size_t begin, std::size_t end) {
  std::size_t at = end;
  while (at > begin && (entries[at - 1].bare_failure || entries[at - 1].test.unfinished)) {
    --at;
    if (entries[at].bare_failure) entries[at].displaced = true;
    entries[at].test.unfinished = true;
    entries[at].test.seconds.reset();
  }
  return at;
}

/// The places where no test is running and the longest pauses are, all in one sweep.
template <class Entry>
std::vector<Cut> pauses(const std::vector<Entry>& entries, std::size_t begin, std::size_t end) {
  std::vector<Cut> cuts;
  if (begin == end) return cuts;
  std::vector<std::optional<Timestamp>> earliest_from(end - begin);
  std::optional<Timestamp> earliest;
  for (std::size_t i = end; i-- > begin;) {
    const auto& start = entries[i].test.start;
    if (start && (!earliest || *start < *earliest)) earliest = start;
    earliest_from[i - begin] = earliest;
  }
  std::optional<Timestamp> latest;
  for (std::size_t i = begin; i + 1 < end; ++i) {
    const auto stop = end_of(entries[i]);
    if (stop && (!latest || *stop > *latest)) latest = stop;
    const auto& next = earliest_from[i + 1 - begin];
    if (!latest || !next) continue;
    const std::int64_t pause = next->microseconds - latest->microseconds;
    if (pause >= least_pause_micros) cuts.push_back({i + 1, pause});
  }
  return cuts;
}

/// The next end of a generation in [begin, end): `end` if it is the last one.
template <class Entry>
std::size_t generation_end(const std::vector<Entry>& entries, std::size_t begin, std::size_t end) {
  const std::vector<Cut> cuts = pauses(entries, begin, end);
  if (cuts.empty()) return end;
  // A test that ran before must have run before the cut: the first id to repeat bounds the search.
  std::unordered_map<std::string_view, std::size_t> first_seen;
  for (std::size_t i = begin; i < end; ++i) {
    const bool ended_here = i > begin && entries[i - 1].bare_failure && !entries[i].bare_failure;
    if (ended_here && std::any_of(cuts.begin(), cuts.end(), [&](const Cut& cut) { return cut.at == i; }))
      return i;
    const auto [seen, fresh] = first_seen.try_emplace(entries[i].test.id, i);
    if (fresh || !entries[i].test.runnable) continue;
    const Cut* best = nullptr;
    for (const Cut& cut : cuts) {
      if (cut.at > seen->second && cut.at <= i && (best == nullptr || cut.pause_micros > best->pause_micros))
        best = &cut;
    }
    if (best != nullptr) return best->at;
  }
  return end;
}

/// Puts tests that were stored behind their place back among those of their worker: behind the last one that
/// started no later.
template <class Entry>
void put_back(std::vector<Entry>& entries) {
  const auto tail =
      std::stable_partition(entries.begin(), entries.end(), [](const Entry& e) { return !e.displaced; });
  std::vector<Entry> displaced(std::make_move_iterator(tail), std::make_move_iterator(entries.end()));
  entries.erase(tail, entries.end());
  // Latest start first in testr's files: insert the earliest first, so that equal ones keep their order.
  std::stable_sort(displaced.begin(), displaced.end(), [](const Entry& a, const Entry& b) {
    return a.test.start && (!b.test.start || *a.test.start < *b.test.start);
  });
  for (Entry& entry : displaced) {
    auto place = entries.end();
    if (entry.test.start) {
      while (place != entries.begin()) {
        const auto& before = std::prev(place)->test.start;
        if (!before || *before <= *entry.test.start) break;
        --place;
      }
    }
    entries.insert(place, std::move(entry));
  }
}

}  // namespace

RunBuilder::RunBuilder() = default;
RunBuilder::~RunBuilder() = default;

void RunBuilder::at_end_of_stream(bool is_v1) {
  cut_off_ = is_v1;
}

void RunBuilder::on_test(const FoldedTest& test) {
  if (test.status == Status::exists) return;
  if (test.id == parser_test_id) ++damaged_;
  Entry entry;
  entry.test.id = test.id;
  entry.test.status = test.status;
  entry.test.start = test.start;
  entry.test.stop = test.stop;
  entry.test.runnable = test.runnable && is_test_id(test.id);
  entry.test.unfinished = !is_final(test.status) || (cut_off_ && test.status == Status::fail);
  entry.test.stream_position = test.opened;
  if (!entry.test.unfinished && test.start && test.stop) {
    entry.test.seconds =
        static_cast<double>(std::max<std::int64_t>(0, test.stop->microseconds - test.start->microseconds)) /
        1e6;
  }
  entry.only_files = test.status == Status::none;
  entry.bare_failure =
      test.status == Status::fail && !test.has_files && test.start && test.start == test.stop;
  if (test.route_code) entry.route_code = *test.route_code;
  for (const std::string& tag : test.tags) {
    if (const auto number = worker_number(tag)) entry.workers.push_back(*number);
  }
  std::sort(entry.workers.begin(), entry.workers.end());
  entries_.push_back(std::move(entry));
}

TestRun RunBuilder::finish() {
  TestRun run;
  run.damaged_parts = std::exchange(damaged_, 0);
  cut_off_ = false;
  std::vector<Entry> entries = std::exchange(entries_, {});

  // A file that came after the end of its test is no execution.
  std::unordered_set<std::string> ended;
  for (const Entry& entry : entries) {
    if (!entry.only_files) ended.insert(entry.test.id + '\n' + entry.route_code.value_or(""));
  }
  std::erase_if(entries, [&](const Entry& entry) {
    return entry.only_files && ended.contains(entry.test.id + '\n' + entry.route_code.value_or(""));
  });

  // The order of the stream is that of first events; folding reports ends.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.test.stream_position < b.test.stream_position;
  });

  const bool several =
      std::any_of(entries.begin(), entries.end(), [](const Entry& e) { return e.workers.size() > 1; });
  if (several) {
    std::vector<unsigned long> common;
    bool first = true;
    for (const Entry& entry : entries) {
      if (entry.workers.empty()) continue;
      if (std::exchange(first, false)) {
        common = entry.workers;
      } else {
        std::erase_if(common, [&](unsigned long w) {
          return std::find(entry.workers.begin(), entry.workers.end(), w) == entry.workers.end();
        });
      }
    }
    for (Entry& entry : entries) {
      if (entry.workers.size() < 2) continue;
      const std::vector<unsigned long> all = entry.workers;
      std::erase_if(entry.workers, [&](unsigned long w) {
        return std::find(common.begin(), common.end(), w) != common.end();
      });
      if (entry.workers.empty()) entry.workers = all;
    }
  }

  std::uint32_t generation = 0;
  for (std::size_t begin = 0; begin < entries.size();) {
    ++generation;
    const std::size_t end = generation_end(entries, begin, entries.size());
    mark_unfinished(entries, begin, end);
    constexpr unsigned long no_worker = ~0UL;
    std::map<unsigned long, std::vector<Entry>> workers;
    for (std::size_t i = begin; i < end; ++i) {
      workers[entries[i].workers.empty() ? no_worker : entries[i].workers.front()].push_back(
          std::move(entries[i]));
    }
    for (auto& [number, executed] : workers) {
      put_back(executed);
      WorkerRun worker;
      if (number != no_worker) worker.tag = "worker-" + std::to_string(number);
      worker.generation = generation;
      worker.tests.reserve(executed.size());
      for (Entry& entry : executed) worker.tests.push_back(std::move(entry.test));
      std::unordered_map<std::string_view, std::uint32_t> seen;
      for (ExecutedTest& test : worker.tests) test.occurrence = ++seen[test.id];
      run.workers.push_back(std::move(worker));
    }
    begin = end;
  }
  return run;
}

}  // namespace flakebisect::repo_reader
