#pragma once

/// Anytime-valid tests. An e-process is a running product that starts at 1 and whose expectation never
/// exceeds 1 while the null hypothesis holds; by Ville's inequality the chance that it ever reaches 1 / alpha
/// is at most alpha, however long one looks and whatever decides when to stop (Ramdas et al., 'Game-theoretic
/// statistics and safe anytime-valid inference', 2023).

#include <array>

namespace flakebisect::stats {

/// Null: the outcome does not depend on which of two arms was run. The arm of every run must be drawn
/// independently with a known probability. Because the draw is random, the test stays valid when the rate
/// drifts, when runs are correlated, and whatever the rate is: only an effect of the arm can move it.
class RandomisedTwoArmTest {
 public:
  /// One run. `treatment_probability` is what the arm was drawn with. The two rates are the bet: what the
  /// alternative predicts, chosen before the outcome was seen. Rates are pulled into [1e-6, 1 - 1e-6].
  void observe(bool treatment, bool failed, double treatment_probability, double treatment_rate,
               double control_rate);
  double log_e() const { return log_e_; }
  double highest_log_e() const { return highest_; }

 private:
  double log_e_ = 0;
  double highest_ = 0;
};

/// Null: the failure rate is at most `null_rate`. The bet is a mixture: the mean over a few fixed rates above
/// the null of their likelihood ratios, each of which is an e-process. Nothing has to be guessed beforehand,
/// at the price of a factor of at most the number of rates.
class RateAboveTest {
 public:
  explicit RateAboveTest(double null_rate);
  void observe(bool failed);
  double log_e() const;
  double highest_log_e() const { return highest_; }

 private:
  static constexpr std::array<double, 7> bets_{0.01, 0.025, 0.06, 0.15, 0.35, 0.7, 0.98};
  double null_rate_;
  std::array<double, 7> log_ratio_{};
  double highest_ = 0;
};

}  // namespace flakebisect::stats
