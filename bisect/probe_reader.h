#pragma once

/// What one probe's results say about the victim and about what ran before it. Pure: events in.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bisect/child_process.h"
#include "bisect/runner.h"
#include "repo_reader/subunit_event.h"

namespace flakebisect::bisect {

/// Receives the events of one run. Test ids that stand for no test (process-returncode, subunit.parser, class
/// and module fixtures, import failures) are not counted as tests that ran.
class ProbeReader final : public repo_reader::EventSink {
 public:
  explicit ProbeReader(std::string victim, const std::vector<std::string>& after = {})
      : victim_(std::move(victim)), after_wanted_(after.begin(), after.end()) {}

  void on_event(const repo_reader::Event& event) override;
  /// Call before StreamDecoder::finish(): the results it makes up for tests that never ended are no results.
  void end_of_stream() { ended_ = true; }

  /// Grows with each test that starts or ends.
  std::size_t news() const { return news_; }
  /// True once a test has started or ended: the start-up is over.
  bool any_test() const { return news_ > 0; }
  /// True where the output is surely subunit: it told of a test's end, of known tests, or of the victim.
  bool spoke_subunit() const { return spoke_; }

  bool victim_started() const { return victim_started_; }
  /// The test that started last and has not ended; empty between two tests.
  std::string_view running() const;
  /// The victim's result, once it is in.
  std::optional<repo_reader::Status> victim_status() const { return victim_status_; }
  std::optional<double> victim_seconds() const;
  /// Seconds since 1970, where the stream says so.
  std::optional<double> victim_start_time() const { return time_of(victim_start_); }
  std::optional<double> victim_stop_time() const { return time_of(victim_stop_); }
  /// The victim's attachments as text: the file "traceback" if there is one, else all text files.
  std::string victim_text() const;
  /// A test started after the victim ended.
  bool went_on() const { return went_on_; }

  /// A test that was wanted behind the victim and started there.
  struct After {
    std::string id;
    std::optional<repo_reader::Status> status;
    std::string text;  ///< as victim_text()
  };
  /// In the order of their starts.
  std::vector<After> after() const;
  /// All that were wanted behind the victim have their results.
  bool after_finished() const { return after_results_ == after_wanted_.size(); }

  /// What started before the victim did, in that order; not to be called before the end.
  std::vector<TestRun> take_ran() { return std::move(ran_); }
  const std::vector<TestRun>& ran() const { return ran_; }
  /// Why the victim may not have run: fixtures and imports that failed, one sentence each.
  const std::vector<std::string>& obstacles() const { return obstacles_; }
  bool import_failed() const { return import_failed_; }
  /// The end of what was printed among the results.
  const std::string& stray() const { return stray_.text(); }

 private:
  struct File {
    std::string name;
    bool is_text = false;
    std::string bytes;
  };

  /// One test's results while its details come in.
  struct Followed {
    std::string id;
    std::optional<repo_reader::Status> status;
    std::vector<File> details;
    std::size_t bytes = 0;
  };
  static void add_details(std::vector<File>& details, std::size_t& bytes, const repo_reader::Event& event);
  static std::optional<double> time_of(const std::optional<repo_reader::Timestamp>& stamp) {
    return stamp ? std::optional(stamp->seconds()) : std::nullopt;
  }
  static std::string text_of(const std::vector<File>& details);
  void on_after(const repo_reader::Event& event);
  void on_victim(const repo_reader::Event& event);
  void on_other(const repo_reader::Event& event);
  void on_fixture(const repo_reader::Event& event);

  std::string victim_;
  bool ended_ = false;
  std::size_t news_ = 0;
  bool spoke_ = false;
  bool victim_started_ = false;
  bool went_on_ = false;
  bool import_failed_ = false;
  std::optional<repo_reader::Status> victim_status_;
  std::optional<repo_reader::Timestamp> victim_start_, victim_stop_;
  std::vector<File> details_;
  std::size_t details_bytes_ = 0;
  std::unordered_set<std::string> after_wanted_;
  std::vector<Followed> after_;
  std::size_t after_results_ = 0;
  std::vector<TestRun> ran_;
  std::unordered_map<std::string, std::pair<std::size_t, std::optional<repo_reader::Timestamp>>> open_;
  std::unordered_map<std::string, std::string> fixture_text_;
  std::vector<std::string> obstacles_;
  Tail stray_{4096};
};

/// True for ids that no runner can be asked for: fixtures, import failures, what the tools report about
/// themselves.
bool stands_for_no_test(std::string_view id);

}  // namespace flakebisect::bisect
