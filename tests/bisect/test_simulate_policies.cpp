#include <catch2/catch.hpp>

#include "bisect/simulate/generator.h"
#include "bisect/simulate/judge.h"
#include "bisect/simulate/policy.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::simulate;

namespace {

CaseOptions plain(double tests, double q) {
  CaseOptions options;
  options.tests = {tests, tests};
  options.q = {q, q};
  options.background = Range{0, 0};
  options.correlation = options.drift = options.void_rate = options.other_rate = 0;
  options.history_runs = 0;
  options.cleaners = false;
  return options;
}

PolicyAnswer answer_of(std::string_view policy, const SimCase& sim_case, simulate::World& world) {
  const Policy* found = find_policy(policy);
  REQUIRE(found != nullptr);
  return found->explain(sim_case, world, {});
}

}  // namespace

TEST_CASE("every policy finds a polluter that always bites") {
  for (std::uint64_t number = 0; number < 10; ++number) {
    const SimCase sim_case = generate_case(plain(64, 1), CaseKind::polluter, 1, number);
    for (const auto& policy : all_policies()) {
      INFO(policy->name() << " on case " << number);
      simulate::World world(sim_case);
      const PolicyAnswer answer = policy->explain(sim_case, world, {});
      CHECK(answer.error.empty());
      CHECK(judge(sim_case, answer) == Judgement::right);
      CHECK(world.probes() < 100);
    }
  }
}

TEST_CASE("deterministic bisection halves: the victim alone, then log2 n halves") {
  const SimCase sim_case = generate_case(plain(64, 1), CaseKind::polluter, 1, 0);
  simulate::World world(sim_case);
  answer_of("testr", sim_case, world);
  CHECK(world.probes() == 1 + 7);
}

TEST_CASE("a victim that always fails on its own: who has a word for it") {
  const SimCase sim_case = generate_case(plain(64, 1), CaseKind::self, 1, 0);
  for (const char* name : {"ours", "told-q", "by-hand", "change-point-null", "testr"}) {
    INFO(name);
    simulate::World world(sim_case);
    CHECK(answer_of(name, sim_case, world).kind == Kind::self);
  }
  simulate::World world(sim_case);
  const PolicyAnswer halves = answer_of("random-halves", sim_case, world);
  CHECK(halves.kind == Kind::polluter);  // it knows no other answer
  CHECK(judge(sim_case, halves) == Judgement::wrong);
}

TEST_CASE("change-point Bayes without a null does not settle on a victim that fails on its own") {
  const SimCase sim_case = generate_case(plain(32, 0.5), CaseKind::self, 1, 1);
  simulate::World world(sim_case);
  PolicyOptions options;
  options.max_probes = 150;
  const PolicyAnswer answer = find_policy("change-point")->explain(sim_case, world, options);
  CHECK(judge(sim_case, answer) != Judgement::right);
}

TEST_CASE("by hand: repetitions miss a failure with at most one chance in twenty") {
  // With q = 0.25 that is 11 runs: (3/4)^11 = 0.042. A list of one test that never fails costs exactly them.
  SimCase sim_case = generate_case(plain(1, 0.25), CaseKind::polluter, 1, 0);
  sim_case.truth.kind = CaseKind::not_reproduced;
  simulate::World world(sim_case);
  const PolicyAnswer answer = answer_of("told-q", sim_case, world);
  CHECK(world.probes() == 11);
  CHECK(answer.kind == Kind::polluter);
}

TEST_CASE("by hand gives up on what never fails again") {
  const SimCase sim_case = generate_case(plain(5, 1), CaseKind::not_reproduced, 1, 0);
  simulate::World world(sim_case);
  CHECK(answer_of("by-hand", sim_case, world).kind == Kind::not_reproduced);
  CHECK(world.probes() == 300);
}

TEST_CASE("every policy copes with an empty list and with nothing but voids") {
  const SimCase empty = generate_case(plain(0, 1), CaseKind::self, 1, 0);
  CaseOptions options = plain(3, 1);
  options.void_rate = 0.999;
  const SimCase voids = generate_case(options, CaseKind::polluter, 1, 0);
  for (const auto& policy : all_policies()) {
    INFO(policy->name());
    PolicyOptions limited;
    limited.max_probes = 50;
    simulate::World world(empty);
    CHECK(policy->explain(empty, world, limited).tests.empty());
    simulate::World useless(voids);
    CHECK(policy->explain(voids, useless, limited).error.empty());
  }
}

TEST_CASE("a search that has spent its machine time abstains") {
  const SimCase sim_case = generate_case(plain(200, 0.02), CaseKind::polluter, 1, 0);
  PolicyOptions options;
  options.max_seconds = 50;
  simulate::World world(sim_case);
  const PolicyAnswer answer = find_policy("ours")->explain(sim_case, world, options);
  CHECK(answer.kind == Kind::inconclusive);
  CHECK(world.seconds() >= 50);
  CHECK(world.seconds() < 500);
}

TEST_CASE("what counts as right") {
  SimCase sim_case;
  sim_case.problem.candidates.resize(5);
  const auto judged = [&](CaseKind truth, std::vector<TestIndex> culprits, Kind kind,
                          std::vector<TestIndex> tests) {
    sim_case.truth.kind = truth;
    sim_case.truth.culprits = std::move(culprits);
    PolicyAnswer answer;
    answer.kind = kind;
    answer.tests = std::move(tests);
    return judge(sim_case, answer);
  };
  using enum Judgement;
  CHECK(judged(CaseKind::self, {}, Kind::self, {}) == right);
  CHECK(judged(CaseKind::self, {}, Kind::polluter, {1}) == wrong);
  CHECK(judged(CaseKind::self, {}, Kind::inconclusive, {}) == abstained);
  CHECK(judged(CaseKind::self, {}, Kind::not_reproduced, {}) == abstained);
  CHECK(judged(CaseKind::polluter, {2}, Kind::polluter, {2}) == right);
  CHECK(judged(CaseKind::polluter, {2}, Kind::polluter, {1}) == wrong);
  CHECK(judged(CaseKind::polluter, {2}, Kind::polluter_set, {1, 2}) == wrong);
  CHECK(judged(CaseKind::polluter, {2}, Kind::self, {}) == wrong);
  CHECK(judged(CaseKind::polluters, {1, 2}, Kind::polluter, {2}) == right);
  CHECK(judged(CaseKind::polluters, {1, 2}, Kind::polluter_set, {1, 2}) == wrong);
  CHECK(judged(CaseKind::polluter_set, {1, 2}, Kind::polluter_set, {2, 1}) == right);
  CHECK(judged(CaseKind::polluter_set, {1, 2}, Kind::polluter_set, {1, 2, 3}) == wrong);
  CHECK(judged(CaseKind::polluter_set, {1, 2}, Kind::polluter, {1}) == wrong);
  CHECK(judged(CaseKind::brittle, {1, 2}, Kind::brittle, {1}) == right);
  CHECK(judged(CaseKind::brittle, {1, 2}, Kind::brittle, {0}) == wrong);
  CHECK(judged(CaseKind::brittle, {1, 2}, Kind::self, {}) == wrong);
  CHECK(judged(CaseKind::cumulative, {}, Kind::cumulative, {}) == right);
  CHECK(judged(CaseKind::cumulative, {}, Kind::polluter, {1}) == wrong);
  CHECK(judged(CaseKind::not_reproduced, {}, Kind::not_reproduced, {}) == right);
  CHECK(judged(CaseKind::not_reproduced, {}, Kind::self, {}) == wrong);
}
