#include "bisect/engine_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace flakebisect::bisect {

void check_tests(const std::vector<TestIndex>& tests, std::size_t candidates) {
  for (const TestIndex test : tests)
    if (test >= candidates)
      throw std::invalid_argument(
          fmt::format("an observation names candidate {}, but there are only {}", test, candidates));
}

SubsetBits to_bits(const std::vector<TestIndex>& tests, std::size_t candidates) {
  check_tests(tests, candidates);
  SubsetBits bits((candidates + 63) / 64, 0);
  for (const TestIndex test : tests) bits[test / 64] |= std::uint64_t{1} << (test % 64);
  return bits;
}

std::size_t size_of(const SubsetBits& bits) {
  std::size_t size = 0;
  for (const std::uint64_t word : bits) size += static_cast<std::size_t>(std::popcount(word));
  return size;
}

std::vector<TestIndex> to_tests(const SubsetBits& bits) {
  std::vector<TestIndex> tests;
  for (std::size_t word = 0; word < bits.size(); ++word)
    for (unsigned bit = 0; bit < 64; ++bit)
      if (((bits[word] >> bit) & 1U) != 0) tests.push_back(static_cast<TestIndex>(word * 64 + bit));
  return tests;
}

std::size_t SubsetHash::operator()(const SubsetBits& bits) const {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint64_t word : bits) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
  }
  return static_cast<std::size_t>(hash);
}

void add_to(Counts& counts, const std::vector<TestIndex>& ran, bool failed, double weight) {
  (failed ? counts.failures : counts.passes) += weight;
  Eigen::ArrayXd& active = failed ? counts.active_failures : counts.active_passes;
  for (const TestIndex test : ran) active[static_cast<Eigen::Index>(test)] += weight;
}

Evidence::Evidence(std::size_t candidates) : candidates_(candidates) {
  clear();
}

void Evidence::clear() {
  counts_ = {};
  arms_.clear();
  runs_.clear();
  processes_.clear();
  processes_shared_ = false;
  probe_failures_ = probe_runs_ = 0;
  history_failures_ = history_passes_ = 0;
  ++version_;
  counts_.active_failures = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(candidates_));
  counts_.active_passes = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(candidates_));
  std::vector<TestIndex> all(candidates_);
  std::iota(all.begin(), all.end(), TestIndex{0});
  common_ = to_bits(all, candidates_);
}

bool failure_possible(const SubsetBits& list, Kind kind, const std::vector<TestIndex>& tests) {
  const auto ran = [&](TestIndex test) { return contains(list, test); };
  if (kind == Kind::brittle) return std::none_of(tests.begin(), tests.end(), ran);
  return std::all_of(tests.begin(), tests.end(), ran);
}

void Evidence::add(const std::vector<TestIndex>& ran, Source source, double failure, double passes,
                   std::uint64_t process, std::uint32_t victim_runs, double worth) {
  const bool failed = failure > 0;
  const SubsetBits bits = to_bits(ran, candidates_);
  std::vector<TestIndex> once = ran;
  std::sort(once.begin(), once.end());
  once.erase(std::unique(once.begin(), once.end()), once.end());
  if (failed) add_to(counts_, once, true, failure);
  if (passes > 0) add_to(counts_, once, false, passes);
  const auto place = arms_.try_emplace(bits).first;
  ArmCounts& arm = place->second;
  arm.failures += failure;
  arm.passes += passes;
  if (source == Source::probe) {
    ++arm.probe_runs;
    ++probe_runs_;
    arm.victim_runs += victim_runs;
    runs_.push_back({&place->first, process, failed, victim_runs,
                     static_cast<std::uint32_t>(std::max(1.0, std::round(worth)))});
    if (process != 0 && !processes_.insert(process).second) processes_shared_ = true;
    if (failed) {
      ++arm.probe_failures;
      ++probe_failures_;
      for (std::size_t word = 0; word < bits.size(); ++word) common_[word] &= bits[word];
    }
  } else {
    history_failures_ += failure;
    history_passes_ += passes;
  }
  ++version_;
}

ArmCounts Evidence::arm(const std::vector<TestIndex>& tests) const {
  const auto found = arms_.find(to_bits(tests, candidates_));
  return found == arms_.end() ? ArmCounts{} : found->second;
}

}  // namespace flakebisect::bisect
