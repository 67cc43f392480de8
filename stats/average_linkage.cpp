#include "stats/average_linkage.h"

#include <algorithm>

namespace flakebisect::stats {

std::vector<std::vector<std::size_t>> average_linkage(const Eigen::MatrixXd& similarity, double threshold) {
  const auto items = static_cast<std::size_t>(similarity.rows());
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < items; ++i) groups.push_back({i});
  // Sums of similarities between groups; the group with the larger number is empty after a join.
  Eigen::MatrixXd sum = similarity;
  // The best partner of each group among those behind it: only what a join touched is looked for again.
  std::vector<std::size_t> partner(items, items);
  std::vector<double> best(items, -1);
  const auto mean = [&](std::size_t a, std::size_t b) {
    return sum(static_cast<Eigen::Index>(a), static_cast<Eigen::Index>(b)) /
           static_cast<double>(groups[a].size() * groups[b].size());
  };
  const auto look = [&](std::size_t a) {
    partner[a] = items;
    best[a] = -1;
    if (groups[a].empty()) return;
    for (std::size_t b = a + 1; b < items; ++b) {
      if (groups[b].empty() || mean(a, b) <= best[a]) continue;
      best[a] = mean(a, b);
      partner[a] = b;
    }
  };
  for (std::size_t a = 0; a < items; ++a) look(a);
  while (items != 0) {
    const auto a = static_cast<std::size_t>(std::max_element(best.begin(), best.end()) - best.begin());
    if (partner[a] == items || best[a] < threshold) break;
    const std::size_t b = partner[a];
    groups[a].insert(groups[a].end(), groups[b].begin(), groups[b].end());
    groups[b].clear();
    const auto into = static_cast<Eigen::Index>(a);
    const auto from = static_cast<Eigen::Index>(b);
    sum.row(into) += sum.row(from);
    sum.col(into) += sum.col(from);
    // Joining never brings two groups closer than the nearer of the two was (UPGMA is reducible), so only
    // groups whose best partner changed have to look again.
    for (std::size_t c = 0; c < items; ++c)
      if (c == a || c == b || partner[c] == a || partner[c] == b) look(c);
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  for (auto& group : groups) std::sort(group.begin(), group.end());
  std::sort(groups.begin(), groups.end());
  return groups;
}

}  // namespace flakebisect::stats
