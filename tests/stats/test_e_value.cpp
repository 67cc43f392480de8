#include <catch2/catch.hpp>
#include <cmath>

#include "stats/e_value.h"
#include "stats/rng.h"

using namespace flakebisect::stats;

namespace {

double two_arm_factor(bool treatment, bool failed, double share, double in, double out) {
  RandomisedTwoArmTest test;
  test.observe(treatment, failed, share, in, out);
  return std::exp(test.log_e());
}

}  // namespace

TEST_CASE("the two-arm test expects exactly 1 where the arm makes no difference") {
  for (const double rate : {0.001, 0.03, 0.5, 0.99})
    for (const double share : {0.3, 0.5})
      for (const double in : {0.9, 0.2})
        for (const double out : {0.0, 0.1, 0.3}) {
          double expected = 0;
          for (const bool treatment : {false, true})
            for (const bool failed : {false, true})
              expected += (treatment ? share : 1 - share) * (failed ? rate : 1 - rate) *
                          two_arm_factor(treatment, failed, share, in, out);
          CHECK(expected == Approx(1.0).epsilon(1e-9));
        }
}

TEST_CASE("failures of the reproduction alone convince in about five") {
  RandomisedTwoArmTest test;
  int failures = 0;
  while (test.log_e() < std::log(20.0)) {
    test.observe(true, true, 0.5, 0.25, 0.0);
    ++failures;
  }
  CHECK(failures == 5);
}

TEST_CASE("the test that something fails expects at most 1 under its null, at every step") {
  // All outcomes of four runs, exactly.
  for (const double rate : {0.0, 0.0002, 0.0005}) {
    double expected = 0;
    for (unsigned outcomes = 0; outcomes < 16; ++outcomes) {
      RateAboveTest test(0.0005);
      double probability = 1;
      for (unsigned run = 0; run < 4; ++run) {
        const bool failed = ((outcomes >> run) & 1U) != 0;
        probability *= failed ? rate : 1 - rate;
        test.observe(failed);
      }
      expected += probability * std::exp(test.log_e());
    }
    CHECK(expected <= 1.0 + 1e-9);
  }
}

TEST_CASE("two failures in a hundred runs are no hiccup, one is not enough") {
  RateAboveTest test(0.0005);
  for (int run = 0; run < 100; ++run) {
    if (run == 60) CHECK(test.highest_log_e() < std::log(20.0));
    test.observe(run == 20 || run == 90);
  }
  CHECK(test.highest_log_e() >= std::log(20.0));
  CHECK_THROWS_AS(RateAboveTest(0.0), std::invalid_argument);
}

TEST_CASE("a null without effect reaches 20 in at most one of twenty searches") {
  // 400 searches of 400 runs: by Ville at most 5 % cross in expectation; 34 of 400 is three standard
  // deviations above that, and the seed is fixed.
  Rng rng(11);
  int crossed = 0;
  for (int search = 0; search < 400; ++search) {
    RandomisedTwoArmTest test;
    for (int run = 0; run < 400; ++run) test.observe(rng.bernoulli(0.5), rng.bernoulli(0.2), 0.5, 0.25, 0.02);
    if (test.highest_log_e() >= std::log(20.0)) ++crossed;
  }
  CHECK(crossed <= 34);
}
