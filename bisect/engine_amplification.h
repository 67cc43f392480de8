#pragma once

/// 'It fails on its own' and 'a test makes it fail three times as often' look alike to whoever runs the
/// victim alone. They differ behind the failing run's whole list, and where that can be had for a bearable
/// price it is looked at before 'self' is said.

#include <optional>

#include "bisect/engine_evidence.h"

namespace flakebisect::bisect {

/// A comparison of the victim alone with the whole list, and when it ends.
struct ListComparison {
  double ratio;     ///< of the rates alone and behind the list, in (0, 0.5): what is to be excluded
  double evidence;  ///< how much likelier the outcomes must be where the list does not matter
  double seconds;   ///< of machine time that it may be expected to take
  double probes;    ///< the same where probes are counted
};
/// A victim that fails alone at half its rate or more counts as 'self'. What must be told from it is a list
/// that makes it fail three times as often. An error here sends a reader to look at the victim alone, where
/// the failure does show: it costs hours, not days, and is rare. docs/statistics.md has what other limits
/// cost and buy.
inline constexpr ListComparison near_comparison{1.0 / 3, 100, 2200, 300};
/// Where that would cost too much: at least a list that makes it fail ten times as often is looked for, which
/// takes an eighth of the runs.
inline constexpr ListComparison far_comparison{1.0 / 10, 20, 550, 75};
/// Where one probe can run the victim many times the comparison costs about a fifth, and that is what it may
/// take.
inline constexpr double share_where_repeated = 0.2;
/// It is given up at so many times what it may be expected to take; where it costs a fifth, later.
inline constexpr double given_up_at = 2, given_up_where_repeated_at = 3;
/// How much likelier the outcomes must be where the list matters, to ask for more than the victim alone.
inline constexpr double amplification_shown = 30;

/// It is begun where the rate of the victim alone may, with this probability, be one at which it is bearable.
inline constexpr double worth_comparing = 0.15;
/// The list that is compared holds the tests with this share of the suspicion, those that take longest for it
/// left out.
inline constexpr double compared_share = 0.98;

/// The other way round: the victim that fails alone more often than not, but hardly behind the list, fails
/// there for a reason of its own (it is the first test of its process; it lacks what another test sets up),
/// and the recorded failure is another. How much likelier the outcomes must be without that, and with it:
/// then the search ends without a verdict, which a run of bad luck should not do.
inline constexpr double protection_excluded = 10;
inline constexpr double protection_shown = 300;
/// So many runs alone must lie among those of the list.
inline constexpr std::uint64_t runs_among_the_list = 3;
/// Runs of the list that are expected to tell; at a rate of one half eight, at one two.
inline constexpr double runs_to_exclude_protection = 4;

/// Lists of at least this share of the failing run's tests speak for the whole list.
inline constexpr double most_of_the_list = 0.9;

/// Runs of the victim alone (behind tests of other runs at most), and of it behind most of the list.
struct ComparedArms {
  ArmCounts alone, most;
};
ComparedArms compared_arms(const Evidence& evidence, const SubsetBits& full);

/// log of how much likelier the outcomes are if the list changes the rate by less than half than if the
/// victim alone fails at `ratio` (in (0, 0.5)) of its rate behind the list. Only the ratio is asked about:
/// the rate itself is taken to be anywhere (flat over its log-odds), for a prior by which rates of 0.3 are
/// six times rarer than rates of 0.1 would answer for the list that does not matter.
double log_evidence_against_amplification(const ComparedArms& arms, double ratio);

/// The same against a rate behind the list that is a third of the victim's alone.
double log_evidence_against_protection(const ComparedArms& arms);

/// Whether the whole list makes the victim of 'self' fail several times as often, or as seldom.
enum class ListMatters {
  no,         ///< excluded, or not a question of this answer
  not_asked,  ///< finding out would cost too much
  open,       ///< to be found out
  maybe,      ///< it does, as it seems
};
/// After the comparison has cost `spent`. `evidence` is asked for. It is given up where it has cost more than
/// `most`, in the same unit, for rates in between are told from neither; what then speaks for a list that
/// matters keeps its word. `worth_it`: whether it is one to be made at all (least_rate_compared(),
/// worth_comparing); where it is not, a few runs of a dear list prove nothing.
ListMatters list_matters_by(double log_evidence, double evidence, double spent, double most, bool worth_it);

/// Runs behind the list that are expected to show it, for a victim that fails alone at `rate` in (0, 1].
double runs_to_exclude_amplification(double rate, const ListComparison& comparison);

/// The lowest rate at which that is bearable; nothing where it is at no rate. `seconds_a_run` and `bearable`
/// in one unit.
std::optional<double> least_rate_compared(double seconds_a_run, double bearable,
                                          const ListComparison& comparison);

}  // namespace flakebisect::bisect
