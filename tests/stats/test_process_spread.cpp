#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "stats/process_spread.h"
#include "stats/rng.h"

using flakebisect::stats::process_spread;
using flakebisect::stats::ProcessRuns;

TEST_CASE("processes that always fail or always pass are told from a common rate", "[process-spread]") {
  const auto spread = process_spread({{4, 4}, {6, 0}, {9, 9}, {13, 0}});
  CHECK(spread.probability > 0.9999);
  CHECK(spread.correlation > 0.8);
}

TEST_CASE("the same rate in every process is no spread", "[process-spread]") {
  CHECK(process_spread({{4, 1}, {8, 2}, {12, 3}, {20, 5}, {40, 10}}).probability < 0.05);
}

TEST_CASE("nothing can be said from one outcome only, from single runs or from nothing", "[process-spread]") {
  CHECK(process_spread({}).probability == 0.1);
  CHECK(process_spread({{50, 0}, {10, 0}}).probability == 0.1);
  CHECK(process_spread({{50, 50}}, 0.3).probability == 0.3);
  const std::vector<ProcessRuns> singles{{1, 0}, {1, 1}, {1, 0}, {1, 0}, {1, 1}};
  CHECK(process_spread(singles).probability == Approx(0.1).margin(0.01));
}

TEST_CASE("false alarms are rare where the runs are independent", "[process-spread]") {
  flakebisect::stats::Rng random(7);
  int alarms = 0;
  for (int repetition = 0; repetition < 300; ++repetition) {
    std::vector<ProcessRuns> processes;
    for (const std::uint64_t runs : {4U, 6U, 9U, 13U, 19U, 28U}) {
      ProcessRuns one{runs, 0};
      for (std::uint64_t i = 0; i < runs; ++i)
        if (random.uniform() < 0.25) ++one.failures;
      processes.push_back(one);
    }
    if (process_spread(processes).probability > 0.9) ++alarms;
  }
  CHECK(alarms <= 3);
}

TEST_CASE("hundreds of processes are weighed as one by one", "[process-spread]") {
  flakebisect::stats::Rng random(3);
  std::vector<ProcessRuns> processes;
  for (int process = 0; process < 300; ++process) {
    ProcessRuns one{1 + random.below(20), 0};
    const double rate = random.uniform() < 0.5 ? 0.05 : 0.2;
    for (std::uint64_t i = 0; i < one.runs; ++i)
      if (random.uniform() < rate) ++one.failures;
    processes.push_back(one);
  }
  const auto log_beta = [](double a, double b) {
    return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  };
  double failures = 0, passes = 0;
  for (const ProcessRuns& one : processes) {
    failures += static_cast<double>(one.failures);
    passes += static_cast<double>(one.runs - one.failures);
  }
  // The model of the header's text, summed process by process over the same 60 means and 30 correlations.
  const double common = log_beta(failures + 0.5, passes + 0.5) - log_beta(0.5, 0.5);
  double spread = 0, weighted = 0;
  for (int i = 0; i < 60; ++i)
    for (int j = 0; j < 30; ++j) {
      const double sine = std::sin(std::acos(-1.0) / 2 * (i + 0.5) / 60);
      const double correlation = (j + 0.5) / 30, size = (1 - correlation) / correlation;
      const double a = sine * sine * size, b = (1 - sine * sine) * size;
      double log_likelihood = 0;
      for (const ProcessRuns& one : processes)
        log_likelihood += log_beta(a + static_cast<double>(one.failures),
                                   b + static_cast<double>(one.runs - one.failures)) -
                          log_beta(a, b);
      spread += std::exp(log_likelihood - common) / 1800;
      weighted += correlation * std::exp(log_likelihood - common) / 1800;
    }
  const auto found = process_spread(processes);
  CHECK(found.probability == Approx(0.1 * spread / (0.1 * spread + 0.9)).epsilon(1e-9));
  CHECK(found.correlation == Approx(weighted / spread).epsilon(1e-9));
}

TEST_CASE("what cannot be is refused", "[process-spread]") {
  CHECK_THROWS_AS(process_spread({{3, 4}}), std::invalid_argument);
  CHECK_THROWS_AS(process_spread({{3, 1}}, 1.0), std::invalid_argument);
}
