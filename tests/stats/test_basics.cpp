#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "stats/beta.h"
#include "stats/log_math.h"
#include "stats/rng.h"

using namespace flakebisect::stats;

TEST_CASE("log_add adds probabilities") {
  CHECK(log_add(std::log(0.2), std::log(0.3)) == Approx(std::log(0.5)));
  CHECK(log_add(minus_infinity, -1000.0) == -1000.0);
  CHECK(log_add(-1000.0, -1000.0) == Approx(-1000.0 + std::log(2.0)));
  CHECK(log_add(minus_infinity, minus_infinity) == minus_infinity);
}

TEST_CASE("logit and its inverse") {
  for (const double p : {1e-6, 0.1, 0.5, 0.9995}) {
    CHECK(inverse_logit(logit(p)) == Approx(p));
    CHECK(log_inverse_logit(logit(p)) == Approx(std::log(p)));
  }
}

TEST_CASE("binary entropy") {
  CHECK(binary_entropy(0.5) == Approx(std::log(2.0)));
  CHECK(binary_entropy(0.0) == 0.0);
  CHECK(binary_entropy(1.0) == 0.0);
  CHECK(binary_entropy(-1e-18) == 0.0);
}

TEST_CASE("logs of the gamma function and of binomial coefficients") {
  CHECK(log_gamma(5) == Approx(std::log(24.0)));
  CHECK(log_gamma(0.5) == Approx(0.5723649429247001));  // log sqrt(pi)
  CHECK(log_choose(10, 3) == Approx(std::log(120.0)));
  CHECK(log_choose(7, 0) == Approx(0).margin(1e-12));
  CHECK(log_choose(100, 50) == Approx(66.78384165201749));
}

TEST_CASE("the generator's stream never changes: sessions are replayed from a seed") {
  Rng rng(1);
  CHECK(rng.next() == 10451216379200822465U);  // SplitMix64's published sequence for seed 1
  Rng a(5, 1), b(5, 1), c(5, 2);
  CHECK(a.next() == b.next());
  CHECK(a.next() != c.next());
  for (int i = 0; i < 1000; ++i) {
    CHECK(a.below(7) < 7);
    const double u = a.uniform();
    CHECK(u >= 0);
    CHECK(u < 1);
  }
  std::vector<int> values{1, 2, 3, 4, 5};
  a.shuffle(values);
  CHECK(values[0] + values[1] + values[2] + values[3] + values[4] == 15);
}

TEST_CASE("Jeffreys intervals") {
  // R: qbeta(c(.025, .975), 9.5, 31.5)
  const Interval interval = jeffreys_interval(9, 40);
  CHECK(interval.low == Approx(0.1174).margin(5e-4));
  CHECK(interval.high == Approx(0.3707).margin(5e-4));
  CHECK(jeffreys_interval(0, 10).low == 0.0);
  CHECK(jeffreys_interval(10, 10).high == 1.0);
  CHECK(jeffreys_interval(0, 0).low == 0.0);
  // One tail of the interval lies above its upper end.
  CHECK(probability_above(9, 40, interval.high) == Approx(0.025).epsilon(1e-6));
  CHECK(probability_above(9, 40, interval.low) == Approx(0.975).epsilon(1e-6));
  CHECK(jeffreys_interval(0, 0).high == 1.0);
}

TEST_CASE("one rate above another") {
  CHECK(probability_greater(5, 20, 5, 20) == Approx(0.5).margin(1e-3));
  CHECK(probability_greater(15, 20, 1, 20) > 0.999);
  CHECK(probability_greater(0, 50, 30, 50) < 1e-6);
}
