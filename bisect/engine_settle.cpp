/// 'It fails on its own': the probe that would settle it.

#include <algorithm>
#include <cmath>
#include <tuple>

#include "bisect/engine_state.h"

namespace flakebisect::bisect {

namespace {

/// `tests`, the weightiest for each second first.
void sort_by_worth(std::vector<TestIndex>& tests, const Eigen::ArrayXd& weight, const Problem& problem,
                   bool count_probes) {
  const auto worth = [&](TestIndex i) {
    return weight[static_cast<Eigen::Index>(i)] /
           (count_probes ? 1 : problem.candidates[i].seconds + least_seconds);
  };
  std::sort(tests.begin(), tests.end(), [&](TestIndex a, TestIndex b) {
    const double x = worth(a), y = worth(b);
    return x != y ? x > y : a < b;
  });
}

}  // namespace

std::optional<std::vector<TestIndex>> Engine::State::settling_self(std::uint32_t victim_runs) {
  const Weights w = lifted(weights(), victim_runs, repeats);
  const KindPriors& prior = posterior.priors();
  // What each kind predicts for the victim alone: after a failure these are the kinds' shares.
  const double self = w.self * w.self_rate + (w.amplified.weight * w.amplified.out).sum();
  const double polluter = (w.polluter.weight * w.polluter.out).sum();
  const double pair = w.pairs.alone_fail;
  const double set = GroupPrediction(w.set, 0).sums().fail;
  const double dose = w.dose.weight * w.dose.rate_at(0);
  const double gone = w.gone * w.gone_rate;
  double brittle = (w.brittle.weight * w.brittle.out).sum();
  GroupPrediction setters_group(w.setters, 0);
  const auto settles = [&] {
    const double set_state = brittle + setters_group.sums().fail;
    if (self < options.confidence * (self + polluter + pair + set + dose + gone + set_state)) return false;
    const double own = self / (prior.self + prior.amplified);
    const std::tuple<KindLevel, double, double> others[] = {
        {level_polluter, polluter, prior.polluter},
        {level_pair, pair, prior.pair},
        {level_set, set, prior.set},
        {level_brittle, set_state, prior.brittle + prior.setters},
        {level_cumulative, dose, prior.cumulative},
        {level_gone, gone, prior.gone}};
    return std::all_of(std::begin(others), std::end(others), [&](const auto& other) {
      const auto& [level, share, before] = other;
      return !(before > 0) || own >= evidence_needed(level_self, level) * share / before;
    });
  };
  std::vector<TestIndex> list;
  if (settles()) return list;
  std::vector<TestIndex> setters;
  for (TestIndex i = 0; i < problem.candidates.size(); ++i)
    if (!problem.candidates[i].in_failing_run) setters.push_back(i);
  sort_by_worth(setters, w.brittle.weight, problem, options.count_probes);
  for (const TestIndex test : setters) {
    const auto i = static_cast<Eigen::Index>(test);
    brittle -= w.brittle.weight[i] * (w.brittle.out[i] - w.brittle.in[i]);
    setters_group.include(test);
    list.push_back(test);
    if (!settles()) continue;
    std::sort(list.begin(), list.end());
    return list;
  }
  return std::nullopt;
}

bool Engine::State::failure_on_its_way(const std::vector<TestIndex>& list) {
  const Answer& self = best();
  double passes = 1;
  for (const auto& [id, pending] : in_flight)
    if (pending.probe.subset == list)
      passes *= 1 - repeats.fails_within(self.rate, pending.probe.victim_runs);
  return self.probability * (1 - passes) >= good_as_sure;
}

}  // namespace flakebisect::bisect
