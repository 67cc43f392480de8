#include "bisect/forecast.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <cmath>
#include <limits>

#include "bisect/engine_select.h"
#include "stats/rng.h"

namespace flakebisect::bisect {

namespace {

/// Explanations that a world is drawn from; the rest of the posterior is spread too thin to matter.
constexpr std::size_t most_explanations = 400;
constexpr double never = std::numeric_limits<double>::infinity();

bool has_all(const std::vector<TestIndex>& ran, const std::vector<TestIndex>& tests) {
  return std::all_of(tests.begin(), tests.end(),
                     [&](TestIndex test) { return std::find(ran.begin(), ran.end(), test) != ran.end(); });
}

double draw_beta(double failures, double passes, double uniform) {
  const boost::math::beta_distribution<> posterior(failures + 0.5, passes + 0.5);
  return quantile(posterior, std::clamp(uniform, 1e-6, 1.0 - 1e-6));
}

/// What the problem's durations expect against what probes really took.
double calibration(const ForecastInput& input) {
  double expected = 0;
  double real = 0;
  for (const auto& observation : input.seen) {
    if (observation.source != Source::probe || !(observation.seconds > 0)) continue;
    expected += probe_seconds(input.problem, observation.ran) +
                input.problem.victim_seconds * (observation.victim_runs - 1);
    real += observation.seconds;
  }
  return expected > 0 && real > 0 ? real / expected : 1;
}

struct Flight {
  double end = 0;
  Probe probe;
  bool fails = false;
  std::uint32_t victim_runs = 1;
};

/// Seconds to the verdict; `never` where there was none within the limits. `spent`: when it stopped.
double play(const ForecastInput& input, std::uint64_t number, double speed,
            const std::function<bool()>& expired, double& spent) {
  stats::Rng rng(input.seed, number);
  EngineOptions options = input.options;
  options.seed = rng.next();
  Engine engine(input.problem, options);
  for (const auto& observation : input.seen) {
    if (expired()) return never;
    engine.observe(observation);
  }
  const auto uniform = [&] { return rng.uniform(); };
  const World world = draw_world(engine.leading(most_explanations), input.seen, uniform);
  std::vector<Flight> flights;
  spent = 0;
  for (std::size_t probes = 0; probes < input.most_probes && !engine.done();) {
    if (expired()) return never;
    while (flights.size() < std::max<std::size_t>(input.jobs, 1)) {
      auto probe = engine.next_probe();
      if (!probe) break;
      const double rate = world.rate(probe->subset, input.problem.candidates.size());
      bool fails = rng.bernoulli(rate);
      std::uint32_t victim_runs = 1;
      for (; !fails && victim_runs < probe->victim_runs; ++victim_runs) fails = rng.bernoulli(rate);
      const double seconds = speed * (probe_seconds(input.problem, probe->subset) +
                                      input.problem.victim_seconds * (victim_runs - 1));
      flights.push_back({spent + seconds, std::move(*probe), fails, victim_runs});
      ++probes;
    }
    if (flights.empty()) return never;
    const auto first = std::min_element(flights.begin(), flights.end(),
                                        [](const Flight& a, const Flight& b) { return a.end < b.end; });
    spent = first->end;
    Observation observation;
    observation.ran = first->probe.subset;
    observation.outcome = first->fails ? Outcome::fail : Outcome::pass;
    observation.victim_runs = first->victim_runs;
    observation.purpose = first->probe.purpose;
    observation.probe_id = first->probe.id;
    flights.erase(first);
    engine.observe(observation);
  }
  return engine.done() ? spent : never;
}

}  // namespace

double World::rate(const std::vector<TestIndex>& ran, std::size_t candidates) const {
  switch (kind) {
    case Kind::cumulative: {
      const double share =
          candidates == 0 ? 0 : static_cast<double>(ran.size()) / static_cast<double>(candidates);
      return without + (with - without) * share;
    }
    case Kind::polluter:
    case Kind::polluter_set:
    case Kind::brittle:
      return has_all(ran, tests) ? with : without;
    default:
      return with;
  }
}

World draw_world(const std::vector<Explanation>& explanations, const std::vector<Observation>& seen,
                 const std::function<double()>& uniform) {
  double total = 0;
  for (const auto& explanation : explanations) total += explanation.probability;
  double left = uniform() * total;
  const Explanation* chosen = explanations.empty() ? nullptr : &explanations.front();
  for (const auto& explanation : explanations) {
    left -= explanation.probability;
    if (left > 0) continue;
    chosen = &explanation;
    break;
  }
  World world;
  if (chosen == nullptr) return world;
  world.kind = chosen->kind;
  world.tests = chosen->tests;
  double failures[2] = {0, 0};
  double passes[2] = {0, 0};
  const bool by_tests = !chosen->tests.empty();
  for (const auto& observation : seen) {
    if (observation.source == Source::selected) continue;
    const std::size_t side = !by_tests || has_all(observation.ran, chosen->tests) ? 1 : 0;
    const double weight = std::min(observation.weight, 1.0);
    if (observation.outcome == Outcome::fail) failures[side] += weight;
    if (observation.outcome == Outcome::pass) passes[side] += weight;
  }
  if (world.kind == Kind::not_reproduced) return world;
  for (int attempt = 0; attempt < 50; ++attempt) {
    world.with = draw_beta(failures[1], passes[1], uniform());
    world.without = by_tests ? draw_beta(failures[0], passes[0], uniform()) : 0;
    const bool matters =
        world.kind == Kind::brittle ? world.without > world.with : world.with > world.without;
    if (matters) break;
  }
  return world;
}

double Forecast::share_within(double seconds) const {
  if (trials == 0) return 0;
  const auto end = std::upper_bound(finished.begin(), finished.end(), seconds);
  return static_cast<double>(end - finished.begin()) / static_cast<double>(trials);
}

Forecast forecast(const ForecastInput& input, const std::function<bool()>& expired) {
  Forecast result;
  const double speed = calibration(input);
  double least_unfinished = never;
  while (result.trials < input.most_trials && !expired()) {
    double spent = 0;
    const double seconds = play(input, result.trials, speed, expired, spent);
    // The trial that the clock cut off says something only where it was the longest already.
    if (!std::isfinite(seconds) && expired() && result.finished.size() >= 5 &&
        spent <= *std::max_element(result.finished.begin(), result.finished.end()))
      break;
    ++result.trials;
    if (std::isfinite(seconds)) {
      result.finished.push_back(seconds);
    } else {
      ++result.unfinished;
      least_unfinished = std::min(least_unfinished, spent);
    }
  }
  if (std::isfinite(least_unfinished)) result.at_least_seconds = least_unfinished;
  std::sort(result.finished.begin(), result.finished.end());
  const auto quantile_of = [&](double share) -> std::optional<double> {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(result.trials));
    if (rank >= result.finished.size()) return std::nullopt;
    return result.finished[rank];
  };
  // Less than a handful says nothing of a range.
  if (result.trials >= 5) {
    result.low_seconds = quantile_of(0.1);
    result.median_seconds = quantile_of(0.5);
    result.high_seconds = quantile_of(0.9);
  }
  return result;
}

}  // namespace flakebisect::bisect
