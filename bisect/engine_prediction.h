#pragma once

/// What the explanations predict for a list that grows candidate by candidate, and what its outcome would
/// tell.

#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "bisect/engine.h"
#include "bisect/engine_flight.h"
#include "bisect/engine_group.h"
#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

class Prediction {
 public:
  /// Of a list whose probe starts now. Kinds too light to be looked at test by test count as not there: to
  /// predict that they never fail would promise news of every cheap probe, again and again. Keeps references:
  /// problem and weights must outlive it.
  Prediction(const Problem& problem, const Weights& weights);
  /// The same where probes are in flight that may end in one of these ways: what they will tell is no news.
  Prediction(const Problem& problem, const Weights& weights, const Branches& branches);

  /// The empty list again.
  void restart();
  void include(TestIndex test);

  /// Probability that the victim fails.
  double fail() const;
  /// The same by kinds.
  KindRates kind_rates() const;
  /// Expected information about the answer, in nats.
  double information() const;
  /// Expected information about whether the victim fails on its own, in nats.
  double information_about_self() const;
  double self_mass() const { return self_mass_ / kept_; }

  /// How much the candidate changes the probability of a failure.
  double effect(TestIndex test);
  /// The present list is the one that slope() is asked about.
  void mark();
  /// What including the candidate adds to the information about the answer: the derivative by its membership
  /// at the marked list. Of a pair, the partner is taken to run half the time.
  double slope(TestIndex test);

 private:
  struct Sums {
    double fail = 0;       ///< of all answers but 'self', 'cumulative', pairs and groups; like all sums
                           ///< times the weights, kept_ of them together
    double pairs = 0;      ///< of pairs
    double known = 0;      ///< entropy that is left once the answer is known, of the same
    double self_fail = 0;  ///< of all explanations whose answer is 'self'
  };
  /// One entry for each branch.
  using ByBranch =
      Eigen::Array<double, Eigen::Dynamic, 1, Eigen::ColMajor, static_cast<int>(Branches::most), 1>;
  struct BranchSums {
    ByBranch fail, self_fail;
  };
  static ByBranch entropies(const ByBranch& probability);

  double dose_rate() const;
  /// What the pairs add to a slope: made when the first is asked for.
  void add_pair_slopes();
  void add_branches(const Branches& branches);
  /// Expected failures, times the weights.
  double fail_sum() const;
  /// Probability of a failure in each branch.
  ByBranch branch_fail() const;

  const Problem& problem_;
  const Weights& w_;
  GroupPrediction set_, setters_;
  bool with_pairs_ = false;
  bool with_groups_ = false;
  double listed_ = 0;
  double kept_ = 1;  ///< weight of the kinds that are not too light
  double self_mass_ = 0;
  Eigen::ArrayXd fail_step_, entropy_step_, self_step_, pair_fail_, pair_entropy_;
  Sums start_, now_;
  double count_ = 0;
  std::vector<std::size_t> places_;  ///< of the pool, in the list
  double marked_odds_ = 0;           ///< log of the odds of a pass of the marked list

  // Where probes are in flight: one entry, or row, for each way in which they may end.
  ByBranch branch_, branch_self_mass_, branch_kept_;  ///< probability; weight of 'self'; as kept_
  ByBranch pairs_, dose_, sets_, several_setters_;    ///< weights there, in units of those in w_
  Eigen::ArrayXXd branch_step_, branch_self_step_;    ///< a column for each candidate
  BranchSums branch_start_, branch_now_;
  ByBranch marked_branch_odds_;  ///< times the branch's probability
};

}  // namespace flakebisect::bisect
