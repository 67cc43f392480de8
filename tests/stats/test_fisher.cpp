#include <catch2/catch.hpp>

#include "stats/fisher.h"

using flakebisect::stats::fisher_exact_two_sided;

TEST_CASE("Fisher's exact test gives the textbook values") {
  // Fisher's tea: 3 of 4 and 1 of 4 right. Of the 70 tables, 16 + 16 + 1 + 1 are at most as likely.
  CHECK(fisher_exact_two_sided(3, 4, 1, 4) == Approx(34.0 / 70).epsilon(1e-12));
  CHECK(fisher_exact_two_sided(4, 4, 0, 4) == Approx(2.0 / 70).epsilon(1e-12));
  // 5 of 5 against 0 of 10: one table in C(15, 5).
  CHECK(fisher_exact_two_sided(5, 5, 0, 10) == Approx(1.0 / 3003).epsilon(1e-12));
}

TEST_CASE("Fisher's exact test does not depend on which arm comes first") {
  for (std::uint64_t a = 0; a <= 7; ++a)
    for (std::uint64_t b = 0; b <= 11; ++b) {
      const double p = fisher_exact_two_sided(a, 7, b, 11);
      CHECK(p == Approx(fisher_exact_two_sided(b, 11, a, 7)).epsilon(1e-12));
      CHECK(p == Approx(fisher_exact_two_sided(7 - a, 7, 11 - b, 11)).epsilon(1e-12));
      CHECK(p > 0);
      CHECK(p <= 1);
    }
}

TEST_CASE("Fisher's exact test without information is 1, and impossible tables are refused") {
  CHECK(fisher_exact_two_sided(0, 0, 3, 9) == 1);
  CHECK(fisher_exact_two_sided(0, 5, 0, 9) == 1);
  CHECK(fisher_exact_two_sided(5, 5, 9, 9) == 1);
  CHECK(fisher_exact_two_sided(10, 20, 10, 20) == Approx(1));
  CHECK(fisher_exact_two_sided(900, 1000, 100, 1000) < 1e-200);
  CHECK_THROWS_AS(fisher_exact_two_sided(2, 1, 0, 1), std::invalid_argument);
}
