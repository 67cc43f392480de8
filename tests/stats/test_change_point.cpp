#include "stats/change_point.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "stats/rng.h"
#include "stats/streaks.h"

using flakebisect::stats::ChangePoint;
using flakebisect::stats::find_change_point;
using flakebisect::stats::Rng;

namespace {

std::vector<std::uint8_t> outcomes(Rng& rng, std::size_t before, double rate_before, std::size_t after,
                                   double rate_after) {
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < before; ++i) result.push_back(rng.bernoulli(rate_before) ? 1 : 0);
  for (std::size_t i = 0; i < after; ++i) result.push_back(rng.bernoulli(rate_after) ? 1 : 0);
  return result;
}

/// B(f + 1/2, p + 1/2) / B(1/2, 1/2) by the Gamma function itself.
double marginal(double f, double p) {
  return std::exp(std::lgamma(f + 0.5) + std::lgamma(p + 0.5) - std::lgamma(f + p + 1) -
                  2 * std::lgamma(0.5));
}

}  // namespace

TEST_CASE("The change point's posterior is the one summed by hand") {
  const std::vector<std::uint8_t> failed = {0, 0, 0, 1, 1, 0, 1};
  double changed = 0;
  std::size_t best = 0;
  double highest = 0;
  for (std::size_t k = 1; k < failed.size(); ++k) {
    double f = 0;
    for (std::size_t i = 0; i < k; ++i) f += failed[i];
    const double weight =
        marginal(f, static_cast<double>(k) - f) * marginal(3 - f, 7 - static_cast<double>(k) - 3 + f) / 6;
    changed += weight;
    if (weight > highest) {
      highest = weight;
      best = k;
    }
  }
  const ChangePoint found = find_change_point(failed, 0.3);
  const double odds = changed / marginal(3, 4) * 0.3 / 0.7;
  CHECK(found.probability == Approx(odds / (1 + odds)));
  CHECK(found.log_bayes_factor == Approx(std::log(changed / marginal(3, 4))));
  CHECK(found.at == best);
  CHECK(found.at == 3);
  CHECK(found.rate_before == Approx(0.5 / 4));
  CHECK(found.rate_after == Approx(3.5 / 5));
  CHECK(found.rises());
}

TEST_CASE("Too few outcomes show no change") {
  CHECK(find_change_point({}).probability == 0);
  CHECK(find_change_point(std::vector<std::uint8_t>{1}).probability == 0);
  CHECK(find_change_point(std::vector<std::uint8_t>{0, 1}).probability < 0.5);
}

TEST_CASE("A planted change lies in its interval, about 95 times in a hundred") {
  Rng rng(7);
  int covered = 0;
  int seen = 0;
  constexpr int trials = 300;
  for (int trial = 0; trial < trials; ++trial) {
    const std::size_t at = 50 + rng.below(200);
    const auto found = find_change_point(outcomes(rng, at, 0.02, 300 - at, 0.3));
    if (found.probability < 0.9) continue;
    ++seen;
    covered += found.low <= at && at <= found.high ? 1 : 0;
    CHECK(found.low <= found.at);
    CHECK(found.at <= found.high);
  }
  CHECK(seen > trials * 9 / 10);
  // At 0.95 the chance of fewer than 0.91 of 290 is about one in a thousand; the seed is fixed.
  CHECK(covered > seen * 91 / 100);
}

TEST_CASE("One rate is hardly ever taken for a change") {
  Rng rng(11);
  int accused = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const auto found = find_change_point(outcomes(rng, 200, 0.01 + 0.5 * rng.uniform(), 0, 0));
    accused += found.probability > 0.9 ? 1 : 0;
  }
  CHECK(accused <= 4);
}

TEST_CASE("A fall is found as well as a rise") {
  Rng rng(3);
  const auto found = find_change_point(outcomes(rng, 100, 0.5, 100, 0));
  CHECK(found.probability > 0.999);
  CHECK_FALSE(found.rises());
  CHECK(found.low <= 100);
  CHECK(found.high >= 97);
}

TEST_CASE("Outcomes in random order count in full, streaks only once") {
  using flakebisect::stats::streak_weight;
  Rng rng(17);
  double lowest = 1;
  double sum = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const double weight = streak_weight(outcomes(rng, 150, 0.15, 0, 0));
    lowest = std::min(lowest, weight);
    sum += weight;
  }
  CHECK(sum / 200 > 0.9);
  CHECK(lowest > 0.2);
  // Two bad times of ten runs among two hundred.
  std::vector<std::uint8_t> failed(200);
  for (std::size_t i = 50; i < 60; ++i) failed[i] = failed[i + 100] = 1;
  CHECK(streak_weight(failed) < 0.2);
  CHECK(streak_weight(failed) > 0.05);
  // Evenly spread ones count in full.
  for (std::size_t i = 0; i < failed.size(); ++i) failed[i] = i % 10 == 0 ? 1 : 0;
  CHECK(streak_weight(failed) == 1);
  CHECK(streak_weight({}) == 1);
  CHECK(streak_weight(std::vector<std::uint8_t>{1, 1, 1}) == 1);
  CHECK(streak_weight(std::vector<std::uint8_t>{0, 1, 0}) == 1);
}
