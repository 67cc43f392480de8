#pragma once

/// Groups (engine_group.h) of a few suspected tests, each weighed exactly: with both rates integrated out, as
/// pairs are. What the group posterior loses by taking members to be independent is won back here, once it
/// has found the suspects.

#include <vector>

#include "bisect/engine_evidence.h"
#include "bisect/engine_group.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

/// All groups of so many suspects are weighed.
inline constexpr std::size_t group_suspects = 11;

struct ExactGroups {
  double log_marginal = stats::minus_infinity;  ///< of all together, their prior included
  std::vector<TestIndex> suspects;
  std::vector<GroupWeights::Exact::Group> groups;
  std::vector<double> member;     ///< per suspect: probability that it is a member
  double in = 0, out = 0;         ///< mean rates
  std::vector<LikelyGroup> best;  ///< the likeliest few
};

/// `universe`: how many tests groups are made of beforehand; a group has `least` members or up to three more.
/// `model` must hold the totals of the evidence.
ExactGroups weigh_groups(const Evidence& evidence, const stats::TwoRateModel& model, GroupForm form,
                         std::vector<TestIndex> suspects, std::size_t universe, std::size_t least);

/// The tests that are members most probably, at most group_suspects, ascending.
std::vector<TestIndex> suspects_of(const GroupWeights& weights);

/// Adds what was weighed exactly, `share` of the whole, to what the group posterior says.
void merge_groups(GroupWeights& weights, ExactGroups exact, double share);

}  // namespace flakebisect::bisect
