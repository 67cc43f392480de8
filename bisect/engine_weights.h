#pragma once

/// The posterior in the form that choosing a probe, confirming and reporting need: each explanation's weight
/// and the failure rates it predicts.

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <vector>

#include "bisect/engine.h"
#include "stats/log_math.h"

namespace flakebisect::bisect {

/// Prior probabilities of the kinds; sources in docs/statistics.md. Kinds that cannot hold (no state-setter
/// known, fewer than two candidates) are left out and the others share what they had.
struct KindPriors {
  double self = 0.44;       ///< one rate, with and without the others
  double amplified = 0.03;  ///< also self: fails alone at half its rate or more, some test raises it
  double polluter = 0.34;
  double pair = 0.05;      ///< two tests needed together
  double set = 0.01;       ///< three or more
  double brittle = 0.025;  ///< one state-setter
  double setters = 0.025;  ///< several, each enough
  double cumulative = 0.05;
  double gone = 0.03;  ///< it failed once; it will not again
};

/// Explanations of one form, one for each candidate: what a probe with and without the candidate does.
struct CandidateWeights {
  Eigen::ArrayXd weight, in, out;  ///< posterior weight; failure rates with and without the candidate
  void resize(Eigen::Index n) { weight = in = out = Eigen::ArrayXd::Zero(n); }
};

/// Pairs that share their counts share everything: weight, rates, and what they add to a prediction.
struct PairClass {
  double log_marginal = stats::minus_infinity;
  double weight = 0;  ///< of each pair of the class
  double in = 0, out = 0;
  double fail_step = 0;     ///< weight * (in - out)
  double entropy_step = 0;  ///< weight * (entropy of in - entropy of out)
};

struct PairWeights {
  std::vector<TestIndex> pool;          ///< ascending; pairs are of these
  std::vector<std::int32_t> place;      ///< per candidate: place in the pool, -1 where not in it
  std::vector<std::uint32_t> class_of;  ///< per pair, see pair_index()
  std::vector<PairClass> classes;
  double total = 0;
  double alone_fail = 0, alone_entropy = 0;  ///< sums over all pairs of weight * out, weight * entropy(out)
  struct Best {
    TestIndex first, second;
    std::uint32_t pair_class;
  };
  std::vector<Best> best;  ///< the heaviest few, best first

  /// a > b.
  static std::size_t pair_index(std::size_t a, std::size_t b) { return a * (a - 1) / 2 + b; }
};

/// The leak: the more ran before, the more failures.
struct DoseWeights {
  double weight = 0;
  /// Predicted failure rate when a share of the list ran: one value each at shares 0, 1/32, ..., 1.
  std::array<double, 33> rate{};
  double rate_at(double share) const {
    const double position = 32.0 * (share < 0 ? 0 : share > 1 ? 1 : share);
    const auto below = static_cast<std::size_t>(position < 31 ? position : 31);
    const double t = position - static_cast<double>(below);
    return rate[below] + t * (rate[below + 1] - rate[below]);
  }
};

/// One group, with the probability that it is the whole group.
struct LikelyGroup {
  std::vector<TestIndex> tests;
  double probability = 0;
  double in = 0, out = 0;  ///< rates
};

/// A group of tests of unknown size, one of which is enough to make the failure go away (engine_group.h).
struct GroupWeights {
  double weight = 0;
  bool all_needed = true;  ///< the failure goes away when a member does not run; else: when one runs
  std::size_t least = 1;   ///< members that the group has at least
  /// For one ratio of the two rates.
  struct Part {
    double share = 0;        ///< of the weight
    double in = 0, out = 0;  ///< failure rates while no member makes it go away, and else
    /// Per candidate: log of the probability that it is no member. Where all are needed, as if members were
    /// independent, whatever the group's size; else given that there are enough of them.
    Eigen::ArrayXd log_absent;
    double log_none = 0;  ///< sum of these
    double enough = 1;    ///< probability that independent members are enough; 1 where that is in log_absent
  };
  std::vector<Part> parts;
  /// The groups of a few suspects that were weighed one by one: members are not independent there.
  struct Exact {
    double share = 0;                 ///< of the weight
    std::vector<TestIndex> suspects;  ///< ascending; bit i of a mask stands for the i-th
    struct Group {
      std::uint32_t mask = 0;  ///< its members
      double probability = 0;  ///< all together 1
      double in = 0, out = 0;  ///< rates
    };
    std::vector<Group> groups;
  };
  Exact exact;
  Eigen::ArrayXd member;   ///< per candidate: probability that it is a member
  double in = 0, out = 0;  ///< mean rates
  std::vector<LikelyGroup> likely;
};

/// All weights together sum to 1.
struct Weights {
  double self = 0;  ///< one rate for every list
  double self_rate = 0;
  double gone = 0;
  double gone_rate = 0;
  CandidateWeights polluter;
  CandidateWeights amplified;  ///< 'self, raised by this test'
  CandidateWeights brittle;    ///< 'this test sets the state that the victim needs'
  PairWeights pairs;
  DoseWeights dose;
  double crowd = 0;      ///< how likely several polluters, each enough, make the outcomes; no part of the sum
  GroupWeights set;      ///< three polluters or more that are needed together
  GroupWeights setters;  ///< two state-setters or more, each enough

  double self_total() const { return self + amplified.weight.sum(); }
  /// What 'self', raised by a test or not, predicts for the victim alone; self_total() must be positive.
  double self_rate_alone() const {
    return (self * self_rate + (amplified.weight * amplified.out).sum()) / self_total();
  }
};

}  // namespace flakebisect::bisect
