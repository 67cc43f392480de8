#pragma once

/// Folds the events of a stream into tests, as testtools' StreamToDict does.

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "repo_reader/subunit_event.h"

namespace flakebisect::repo_reader {

/// A file attached to a test: a traceback, a log, the reason of a skip.
struct Attachment {
  std::string name;
  std::string mime_type;  ///< of the first packet of the file; empty where it gave none
  std::string bytes;
};

/// One test as its events tell. Views are valid during TestVisitor::on_test() only.
struct FoldedTest {
  std::string_view id;
  std::optional<std::string_view> route_code;
  /// The last status seen. none: nothing but files came. none and inprogress: the stream ended first.
  Status status = Status::none;
  std::span<const std::string> tags;  ///< the last set seen, in its order
  bool runnable = true;               ///< false if any event of the test said so
  std::optional<Timestamp> start;     ///< of the first event
  std::optional<Timestamp> stop;      ///< of the event that ended the test; absent if none did
  std::span<const Attachment> details;
  bool has_files = false;  ///< files came, be it that their contents were not asked for
  std::size_t opened = 0;  ///< counts the events of the stream: the first one of this test
  std::size_t closed = 0;  ///< and the one that ended it, or their number if none did
};

class TestVisitor {
 public:
  virtual ~TestVisitor() = default;
  virtual void on_test(const FoldedTest& test) = 0;
};

/// Tests are reported when they end; tests that never ended in finish(), the one opened last first. `exists`
/// ends a test like any other final status. The key of a test in progress is its id with its route code.
/// Memory: the tests in progress with their files. Not thread-safe.
class StreamFolder final : public EventSink {
 public:
  /// `visitor` must outlive the folder.
  explicit StreamFolder(TestVisitor& visitor) : visitor_(visitor) {}

  void on_event(const Event& event) override;

  /// End of the stream. Idempotent.
  void finish();

 private:
  struct Record {
    std::size_t hash = 0;  // while indexed_
    std::string id;
    std::optional<std::string> route_code;
    Status status = Status::none;
    std::vector<std::string> tags;
    bool runnable = true;
    std::optional<Timestamp> start;
    std::optional<Timestamp> stop;
    std::vector<Attachment> details;
    bool has_files = false;
    std::size_t opened = 0;
    Record* older = nullptr;  // the records in progress, in the order of opening
    Record* newer = nullptr;

    bool is(const Event& event) const;
  };

  Record& find_or_open(const Event& event);
  void close(Record& record);
  void report(const Record& record) const;
  void index(Record& record);

  TestVisitor& visitor_;
  std::size_t events_ = 0;
  std::deque<Record> pool_;  // owns the records; they are reused
  std::vector<Record*> free_;
  Record* newest_ = nullptr;
  std::size_t open_ = 0;
  std::unordered_multimap<std::size_t, Record*> index_;  // by hash; in use once many tests are in progress
  bool indexed_ = false;
};

}  // namespace flakebisect::repo_reader
