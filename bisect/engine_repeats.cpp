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

// A victim that makes itself fail: at its second run in half of the cases, else at any, each factor of two
// alike; a tenth of the times at another run.
constexpr double at_the_second = 0.5, at_another = 0.1;
constexpr std::uint32_t latest = most_runs_of_a_probe;

double prior_of_run(std::uint32_t run) {
  double harmonic = 0;
  for (std::uint32_t k = 3; k <= latest; ++k) harmonic += 1.0 / k;
  return run == 2 ? at_the_second : (1 - at_the_second) / (run * harmonic);
}

// Or the likelier the more runs there were: each adds so much, from 0.0001 to 0.3; the first hardly fails.
constexpr double share_of_wearing = 0.5, first_run_wears = 1e-3;
double wearing_hazard(Eigen::Index i, std::uint32_t passes) {
  const double step = 1e-4 * std::pow(3000.0, static_cast<double>(i) / (rates - 1));
  return std::min(0.95, step * (passes == 0 ? first_run_wears : static_cast<double>(passes)));
}

// Later runs count only where it is less likely that the first one decides for all.
constexpr double doubt = 0.05;
// And a verdict rests on them only where it is excluded that the victim makes itself fail.
constexpr double doubt_of_a_verdict = 0.01;

constexpr double clearly = 2;

/// log of the mean over rates that are all alike beforehand.
template <class Logs>
double log_mean(const Logs& logs) {
  const double high = logs.maxCoeff();
  return high > stats::minus_infinity ? high + std::log((logs - high).exp().mean()) : high;
}

}  // namespace

Repeats::WhichRun::WhichRun()
    : log_by_run(Eigen::ArrayXd::Zero(rates)), log_wearing(Eigen::ArrayXd::Zero(rates)) {}

void Repeats::WhichRun::add(std::uint32_t run, std::uint32_t asked) {
  ++failed_at[run];
  later += run > 1 ? 1 : 0;
  const auto learn = [&](Eigen::ArrayXd& logs, auto&& failing_at) {
    for (Eigen::Index i = 0; i < rates; ++i) {
      double log_here = 0, log_none = 0;
      for (std::uint32_t k = 0; k < asked; ++k) {
        const double failing = failing_at(i, k);
        if (k + 1 == run) log_here = log_none + std::log(failing);
        log_none += std::log1p(-failing);
      }
      logs[i] += log_here - std::log(-std::expm1(log_none));
    }
  };
  learn(log_by_run,
        [](Eigen::Index i, std::uint32_t k) { return hazard(rate_at(i), k, assumed_repeat_correlation); });
  learn(log_wearing, wearing_hazard);
}

double Repeats::WhichRun::log_ratio() const {
  // At run k each time, for each k; a first run that fails is not what repeating does.
  double repeating = stats::minus_infinity;
  for (std::uint32_t k = 2; k <= latest; ++k) {
    double log_of_k = std::log(prior_of_run(k));
    for (const auto& [run, times] : failed_at)
      log_of_k += times * std::log(run == k ? 1 - at_another : at_another / latest);
    repeating = stats::log_add(repeating, log_of_k);
  }
  return stats::log_add(std::log1p(-share_of_wearing) + repeating,
                        std::log(share_of_wearing) + log_mean(log_wearing)) -
         log_mean(log_by_run);
}

Repeats::Repeats() {
  for (std::size_t form = 0; form < 2; ++form)
    for (std::uint32_t k = 0; k < most_runs_of_a_probe; ++k)
      worth_[form][k + 1] = worth_[form][k] + hazard(1, k, correlation_of(static_cast<Eigen::Index>(form)));
  learn();
}

void Repeats::add(const SubsetBits& list, bool failed, std::uint32_t runs, std::uint32_t asked, bool whole,
                  bool alone) {
  asked = std::max(asked, runs);
  const auto [found, is_new] = behind_.try_emplace(list);
  Behind& behind = found->second;
  if (is_new) behind.log_likelihood = Eigen::ArrayXXd::Zero(rates, 3);
  const bool first_failure = failed && !whole && !behind.counts;
  for (Eigen::Index form = 0; form < 3; ++form)
    for (Eigen::Index i = 0; i < rates; ++i) {
      const double rate = rate_at(i);
      double log_here = 0, log_none = 0;  // of what was seen; of no failure in all that were asked for
      for (std::uint32_t k = 0; k < asked; ++k) {
        const double failing = form == 2 ? (k == 0 ? rate : 0.0) : hazard(rate, k, correlation_of(form));
        if (failed && k + 1 == runs) log_here = log_none + std::log(failing);
        log_none += std::log1p(-failing);
        if (!failed && k + 1 == runs) log_here = log_none;
      }
      behind.log_likelihood(i, form) += log_here - (first_failure ? std::log(-std::expm1(log_none)) : 0);
    }
  behind.counts = behind.counts || failed || whole;
  if (failed && asked > 1) {
    which_run_.add(runs, asked);
    if (alone) which_run_alone_.add(runs, asked);
  }
  if (!behind.counts) return;
  for (std::size_t form = 0; form < 3; ++form) {
    const double now = log_mean(behind.log_likelihood.col(static_cast<Eigen::Index>(form)));
    // What is impossible once stays so.
    log_marginal_[form] =
        now > stats::minus_infinity ? log_marginal_[form] + now - behind.log_marginal[form] : now;
    behind.log_marginal[form] = now;
  }
  learn();
}

void Repeats::learn() {
  std::array<double, repeat_forms> log_weight{};
  for (std::size_t form = 0; form < 3; ++form) log_weight[form] = log_marginal_[form];
  // How often there is a failure at all is not what tells this form from by_run.
  log_weight[3] = log_weight[0] + which_run_.log_ratio();
  double high = stats::minus_infinity, total = 0;
  for (std::size_t form = 0; form < repeat_forms; ++form) {
    log_weight[form] += std::log(prior[form]);
    high = std::max(high, log_weight[form]);
  }
  for (std::size_t form = 0; form < repeat_forms; ++form)
    total += probability_[form] = std::exp(log_weight[form] - high);
  for (double& probability : probability_) probability /= total;
  const double by_run = probability(RepeatForm::by_run), alike = probability(RepeatForm::alike);
  if (probability(RepeatForm::by_repeating) > 0.5)
    counted_as_ = RepeatForm::by_repeating;
  else if (probability(RepeatForm::by_process) > doubt)
    counted_as_ = RepeatForm::by_process;
  else
    // All evidence is counted anew where this changes: not for a trifle.
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

bool Repeats::later_failures_count() const {
  return counted_as_ != RepeatForm::by_repeating;
}

bool Repeats::trusted() const {
  if (which_run_alone_.later == 0 || counted_as_ == RepeatForm::by_repeating) return true;
  return std::log(prior[3]) - std::log1p(-prior[3]) + which_run_alone_.log_ratio() <=
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
