#include "analyzer/time_limits.h"

#include <algorithm>

namespace flakebisect::analyzer {

namespace {

constexpr double least_test_seconds = 30;
constexpr double least_unknown_test_seconds = 60;
constexpr double least_probe_seconds = 120;
constexpr double slower = 20;            ///< so many times slower than ever seen is hung
constexpr double fixture_allowance = 2;  ///< times the longest test

}  // namespace

TimeLimits time_limits(const BisectCase& facts, std::optional<double> test_timeout_seconds) {
  double longest = facts.victim_longest_seconds;
  double sum = facts.startup_seconds + facts.victim_seconds;
  for (const double seconds : facts.longest_seconds) longest = std::max(longest, seconds);
  for (const auto& candidate : facts.candidate_facts) sum += candidate.seconds;

  TimeLimits limits;
  limits.test_seconds = test_timeout_seconds.value_or(std::max(least_unknown_test_seconds, slower * longest));
  limits.probe_seconds = std::max({least_probe_seconds, slower * sum, 2 * limits.test_seconds});
  limits.repeat_seconds = facts.victim_seconds > 0 ? slower * facts.victim_seconds : limits.test_seconds;
  if (test_timeout_seconds) return limits;

  auto own = std::make_shared<bisect::TestLimits>();
  const auto add = [&](const std::string& id, double seconds) {
    if (seconds <= 0) return;
    (*own)[id] = std::max({least_test_seconds, slower * seconds, fixture_allowance * longest});
  };
  for (std::size_t i = 0; i < facts.longest_seconds.size(); ++i) {
    add(facts.candidates[i], facts.longest_seconds[i]);
  }
  add(facts.victim, facts.victim_longest_seconds);
  limits.own = std::move(own);
  return limits;
}

}  // namespace flakebisect::analyzer
