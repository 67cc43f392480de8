#include "bisect/engine_select.h"

#include <algorithm>
#include <numeric>

#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// Below this a test's duration is not worth telling apart from none: it keeps mass per second finite.
constexpr double least_seconds = 1e-3;

}  // namespace

double probe_seconds(const Problem& problem, const std::vector<TestIndex>& subset) {
  double seconds = problem.startup_seconds + problem.victim_seconds;
  for (const TestIndex test : subset) seconds += problem.candidates[test].seconds;
  return std::max(seconds, least_seconds);
}

Choice choose_probe(const Problem& problem, const SingleWeights& w, bool count_probes, stats::Rng rng) {
  const std::size_t n = problem.candidates.size();
  const auto at = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  std::vector<double> key(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double seconds = count_probes ? 1.0 : problem.candidates[i].seconds + least_seconds;
    const double mass = w.polluter[at(i)] + w.amplified[at(i)];
    key[i] = mass / seconds * (1.0 + 1e-6 * rng.uniform());
  }
  std::vector<TestIndex> order(n);
  std::iota(order.begin(), order.end(), TestIndex{0});
  std::sort(order.begin(), order.end(), [&](TestIndex a, TestIndex b) { return key[a] > key[b]; });

  // Predicted outcome of the growing list: `mean` over all explanations, `self` over those whose answer is
  // 'self', `known` the entropy that remains once the answer is known.
  double self_fail = w.self * w.self_rate;
  double mean = w.gone * w.gone_rate;
  double known = w.gone * stats::binary_entropy(w.gone_rate);
  for (std::size_t i = 0; i < n; ++i) {
    self_fail += w.amplified[at(i)] * w.amplified_out[at(i)];
    mean += w.polluter[at(i)] * w.polluter_out[at(i)];
    known += w.polluter[at(i)] * stats::binary_entropy(w.polluter_out[at(i)]);
  }
  const double self_mass = w.self_total();
  double seconds = std::max(problem.startup_seconds + problem.victim_seconds, least_seconds);
  Choice best;
  double best_rate = -1;
  std::size_t best_size = 0;
  for (std::size_t size = 0;; ++size) {
    const double total = mean + self_fail;
    const double self_known = self_mass > 0 ? self_mass * stats::binary_entropy(self_fail / self_mass) : 0;
    const double information = std::max(0.0, stats::binary_entropy(total) - known - self_known);
    const double rate = count_probes ? information : information / seconds;
    if (rate > best_rate) {
      best_rate = rate;
      best_size = size;
      best.information = information;
      best.seconds = seconds;
      best.fail_probability = total;
    }
    if (size == n) break;
    const TestIndex next = order[size];
    seconds += problem.candidates[next].seconds;
    self_fail += w.amplified[at(next)] * (w.amplified_in[at(next)] - w.amplified_out[at(next)]);
    mean += w.polluter[at(next)] * (w.polluter_in[at(next)] - w.polluter_out[at(next)]);
    known += w.polluter[at(next)] * (stats::binary_entropy(w.polluter_in[at(next)]) -
                                     stats::binary_entropy(w.polluter_out[at(next)]));
  }
  best.subset.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(best_size));
  std::sort(best.subset.begin(), best.subset.end());
  return best;
}

}  // namespace flakebisect::bisect
