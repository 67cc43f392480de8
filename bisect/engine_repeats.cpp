#include "bisect/engine_repeats.h"

#include <algorithm>
#include <cmath>

#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

constexpr std::array<double, repeat_forms> prior{0.56, 0.10, 0.30, 0.04};

// Rates at which the victim may fail: equal steps of the log-odds from 0.7 % to 99.3 %.
constexpr Eigen::Index rates = 21;
constexpr double highest_logit = 5;

double rate_at(Eigen::Index i) {
  return stats::inverse_logit(highest_logit * (2.0 * static_cast<double>(i) / (rates - 1) - 1));
}

double correlation_of(Eigen::Index form) {
  return form == 0 ? assumed_repeat_correlation : strong_repeat_correlation;
}

/// The rate of the run after `passes` others of its process, all of which passed: the mean of the Beta
/// distribution falls with each pass.
double hazard(double rate, double passes, double correlation) {
  return rate / (1.0 + passes * correlation / (1.0 - correlation));
}

// A victim that makes itself fail does so at its second run in half of the cases, else at any, each factor of
// two alike; then nearly always, more often than not, or now and then. Else it fails at any other run with
// the probability `at_another`.
constexpr double at_the_second = 0.5, at_another = 0.1 / most_runs_of_a_probe;
constexpr std::array<double, 3> how_often{0.95, 0.6, 0.25}, prior_of_how_often{0.6, 0.25, 0.15};
constexpr auto runs_to_fail_at = static_cast<Eigen::Index>(most_runs_of_a_probe) - 1;

double prior_of_run(Eigen::Index row) {
  double harmonic = 0;
  for (Eigen::Index k = 1; k < runs_to_fail_at; ++k) harmonic += 1.0 / static_cast<double>(k + 2);
  return row == 0 ? at_the_second : (1 - at_the_second) / (static_cast<double>(row + 2) * harmonic);
}

// Alone, its first run fails with this probability then.
constexpr double first_run_fails = 1e-3;
// Or the likelier the more runs there were: each adds so much, from 0.0001 to 0.3.
constexpr double share_of_wearing = 0.5;
double wearing_hazard(Eigen::Index i, std::uint32_t passes) {
  return std::min(0.95, 1e-4 * std::pow(3000.0, static_cast<double>(i) / (rates - 1)) * passes);
}

// Later runs count only where it is less likely that the first one decides for all.
constexpr double doubt = 0.05;
// And a verdict rests on them only where it is excluded that the victim makes itself fail.
constexpr double doubt_of_a_verdict = 0.01;
// All evidence is counted anew where what is counted changes: not for a trifle.
constexpr double clearly = 2, clearly_not_repeating = 0.2;

/// log of the mean over rates that are all alike beforehand.
template <class Logs>
double log_mean(const Logs& logs) {
  const double high = logs.maxCoeff();
  return high > stats::minus_infinity ? high + std::log((logs - high).exp().mean()) : high;
}

}  // namespace

Repeats::OwnDoing::OwnDoing()
    : log_at_one_run(runs_to_fail_at, static_cast<Eigen::Index>(how_often.size())),
      log_wearing(Eigen::ArrayXd::Constant(rates, std::log(share_of_wearing / rates))) {
  for (Eigen::Index row = 0; row < log_at_one_run.rows(); ++row)
    for (std::size_t often = 0; often < how_often.size(); ++often)
      log_at_one_run(row, static_cast<Eigen::Index>(often)) =
          std::log((1 - share_of_wearing) * prior_of_run(row) * prior_of_how_often[often]);
}

void Repeats::OwnDoing::add(bool failed, std::uint32_t runs) {
  const double later = runs - 1.0;
  const auto at = static_cast<Eigen::Index>(runs) - 2;
  for (Eigen::Index often = 0; often < log_at_one_run.cols(); ++often) {
    const double then = how_often[static_cast<std::size_t>(often)];
    for (Eigen::Index row = 0; row < log_at_one_run.rows(); ++row) {
      const bool passed_it = row < at || (row == at && !failed);
      const double others = later - (row <= at ? 1 : 0) - (failed && row != at ? 1 : 0);
      log_at_one_run(row, often) += others * std::log1p(-at_another) + (passed_it ? std::log1p(-then) : 0) +
                                    (failed ? std::log(row == at ? then : at_another) : 0);
    }
  }
  for (Eigen::Index i = 0; i < rates; ++i)
    for (std::uint32_t k = 1; k < runs; ++k) {
      const double fails = wearing_hazard(i, k);
      log_wearing[i] += failed && k + 1 == runs ? std::log(fails) : std::log1p(-fails);
    }
}

double Repeats::OwnDoing::log_probability() const {
  const double high = std::max(log_at_one_run.maxCoeff(), log_wearing.maxCoeff());
  return high + std::log((log_at_one_run - high).exp().sum() + (log_wearing - high).exp().sum());
}

Repeats::Repeats() {
  for (std::size_t form = 0; form < 2; ++form)
    for (std::uint32_t k = 0; k < most_runs_of_a_probe; ++k)
      worth_[form][k + 1] = worth_[form][k] + hazard(1, k, correlation_of(static_cast<Eigen::Index>(form)));
  weigh();
}

void Repeats::learn(Behind& behind, bool failed, std::uint32_t runs, std::uint32_t asked,
                    bool given_failure) {
  for (Eigen::Index i = 0; i < rates; ++i) {
    const double rate = rate_at(i);
    for (Eigen::Index form = 0; form < 3; ++form) {
      double log_here = 0, log_none = 0;  // of what was seen; of no failure in all that were asked for
      for (std::uint32_t k = 0; k < asked; ++k) {
        const double failing = form == 2 ? (k == 0 ? rate : 0.0) : hazard(rate, k, correlation_of(form));
        if (failed && k + 1 == runs) log_here = log_none + std::log(failing);
        log_none += std::log1p(-failing);
        if (!failed && k + 1 == runs) log_here = log_none;
      }
      behind.log_likelihood(i, form) += log_here - (given_failure ? std::log(-std::expm1(log_none)) : 0);
    }
    behind.log_likelihood(i, 3) += failed && runs == 1 ? std::log(rate) : std::log1p(-rate);
  }
}

void Repeats::add(const SubsetBits& list, bool failed, std::uint32_t runs, std::uint32_t asked, bool whole,
                  bool alone) {
  asked = std::max(asked, runs);
  Behind& behind = behind_[list];
  if (!behind.counts && !failed && !whole) {
    behind.passes.push_back(runs);
    return;
  }
  const auto add_to_all = [&](auto&& add) {
    add(all_);
    if (alone) add(alone_);
  };
  const bool given_failure = failed && !whole && !behind.counts;
  if (!behind.counts) {
    behind.counts = true;
    behind.log_likelihood = Eigen::ArrayXXd::Zero(rates, 4);
    for (const std::uint32_t passed : behind.passes) {
      learn(behind, false, passed, passed, false);
      add_to_all([&](Seen& seen) { seen.own_doing.add(false, passed); });
    }
    behind.passes = {};
  }
  learn(behind, failed, runs, asked, given_failure);
  const bool first_failed = failed && runs == 1;
  add_to_all([&](Seen& seen) {
    if (!first_failed) seen.own_doing.add(failed, runs);
    if (failed) ++(first_failed ? seen.failed_first : seen.failed_later);
  });
  for (std::size_t column = 0; column < behind.log_marginal.size(); ++column) {
    const double now = log_mean(behind.log_likelihood.col(static_cast<Eigen::Index>(column)));
    add_to_all([&](Seen& seen) {
      double& sum = seen.log_marginal[column];
      // What is impossible once stays so.
      sum = now > stats::minus_infinity ? sum + now - behind.log_marginal[column] : now;
    });
    behind.log_marginal[column] = now;
  }
  weigh();
}

void Repeats::weigh() {
  std::array<double, repeat_forms> log_weight{};
  for (std::size_t form = 0; form < 3; ++form) log_weight[form] = all_.log_marginal[form];
  // The first run may fail for the recorded reason, at a rate of its own behind each list.
  log_weight[3] = all_.log_marginal[3] + all_.own_doing.log_probability();
  double high = stats::minus_infinity, total = 0;
  for (std::size_t form = 0; form < repeat_forms; ++form) {
    log_weight[form] += std::log(prior[form]);
    high = std::max(high, log_weight[form]);
  }
  for (std::size_t form = 0; form < repeat_forms; ++form)
    total += probability_[form] = std::exp(log_weight[form] - high);
  for (double& probability : probability_) probability /= total;
  const double by_run = probability(RepeatForm::by_run), alike = probability(RepeatForm::alike);
  const double repeating = probability(RepeatForm::by_repeating);
  if (repeating > (counted_as_ == RepeatForm::by_repeating ? clearly_not_repeating : 0.5))
    counted_as_ = RepeatForm::by_repeating;
  else if (probability(RepeatForm::by_process) > doubt)
    counted_as_ = RepeatForm::by_process;
  else
    counted_as_ = by_run >= (counted_as_ == RepeatForm::alike ? clearly * alike : alike / clearly)
                      ? RepeatForm::by_run
                      : RepeatForm::alike;
}

double Repeats::probability(RepeatForm form) const {
  return probability_[static_cast<std::size_t>(form)];
}

double Repeats::passes(std::uint32_t runs) const {
  if (runs <= 1) return runs;
  const bool all_count = counted_as_ == RepeatForm::by_run || counted_as_ == RepeatForm::alike;
  return all_count ? worth(counted_as_, runs) : 1;
}

double Repeats::expected_passes(std::uint32_t runs) const {
  if (runs <= 1) return runs;
  const double by_run = probability(RepeatForm::by_run), alike = probability(RepeatForm::alike);
  return by_run * worth(RepeatForm::by_run, runs) + alike * worth(RepeatForm::alike, runs) + 1 - by_run -
         alike;
}

bool Repeats::later_failures_count() const {
  return counted_as_ != RepeatForm::by_repeating;
}

bool Repeats::trusted() const {
  if (alone_.failed_later == 0 || counted_as_ == RepeatForm::by_repeating) return true;
  // That the victim does not fail on its own is what is asked here: then its first run hardly ever fails.
  const double itself = static_cast<double>(alone_.failed_first) * std::log(first_run_fails) +
                        alone_.own_doing.log_probability();
  return std::log(prior[3]) - std::log1p(-prior[3]) + itself - alone_.log_marginal[0] <=
         stats::logit(doubt_of_a_verdict);
}

double Repeats::fails_within(double rate, std::uint32_t runs) const {
  if (runs <= 1 || rate >= 1) return rate;
  rate = std::max(rate, 0.0);
  const double log_pass = std::log1p(-rate);
  const double once = probability(RepeatForm::by_process) + probability(RepeatForm::by_repeating);
  return once * rate -
         probability(RepeatForm::by_run) * std::expm1(worth(RepeatForm::by_run, runs) * log_pass) -
         probability(RepeatForm::alike) * std::expm1(worth(RepeatForm::alike, runs) * log_pass);
}

double Repeats::expected_runs(double rate, std::uint32_t runs) const {
  double expected = 1;
  for (std::uint32_t k = 1; k < runs; ++k) expected += 1 - fails_within(rate, k);
  return expected;
}

Weights lifted(Weights w, std::uint32_t runs, const Repeats& repeats) {
  if (runs <= 1) return w;
  const auto lift = [&](double& rate) { rate = repeats.fails_within(rate, runs); };
  lift(w.self_rate);
  lift(w.gone_rate);
  for (CandidateWeights* part : {&w.polluter, &w.amplified, &w.brittle})
    for (Eigen::Index i = 0; i < part->weight.size(); ++i) {
      if (!(part->weight[i] > 0)) continue;
      lift(part->in[i]);
      lift(part->out[i]);
    }
  std::vector<double> size(w.pairs.classes.size(), 0);
  for (const std::uint32_t of : w.pairs.class_of) size[of] += 1;
  w.pairs.alone_fail = w.pairs.alone_entropy = 0;
  for (std::size_t c = 0; c < w.pairs.classes.size(); ++c) {
    PairClass& one = w.pairs.classes[c];
    lift(one.in);
    lift(one.out);
    const double out_entropy = one.weight * stats::binary_entropy(one.out);
    one.fail_step = one.weight * (one.in - one.out);
    one.entropy_step = one.weight * stats::binary_entropy(one.in) - out_entropy;
    w.pairs.alone_fail += size[c] * one.weight * one.out;
    w.pairs.alone_entropy += size[c] * out_entropy;
  }
  for (double& rate : w.dose.rate) lift(rate);
  for (GroupWeights* group : {&w.set, &w.setters}) {
    lift(group->in);
    lift(group->out);
    for (GroupWeights::Part& part : group->parts) {
      lift(part.in);
      lift(part.out);
    }
    for (GroupWeights::Exact::Group& one : group->exact.groups) {
      lift(one.in);
      lift(one.out);
    }
  }
  return w;
}

}  // namespace flakebisect::bisect
