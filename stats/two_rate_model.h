#pragma once

/// The marginal likelihood that every explanation of a flaky failure shares. An explanation says which runs
/// are *active* (for 'test 7 pollutes': those in which test 7 ran). Active runs fail with probability p, the
/// others with probability rho * p. Neither is known: p has a prior on (0, 1) spread over the logit, rho
/// takes a few values, 0 among them. Derivation in docs/statistics.md.

#include <Eigen/Core>
#include <cstddef>
#include <vector>

namespace flakebisect::stats {

/// Prior of the failure rate p. Breaks of a piecewise linear density over logit(p); see default_rate_prior().
struct RatePrior {
  std::vector<double> logits;     ///< ascending, at least two
  std::vector<double> densities;  ///< relative, >= 0, same length
};

/// What flaky tests do in the wild: most fail in 1 to 20 % of the runs of a bad order, some nearly always
/// (IDoFT, 101 tests in their worst orders). Little below 0.9 %, nothing below 0.1 %: no search could explain
/// it.
RatePrior default_rate_prior();

/// The same range, every log-odds alike: where the question is not how often failures come.
RatePrior flat_rate_prior();

/// The density at `logit`, relative.
double rate_density(const RatePrior& prior, double logit);

/// One value of rho.
struct RatioCell {
  double ratio = 0;   ///< in [0, 1)
  double weight = 1;  ///< prior probability, > 0
};

/// What the data say about one explanation (over a set of ratio cells).
struct RateSummary {
  double log_marginal = 0;   ///< log of the probability of all outcomes, prior weights of the cells included
  double active_rate = 0;    ///< posterior mean of p
  double inactive_rate = 0;  ///< posterior mean of rho * p
};

/// Usage: set_totals() once whenever the data changed, then evaluate() for each explanation: constant time,
/// some ten table look-ups. Counts are weighted (history may count for less than 1), hence double.
/// Not thread-safe: evaluate() fills a cache.
class TwoRateModel {
 public:
  /// Throws std::invalid_argument where cells or prior are empty or out of range.
  TwoRateModel(RatePrior prior, std::vector<RatioCell> cells);

  /// All runs: how many failed and how many passed.
  void set_totals(double failures, double passes);

  /// The explanation under which `active_failures` and `active_passes` of the runs were active. Only the
  /// cells first <= k < last take part. The cost does not depend on the number of runs.
  RateSummary evaluate(double active_failures, double active_passes, std::size_t first_cell,
                       std::size_t last_cell) const;

  /// The explanation under which every run is active: one rate for all.
  const RateSummary& constant_rate() const { return constant_; }

  /// log of the probability of some other runs' outcomes under one constant rate.
  double constant_log_marginal(double failures, double passes) const;

  std::size_t cells() const { return cells_.size(); }

 private:
  struct Node {
    double log_value = 0;  ///< log of the sum over p, for one cell and one number of active passes
    double slope = 0;      ///< its derivative by the number of active passes
    double mean = 0;       ///< posterior mean of p
    bool known = false;
  };
  void make_grid(double failures);
  const Node& node(std::size_t cell, std::size_t index) const;
  static double node_position(std::size_t index);
  static std::size_t node_below(double passes);

  RatePrior prior_;
  std::vector<RatioCell> cells_;
  std::vector<double> log_weight_, log_ratio_;  ///< of the cells
  double grid_failures_ = -1;                   ///< the number of failures the grid is fine enough for
  Eigen::ArrayXd rate_, log_rate_, log_pass_, log_prior_;
  std::vector<Eigen::ArrayXd> inactive_log_pass_;  ///< per cell: log(1 - rho p)
  std::vector<Eigen::ArrayXd> pass_change_;        ///< per cell: log(1 - p) - log(1 - rho p)
  double failures_ = 0, passes_ = 0;
  RateSummary constant_;
  std::vector<Eigen::ArrayXd> base_;             ///< per cell: log prior + F log p + S log(1 - rho p)
  mutable std::vector<std::vector<Node>> node_;  ///< per cell
  mutable Eigen::ArrayXd terms_;                 ///< node()'s, kept for its memory
};

}  // namespace flakebisect::stats
