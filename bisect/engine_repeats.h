#pragma once

/// Several runs of the victim in one probe: the tests before it once, then the victim until it first fails,
/// at most so many times. Where a process costs seconds and the victim a tenth of one, that buys runs for
/// almost nothing, if they are worth as much as runs in processes of their own. Whether they are is learned
/// from which run it was that failed.

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "bisect/engine.h"
#include "bisect/engine_evidence.h"
#include "bisect/engine_weights.h"

namespace flakebisect::bisect {

/// What runs of the victim in one process have to do with each other.
enum class RepeatForm : std::uint8_t {
  /// Hardly anything: each can fail. The rate of a process is Beta-distributed, correlation
  /// assumed_repeat_correlation.
  by_run,
  /// More: correlation strong_repeat_correlation.
  alike,
  /// Everything: what was decided before the first one holds for all of them. One that passes is followed by
  /// none that fails, so there is nothing to be had from more than one.
  by_process,
  /// The runs before it make it fail (a victim that pollutes itself, or leaks): at the same run each time, or
  /// the likelier the more of them there were. That is another failure than the recorded one, in which it ran
  /// once.
  by_repeating,
};
inline constexpr std::size_t repeat_forms = 4;
inline constexpr double assumed_repeat_correlation = 0.02;
inline constexpr double strong_repeat_correlation = 0.25;

/// No more runs of the victim in one probe than this, whatever the runner could do.
inline constexpr std::uint32_t most_runs_of_a_probe = 64;

class Repeats {
 public:
  Repeats();
  /// A probe in which the victim was to run `asked` times at most behind `list`: it failed at its `runs`-th
  /// run, or passed in all `runs`. `whole`: it is the list behind which it is known to fail. Of any other the
  /// first failure says only which run it was, given that one failed, and before it nothing is said.
  /// `alone`: no test of the failing run is in it.
  void add(const SubsetBits& list, bool failed, std::uint32_t runs, std::uint32_t asked, bool whole,
           bool alone = false);

  /// Posterior probability of a form.
  double probability(RepeatForm form) const;
  /// What `runs` runs of one process that all passed count for, in runs of processes of their own; of the
  /// first run alone, where it is open whether the others count at all.
  double passes(std::uint32_t runs) const;
  /// The same as it is expected to be in the end, when it is known which form it is.
  double expected_passes(std::uint32_t runs) const;
  /// Whether a failure at a later run than the first is taken for one of the recorded kind.
  bool later_failures_count() const;
  /// Whether the victim's later failures alone may carry the verdict that it fails on its own: that it makes
  /// itself fail is excluded by them (behind other lists another cause may be at work), or there are none, or
  /// only first runs count.
  bool trusted() const;
  /// The runs that count, as passes() has it; changes where what was counted before must be counted anew.
  RepeatForm counted_as() const { return counted_as_; }

  /// The chance that one of `runs` runs in one process fails, at a rate of `rate` for one.
  double fails_within(double rate, std::uint32_t runs) const;
  /// Expected number of runs until the first failure, `runs` at most.
  double expected_runs(double rate, std::uint32_t runs) const;

 private:
  void weigh();
  std::array<double, repeat_forms> probability_{};
  RepeatForm counted_as_ = RepeatForm::by_process;
  /// What was seen behind one list.
  struct Behind {
    bool counts = false;                   ///< it is the whole list, or the victim has failed behind it
    std::vector<std::uint32_t> passes;     ///< runs of each probe before that: all passed
    Eigen::ArrayXXd log_likelihood;        ///< rate by column: by_run, alike, by_process, first runs only
    std::array<double, 4> log_marginal{};  ///< by column, each rate alike
  };
  /// What the victim did in its later runs, where the first had passed, if it makes itself fail.
  struct OwnDoing {
    OwnDoing();
    void add(bool failed, std::uint32_t runs);
    /// log of the probability of all that, each way of doing it as likely as it is beforehand.
    double log_probability() const;
    Eigen::ArrayXXd log_at_one_run;  ///< at which (row; the first row is the second run) by how often
    Eigen::ArrayXd log_wearing;      ///< by how much each run makes the next likelier to fail
  };
  /// All lists that count, or those without tests of the failing run.
  struct Seen {
    std::array<double, 4> log_marginal{};  ///< sums over the lists
    OwnDoing own_doing;
    std::uint64_t failed_first = 0, failed_later = 0;  ///< failures at the first run, and at another
  };
  static void learn(Behind& behind, bool failed, std::uint32_t runs, std::uint32_t asked, bool given_failure);
  std::unordered_map<SubsetBits, Behind, SubsetHash> behind_;
  Seen all_, alone_;
  /// What so many passing runs of one process are worth, by_run and alike.
  std::array<std::array<double, most_runs_of_a_probe + 1>, 2> worth_{};
  double worth(RepeatForm form, std::uint32_t runs) const {
    return worth_[static_cast<std::size_t>(form)][runs < most_runs_of_a_probe ? runs : most_runs_of_a_probe];
  }
};

/// The weights with the rates of probes in which the victim runs up to `runs` times, for choosing such a
/// probe.
Weights lifted(Weights weights, std::uint32_t runs, const Repeats& repeats);

}  // namespace flakebisect::bisect
