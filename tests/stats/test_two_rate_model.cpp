#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "stats/log_math.h"
#include "stats/rng.h"
#include "stats/two_rate_model.h"

using namespace flakebisect::stats;

namespace {

/// The definition, summed term by term on a grid of its own, finer than the model's.
RateSummary brute_force(const RatePrior& prior, const std::vector<RatioCell>& cells, double fails_in,
                        double passes_in, double fails_out, double passes_out) {
  constexpr int points = 4001;
  double total = 0, active = 0, inactive = 0, norm = 0;
  for (int g = 0; g < points; ++g) {
    const double u = prior.logits.front() + (prior.logits.back() - prior.logits.front()) * g / (points - 1);
    double density = 0;
    for (std::size_t i = 1; i < prior.logits.size(); ++i)
      if (u >= prior.logits[i - 1] && u <= prior.logits[i])
        density = prior.densities[i - 1] + (prior.densities[i] - prior.densities[i - 1]) *
                                               (u - prior.logits[i - 1]) /
                                               (prior.logits[i] - prior.logits[i - 1]);
    const double p = inverse_logit(u);
    norm += density;
    for (const RatioCell& cell : cells) {
      const double r = cell.ratio * p;
      const double term = density * cell.weight * std::pow(p, fails_in) * std::pow(1 - p, passes_in) *
                          std::pow(r, fails_out) * std::pow(1 - r, passes_out);
      total += term;
      active += term * p;
      inactive += term * r;
    }
  }
  return {std::log(total / norm), active / total, inactive / total};
}

}  // namespace

TEST_CASE("the two-rate model agrees with the sum that defines it") {
  const std::vector<RatioCell> cells{{0.0, 0.7}, {0.1, 0.2}, {0.3, 0.1}};
  TwoRateModel model(default_rate_prior(), cells);
  Rng rng(3);
  for (int trial = 0; trial < 300; ++trial) {
    const double fails_in = static_cast<double>(rng.below(12));
    const double passes_in = trial % 3 == 0 ? 40 * rng.uniform() : static_cast<double>(rng.below(60));
    const double fails_out = static_cast<double>(rng.below(3));
    const double passes_out = static_cast<double>(rng.below(80));
    model.set_totals(fails_in + fails_out, passes_in + passes_out);
    const RateSummary got = model.evaluate(fails_in, passes_in, 0, cells.size());
    const RateSummary expected =
        brute_force(default_rate_prior(), cells, fails_in, passes_in, fails_out, passes_out);
    INFO(fails_in << " " << passes_in << " " << fails_out << " " << passes_out);
    CHECK(got.log_marginal == Approx(expected.log_marginal).margin(0.02));
    CHECK(got.active_rate == Approx(expected.active_rate).epsilon(0.02).margin(1e-4));
    CHECK(got.inactive_rate == Approx(expected.inactive_rate).epsilon(0.02).margin(1e-4));
  }
}

TEST_CASE("all runs active is the constant rate") {
  TwoRateModel model(default_rate_prior(), {{0.0, 1.0}});
  model.set_totals(7, 90);
  CHECK(model.evaluate(7, 90, 0, 1).log_marginal == Approx(model.constant_rate().log_marginal).margin(1e-3));
  CHECK(model.constant_log_marginal(7, 90) == Approx(model.constant_rate().log_marginal).epsilon(1e-12));
}

TEST_CASE("a failure without the polluter rules out rho = 0") {
  TwoRateModel model(default_rate_prior(), {{0.0, 1.0}});
  model.set_totals(2, 10);
  CHECK(model.evaluate(1, 5, 0, 1).log_marginal == minus_infinity);
}

TEST_CASE("a hundred thousand runs leave finite numbers") {
  TwoRateModel model(default_rate_prior(), {{0.0, 0.8}, {0.2, 0.2}});
  for (const double failures : {0.0, 1.0, 3000.0, 50000.0, 99999.0, 100000.0}) {
    const double passes = 100000 - failures;
    model.set_totals(failures, passes);
    for (const double share : {0.0, 0.3, 0.999, 1.0}) {
      const RateSummary got = model.evaluate(failures * share, passes * share, 1, 2);
      INFO(failures << " of 100000, share " << share);
      CHECK(std::isfinite(got.log_marginal));
      CHECK(got.active_rate > 0);
      CHECK(got.active_rate < 1);
      CHECK(got.inactive_rate < got.active_rate);
    }
    CHECK(std::isfinite(model.constant_rate().log_marginal));
    CHECK(model.constant_rate().active_rate == Approx(failures / 100000).margin(0.002));
  }
}

TEST_CASE("the model refuses impossible cells") {
  CHECK_THROWS_AS(TwoRateModel(default_rate_prior(), {}), std::invalid_argument);
  CHECK_THROWS_AS(TwoRateModel(default_rate_prior(), {{1.0, 1.0}}), std::invalid_argument);
  CHECK_THROWS_AS(TwoRateModel(default_rate_prior(), {{0.5, 0.0}}), std::invalid_argument);
  CHECK_THROWS_AS(TwoRateModel({{0.0}, {1.0}}, {{0.5, 1.0}}), std::invalid_argument);
}
