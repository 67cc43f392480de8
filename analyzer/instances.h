#pragma once

/// testr's instances: machines that instance_provision makes, instance_execute runs commands on, and
/// instance_dispose gives back.

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "repo_reader/config.h"

namespace flakebisect::analyzer {

class Instances {
 public:
  /// Provisions `count` of them, in `directory`. Throws repo_reader::ConfigError where the configuration
  /// lacks instance_provision or instance_execute, and bisect::CannotRun where provisioning fails, is
  /// cancelled or takes longer than the budget; what it had named by then is disposed of.
  Instances(const repo_reader::TestConfig& config, const std::string& directory, std::size_t count,
            const std::atomic<bool>& cancel, std::optional<double> budget_seconds);
  /// Disposes of them; a failure is told on standard error.
  ~Instances();
  Instances(const Instances&) = delete;
  Instances& operator=(const Instances&) = delete;

  const std::vector<std::string>& ids() const { return ids_; }

 private:
  std::string directory_;
  std::string dispose_;
  std::vector<std::string> ids_;
};

}  // namespace flakebisect::analyzer
