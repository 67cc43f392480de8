/// By hand: run the victim after half of the tests until it fails or until a failure should long have come;
/// keep the half that failed, else switch to the other half; go on until nothing is left to halve.

#include <algorithm>
#include <cmath>
#include <limits>

#include "bisect/simulate/policy.h"

namespace flakebisect::bisect::simulate {
namespace {

/// A half that holds the cause fails at least once in this many runs with 95 %.
std::uint64_t runs_until_sure(double q) {
  if (q >= 1) {
    return 1;
  }
  return static_cast<std::uint64_t>(std::ceil(std::log(0.05) / std::log1p(-q) - 1e-9));
}

PolicyAnswer halve(const SimCase& sim_case, World& world, double q, std::uint64_t max_probes) {
  const std::vector<TestIndex> tests = sim_case.listed();
  const std::uint64_t repetitions = runs_until_sure(q);
  PolicyAnswer answer;
  std::size_t low = 0;
  std::size_t high = tests.size();
  for (;;) {
    // Of one test the first half is empty: the victim alone, which tells the last suspect from `self`.
    const std::size_t middle = low + (high - low) / 2;
    const std::span<const TestIndex> half(tests.data() + low, middle - low);
    bool failed = false;
    for (std::uint64_t i = 0; i < repetitions && !failed; ++i) {
      if (world.probes() >= max_probes) {
        return answer;
      }
      failed = fails(world, half);
    }
    if (high - low <= 1) {
      if (failed) {
        answer.kind = Kind::self;
      } else if (high > low) {
        answer.kind = Kind::polluter;
        answer.tests = {tests[low]};
      }
      return answer;
    }
    if (failed) {
      high = middle;
    } else {
      low = middle;
    }
  }
}

class ToldQ final : public Policy {
 public:
  std::string name() const override { return "told-q"; }
  std::string description() const override { return "by hand, told q exactly, confirming nothing"; }
  PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions& options) const override {
    // Nobody can be told the rate of what never happens again: then the answer is given away, for nothing.
    if (sim_case.truth.q <= 0) {
      PolicyAnswer answer;
      answer.kind = Kind::not_reproduced;
      return answer;
    }
    return halve(sim_case, world, sim_case.truth.q, options.max_probes);
  }
};

class ByHand final : public Policy {
 public:
  std::string name() const override { return "by-hand"; }
  std::string description() const override {
    return "by hand, q estimated first from three failures of the full list";
  }
  PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions& options) const override {
    const std::vector<TestIndex> all = sim_case.listed();
    // Who has seen no failure in 300 runs of the full list (95 % sure that q < 1 %) stops trying.
    constexpr std::uint64_t patience = 300;
    std::uint64_t failures = 0;
    std::uint64_t runs = 0;
    while (failures < 3) {
      if (world.probes() >= options.max_probes) {
        return {};
      }
      failures += fails(world, all) ? 1U : 0U;
      ++runs;
      if (failures == 0 && runs >= patience) {
        PolicyAnswer answer;
        answer.kind = Kind::not_reproduced;
        return answer;
      }
    }
    return halve(sim_case, world, 3.0 / static_cast<double>(runs), options.max_probes);
  }
};

}  // namespace

std::unique_ptr<Policy> make_told_q() {
  return std::make_unique<ToldQ>();
}
std::unique_ptr<Policy> make_by_hand() {
  return std::make_unique<ByHand>();
}

}  // namespace flakebisect::bisect::simulate
