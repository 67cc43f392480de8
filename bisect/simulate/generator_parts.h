#pragma once

/// The larger parts of drawing a case; see generator.h.

#include <cstdint>

#include "bisect/simulate/generator.h"

namespace flakebisect::bisect::simulate {

/// Which tests there are and how the stored runs divide them.
struct PoolPlan {
  std::uint32_t listed = 0;       ///< tests of the run to explain
  std::uint32_t unlisted = 0;     ///< known from other stored runs only
  std::uint32_t stored_runs = 0;  ///< besides the run to explain
  double kept = 1;  ///< share of the listed tests that another stored run also has before the victim
};

PoolPlan plan_pool(const CaseOptions& options, CaseKind kind, std::uint32_t listed, std::uint64_t seed);
/// Durations, and where the unlisted tests stand.
void draw_candidates(SimCase& sim_case, const PoolPlan& plan, std::uint64_t seed);
/// Culprits, cleaners, amplifier, leaks. Where the list is too short for the kind, as many as there are.
void draw_roles(SimCase& sim_case, const CaseOptions& options, std::uint64_t seed);
/// The stored runs, and the run to explain.
void draw_history(SimCase& sim_case, const PoolPlan& plan, std::uint64_t seed);

}  // namespace flakebisect::bisect::simulate
