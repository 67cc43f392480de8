#include "bisect/simulate/generator.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "bisect/simulate/generator_parts.h"
#include "bisect/simulate/random.h"

namespace flakebisect::bisect::simulate {
namespace {

/// IDoFT: how many of 101 tests fail at which rate in their worst order. The published counts leave ten tests
/// between 20 % and 90 %.
struct RateBand {
  double low, high, tests;
};
constexpr RateBand wild_bands[] = {{0.01, 0.02, 33}, {0.02, 0.05, 18}, {0.05, 0.1, 20},
                                   {0.1, 0.2, 12},   {0.2, 0.9, 10},   {0.9, 1, 8}};

double draw_wild(Range range, Random random) {
  double weights[std::size(wild_bands)] = {};
  double total = 0;
  for (std::size_t i = 0; i < std::size(wild_bands); ++i) {
    const RateBand& band = wild_bands[i];
    const double low = std::max(band.low, range.low);
    const double high = std::min(band.high, range.high);
    weights[i] = low < high ? band.tests * std::log(high / low) / std::log(band.high / band.low) : 0;
    total += weights[i];
  }
  if (total <= 0) {
    return random.log_uniform(range.low, range.high);
  }
  double at = random.uniform() * total;
  for (std::size_t i = 0; i < std::size(wild_bands); ++i) {
    if (at < weights[i]) {
      const RateBand& band = wild_bands[i];
      return random.log_uniform(std::max(band.low, range.low), std::min(band.high, range.high));
    }
    at -= weights[i];
  }
  return range.high;
}

std::uint32_t draw_size(Range range, Random random) {
  const auto low = static_cast<std::uint32_t>(range.low);
  const auto high = static_cast<std::uint32_t>(range.high);
  if (low == high) {
    return low;
  }
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const double size = std::round(300 * std::exp(1.1 * random.normal()));
    if (size >= low && size <= high) {
      return static_cast<std::uint32_t>(size);
    }
  }
  return low + static_cast<std::uint32_t>(random.below(high - low + 1));
}

void draw_disturbances(SimCase& sim_case, const CaseOptions& options, std::uint64_t seed) {
  Truth& truth = sim_case.truth;
  Random random(mix(seed, "disturbances"));
  const bool server = random.chance(0.2);
  const double correlation = random.chance(0.5) ? 0 : random.uniform(0, 0.2);
  const double drift = random.chance(0.1) ? random.uniform(0, 0.7) : 0;
  const double period = random.log_uniform(30, 300);
  const double voids = random.chance(0.2) ? random.uniform(0, 0.05) : 0;
  const double others = random.chance(0.15) ? random.uniform(0, 0.05) : 0;
  if (options.correlation ? *options.correlation > 0 : server) {
    sim_case.server_probes = options.server_probes;
    sim_case.problem.startup_seconds = 0.02;  // a fork of a process that has everything imported
    truth.correlation = options.correlation.value_or(correlation);
  }
  Random process(mix(seed, "repeats"));
  truth.decided_by_process = process.chance(options.decided_by_process);
  sim_case.problem.most_victim_runs = options.victim_runs;
  truth.drift = options.drift.value_or(drift);
  truth.drift_period = period;
  truth.void_rate = options.void_rate.value_or(voids);
  truth.other_rate = options.other_rate.value_or(others);
}

}  // namespace

void check_case_options(const CaseOptions& options) {
  const auto check = [](Range range, double low, double high, const char* name) {
    if (!(range.low >= low && range.low <= range.high && range.high <= high)) {
      throw std::invalid_argument(std::string(name) + ": a range from " + std::to_string(low) + " to " +
                                  std::to_string(high) + " is wanted");
    }
  };
  check(options.tests, 0, 100000, "tests");
  check(options.startup_seconds, 0, 1e6, "startup");
  check(options.q, 1e-6, 1, "q");
  check(options.background.value_or(Range{}), 0, 1, "background");
  check({options.decided_by_process, 1}, 0, 1, "decided by process");
  if (options.victim_runs < 1) throw std::invalid_argument("victim runs: at least 1 is wanted");
  check({options.correlation.value_or(0), 0.999}, 0, 1, "correlation");
  check({options.void_rate.value_or(0), 0.999}, 0, 1, "voids");
  check({options.other_rate.value_or(0), 0.999}, 0, 1, "other failures");
}

SimCase generate_case(const CaseOptions& options, CaseKind kind, std::uint64_t seed, std::uint64_t number) {
  SimCase sim_case;
  sim_case.number = number;
  sim_case.seed = mix(mix(mix(seed, "flakebisect simulate"), case_kind_name(kind)), number);
  const std::uint64_t own = sim_case.seed;
  Truth& truth = sim_case.truth;
  truth.kind = kind;

  Random startup(mix(own, "startup"));
  sim_case.fresh_start_seconds =
      options.startup_seconds.low > 0
          ? startup.log_uniform(options.startup_seconds.low, options.startup_seconds.high)
          : startup.uniform(options.startup_seconds.low, options.startup_seconds.high);
  sim_case.problem.startup_seconds = sim_case.fresh_start_seconds;

  if (kind != CaseKind::not_reproduced) {
    Random rate(mix(own, "q"));
    truth.q = options.q_shape == RateShape::wild ? draw_wild(options.q, rate)
                                                 : rate.log_uniform(options.q.low, options.q.high);
    Random background(mix(own, "background"));
    const double fraction = background.chance(0.8) ? 0 : background.log_uniform(0.01, 0.3);
    truth.r = options.background ? background.uniform(options.background->low, options.background->high)
                                 : fraction * truth.q;
  }
  draw_disturbances(sim_case, options, own);

  const PoolPlan plan = plan_pool(options, kind, draw_size(options.tests, Random(mix(own, "size"))), own);
  draw_candidates(sim_case, plan, own);
  draw_roles(sim_case, options, own);
  draw_history(sim_case, plan, own);
  return sim_case;
}

}  // namespace flakebisect::bisect::simulate
