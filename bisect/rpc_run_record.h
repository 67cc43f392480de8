#pragma once

/// What a server's answer to one Run says about the victim: events in, a ProbeResult's evidence out. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bisect/rpc_channel.h"
#include "bisect/runner.h"

namespace flakebisect::bisect {

class RpcRunRecord {
 public:
  /// unexpected_success_fails: how an unexpected success of the victim counts. victim_runs: so many runs of
  /// it were asked for, until it first does not pass.
  RpcRunRecord(const std::vector<std::string>& before, const std::string& victim,
               bool unexpected_success_fails, std::uint32_t victim_runs = 1);

  void on_event(const ChannelEvent& event);
  /// The request has ended. Where runs of the victim passed they are all that there are, fewer than asked
  /// for, unless an error cut one short.
  void on_done(DoneStatus status);

  bool anything_started() const { return !tests_.empty(); }
  /// The final status of the last wanted run of the victim is in, or of one that did not pass.
  bool victim_finished() const { return victim_over_; }
  bool victim_started() const { return started(victim_); }
  /// Final statuses of the victim so far, up to the one that made it finished.
  std::uint32_t victim_results() const { return victim_results_; }
  /// All tests asked for have their final status; the victim is finished.
  bool all_finished() const { return finished_asked_ == asked_.size(); }
  /// The test that started last and has not ended; nothing where none runs.
  std::optional<std::string> running() const;
  /// Tests that started before the victim (or, where it did not start, all) and were not asked for.
  const std::vector<std::string>& unasked() const { return unasked_; }
  /// The tests asked for that started did so in the order asked.
  bool in_order() const { return in_order_; }
  /// What failed outside of tests: a class's or module's fixture, an import; empty where nothing did.
  const std::string& fixture_failure() const { return fixture_failure_; }

  /// Fills end, void_reason, ran, victim_runs, victim_seconds and traceback of the result. Where the victim
  /// has not finished the result is void without a reason: the caller knows why.
  void fill(ProbeResult& result) const;

 private:
  struct Test {
    std::string id;
    repo_reader::Status status = repo_reader::Status::none;
    std::optional<double> start_seconds;
    std::optional<double> stop_seconds;
  };
  bool started(const std::string& id) const { return index_.count(id) > 0; }
  Test& test_of(const std::string& id);
  void on_victim_file(const ChannelEvent& event);
  void on_victim_result(repo_reader::Status status);
  void end_victim();

  std::string victim_;  ///< its Test has the times of the first run and the status of the latest
  bool unexpected_success_fails_;
  std::unordered_map<std::string, std::size_t> asked_;  ///< id -> place in the list
  std::vector<Test> tests_;                             ///< in the order in which they started
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::string> unasked_;
  std::size_t finished_asked_ = 0;
  std::size_t last_place_ = 0;
  bool in_order_ = true;
  std::string fixture_failure_;
  std::uint32_t victim_wanted_;
  std::uint32_t victim_results_ = 0;
  bool victim_over_ = false;
  std::vector<std::pair<std::string, std::string>> victim_files_;  ///< name, text; of the latest run
};

}  // namespace flakebisect::bisect
