#pragma once

/// Explanations by a group of tests of unknown size, one of which is enough to make the failure go away: a
/// set of polluters that are all needed (it goes away when one of them is left out), or several state-setters
/// (it goes away when one of them runs). That is group testing with noise: each test of the universe is taken
/// to be a member by itself, with a probability that every run updates (assumed-density filtering; the idea
/// of ProbDD, Wang et al., FSE 2021, with unknown rates). No other explanation here can be so large.

#include <Eigen/Core>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "bisect/engine_evidence.h"
#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

/// How a member makes the failure go away.
enum class GroupForm : std::uint8_t {
  all_needed,     ///< polluters: when it does not run
  one_is_enough,  ///< state-setters: when it runs
};

/// No test is taken to be a member for certain.
inline constexpr double least_absent = 1e-12;

class GroupPosterior {
 public:
  /// Of the problem's listed candidates (all_needed) or of its unlisted ones (one_is_enough). `least`:
  /// members that the group has at least; `expected`: how many it is expected to have before that is known.
  GroupPosterior(const Problem& problem, GroupForm form, std::size_t least, double expected);
  /// No such group can be: there are too few tests.
  bool empty() const { return universe_.size() < least_; }
  /// One run, with a weight that tempers its likelihood.
  void add(const std::vector<TestIndex>& ran, bool failed, double weight);
  /// log of the probability of all outcomes, each predicted from those before it.
  double log_marginal() const;
  /// Members, rates and the likeliest group. The weight is left alone.
  void predict(GroupWeights& weights) const;

 private:
  /// The tests whose running (or absence) makes the failure go away if one of them is a member: the places of
  /// those of the universe that ran (one_is_enough) or did not run (all_needed).
  std::vector<std::uint32_t> quenchers(const std::vector<TestIndex>& ran) const;
  struct Run {
    std::vector<std::uint32_t> quenchers;
    double failures = 0, passes = 0;
  };
  /// The model for one ratio of the two rates.
  struct Part {
    double ratio = 0;
    double log_evidence = 0;     ///< prior included
    Eigen::ArrayXd rate;         ///< probabilities of the rates of the grid
    Eigen::ArrayXd log_pass;     ///< log of (1 - ratio * rate) over the grid
    std::vector<double> member;  ///< probability, per place
  };
  void learn(Part& part, const Run& run, bool scored) const;
  void look_back(Part& part) const;

  GroupForm form_;
  std::size_t least_;
  std::size_t candidates_;
  std::vector<TestIndex> universe_;
  std::vector<std::int32_t> place_;  ///< per candidate: its place in the universe, -1 where not in it
  std::vector<double> prior_member_;
  Eigen::ArrayXd grid_, log_grid_, log_pass_;
  std::vector<Part> parts_;
  std::vector<Run> runs_;  ///< by list, in the order in which they were first seen
  std::unordered_map<SubsetBits, std::size_t, SubsetHash> run_of_;
  double quenched_ = 0;  ///< size of all runs' quenchers together
  std::uint64_t seen_ = 0, look_back_at_ = 8;
};

/// What a group predicts for a list that grows test by test.
class GroupPrediction {
 public:
  /// Groups lighter than this together cost more time than they inform.
  static constexpr double too_light = 0.02;
  /// Keeps a reference.
  explicit GroupPrediction(const GroupWeights& weights, double light = too_light);
  /// Too light, or not there: all sums are 0.
  bool light() const { return !heavy_; }
  void restart() {
    log_active_ = start_;
    mask_ = start_mask_;
    inside_.setZero();
    if (inside_.size() > 0) inside_.row(0) = 1;
  }
  void include(TestIndex test) {
    if (heavy_) include_in_terms(test);
  }
  struct Sums {
    double fail = 0;   ///< expected failures, times the weight
    double known = 0;  ///< entropy that is left once the group is known, times the weight
  };
  Sums sums() const { return heavy_ ? sums_of_terms() : Sums{}; }
  /// The present list is the one about which slopes are asked.
  void mark();
  /// By how much including the test changes the sums.
  Sums slope(TestIndex test) const { return heavy_ ? slope_of_terms(test) : Sums{}; }

 private:
  void include_in_terms(TestIndex test);
  Sums sums_of_terms() const;
  Sums slope_of_terms(TestIndex test) const;
  struct Term {
    double none;  ///< probability that nothing is a member
    double fail, fail_step, known, known_step;
    double marked;  ///< share of the groups that is active in the marked list
  };
  void tabulate();
  /// Probability that no member makes the failure go away in the present list.
  double active(std::size_t part) const;
  /// 0 where it is no suspect.
  std::uint32_t bit_of(TestIndex test) const;
  const GroupWeights& w_;
  bool heavy_ = false;
  std::vector<Term> terms_;
  std::vector<double> start_, log_active_;
  // Where all are needed: probabilities that so many of the list's tests are members, as far as they are too
  // few.
  Eigen::ArrayXXd inside_;              ///< by size from 0 on, and by part
  std::vector<Eigen::ArrayXd> absent_;  ///< for each part and candidate: probability that it is no member
  // Of the groups weighed one by one: the suspects that leave the group alone, by running (all needed) or by
  // not running, and the sums for each such mask.
  std::uint32_t start_mask_ = 0, mask_ = 0, marked_mask_ = 0;
  double marked_share_ = 0;
  std::vector<Sums> table_;
};

}  // namespace flakebisect::bisect
