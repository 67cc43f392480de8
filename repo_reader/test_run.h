#pragma once

/// A stored run as its workers executed it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo_reader/stream_folder.h"

namespace flakebisect::repo_reader {

/// One execution of one test.
struct ExecutedTest {
  std::string id;
  Status status = Status::none;  ///< inprogress or none where the stream tells no outcome (v2)
  std::optional<Timestamp> start;
  std::optional<Timestamp> stop;    ///< absent or equal to start where unfinished
  std::optional<double> seconds;    ///< duration, at least 0; absent where unfinished or without times
  std::uint32_t occurrence = 1;     ///< counts the executions of this id in this list, from 1
  bool runnable = true;             ///< false: cannot be asked for by id (see is_test_id())
  bool unfinished = false;          ///< started, and its end was never seen: hung, crashed, or cut off
  std::size_t stream_position = 0;  ///< of its first event; finds its details again

  /// Failed, hung or crashed. An unexpected success is a failure for stestr and none for testr: see
  /// Repository::unexpected_success_fails().
  bool failed(bool unexpected_success_fails = false) const {
    return status == Status::fail || unfinished || (unexpected_success_fails && status == Status::uxsuccess);
  }
};

/// The tests one process executed, in the order of execution.
struct WorkerRun {
  std::string tag;               ///< such as "worker-0"; empty: no worker tag
  std::uint32_t generation = 1;  ///< above 1: of a run that stestr --combine appended; the process is another
  std::vector<ExecutedTest> tests;
};

struct TestRun {
  std::vector<WorkerRun> workers;  ///< by generation, then by worker number; without tag last
  std::size_t damaged_parts = 0;   ///< parts of the stream that could not be read
  bool no_subunit = false;         ///< there were bytes, and none of them subunit: text, or something else
};

/// Collects folded tests and orders them. Feed it through a StreamFolder; then take finish().
///
/// - Results only: `exists` is none.
/// - Order: that of the first event of each test. What testr and stestr store of a test that never ended (a
/// bare
///   failure at the end of the file, without duration and without details) goes back to where its start time
///   puts it, marked as unfinished.
/// - Several worker tags on a test: one that every test of the run carries is ignored (`testr load` adds it);
///   of the rest the lowest counts.
/// - Generations: `stestr run --combine` appends a run to the stored one, and both use the same worker tags.
/// The
///   list is cut at the longest pause of all workers (0.2 s or more) between the first and the second
///   execution of an id, or behind tests that never ended.
class RunBuilder final : public TestVisitor {
 public:
  RunBuilder();
  ~RunBuilder() override;

  void on_test(const FoldedTest& test) override;

  /// Tests reported from now on come from the end of the stream: a v1 test among them was cut off.
  void at_end_of_stream(bool is_v1);

  /// The run; the builder is empty afterwards.
  TestRun finish();

 private:
  struct Entry;
  std::vector<Entry> entries_;
  std::size_t damaged_ = 0;
  bool cut_off_ = false;
};

}  // namespace flakebisect::repo_reader
