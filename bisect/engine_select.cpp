#include "bisect/engine_select.h"

#include <algorithm>
#include <cmath>
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

namespace {

/// Sums over the explanations for a list that grows candidate by candidate.
struct Prediction {
  double self_mass = 0;  ///< of all explanations whose answer is 'self'
  double self_fail = 0;  ///< their part of the probability that the probe fails
  double other_fail = 0;
  double known = 0;  ///< entropy of the outcome that is left once the other answers are known
  double fail() const { return self_fail + other_fail; }
  /// Expected information about the answer, in nats.
  double information() const {
    const double self = self_mass > 0 ? self_mass * stats::binary_entropy(self_fail / self_mass) : 0;
    return std::max(0.0, stats::binary_entropy(fail()) - known - self);
  }
};

Prediction predict_alone(const SingleWeights& w) {
  Prediction p;
  p.self_mass = w.self_total();
  p.self_fail = w.self * w.self_rate + (w.amplified * w.amplified_out).sum();
  p.other_fail = w.gone * w.gone_rate + (w.polluter * w.polluter_out).sum();
  p.known = w.gone * stats::binary_entropy(w.gone_rate);
  for (Eigen::Index i = 0; i < w.polluter.size(); ++i)
    p.known += w.polluter[i] * stats::binary_entropy(w.polluter_out[i]);
  return p;
}

void include(Prediction& p, const SingleWeights& w, Eigen::Index i) {
  p.self_fail += w.amplified[i] * (w.amplified_in[i] - w.amplified_out[i]);
  p.other_fail += w.polluter[i] * (w.polluter_in[i] - w.polluter_out[i]);
  p.known +=
      w.polluter[i] * (stats::binary_entropy(w.polluter_in[i]) - stats::binary_entropy(w.polluter_out[i]));
}

/// What including a candidate adds to the information where the probe fails with probability about `fail`:
/// the derivative of the information by its membership.
double slope(const SingleWeights& w, Eigen::Index i, double fail) {
  const double odds = std::log1p(-fail) - std::log(fail);
  return odds * (w.polluter[i] * (w.polluter_in[i] - w.polluter_out[i]) +
                 w.amplified[i] * (w.amplified_in[i] - w.amplified_out[i])) -
         w.polluter[i] * (stats::binary_entropy(w.polluter_in[i]) - stats::binary_entropy(w.polluter_out[i]));
}

}  // namespace

Choice choose_probe(const Problem& problem, const SingleWeights& w, bool count_probes, stats::Rng rng) {
  const std::size_t n = problem.candidates.size();
  const auto at = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  const Prediction alone = predict_alone(w);
  const double alone_seconds = std::max(problem.startup_seconds + problem.victim_seconds, least_seconds);
  std::vector<double> jitter(n), key(n);
  for (double& value : jitter) value = 1.0 + 1e-6 * rng.uniform();
  std::vector<TestIndex> order(n);
  std::iota(order.begin(), order.end(), TestIndex{0});
  Choice best;
  double best_rate = -1;
  double assumed_fail = 0;
  // What a candidate adds depends on how likely the whole probe fails. The first order is by the failures
  // that a candidate is expected to bring; the later ones are for the list that the pass before chose.
  for (int pass = 0; pass < 3; ++pass) {
    for (std::size_t i = 0; i < n; ++i) {
      const double seconds = count_probes ? 1.0 : problem.candidates[i].seconds + least_seconds;
      const double worth = pass > 0
                               ? slope(w, at(i), assumed_fail)
                               : w.polluter[at(i)] * (w.polluter_in[at(i)] - w.polluter_out[at(i)]) +
                                     w.amplified[at(i)] * (w.amplified_in[at(i)] - w.amplified_out[at(i)]);
      key[i] = worth / seconds * jitter[i];
    }
    std::sort(order.begin(), order.end(), [&](TestIndex a, TestIndex b) { return key[a] > key[b]; });
    Prediction prediction = alone;
    double seconds = alone_seconds;
    std::size_t best_size = n + 1;
    for (std::size_t size = 0;; ++size) {
      const double information = prediction.information();
      const double rate = count_probes ? information : information / seconds;
      if (rate > best_rate) {
        best_rate = rate;
        best_size = size;
        best.information = information;
        best.seconds = seconds;
        best.fail_probability = prediction.fail();
      }
      if (size == n) break;
      seconds += problem.candidates[order[size]].seconds;
      include(prediction, w, at(order[size]));
    }
    if (best_size > n) continue;
    best.subset.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(best_size));
    assumed_fail = std::clamp(best.fail_probability, 1e-6, 1.0 - 1e-6);
  }
  std::sort(best.subset.begin(), best.subset.end());
  return best;
}

}  // namespace flakebisect::bisect
