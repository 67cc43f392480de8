#include "stats/change_point.h"

#include <cmath>
#include <vector>

#include "stats/log_math.h"

namespace flakebisect::stats {

namespace {

/// log B(f + 1/2, p + 1/2) - log B(1/2, 1/2) from tables of the logarithms of the Gamma function at
/// half-integers and integers. One a thread: they grow to the longest sequence, and most of the time would go
/// into them.
class Marginal {
 public:
  void prepare(std::size_t length) {
    // Gamma(k + 1/2) / Gamma(1/2) and Gamma(k + 1), both by their recursions.
    half_.reserve(length + 1);
    whole_.reserve(length + 1);
    for (std::size_t k = half_.size(); k <= length; ++k) {
      half_.push_back(half_.back() + std::log(static_cast<double>(k) - 0.5));
      whole_.push_back(whole_.back() + std::log(static_cast<double>(k)));
    }
  }
  double operator()(std::size_t failures, std::size_t passes) const {
    return half_[failures] + half_[passes] - whole_[failures + passes];
  }

 private:
  std::vector<double> half_{0.0};
  std::vector<double> whole_{0.0};
};

}  // namespace

ChangePoint find_change_point(std::span<const std::uint8_t> failed, double prior) {
  ChangePoint result;
  const std::size_t n = failed.size();
  if (n < 2) return result;
  thread_local Marginal marginal;
  marginal.prepare(n);
  std::size_t total = 0;
  for (const auto outcome : failed) total += outcome;
  const double constant = marginal(total, n - total);
  std::vector<double> log_posterior(n, minus_infinity);
  double highest = minus_infinity;
  std::size_t before = 0;
  for (std::size_t k = 1; k < n; ++k) {
    before += failed[k - 1];
    const std::size_t after = total - before;
    log_posterior[k] = marginal(before, k - before) + marginal(after, n - k - after);
    if (log_posterior[k] > highest) {
      highest = log_posterior[k];
      result.at = k;
    }
  }
  // The shortest window with 95 %: two ends that only move forward.
  std::vector<double> cumulative(n + 1);
  for (std::size_t k = 0; k < n; ++k)
    cumulative[k + 1] = cumulative[k] + std::exp(log_posterior[k] - highest);
  const double sum = cumulative[n];
  const double changed = highest + std::log(sum / static_cast<double>(n - 1));
  result.log_bayes_factor = changed - constant;
  result.probability = inverse_logit(result.log_bayes_factor + logit(prior));

  result.low = 1;
  result.high = n - 1;
  std::size_t end = 1;
  for (std::size_t begin = 1; begin < n; ++begin) {
    while (end < n && cumulative[end] - cumulative[begin] < 0.95 * sum) ++end;
    if (cumulative[end] - cumulative[begin] < 0.95 * sum) break;
    if (end - 1 - begin < result.high - result.low) {
      result.low = begin;
      result.high = end - 1;
    }
  }

  before = 0;
  for (std::size_t i = 0; i < result.at; ++i) before += failed[i];
  const auto mean = [](std::size_t failures, std::size_t runs) {
    return (static_cast<double>(failures) + 0.5) / (static_cast<double>(runs) + 1.0);
  };
  result.rate_before = mean(before, result.at);
  result.rate_after = mean(total - before, n - result.at);
  return result;
}

}  // namespace flakebisect::stats
