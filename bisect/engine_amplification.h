#pragma once

/// 'It fails on its own' and 'a test makes it fail three times as often' look alike to whoever runs the
/// victim alone. They differ behind the failing run's whole list, and where that can be had for a bearable
/// price it is looked at before 'self' is said.

#include "bisect/engine_evidence.h"

namespace flakebisect::bisect {

/// A victim that fails alone at half its rate or more counts as 'self'. What must be told from it is this.
inline constexpr double amplified_ratio = 1.0 / 3;
/// How much likelier the outcomes must be where the list does not matter.
inline constexpr double amplification_evidence = 20;
/// What the comparison may be expected to cost: half an hour of machine time, so many probes where probes are
/// counted. An error here sends a reader to look at the victim alone, where the failure does show: it costs
/// hours, not days, and is rare.
inline constexpr double bearable_seconds = 1800;
inline constexpr double bearable_probes = 60;

/// Lists of at least this share of the failing run's tests speak for the whole list.
inline constexpr double most_of_the_list = 0.9;

/// Runs of the victim alone, and of it behind most of the list.
struct ComparedArms {
  ArmCounts alone, most;
};
ComparedArms compared_arms(const Evidence& evidence, const SubsetBits& full);

/// log of how much likelier the outcomes are if the list changes the rate by less than half than if the
/// victim fails alone at a third of its rate behind the list.
double log_evidence_against_amplification(const ComparedArms& arms);

/// Runs behind the list that are expected to show it, for a victim that fails alone at `rate` in (0, 1].
double runs_to_exclude_amplification(double rate);

}  // namespace flakebisect::bisect
