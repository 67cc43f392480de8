#include "repo_reader/stream_folder.h"

#include <algorithm>
#include <functional>

namespace flakebisect::repo_reader {
namespace {

// Up to here a walk over the tests in progress beats a hash table. Runners have one a worker.
constexpr std::size_t few_open = 16;

std::size_t key_hash(std::string_view id, const std::optional<std::string_view>& route_code) {
  std::size_t hash = std::hash<std::string_view>{}(id);
  if (route_code) hash ^= 0x9E37'79B9'7F4A'7C15U + std::hash<std::string_view>{}(*route_code);
  return hash;
}

void add_file(std::vector<Attachment>& details, const Event& event) {
  auto same = std::find_if(details.begin(), details.end(),
                           [&](const Attachment& a) { return a.name == *event.file_name; });
  if (same == details.end()) {
    details.push_back({std::string(*event.file_name), std::string(event.mime_type.value_or("")), {}});
    same = details.end() - 1;
  }
  same->bytes.append(event.file_bytes);
}

}  // namespace

bool StreamFolder::Record::is(const Event& event) const {
  return id == *event.test_id && route_code == event.route_code;
}

void StreamFolder::on_event(const Event& event) {
  ++events_;
  if (!event.test_id) return;
  Record& record = find_or_open(event);
  if (event.status != Status::none) record.status = event.status;
  record.stop = event.timestamp;
  record.runnable = record.runnable && event.runnable;
  record.has_files = record.has_files || event.file_name;
  if (event.file_name && !event.file_bytes.empty()) add_file(record.details, event);
  if (event.tags) record.tags.assign(event.tags->begin(), event.tags->end());
  if (!is_final(event.status)) return;
  report(record);
  close(record);
}

StreamFolder::Record& StreamFolder::find_or_open(const Event& event) {
  if (indexed_) {
    const auto [first, last] = index_.equal_range(key_hash(*event.test_id, event.route_code));
    for (auto entry = first; entry != last; ++entry) {
      if (entry->second->is(event)) return *entry->second;
    }
  } else {
    for (Record* record = newest_; record != nullptr; record = record->older) {
      if (record->is(event)) return *record;
    }
  }
  if (free_.empty()) {
    pool_.emplace_back();
    free_.push_back(&pool_.back());
  }
  Record& record = *free_.back();
  free_.pop_back();
  record.id = *event.test_id;
  record.route_code = event.route_code;
  record.status = Status::none;
  record.tags.clear();
  record.runnable = true;
  record.start = event.timestamp;
  record.details.clear();
  record.has_files = false;
  record.opened = events_ - 1;
  record.older = newest_;
  record.newer = nullptr;
  if (newest_ != nullptr) newest_->newer = &record;
  newest_ = &record;
  ++open_;
  if (indexed_) {
    index(record);
  } else if (open_ > few_open) {
    indexed_ = true;
    for (Record* each = newest_; each != nullptr; each = each->older) index(*each);
  }
  return record;
}

void StreamFolder::index(Record& record) {
  record.hash = key_hash(record.id, record.route_code);
  index_.emplace(record.hash, &record);
}

void StreamFolder::close(Record& record) {
  if (indexed_) {
    const auto [first, last] = index_.equal_range(record.hash);
    index_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == &record; }));
  }
  if (record.older != nullptr) record.older->newer = record.newer;
  (record.newer != nullptr ? record.newer->older : newest_) = record.older;
  free_.push_back(&record);
  --open_;
  if (open_ == 0) indexed_ = false;
}

void StreamFolder::report(const Record& record) const {
  FoldedTest test;
  test.id = record.id;
  if (record.route_code) test.route_code = *record.route_code;
  test.status = record.status;
  test.tags = record.tags;
  test.runnable = record.runnable;
  test.start = record.start;
  test.stop = record.stop;
  test.details = record.details;
  test.has_files = record.has_files;
  test.opened = record.opened;
  test.closed = is_final(record.status) ? events_ - 1 : events_;
  visitor_.on_test(test);
}

void StreamFolder::finish() {
  while (newest_ != nullptr) {
    Record& record = *newest_;
    record.stop.reset();
    report(record);
    close(record);
  }
}

}  // namespace flakebisect::repo_reader
