#include "bisect/simulate/policy.h"

namespace flakebisect::bisect::simulate {

const std::vector<std::unique_ptr<Policy>>& all_policies() {
  static const std::vector<std::unique_ptr<Policy>> policies = [] {
    std::vector<std::unique_ptr<Policy>> made;
    made.push_back(make_ours());
    made.push_back(make_told_q());
    made.push_back(make_by_hand());
    made.push_back(make_change_point(false));
    made.push_back(make_change_point(true));
    made.push_back(make_random_halves());
    made.push_back(make_testr());
    return made;
  }();
  return policies;
}

const Policy* find_policy(std::string_view name) {
  for (const auto& policy : all_policies()) {
    if (policy->name() == name) {
      return policy.get();
    }
  }
  return nullptr;
}

bool fails(World& world, std::span<const TestIndex> subset) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const Outcome outcome = world.run(subset).outcome;
    if (outcome == Outcome::pass || outcome == Outcome::fail) {
      return outcome == Outcome::fail;
    }
  }
  return false;
}

}  // namespace flakebisect::bisect::simulate
