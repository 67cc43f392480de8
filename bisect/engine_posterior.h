#pragma once

/// The posterior over all explanations: singles, pairs, dose, none.

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "bisect/engine_dose.h"
#include "bisect/engine_evidence.h"
#include "bisect/engine_flight.h"
#include "bisect/engine_group.h"
#include "bisect/engine_pairs.h"
#include "bisect/engine_single.h"
#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

/// Kinds as the stopping rule tells them apart: sets of three and more are one of their own.
enum KindLevel : std::size_t {
  level_self,
  level_polluter,
  level_pair,
  level_set,
  level_brittle,
  level_cumulative,
  level_gone,
  level_count
};
using KindLevels = std::array<double, level_count>;
/// The level of an answer of this kind that names so many tests.
std::size_t level_of(Kind kind, std::size_t tests);

class Posterior {
 public:
  explicit Posterior(const Problem& problem);
  /// One run, which `evidence` already holds.
  void add(const std::vector<TestIndex>& ran, bool failed, double weight, const Evidence& evidence);
  /// Weights after `counts`, which are the evidence's own or those with assumed outcomes of probes in flight
  /// added.
  Weights weigh(const Counts& counts, const Evidence& evidence) const;
  const KindPriors& priors() const { return priors_; }
  /// The rate of 'self' after `counts` and up to so many more runs.
  SelfRates self_rates(const Counts& counts, std::size_t more) const;
  /// How likely whoever thought all kinds equally likely beforehand would find each of them, up to a common
  /// factor; 0 for those that cannot be.
  KindLevels levels(const Weights& weights) const;
  /// Nothing left but the leading kind and its strongest rival, both as likely as in levels(): for choosing
  /// the probes that tell the two apart. `alone_alike`: what 'self' and state-setters' estimates of the
  /// victim alone differ by is taken for chance.
  Weights duel(std::size_t leader, Weights weights, bool alone_alike) const;

 private:
  /// log of the weight of a kind of group; its parts where it is not too light.
  double weigh_group(const GroupPosterior& group, GroupForm form, double prior, std::size_t least,
                     const Evidence& evidence, double high, GroupWeights& weights) const;
  const Problem* problem_;
  KindPriors priors_;
  double listed_ = 0;
  SinglePosterior single_;
  PairPosterior pairs_;
  DosePosterior dose_{DosePosterior::Form::leak}, crowd_{DosePosterior::Form::several_polluters};
  GroupPosterior set_, setters_;
  mutable stats::TwoRateModel model_;
  std::uint64_t failures_seen_ = 0, next_pool_at_ = 2;
};

}  // namespace flakebisect::bisect
