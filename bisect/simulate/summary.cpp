#include "bisect/simulate/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bisect/simulate/random.h"

namespace flakebisect::bisect::simulate {

double Tally::wrong_share() const {
  return given() == 0 ? 0 : static_cast<double>(wrong) / static_cast<double>(given());
}

Tally tally(const std::vector<CaseResult>& results) {
  Tally tally;
  std::vector<double> seconds;
  for (const CaseResult& result : results) {
    ++tally.cases;
    tally.right += result.judgement == Judgement::right ? 1U : 0U;
    tally.wrong += result.judgement == Judgement::wrong ? 1U : 0U;
    tally.abstained += result.judgement == Judgement::abstained ? 1U : 0U;
    tally.accused += accuses(result.answer) ? 1U : 0U;
    tally.errors += result.answer.error.empty() ? 0U : 1U;
    tally.mean_probes += static_cast<double>(result.answer.probes);
    tally.mean_search_probes += static_cast<double>(result.answer.search_probes);
    tally.mean_seconds += result.answer.seconds;
    tally.mean_wall_seconds += result.answer.wall_seconds;
    seconds.push_back(result.answer.seconds);
  }
  if (tally.cases > 0) {
    const auto cases = static_cast<double>(tally.cases);
    tally.mean_probes /= cases;
    tally.mean_search_probes /= cases;
    tally.mean_seconds /= cases;
    tally.mean_wall_seconds /= cases;
  }
  std::sort(seconds.begin(), seconds.end());
  tally.median_seconds = quantile(seconds, 0.5);
  return tally;
}

double unanswered_within(const std::vector<CaseResult>& results, double times) {
  if (results.empty()) {
    return 0;
  }
  const double budget = times * tally(results).mean_seconds;
  std::uint64_t missed = 0;
  for (const CaseResult& result : results) {
    missed += result.judgement == Judgement::abstained || result.answer.seconds > budget ? 1U : 0U;
  }
  return static_cast<double>(missed) / static_cast<double>(results.size());
}

Interval wilson(std::uint64_t hits, std::uint64_t total) {
  if (total == 0) {
    return {0, 1};
  }
  const double z = 1.959964;
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(hits) / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

namespace {

template <class Amount>
Ratio ratio_of_means(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs,
                     Amount&& amount) {
  const std::size_t count = std::min(ours.size(), theirs.size());
  Ratio ratio;
  if (count == 0) {
    return ratio;
  }
  const auto of = [&](auto&& pick) {
    double a = 0;
    double b = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = pick(i);
      a += amount(ours[at].answer);
      b += amount(theirs[at].answer);
    }
    return b > 0 ? a / b : std::numeric_limits<double>::infinity();
  };
  ratio.value = of([](std::size_t i) { return i; });
  Random random(mix(count, "bootstrap"));
  std::vector<double> resampled;
  for (int i = 0; i < 1000; ++i) {
    resampled.push_back(of([&](std::size_t) { return random.below(count); }));
  }
  std::sort(resampled.begin(), resampled.end());
  ratio.interval = {quantile(resampled, 0.025), quantile(resampled, 0.975)};
  return ratio;
}

}  // namespace

Ratio cost_ratio(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs) {
  return ratio_of_means(ours, theirs, [](const PolicyAnswer& answer) { return answer.seconds; });
}

Ratio wall_ratio(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs) {
  return ratio_of_means(ours, theirs, [](const PolicyAnswer& answer) { return answer.wall_seconds; });
}

Ratio probes_ratio(const std::vector<CaseResult>& ours, const std::vector<CaseResult>& theirs) {
  return ratio_of_means(ours, theirs,
                        [](const PolicyAnswer& answer) { return static_cast<double>(answer.probes); });
}

std::vector<double> choice_times(const std::vector<CaseResult>& results) {
  std::vector<double> all;
  for (const CaseResult& result : results) {
    all.insert(all.end(), result.answer.choice_seconds.begin(), result.answer.choice_seconds.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

double quantile(const std::vector<double>& ascending, double p) {
  if (ascending.empty()) {
    return 0;
  }
  const double at = p * static_cast<double>(ascending.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, ascending.size() - 1);
  const double share = at - static_cast<double>(low);
  return ascending[low] * (1 - share) + ascending[high] * share;
}

}  // namespace flakebisect::bisect::simulate
