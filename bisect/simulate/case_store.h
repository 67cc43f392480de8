#pragma once

/// A file that keeps what each policy made of each case, so that a benchmark of hours survives a kill: one
/// line of JSON for each, after a first line that says what made them. Lines are only added.

#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "bisect/simulate/campaign.h"

namespace flakebisect::bisect::simulate {

class CaseStore {
 public:
  /// Opens or makes the file, and keeps others from using it. `build` stands for the program whose answers
  /// these are: another's are not taken for its own. A last line that was cut short is dropped. Throws
  /// std::runtime_error, which says what is wrong and what to do, where the file cannot be used: it is in
  /// use, of another build or seed, or no such file at all.
  CaseStore(const std::string& file, const std::string& build, std::uint64_t seed);
  ~CaseStore();
  CaseStore(const CaseStore&) = delete;
  CaseStore& operator=(const CaseStore&) = delete;

  /// What the policy answered before on case `number` of the batch, where it did.
  std::optional<PolicyAnswer> find(const Batch& batch, const Policy& policy, std::uint64_t number) const;
  /// Thread-safe. Throws std::runtime_error where it cannot be written.
  void add(const Batch& batch, const Policy& policy, std::uint64_t number, const PolicyAnswer& answer);

 private:
  std::string file_;
  std::FILE* stream_ = nullptr;
  std::mutex mutex_;
  std::unordered_map<std::string, PolicyAnswer> stored_;  ///< by case
};

}  // namespace flakebisect::bisect::simulate
