#pragma once

/// A way to explain a flaky failure, run on a simulated machine. docs/simulation.md says where each opponent
/// is described and what was chosen where its description is silent.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bisect/simulate/world.h"

namespace flakebisect::bisect::simulate {

struct PolicyOptions {
  double confidence = 0.95;
  std::uint64_t max_probes = 5000;  ///< a policy that has not answered by then abstains
  double max_seconds = std::numeric_limits<double>::infinity();  ///< of the machine; ours: likewise
  bool count_probes = false;                                     ///< ours: minimise probes, not seconds
  unsigned jobs = 1;                                             ///< ours: probes at a time
  /// Called after every probe of ours, with what it was for; may be empty.
  std::function<void(const Probe&, const WorldRun&, const Engine&)> trace;
};

struct PolicyAnswer {
  Kind kind = Kind::inconclusive;
  std::vector<TestIndex> tests;
  double probability = 0;  ///< that the policy claims; 0 where it claims none
  std::uint64_t probes = 0;
  std::uint64_t search_probes = 0;  ///< of these, not spent on confirmation
  double seconds = 0;               ///< of the machine
  double wall_seconds = 0;          ///< from the first probe to the answer; less than `seconds` with jobs
  std::vector<double>
      choice_seconds;  ///< processor time of each choice of a probe, evidence taken in included
  std::string error;   ///< what a policy threw, where it did
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;
  /// Thread-safe: all state is the world's or local.
  virtual PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions& options) const = 0;
};

/// All of them, ours first. Names: ours, told-q, by-hand, change-point, change-point-null, random-halves,
/// testr.
const std::vector<std::unique_ptr<Policy>>& all_policies();
/// Null where there is none of that name.
const Policy* find_policy(std::string_view name);

/// What a person or a script sees who can tell the failure to explain from other failures, and repeats a run
/// that gave nothing usable: whether the victim failed. Gives up, with a pass, after 100 useless runs.
bool fails(World& world, std::span<const TestIndex> subset);

std::unique_ptr<Policy> make_ours();
std::unique_ptr<Policy> make_told_q();
std::unique_ptr<Policy> make_by_hand();
std::unique_ptr<Policy> make_change_point(bool with_null);
std::unique_ptr<Policy> make_random_halves();
std::unique_ptr<Policy> make_testr();

}  // namespace flakebisect::bisect::simulate
