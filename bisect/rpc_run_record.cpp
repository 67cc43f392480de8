#include "bisect/rpc_run_record.h"

#include <algorithm>

#include "repo_reader/test_ids.h"

namespace flakebisect::bisect {

namespace {

using repo_reader::Status;

bool is_text(const ChannelEvent& event) {
  return !event.mime_type || event.mime_type->starts_with("text/");
}

}  // namespace

RpcRunRecord::RpcRunRecord(const std::vector<std::string>& before, const std::string& victim,
                           bool unexpected_success_fails, std::uint32_t victim_runs)
    : victim_(victim),
      unexpected_success_fails_(unexpected_success_fails),
      victim_wanted_(std::max<std::uint32_t>(victim_runs, 1)) {
  for (const std::string& id : before) asked_.emplace(id, asked_.size());
  asked_.emplace(victim, asked_.size());
}

RpcRunRecord::Test& RpcRunRecord::test_of(const std::string& id) {
  const auto [found, first] = index_.try_emplace(id, tests_.size());
  if (first) {
    const auto place = asked_.find(id);
    if (place == asked_.end()) {
      if (!victim_started() || id == victim_) unasked_.push_back(id);
    } else {
      if (place->second < last_place_) in_order_ = false;
      last_place_ = std::max(last_place_, place->second);
    }
    tests_.emplace_back();
    tests_.back().id = id;
  }
  return tests_[found->second];
}

void RpcRunRecord::on_event(const ChannelEvent& event) {
  if (!event.test_id || event.status == Status::exists) return;
  const std::string& id = *event.test_id;
  const bool victim = id == victim_;
  if (victim && victim_over_) return;  // it ran more often than asked for: the first results count
  if (victim) on_victim_file(event);
  if (asked_.count(id) == 0 && (!event.runnable || !repo_reader::is_test_id(id))) {
    if (event.status == Status::fail && fixture_failure_.empty()) fixture_failure_ = id;
    return;
  }
  if (event.status == Status::none) return;
  Test& test = test_of(id);
  if (!victim && repo_reader::is_final(test.status)) return;  // it ran twice: the first result counts
  test.status = event.status;
  if (event.timestamp && !(victim && victim_results_ > 0)) {
    if (event.status == Status::inprogress) test.start_seconds = event.timestamp->seconds();
    if (repo_reader::is_final(event.status)) test.stop_seconds = event.timestamp->seconds();
  }
  if (!repo_reader::is_final(test.status)) return;
  if (victim) {
    on_victim_result(test.status);
  } else if (asked_.count(id) > 0) {
    ++finished_asked_;
  }
}

/// Keeps the texts of the latest run alone: a failure's traceback is not that of an earlier expected one.
void RpcRunRecord::on_victim_file(const ChannelEvent& event) {
  if (event.status == Status::inprogress && victim_results_ > 0) victim_files_.clear();
  if (!event.file_name || event.file_bytes.empty()) return;
  auto file = std::find_if(victim_files_.begin(), victim_files_.end(),
                           [&](const auto& known) { return known.first == *event.file_name; });
  if (file != victim_files_.end()) {
    file->second += event.file_bytes;
  } else if (is_text(event)) {
    victim_files_.emplace_back(*event.file_name, event.file_bytes);
  }
}

void RpcRunRecord::on_victim_result(Status status) {
  ++victim_results_;
  const bool passed = status == Status::success || status == Status::xfail;
  if (!passed || victim_results_ == victim_wanted_) return end_victim();
  victim_files_.clear();
}

void RpcRunRecord::end_victim() {
  victim_over_ = true;
  ++finished_asked_;
}

void RpcRunRecord::on_done(DoneStatus status) {
  if (victim_over_ || victim_results_ == 0) return;
  Test& test = test_of(victim_);
  if (test.status == Status::inprogress) {
    if (status == DoneStatus::error) return;
    test.status = Status::success;  // the runs before it passed
  }
  end_victim();
}

std::optional<std::string> RpcRunRecord::running() const {
  for (auto test = tests_.rbegin(); test != tests_.rend(); ++test) {
    if (test->status == Status::inprogress) return test->id;
  }
  return std::nullopt;
}

void RpcRunRecord::fill(ProbeResult& result) const {
  const auto seconds_of = [](const Test& test) -> std::optional<double> {
    if (!test.start_seconds || !test.stop_seconds) return std::nullopt;
    return std::max(0.0, *test.stop_seconds - *test.start_seconds);
  };
  result.end = VictimEnd::void_probe;
  result.victim_started = victim_started();
  result.victim_runs = 0;
  result.ran.clear();
  for (const Test& test : tests_) {
    if (test.id != victim_) {
      result.ran.push_back({test.id, std::string(repo_reader::status_name(test.status)), seconds_of(test),
                            test.start_seconds});
      continue;
    }
    result.victim_seconds = seconds_of(test);
    result.victim_start_time = test.start_seconds;
    result.victim_stop_time = test.stop_seconds;
    if (!victim_over_) break;
    result.victim_runs = victim_results_;
    switch (test.status) {
      case Status::success:
      case Status::xfail:
        result.end = VictimEnd::pass;
        break;
      case Status::fail:
        result.end = VictimEnd::fail;
        break;
      case Status::uxsuccess:
        result.end = unexpected_success_fails_ ? VictimEnd::fail : VictimEnd::pass;
        break;
      case Status::skip:
        // As if the run had not been: the ones before it passed.
        if (--result.victim_runs > 0) {
          result.end = VictimEnd::pass;
        } else {
          result.void_reason = "the victim was skipped";
        }
        break;
      case Status::none:
      case Status::exists:
      case Status::inprogress:
        break;
    }
    break;
  }
  result.traceback.clear();
  if (result.end != VictimEnd::fail) return;
  // Runners attach what the test logged and printed beside the failure itself: the failure is what is asked
  // for.
  const bool named = std::any_of(victim_files_.begin(), victim_files_.end(), [](const auto& file) {
    return file.first.find("traceback") != std::string::npos;
  });
  for (const auto& [name, text] : victim_files_) {
    if (named && name.find("traceback") == std::string::npos) continue;
    if (!result.traceback.empty() && result.traceback.back() != '\n') result.traceback += '\n';
    result.traceback += text;
  }
}

}  // namespace flakebisect::bisect
