#include "bisect/engine_group_exact.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "bisect/engine_single.h"
#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// Prior of the sizes, from the least on.
constexpr double size_share[] = {0.66, 0.24, 0.08, 0.02};

}  // namespace

std::vector<TestIndex> suspects_of(const GroupWeights& weights) {
  std::vector<TestIndex> tests;
  for (Eigen::Index i = 0; i < weights.member.size(); ++i)
    if (weights.member[i] > 0) tests.push_back(static_cast<TestIndex>(i));
  const std::size_t kept = std::min(group_suspects, tests.size());
  std::partial_sort(tests.begin(), tests.begin() + static_cast<std::ptrdiff_t>(kept), tests.end(),
                    [&](TestIndex a, TestIndex b) {
                      const double x = weights.member[static_cast<Eigen::Index>(a)];
                      const double y = weights.member[static_cast<Eigen::Index>(b)];
                      return x != y ? x > y : a < b;
                    });
  tests.resize(kept);
  std::sort(tests.begin(), tests.end());
  return tests;
}

ExactGroups weigh_groups(const Evidence& evidence, const stats::TwoRateModel& model, GroupForm form,
                         std::vector<TestIndex> suspects, std::size_t universe, std::size_t least) {
  ExactGroups result;
  result.suspects = std::move(suspects);
  const std::size_t count = result.suspects.size();
  result.member.assign(count, 0.0);
  if (count < least) return result;
  // Runs by which suspects do not quench them: those that ran (all needed), or those that did not.
  const std::size_t masks = std::size_t{1} << count;
  std::vector<double> failures(masks, 0.0), passes(masks, 0.0);
  for (const auto& [bits, arm] : evidence.arms()) {
    std::size_t mask = 0;
    for (std::size_t i = 0; i < count; ++i)
      if (contains(bits, result.suspects[i]) == (form == GroupForm::all_needed)) mask |= std::size_t{1} << i;
    failures[mask] += arm.failures;
    passes[mask] += arm.passes;
  }
  // A group is active in the runs whose mask contains it: sums over supersets.
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t mask = 0; mask < masks; ++mask)
      if ((mask & (std::size_t{1} << i)) == 0) {
        failures[mask] += failures[mask | (std::size_t{1} << i)];
        passes[mask] += passes[mask | (std::size_t{1} << i)];
      }
  const std::size_t most = std::min(count, least + std::size(size_share) - 1);
  std::map<std::pair<double, double>, stats::RateSummary> known;
  struct Weighed {
    std::size_t mask;
    double log_weight;
    const stats::RateSummary* rates;
  };
  std::vector<Weighed> groups;
  double high = stats::minus_infinity;
  for (std::size_t mask = 0; mask < masks; ++mask) {
    const auto size = static_cast<std::size_t>(std::popcount(mask));
    if (size < least || size > most) continue;
    const auto [at, is_new] = known.try_emplace({failures[mask], passes[mask]});
    if (is_new) at->second = model.evaluate(failures[mask], passes[mask], 0, polluter_cells);
    const double log_weight = at->second.log_marginal + std::log(size_share[size - least]) -
                              stats::log_choose(static_cast<double>(universe), static_cast<double>(size));
    groups.push_back({mask, log_weight, &at->second});
    high = std::max(high, log_weight);
  }
  double total = 0;
  for (const Weighed& group : groups) total += std::exp(group.log_weight - high);
  result.log_marginal = high + std::log(total);
  std::partial_sort(groups.begin(),
                    groups.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(3, groups.size())),
                    groups.end(), [](const Weighed& a, const Weighed& b) {
                      return a.log_weight != b.log_weight ? a.log_weight > b.log_weight : a.mask < b.mask;
                    });
  for (const Weighed& group : groups) {
    const double probability = std::exp(group.log_weight - result.log_marginal);
    if (result.best.size() < 3) {
      LikelyGroup found{{}, probability, group.rates->active_rate, group.rates->inactive_rate};
      for (std::size_t i = 0; i < count; ++i)
        if ((group.mask >> i & 1) != 0) found.tests.push_back(result.suspects[i]);
      result.best.push_back(std::move(found));
    }
    result.groups.push_back({static_cast<std::uint32_t>(group.mask), probability, group.rates->active_rate,
                             group.rates->inactive_rate});
    result.in += probability * group.rates->active_rate;
    result.out += probability * group.rates->inactive_rate;
    for (std::size_t i = 0; i < count; ++i)
      if ((group.mask >> i & 1) != 0) result.member[i] += probability;
  }
  return result;
}

void merge_groups(GroupWeights& weights, ExactGroups exact, double share) {
  weights.in += share * (exact.in - weights.in);
  weights.out += share * (exact.out - weights.out);
  weights.member *= 1.0 - share;
  for (LikelyGroup& group : weights.likely) group.probability *= 1.0 - share;
  for (GroupWeights::Part& part : weights.parts) part.share *= 1.0 - share;
  for (std::size_t i = 0; i < exact.suspects.size(); ++i)
    weights.member[static_cast<Eigen::Index>(exact.suspects[i])] += share * exact.member[i];
  if (share > 0.01) weights.exact = {share, std::move(exact.suspects), std::move(exact.groups)};
  for (const LikelyGroup& group : exact.best) {
    const auto same = std::find_if(weights.likely.begin(), weights.likely.end(),
                                   [&](const LikelyGroup& other) { return other.tests == group.tests; });
    if (same == weights.likely.end()) {
      weights.likely.push_back(group);
      weights.likely.back().probability *= share;
    } else {
      same->probability += share * group.probability;
      same->in += share * (group.in - same->in);
      same->out += share * (group.out - same->out);
    }
  }
}

}  // namespace flakebisect::bisect
