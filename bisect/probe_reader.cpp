#include "bisect/probe_reader.h"

#include <algorithm>
#include <array>

namespace flakebisect::bisect {

using repo_reader::Event;
using repo_reader::Status;
using repo_reader::Timestamp;

namespace {

/// As much of the victim's attachments as is kept: tracebacks are short, logs need not be.
constexpr std::size_t most_details = 4 << 20;
constexpr std::size_t most_fixture_text = 16 << 10;

constexpr std::array<std::string_view, 4> fixtures = {"setUpClass (", "tearDownClass (", "setUpModule (",
                                                      "tearDownModule ("};
constexpr std::array<std::string_view, 4> import_failures = {
    "unittest.loader._FailedTest.", "unittest.loader.ModuleImportFailure.",
    "unittest2.loader.ModuleImportFailure.", "discover.ModuleImportFailure."};

bool starts_with_any(std::string_view id, const auto& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return id.starts_with(prefix); });
}

std::optional<double> seconds_between(const std::optional<Timestamp>& start,
                                      const std::optional<Timestamp>& stop) {
  if (!start || !stop || *stop < *start) return std::nullopt;
  return Timestamp{stop->microseconds - start->microseconds}.seconds();
}

/// The last line with something in it: of a traceback, the error.
std::string last_line(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const auto line = text.rfind('\n');
  return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

}  // namespace

bool stands_for_no_test(std::string_view id) {
  return id == "process-returncode" || id == "subunit.parser" || id == "testrepository-rpc" ||
         starts_with_any(id, fixtures) || starts_with_any(id, import_failures);
}

void ProbeReader::on_event(const Event& event) {
  if (!event.test_id) {
    stray_.add(event.file_bytes);
    return;
  }
  if (ended_) return;
  if (*event.test_id == victim_) {
    on_victim(event);
  } else if (stands_for_no_test(*event.test_id)) {
    on_fixture(event);
  } else if (victim_status_ && after_wanted_.count(std::string(*event.test_id)) != 0) {
    on_after(event);
  } else {
    on_other(event);
  }
}

void ProbeReader::add_details(std::vector<File>& details, std::size_t& bytes, const Event& event) {
  if (!event.file_name || bytes >= most_details) return;
  auto file = std::find_if(details.begin(), details.end(),
                           [&](const File& known) { return known.name == *event.file_name; });
  if (file == details.end()) {
    const bool is_text = !event.mime_type || event.mime_type->starts_with("text/");
    file = details.insert(details.end(), File{std::string(*event.file_name), is_text, {}});
  }
  const auto part = event.file_bytes.substr(0, most_details - bytes);
  file->bytes += part;
  bytes += part.size();
}

void ProbeReader::on_after(const Event& event) {
  if (event.status == Status::exists) return;
  ++news_;
  auto test = std::find_if(after_.begin(), after_.end(),
                           [&](const Followed& known) { return known.id == *event.test_id; });
  if (test == after_.end())
    test = after_.insert(after_.end(), Followed{std::string(*event.test_id), {}, {}, 0});
  add_details(test->details, test->bytes, event);
  if (!is_final(event.status) || test->status) return;
  test->status = event.status;
  ++after_results_;
}

std::vector<ProbeReader::After> ProbeReader::after() const {
  std::vector<After> tests;
  for (const auto& test : after_) tests.push_back({test.id, test.status, text_of(test.details)});
  return tests;
}

void ProbeReader::on_victim(const Event& event) {
  spoke_ = true;
  if (event.status == Status::exists) return;
  if (event.status == Status::inprogress || is_final(event.status)) ++news_;
  if (!victim_started_) victim_start_ = event.timestamp;
  victim_started_ = true;
  add_details(details_, details_bytes_, event);
  if (!is_final(event.status) || victim_status_) return;
  victim_status_ = event.status;
  victim_stop_ = event.timestamp;
}

void ProbeReader::on_other(const Event& event) {
  if (event.status == Status::exists || is_final(event.status)) spoke_ = true;
  if (event.status == Status::exists) return;
  if (event.status == Status::none) return;
  ++news_;
  if (victim_status_) went_on_ = true;
  const std::string id(*event.test_id);
  if (event.status == Status::inprogress) {
    if (victim_started_) return;
    open_[id] = {ran_.size(), event.timestamp};
    ran_.push_back({id, std::string(status_name(event.status)), std::nullopt, time_of(event.timestamp)});
    return;
  }
  const auto open = open_.find(id);
  if (open != open_.end()) {
    auto& run = ran_[open->second.first];
    run.status = status_name(event.status);
    run.seconds = seconds_between(open->second.second, event.timestamp);
    open_.erase(open);
  } else if (!victim_started_) {
    ran_.push_back({id, std::string(status_name(event.status)), std::nullopt});
  }
}

void ProbeReader::on_fixture(const Event& event) {
  const std::string id(*event.test_id);
  if (id == "process-returncode" || id == "testrepository-rpc") return;
  if (event.file_name) {
    auto& text = fixture_text_[id];
    if (text.size() < most_fixture_text) text += event.file_bytes.substr(0, most_fixture_text);
  }
  if (event.status != Status::fail && event.status != Status::skip) return;
  if (event.status == Status::fail && id != "subunit.parser") spoke_ = true;
  ++news_;
  std::string sentence;
  const auto error = last_line(fixture_text_[id]);
  if (id == "subunit.parser") {
    sentence = "the output is damaged";
  } else if (event.status == Status::skip) {
    sentence = id + " skipped its tests";
  } else if (starts_with_any(id, fixtures)) {
    sentence = id + " failed";
  } else {
    import_failed_ = true;
    sentence = id.substr(id.find('.', id.find("Fail")) + 1) + " could not be imported";
  }
  if (!error.empty()) sentence += ": " + error;
  obstacles_.push_back(std::move(sentence));
}

std::string_view ProbeReader::running() const {
  if (victim_started_) return victim_status_ ? std::string_view() : std::string_view(victim_);
  if (ran_.empty() || open_.count(ran_.back().id) == 0) return {};
  return ran_.back().id;
}

std::optional<double> ProbeReader::victim_seconds() const {
  return seconds_between(victim_start_, victim_stop_);
}

std::string ProbeReader::victim_text() const {
  return text_of(details_);
}

std::string ProbeReader::text_of(const std::vector<File>& details) {
  std::string all;
  for (const auto& file : details) {
    if (file.name == "traceback") return file.bytes;
    if (file.is_text) all += file.bytes;
  }
  return all;
}

}  // namespace flakebisect::bisect
