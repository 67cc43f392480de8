#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "stats/average_linkage.h"
#include "stats/co_occurrence.h"
#include "stats/rng.h"
#include "stats/search_cost.h"

using namespace flakebisect::stats;

TEST_CASE("The chance of an overlap is the hypergeometric tail") {
  // Of 10 runs, sets of 3 and 4: C(10, 4) = 210 sets; 3 shared in 7 of them, 2 shared in 63.
  CHECK(log10_chance_of_overlap(10, 3, 4, 3) == Approx(std::log10(7.0 / 210)));
  CHECK(log10_chance_of_overlap(10, 3, 4, 2) == Approx(std::log10(70.0 / 210)));
  CHECK(log10_chance_of_overlap(10, 3, 4, 0) == 0);
  CHECK(log10_chance_of_overlap(10, 7, 6, 3) == 0);  // they must share three
  CHECK(log10_chance_of_overlap(10000, 30, 30, 30) < -80);
  CHECK_THROWS_AS(log10_chance_of_overlap(10, 3, 4, 4), std::invalid_argument);
  CHECK_THROWS_AS(log10_chance_of_overlap(10, 11, 4, 1), std::invalid_argument);
}

TEST_CASE("Average linkage joins what is alike on average") {
  Eigen::MatrixXd similarity = Eigen::MatrixXd::Zero(5, 5);
  const auto set = [&](int a, int b, double value) { similarity(a, b) = similarity(b, a) = value; };
  set(0, 1, 0.9);
  set(0, 2, 0.6);
  set(1, 2, 0.5);
  set(2, 3, 0.8);  // single linkage would chain 3 to 0 and 1 through 2
  using Groups = std::vector<std::vector<std::size_t>>;
  CHECK(average_linkage(similarity, 0.5) == Groups{{0, 1}, {2, 3}, {4}});
  CHECK(average_linkage(similarity, 0.95) == Groups{{0}, {1}, {2}, {3}, {4}});
  CHECK(average_linkage(similarity, 0.25) == Groups{{0, 1, 2, 3}, {4}});
  CHECK(average_linkage(Eigen::MatrixXd(0, 0), 0.5).empty());
}

TEST_CASE("Average linkage agrees with looking at every pair of groups each time") {
  Rng rng(5);
  for (int trial = 0; trial < 30; ++trial) {
    const auto size = static_cast<Eigen::Index>(2 + rng.below(14));
    Eigen::MatrixXd similarity = Eigen::MatrixXd::Zero(size, size);
    for (Eigen::Index i = 0; i < size; ++i)
      for (Eigen::Index j = i + 1; j < size; ++j) similarity(i, j) = similarity(j, i) = rng.uniform();
    std::vector<std::vector<std::size_t>> groups;
    for (Eigen::Index i = 0; i < size; ++i) groups.push_back({static_cast<std::size_t>(i)});
    while (true) {
      double best = 0.55;
      std::size_t left = 0, right = 0;
      for (std::size_t a = 0; a < groups.size(); ++a) {
        for (std::size_t b = a + 1; b < groups.size(); ++b) {
          double sum = 0;
          for (const auto i : groups[a])
            for (const auto j : groups[b])
              sum += similarity(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
          const double mean = sum / static_cast<double>(groups[a].size() * groups[b].size());
          if (mean < best) continue;
          best = mean;
          left = a;
          right = b;
        }
      }
      if (left == right) break;
      groups[left].insert(groups[left].end(), groups[right].begin(), groups[right].end());
      groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(right));
    }
    for (auto& group : groups) std::sort(group.begin(), group.end());
    std::sort(groups.begin(), groups.end());
    CHECK(average_linkage(similarity, 0.55) == groups);
  }
}

TEST_CASE("A probe's capacity is that of the one-sided channel") {
  CHECK(probe_capacity_bits(1) == Approx(1));
  CHECK(probe_capacity_bits(0.3) == Approx(0.177).margin(0.001));
  CHECK(probe_capacity_bits(0.1) == Approx(0.055).margin(0.001));
  CHECK(probe_capacity_bits(1.0 / 30) == Approx(0.0179).margin(0.0001));
}

TEST_CASE("A search costs more with more doubt, lower rates and longer lists") {
  const auto base = estimate_search(8, 0.25, false, 2, 100, 1);
  CHECK(base.probes > 2 * 8 / 0.144);
  CHECK(estimate_search(4, 0.25, false, 2, 100, 1).seconds < base.seconds);
  CHECK(estimate_search(8, 0.05, false, 2, 100, 1).seconds > base.seconds);
  CHECK(estimate_search(8, 0.25, false, 2, 200, 1).seconds > base.seconds);
  CHECK(estimate_search(8, 0.25, true, 2, 100, 1).probes < base.probes);
  CHECK(std::isfinite(estimate_search(0, 0, false, 0, 0, 0).seconds));
}
