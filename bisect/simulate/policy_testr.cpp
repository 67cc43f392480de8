/// Deterministic bisection, as `testr run --analyze-isolation` does it (testrepository's manual, 'Automated
/// test isolation bisection'), and random halves committed on failures, as CPython's test.bisect_cmd does it
/// (its documentation; at most 100 iterations by default). Both call any failure of the victim the failure,
/// and both are spared the damage of runs that gave nothing: those are repeated.

#include <algorithm>

#include "bisect/simulate/policy.h"
#include "bisect/simulate/random.h"

namespace flakebisect::bisect::simulate {
namespace {

bool fails_somehow(World& world, std::span<const TestIndex> subset) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const Outcome outcome = world.run(subset).outcome;
    if (outcome != Outcome::void_probe) {
      return outcome != Outcome::pass;
    }
  }
  return false;
}

class Testr final : public Policy {
 public:
  std::string name() const override { return "testr"; }
  std::string description() const override {
    return "deterministic bisection (testr run --analyze-isolation)";
  }
  PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions&) const override {
    PolicyAnswer answer;
    // A test that fails in a run of its own is excluded from the analysis as broken on its own.
    if (fails_somehow(world, {})) {
      answer.kind = Kind::self;
      return answer;
    }
    const std::vector<TestIndex> tests = sim_case.listed();
    std::size_t low = 0;
    std::size_t high = tests.size();
    while (low < high) {
      const std::size_t width = high - low;
      const std::size_t half = (width + 1) / 2;
      if (fails_somehow(world, {tests.data() + low, half})) {
        if (width == 1) {
          answer.kind = Kind::polluter;
          answer.tests = {tests[low]};
          return answer;
        }
        high = low + half;
      } else {
        low += half;
      }
    }
    return answer;  // 'unknown - no conflicts'
  }
};

class RandomHalves final : public Policy {
 public:
  std::string name() const override { return "random-halves"; }
  std::string description() const override {
    return "random halves committed only on failures (CPython's test.bisect_cmd)";
  }
  PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions&) const override {
    PolicyAnswer answer;
    std::vector<TestIndex> tests = sim_case.listed();
    Random random(mix(sim_case.seed, "random halves"));
    for (int iteration = 0; iteration < 100 && tests.size() > 1; ++iteration) {
      std::vector<TestIndex> half;
      for (const std::uint32_t i : random.choose(static_cast<std::uint32_t>(tests.size()),
                                                 static_cast<std::uint32_t>(tests.size() / 2))) {
        half.push_back(tests[i]);
      }
      if (fails_somehow(world, half)) {
        tests = std::move(half);
      }
    }
    if (tests.size() == 1) {
      answer.kind = Kind::polluter;
      answer.tests = tests;
    }
    return answer;
  }
};

}  // namespace

std::unique_ptr<Policy> make_testr() {
  return std::make_unique<Testr>();
}
std::unique_ptr<Policy> make_random_halves() {
  return std::make_unique<RandomHalves>();
}

}  // namespace flakebisect::bisect::simulate
