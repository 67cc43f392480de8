#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "bisect/simulate/generator.h"
#include "bisect/simulate/random.h"
#include "bisect/simulate/world.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::simulate;

namespace {

std::vector<SimCase> draw(const CaseOptions& options, CaseKind kind, std::uint64_t count) {
  std::vector<SimCase> cases;
  for (std::uint64_t k = 0; k < count; ++k) {
    cases.push_back(generate_case(options, kind, 1, k));
  }
  return cases;
}

template <class Pick>
double share(const std::vector<SimCase>& cases, Pick pick) {
  return static_cast<double>(std::count_if(cases.begin(), cases.end(), pick)) /
         static_cast<double>(cases.size());
}

template <class Pick>
double median(const std::vector<SimCase>& cases, Pick pick) {
  std::vector<double> values;
  for (const SimCase& sim_case : cases) {
    values.push_back(pick(sim_case));
  }
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

// Seeds are fixed, so none of these can fail by chance; the margins are those of the distributions that
// docs/simulation.md promises.

TEST_CASE("simulated cases have the sizes and times of the field") {
  const auto cases = draw({}, CaseKind::polluter, 1000);
  const double tests = median(cases, [](const SimCase& c) { return double(c.listed().size()); });
  CHECK(tests > 270);
  CHECK(tests < 330);
  CHECK(std::all_of(cases.begin(), cases.end(), [](const SimCase& c) {
    return c.listed().size() >= 5 && c.listed().size() <= 5000 && c.fresh_start_seconds >= 1 &&
           c.fresh_start_seconds <= 20;
  }));
  CHECK(share(cases, [](const SimCase& c) { return c.listed().size() > 2000; }) > 0.02);
  const double duration = median(cases, [](const SimCase& c) { return c.problem.candidates[0].seconds; });
  CHECK(duration == Approx(0.1).epsilon(0.15));  // two standard errors of a median of 1,000
  CHECK(share(cases, [](const SimCase& c) { return c.problem.candidates[0].seconds > 1; }) ==
        Approx(0.079).margin(0.02));
}

TEST_CASE("simulated rates follow the re-run tests of IDoFT within the asked range") {
  CaseOptions options;
  options.tests = {5, 5};
  const auto all = draw(options, CaseKind::self, 3000);
  CHECK(share(all, [](const SimCase& c) { return c.truth.q < 0.02; }) == Approx(33.0 / 101).margin(0.03));
  CHECK(share(all, [](const SimCase& c) { return c.truth.q >= 0.9; }) == Approx(8.0 / 101).margin(0.02));
  options.q = {0.04, 0.3};
  for (const SimCase& c : draw(options, CaseKind::self, 500)) {
    REQUIRE(c.truth.q >= 0.04);
    REQUIRE(c.truth.q <= 0.3);
  }
  options.q_shape = RateShape::log_uniform;
  const auto uniform = draw(options, CaseKind::self, 2000);
  CHECK(median(uniform, [](const SimCase& c) { return c.truth.q; }) ==
        Approx(std::sqrt(0.04 * 0.3)).epsilon(0.1));
}

TEST_CASE("backgrounds stay below the line between polluter and self") {
  const auto polluters = draw({}, CaseKind::polluter, 1000);
  CHECK(share(polluters, [](const SimCase& c) { return c.truth.r == 0; }) == Approx(0.8).margin(0.05));
  CHECK(std::all_of(polluters.begin(), polluters.end(),
                    [](const SimCase& c) { return c.truth.r <= 0.3000001 * c.truth.q; }));
  for (const SimCase& c : draw({}, CaseKind::self, 500)) {
    REQUIRE(failure_rate(c, {}) >= 0.6 * c.truth.q);
  }
}

TEST_CASE("the run to explain can fail, and the roles decide who fails otherwise") {
  for (const CaseKind kind : all_case_kinds) {
    for (const SimCase& c : draw({}, kind, 100)) {
      REQUIRE(c.history.back().source == Source::selected);
      REQUIRE(c.history.back().ran == c.listed());
      const double rate = failure_rate(c, c.listed());
      REQUIRE((kind == CaseKind::not_reproduced ? rate == 0 : rate == Approx(c.truth.q)));
      for (const TestIndex culprit : c.truth.culprits) {
        REQUIRE(c.problem.candidates[culprit].in_failing_run == (kind != CaseKind::brittle));
      }
      const TestIndex only[] = {c.truth.culprits.empty() ? 0 : c.truth.culprits.back()};
      if (kind == CaseKind::polluter || kind == CaseKind::polluters) {
        REQUIRE(failure_rate(c, only) == c.truth.q);
        REQUIRE(failure_rate(c, {}) == c.truth.r);
      } else if (kind == CaseKind::polluter_set) {
        REQUIRE(c.truth.culprits.size() >= 2);
        REQUIRE(failure_rate(c, only) == c.truth.r);
        REQUIRE(failure_rate(c, c.truth.culprits) == c.truth.q);
      } else if (kind == CaseKind::brittle) {
        REQUIRE(failure_rate(c, only) == c.truth.r);
        REQUIRE(failure_rate(c, {}) == c.truth.q);
      } else if (kind == CaseKind::cumulative) {
        REQUIRE(failure_rate(c, {}) == c.truth.r);
      }
    }
  }
}

TEST_CASE("a cleaner undoes what was polluted before it") {
  SimCase c;
  c.problem.candidates.resize(4);
  c.truth.kind = CaseKind::polluter;
  c.truth.q = 0.5;
  c.truth.culprits = {1};
  c.truth.cleaners = {0, 2};
  const TestIndex before[] = {0, 1};
  const TestIndex after[] = {1, 2, 3};
  CHECK(failure_rate(c, before) == 0.5);
  CHECK(failure_rate(c, after) == 0);
}

TEST_CASE("a case is the same again, and fixing one option leaves the rest of it") {
  const SimCase a = generate_case({}, CaseKind::polluter, 7, 3);
  CaseOptions options;
  options.q = {0.5, 0.5};
  options.void_rate = 0.01;
  const SimCase b = generate_case(options, CaseKind::polluter, 7, 3);
  CHECK(a.truth.q != b.truth.q);
  CHECK(b.truth.void_rate == 0.01);
  CHECK(a.truth.culprits == b.truth.culprits);
  CHECK(a.problem.startup_seconds == b.problem.startup_seconds);
  CHECK(a.problem.candidates.size() == b.problem.candidates.size());
  const SimCase other = generate_case({}, CaseKind::polluter, 7, 4);
  CHECK(a.problem.startup_seconds != other.problem.startup_seconds);
}

TEST_CASE("lists of no or one test are cases too") {
  for (const double size : {0.0, 1.0}) {
    for (const CaseKind kind : all_case_kinds) {
      CaseOptions options;
      options.tests = {size, size};
      const SimCase c = generate_case(options, kind, 1, 0);
      CHECK(c.listed().size() == static_cast<std::size_t>(size));
      CHECK(simulate::World(c).run(c.listed()).seconds > 0);
    }
  }
}

TEST_CASE("options out of their domain are refused") {
  CaseOptions options;
  options.q = {0.5, 0.2};
  CHECK_THROWS_AS(check_case_options(options), std::invalid_argument);
  options.q = {0, 1};
  CHECK_THROWS_AS(check_case_options(options), std::invalid_argument);
  options = {};
  options.correlation = 1.5;
  CHECK_THROWS_AS(check_case_options(options), std::invalid_argument);
  CHECK_NOTHROW(check_case_options({}));
}

TEST_CASE("the world gives every policy the same luck") {
  const SimCase c = generate_case({}, CaseKind::self, 1, 5);
  simulate::World first(c);
  simulate::World second(c);
  const TestIndex one[] = {0};
  second.run(one);
  for (int i = 0; i < 20; ++i) {
    const WorldRun a = first.run({});
    const WorldRun b = second.run({});
    if (c.server_probes == 0 && c.truth.drift == 0) {
      CHECK(a.outcome == b.outcome);
    }
  }
}

TEST_CASE("runs of one server process are correlated as asked") {
  CaseOptions options;
  options.q = {0.3, 0.3};
  options.correlation = 0.2;
  options.server_probes = 2;
  options.drift = options.void_rate = options.other_rate = 0;
  double both = 0;
  double any = 0;
  const int pairs = 20000;
  SimCase c = generate_case(options, CaseKind::self, 1, 0);
  c.truth.amplifier.reset();
  simulate::World world(c);
  for (int i = 0; i < pairs; ++i) {
    const WorldRun a = world.run({});
    const WorldRun b = world.run({});
    REQUIRE(a.process == b.process);
    any += (a.outcome == Outcome::fail) + (b.outcome == Outcome::fail);
    both += a.outcome == Outcome::fail && b.outcome == Outcome::fail;
  }
  const double mean = any / (2 * pairs);
  CHECK(mean == Approx(0.3).margin(0.015));
  CHECK((both / pairs - mean * mean) / (mean * (1 - mean)) == Approx(0.2).margin(0.03));
}

TEST_CASE("a server pays its start once, a fresh process each time") {
  CaseOptions options;
  options.correlation = 0.1;
  options.server_probes = 3;
  options.startup_seconds = {5, 5};
  options.void_rate = 0;
  const SimCase c = generate_case(options, CaseKind::self, 1, 0);
  simulate::World world(c);
  const double forked = world.cost({});
  CHECK(world.run({}).seconds == Approx(forked + 5));
  const WorldRun second = world.run({});
  CHECK(second.seconds == Approx(forked));
  const WorldRun fresh = world.run({}, true);
  CHECK(fresh.process != second.process);
  CHECK(fresh.seconds == Approx(5 + c.problem.victim_seconds));
  CHECK(world.run({}).process == second.process);
  CHECK(world.run({}).process != second.process);
}

TEST_CASE("the simulator's random numbers have the moments they should") {
  Random random(42);
  double normal = 0, square = 0, gamma = 0, small = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    normal += x;
    square += x * x;
    gamma += random.gamma(3.5);
    small += random.gamma(0.2);
  }
  CHECK(normal / count == Approx(0).margin(0.02));
  CHECK(square / count == Approx(1).epsilon(0.02));
  CHECK(gamma / count == Approx(3.5).epsilon(0.02));
  CHECK(small / count == Approx(0.2).epsilon(0.05));
  CHECK(Random(1).choose(10, 20).size() == 10);
  CHECK(Random(1).beta_around(1, 0.2) == 1);
  const auto chosen = Random(3).choose(100, 40);
  CHECK(std::set<std::uint32_t>(chosen.begin(), chosen.end()).size() == 40);
}
