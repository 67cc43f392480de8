#include "repo_reader/list_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "repo_reader/damage.h"
#include "repo_reader/input_error.h"
#include "repo_reader/json_text.h"
#include "repo_reader/nearest.h"

namespace flakebisect::repo_reader {
namespace {

std::string_view outcome_word(const ExecutedTest& test) {
  return test.unfinished ? std::string_view("unfinished") : status_name(test.status);
}

/// The part of a list up to the first execution of a test; empty if it is not there.
std::span<const ExecutedTest> up_to(const std::vector<ExecutedTest>& tests,
                                    const std::optional<std::string>& last) {
  if (!last) return tests;
  const auto found =
      std::find_if(tests.begin(), tests.end(), [&](const ExecutedTest& t) { return t.id == *last; });
  if (found == tests.end()) return {};
  return {tests.begin(), found + 1};
}

std::string worker_label(const WorkerRun& worker) {
  std::string label = worker.tag.empty() ? "no worker tag" : worker.tag;
  if (worker.generation > 1) label += fmt::format(", appended run {}", worker.generation);
  return label;
}

[[noreturn]] void no_such_test(const TestRun& tests, RunId run, const ListOptions& options) {
  const std::string& id = *options.before;
  std::string message = fmt::format("'{}' did not run in run {}", id, run);
  if (options.worker) message += fmt::format(" on {}", *options.worker);
  std::vector<std::string_view> ids;
  for (const WorkerRun& worker : tests.workers) {
    for (const ExecutedTest& test : worker.tests) {
      if (test.id == id) {
        throw InputError(InputError::Kind::no_such_test,
                         fmt::format("{}; it ran on {}", message, worker_label(worker)));
      }
      ids.push_back(test.id);
    }
  }
  if (const auto nearest = nearest_name(id, ids)) message += fmt::format("; did you mean '{}'?", *nearest);
  throw InputError(InputError::Kind::no_such_test, message);
}

/// Throws where the run's file holds something, and nothing that tells of a test.
void require_readable(const Repository& repository, RunId run, const TestRun& tests) {
  for (const WorkerRun& worker : tests.workers) {
    for (const ExecutedTest& test : worker.tests) {
      if (test.id != parser_test_id) return;
    }
  }
  if (!tests.no_subunit && tests.damaged_parts == 0) return;
  throw InputError(
      InputError::Kind::unreadable,
      fmt::format("run {} of {} cannot be read: {} {}; it may be damaged, or no run of testr or stestr", run,
                  repository.path().string(), repository.run_path(run).string(),
                  tests.no_subunit ? "holds no subunit stream" : "holds damaged subunit and no test"));
}

void append_line(std::string& text, const ExecutedTest& test, const ListOptions& options) {
  if (options.with_status) {
    text += outcome_word(test);
    text += test.seconds ? fmt::format("\t{:.3f}\t", *test.seconds) : std::string("\t-\t");
  }
  text += test.id;
  text += '\n';
}

std::string json_seconds(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.6f}", *seconds) : std::string("null");
}

std::string json_time(const std::optional<Timestamp>& time) {
  if (!time) return "null";
  const std::int64_t micros = time->microseconds;
  return fmt::format("{}{}.{:06d}", micros < 0 ? "-" : "", std::abs(micros) / 1'000'000,
                     std::abs(micros) % 1'000'000);
}

std::string json_test(const ExecutedTest& test) {
  return fmt::format(
      R"({{"id": {}, "status": "{}", "unfinished": {}, "runnable": {}, "occurrence": {}, "seconds": {}, "start": {}, )"
      R"("stop": {}}})",
      json_string(test.id), status_name(test.status), test.unfinished, test.runnable, test.occurrence,
      json_seconds(test.seconds), json_time(test.start), json_time(test.stop));
}

}  // namespace

std::vector<const WorkerRun*> worker_runs(const TestRun& tests, RunId run, const std::string& worker) {
  std::vector<const WorkerRun*> found;
  std::set<std::string> tags;
  for (const WorkerRun& each : tests.workers) {
    if (each.tag == worker) found.push_back(&each);
    if (!each.tag.empty()) tags.insert(each.tag);
  }
  if (!found.empty()) return found;
  std::string message = fmt::format("run {} has no {}", run, worker);
  if (!tags.empty()) {
    message += fmt::format("; its workers are {}", fmt::join(tags, ", "));
  } else if (tests.workers.empty()) {
    message += ": no test ran in it";
  } else {
    message += ": its tests carry no worker tags; leave --worker out";
  }
  throw InputError(InputError::Kind::no_such_worker, message);
}

std::optional<std::string> print_list(const Repository& repository, RunId run, const ListOptions& options,
                                      const TextSink& out) {
  if (options.pipeline) {
    repository.resolve(std::to_string(run));
    print_pipeline(repository.run_path(run), options.worker, options.ids, out);
    return std::nullopt;
  }
  const TestRun tests = repository.read_run(run);
  require_readable(repository, run, tests);
  std::vector<const WorkerRun*> workers;
  if (options.worker) {
    workers = worker_runs(tests, run, *options.worker);
  } else {
    for (const WorkerRun& worker : tests.workers) workers.push_back(&worker);
  }
  if (options.before) {
    std::erase_if(workers,
                  [&](const WorkerRun* worker) { return up_to(worker->tests, options.before).empty(); });
    if (workers.empty()) no_such_test(tests, run, options);
  }

  std::string text;
  if (options.json) {
    text = fmt::format(R"({{"schema": "flakebisect/list/1", "repository": {}, "run_id": "{}", "workers": [)",
                       json_string(repository.path().string()), run);
  }
  for (const WorkerRun* worker : workers) {
    const auto listed = up_to(worker->tests, options.before);
    const bool first = worker == workers.front();
    if (options.json) {
      text += fmt::format("{}\n {{\"worker\": {}, \"generation\": {}, \"tests\": [", first ? "" : ",",
                          worker->tag.empty() ? "null" : json_string(worker->tag), worker->generation);
      for (const ExecutedTest& test : listed) {
        text += &test == &listed.front() ? "\n  " : ",\n  ";
        text += json_test(test);
      }
      text += "]}";
    } else {
      if (!options.worker) {
        text += fmt::format("{}{} ({} test{})\n", first ? "" : "\n", worker_label(*worker), listed.size(),
                            listed.size() == 1 ? "" : "s");
      }
      for (const ExecutedTest& test : listed) {
        if (!options.worker) text += "  ";
        append_line(text, test, options);
      }
    }
    out(text);
    text.clear();
  }
  if (options.json) text += "]}\n";
  if (!text.empty()) out(text);
  return damage_warning(repository, run, tests);
}

}  // namespace flakebisect::repo_reader
