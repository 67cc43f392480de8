#include "analyzer/analyze/co_failures.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "stats/average_linkage.h"
#include "stats/co_occurrence.h"

namespace flakebisect::analyzer {

namespace {

constexpr std::size_t most_tests = 1500;
constexpr double least_similarity = 0.5;
/// Below it a pair cannot lie in a group of its own, and larger groups hardly; saves asking for its chance.
constexpr double least_pair_similarity = 0.2;
constexpr double chance_log10 = -2;
constexpr std::size_t least_common = 2;

}  // namespace

std::vector<std::vector<std::size_t>> group_co_failures(const std::vector<FlakyTest>& tests,
                                                        std::size_t runs) {
  std::vector<std::size_t> order(tests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return tests[a].failed_runs.size() > tests[b].failed_runs.size();
  });
  const std::size_t count = std::min(order.size(), most_tests);
  std::unordered_map<std::uint32_t, std::vector<std::size_t>> failed_in;
  for (std::size_t i = 0; i < count; ++i)
    for (const auto run : tests[order[i]].failed_runs) failed_in[run].push_back(i);
  const auto size = static_cast<Eigen::Index>(count);
  Eigen::MatrixXd common = Eigen::MatrixXd::Zero(size, size);
  for (const auto& [run, failed] : failed_in)
    for (std::size_t i = 0; i < failed.size(); ++i)
      for (std::size_t j = i + 1; j < failed.size(); ++j)
        common(static_cast<Eigen::Index>(failed[i]), static_cast<Eigen::Index>(failed[j])) += 1;
  const double pairs =
      std::max(1.0, static_cast<double>(count) * static_cast<double>(count - (count > 0 ? 1 : 0)) / 2);
  Eigen::MatrixXd similarity = Eigen::MatrixXd::Zero(size, size);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t a = tests[order[i]].failed_runs.size();
    for (std::size_t j = i + 1; j < count; ++j) {
      const auto row = static_cast<Eigen::Index>(i);
      const auto column = static_cast<Eigen::Index>(j);
      const auto shared = static_cast<std::size_t>(common(row, column));
      if (shared < least_common) continue;
      const std::size_t b = tests[order[j]].failed_runs.size();
      const double jaccard = static_cast<double>(shared) / static_cast<double>(a + b - shared);
      if (jaccard < least_pair_similarity) continue;
      if (stats::log10_chance_of_overlap(runs, a, b, shared) + std::log10(pairs) > chance_log10) continue;
      similarity(row, column) = similarity(column, row) = jaccard;
    }
  }
  std::vector<std::vector<std::size_t>> groups;
  for (const auto& members : stats::average_linkage(similarity, least_similarity)) {
    groups.emplace_back();
    for (const auto member : members) groups.back().push_back(order[member]);
  }
  for (std::size_t i = count; i < order.size(); ++i) groups.push_back({order[i]});
  return groups;
}

}  // namespace flakebisect::analyzer
