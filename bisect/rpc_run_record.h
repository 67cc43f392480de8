#pragma once

/// What a server's answer to one Run says about the victim: events in, a ProbeResult's evidence out. Pure.

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
  /// unexpected_success_fails: how an unexpected success of the victim counts.
  RpcRunRecord(const std::vector<std::string>& before, const std::string& victim,
               bool unexpected_success_fails);

  void on_event(const ChannelEvent& event);

  bool anything_started() const { return !tests_.empty(); }
  /// The victim's final status is in.
  bool victim_finished() const { return finished(victim_); }
  bool victim_started() const { return started(victim_); }
  /// All tests asked for have their final status.
  bool all_finished() const { return finished_asked_ == asked_.size(); }
  /// The test that started last and has not ended; nothing where none runs.
  std::optional<std::string> running() const;
  /// Tests that started before the victim (or, where it did not start, all) and were not asked for.
  const std::vector<std::string>& unasked() const { return unasked_; }
  /// The tests asked for that started did so in the order asked.
  bool in_order() const { return in_order_; }
  /// What failed outside of tests: a class's or module's fixture, an import; empty where nothing did.
  const std::string& fixture_failure() const { return fixture_failure_; }

  /// Fills end, void_reason, ran, victim_seconds and traceback of the result. Where the victim has not
  /// finished the result is void without a reason: the caller knows why.
  void fill(ProbeResult& result) const;

 private:
  struct Test {
    std::string id;
    repo_reader::Status status = repo_reader::Status::none;
    std::optional<double> start_seconds;
    std::optional<double> stop_seconds;
  };
  bool started(const std::string& id) const { return index_.count(id) > 0; }
  bool finished(const std::string& id) const;
  Test& test_of(const std::string& id);

  std::string victim_;
  bool unexpected_success_fails_;
  std::unordered_map<std::string, std::size_t> asked_;  ///< id -> place in the list
  std::vector<Test> tests_;                             ///< in the order in which they started
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::string> unasked_;
  std::size_t finished_asked_ = 0;
  std::size_t last_place_ = 0;
  bool in_order_ = true;
  std::string fixture_failure_;
  std::vector<std::pair<std::string, std::string>> victim_files_;  ///< name, text
};

}  // namespace flakebisect::bisect
