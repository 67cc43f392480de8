#include "analyzer/shared_runs.h"

#include <algorithm>

namespace flakebisect::analyzer {

namespace {

constexpr std::size_t most_behind = 5;

}  // namespace

void SharedRuns::expect(const std::string& run_id, const std::string& worker, const std::string& id,
                        std::size_t position) {
  places_[id] = {run_id, worker, position, true};
}

void SharedRuns::begin(const std::string& id) {
  const auto found = places_.find(id);
  if (found != places_.end()) found->second.waits = false;
}

std::vector<std::string> SharedRuns::behind(const std::string& id) const {
  const auto own = places_.find(id);
  if (own == places_.end()) return {};
  std::vector<std::pair<std::size_t, std::string>> later;
  for (const auto& [other, place] : places_) {
    if (place.waits && place.run_id == own->second.run_id && place.worker == own->second.worker &&
        place.position > own->second.position)
      later.emplace_back(place.position, other);
  }
  std::sort(later.begin(), later.end());
  if (later.size() > most_behind) later.resize(most_behind);
  std::vector<std::string> ids;
  ids.reserve(later.size());
  for (auto& one : later) ids.push_back(std::move(one.second));
  return ids;
}

std::vector<KnownRun> SharedRuns::add(const std::string& victim, const bisect::ProbeResult& result,
                                      std::uint64_t beside) {
  std::vector<KnownRun> added;
  if (one_at_a_time_ && beside != 0) return added;
  std::vector<std::string> ran;
  for (const auto& test : result.ran) ran.push_back(test.id);
  ran.push_back(victim);
  for (const auto& test : result.after) {
    if (test.end != bisect::VictimEnd::void_probe) {
      added.push_back({test.id, {ran, test.end, test.traceback, beside}});
      add(added.back());
    }
    ran.push_back(test.id);
  }
  return added;
}

void SharedRuns::add(const KnownRun& known) {
  runs_[known.victim].push_back(known.run);
}

void SharedRuns::disturbed() {
  one_at_a_time_ = true;
  for (auto& [id, runs] : runs_) std::erase_if(runs, [](const SharedRun& run) { return run.beside != 0; });
}

const std::vector<SharedRun>& SharedRuns::of(const std::string& id) const {
  static const std::vector<SharedRun> none;
  const auto found = runs_.find(id);
  return found == runs_.end() ? none : found->second;
}

}  // namespace flakebisect::analyzer
