#include "analyzer/analyze/causes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>

#include "stats/log_math.h"
#include "stats/streaks.h"
#include "stats/two_rate_model.h"

namespace flakebisect::analyzer {

namespace {

constexpr std::size_t kept_suspects = 5;
constexpr std::size_t causes_count = 9;  // time_out is split off 'alone' afterwards

/// Prior probabilities of the causes, by Cause. Order dependence as published (docs/statistics.md); the rest
/// is small and even: what is seen rarely must show itself clearly.
constexpr std::array<double, causes_count> priors = {0.45, 0.24, 0.05, 0.06, 0.04, 0.05, 0.05, 0.03, 0.03};

/// Of the polluter's prior: by the number of tests that are each enough (61 % of victims have one, the median
/// is one and the 90th percentile five: IDoFT).
constexpr std::array<double, 4> set_size_priors = {0.7, 0.15, 0.1, 0.05};

/// Prior probability that failures of a test are time-outs, by whether their signatures say so.
constexpr double time_out_prior = 0.08;
constexpr double named_time_out_prior = 0.7;

/// Runs whose lengths differ by less are of one length.
constexpr double least_longer_share = 0.2;
constexpr double least_longer_seconds = 1;

constexpr double least_probability = 0.8;  // of a cause that is named
constexpr double least_cleaner = 0.8;

/// Failure rates from one in a hundred thousand on: histories are longer than searches.
stats::RatePrior rate_prior() {
  using stats::logit;
  return {{logit(1e-5), logit(0.001), logit(0.01), logit(0.1), logit(0.25), logit(0.9), logit(0.97),
           logit(0.9995)},
          {0.06, 0.12, 0.20, 0.20, 0.10, 0.06, 0.06, 0.03}};
}

stats::TwoRateModel make_model() {
  return {rate_prior(), {{0.0, 0.70}, {0.03, 0.10}, {0.1, 0.10}, {0.3, 0.10}}};
}
constexpr std::size_t model_cells = 4;

/// Weighs what may explain the failures, one cause after another.
class Judge {
 public:
  Judge(const Exposure& exposure, FlakyTest& test) : exposure_(exposure), test_(test), model_(make_model()) {
    std::vector<std::uint8_t> outcomes;
    for (const auto& c : exposure.circumstances) outcomes.push_back(c.failed ? 1 : 0);
    test.streak_weight = stats::streak_weight(outcomes);
    model_.set_totals(test.streak_weight * exposure.all.failures, test.streak_weight * exposure.all.passes);
    constant_ = model_.constant_rate().log_marginal;
    log_marginal_.fill(stats::minus_infinity);
    log_marginal_[0] = constant_;
  }

  /// log P(outcomes | fails more where it is present), against one rate for all.
  double log_ratio(const Presence& present) const {
    return model_
               .evaluate(test_.streak_weight * present.failures, test_.streak_weight * present.passes, 0,
                         model_cells)
               .log_marginal -
           constant_;
  }

  /// One explanation among `among` of its cause.
  void add(Cause cause, std::vector<std::uint32_t> tests, std::string what, const Presence& present,
           double among) {
    const double log_weight = log_ratio(present) - std::log(among);
    auto& whole = log_marginal_[static_cast<std::size_t>(cause)];
    whole = stats::log_add(whole, constant_ + log_weight);
    auto& kept = kept_[static_cast<std::size_t>(cause)];
    if (kept.size() == kept_suspects && log_weight <= kept.back().log_weight) return;
    Suspect suspect;
    suspect.tests = std::move(tests);
    suspect.what = std::move(what);
    suspect.failures_with = present.failures;
    suspect.runs_with = present.runs();
    suspect.failures_without = exposure_.all.failures - present.failures;
    suspect.runs_without = exposure_.all.runs() - present.runs();
    const auto place = std::find_if(kept.begin(), kept.end(),
                                    [&](const Kept& other) { return other.log_weight < log_weight; });
    kept.insert(place, {std::move(suspect), log_weight});
    if (kept.size() > kept_suspects) kept.pop_back();
  }

  /// A suspect's posterior is its share of its cause's.
  void finish() {
    double total = stats::minus_infinity;
    std::array<double, causes_count> log_posterior{};
    for (std::size_t c = 0; c < causes_count; ++c) {
      log_posterior[c] = log_marginal_[c] + std::log(priors[c]);
      total = stats::log_add(total, log_posterior[c]);
    }
    for (std::size_t c = 0; c < causes_count; ++c) {
      if (log_marginal_[c] == stats::minus_infinity) continue;
      CausePosterior cause;
      cause.cause = static_cast<Cause>(c);
      cause.probability = std::exp(log_posterior[c] - total);
      cause.log10_bayes_factor = (log_marginal_[c] - constant_) / std::log(10.0);
      for (auto& kept : kept_[c]) {
        kept.suspect.probability =
            cause.probability * std::exp(kept.log_weight + constant_ - log_marginal_[c]);
        cause.suspects.push_back(std::move(kept.suspect));
      }
      test_.causes.push_back(std::move(cause));
    }
  }

 private:
  struct Kept {
    Suspect suspect;
    double log_weight;
  };
  const Exposure& exposure_;
  FlakyTest& test_;
  stats::TwoRateModel model_;
  double constant_ = 0;
  std::array<double, causes_count> log_marginal_{};
  std::array<std::vector<Kept>, causes_count> kept_;
};

Presence complement(const Presence& all, const Presence& part) {
  return {all.failures - part.failures, all.passes - part.passes};
}

void add_order(const Exposure& exposure, Judge& judge, FlakyTest& test) {
  double candidates = 0;
  for (const auto& presence : exposure.before) {
    candidates += presence.runs() != 0 ? 1 : 0;
    if (presence.runs() != 0 && presence.runs() != exposure.all.runs()) test.order_varied = true;
  }
  for (std::uint32_t t = 0; t < exposure.before.size(); ++t) {
    const auto& presence = exposure.before[t];
    if (presence.runs() == 0) continue;
    judge.add(Cause::polluter, {t}, "", presence, candidates / set_size_priors[0]);
    judge.add(Cause::state_setter, {t}, "", complement(exposure.all, presence), candidates);
  }
}

/// Pairs needed together, and sets of which each test is enough.
void add_sets(const Exposure& exposure, const Membership& membership, Judge& judge) {
  double candidates = 0;
  for (const auto& presence : exposure.before) candidates += presence.runs() != 0 ? 1 : 0;
  const auto choices = [&](std::size_t size) {
    double count = 1;
    for (std::size_t i = 0; i < size; ++i)
      count *= (candidates - static_cast<double>(i)) / static_cast<double>(i + 1);
    return std::max(count, 1.0);
  };
  for (auto& set :
       promising_sets(membership, [&](const Presence& present) { return judge.log_ratio(present); })) {
    const std::size_t size = set.tests.size();
    if (set.needs_all)
      judge.add(Cause::polluter_set, std::move(set.tests), "", set.present, choices(size));
    else
      judge.add(Cause::polluter, std::move(set.tests), "", set.present,
                choices(size) / set_size_priors[size - 1]);
  }
}

void add_workers(const Exposure& exposure, Judge& judge) {
  if (exposure.workers.size() < 2) return;
  for (const auto& [worker, presence] : exposure.workers)
    judge.add(Cause::worker, {}, worker == 0 ? "without a worker tag" : "on " + worker_tag(worker), presence,
              static_cast<double>(exposure.workers.size()));
}

void add_overlaps(const Exposure& exposure, Judge& judge) {
  if (exposure.concurrent.runs() == 0) return;
  double candidates = 0;
  for (const auto& presence : exposure.overlap) candidates += presence.runs() != 0 ? 1 : 0;
  // Half of it for 'anything at the same time', half shared by the tests. Where there was always something,
  // the former is no different from 'alone'.
  const bool varied = exposure.concurrent.runs() != exposure.all.runs();
  if (varied) judge.add(Cause::overlap, {}, "while other workers ran tests", exposure.concurrent, 2);
  for (std::uint32_t t = 0; t < exposure.overlap.size(); ++t)
    if (exposure.overlap[t].runs() != 0)
      judge.add(Cause::overlap, {t}, "", exposure.overlap[t], (varied ? 2 : 1) * candidates);
}

/// 'At least x', x at the deciles of a quantity. A threshold is one only where it lies `share` and `amount`
/// above the smallest value: what differs by less is one and the same.
template <class Value>
void add_thresholds(const Exposure& exposure, Judge& judge, Cause cause, double share, double amount,
                    Value value, const std::function<std::string(double)>& words) {
  std::vector<double> sorted;
  for (const auto& c : exposure.circumstances) sorted.push_back(value(c));
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> cuts;
  for (std::size_t decile = 1; decile < 10; ++decile) {
    const double cut = sorted[sorted.size() * decile / 10];
    if (cut > sorted.front() && cut >= sorted.front() * (1 + share) + amount &&
        (cuts.empty() || cut > cuts.back()))
      cuts.push_back(cut);
  }
  for (const double cut : cuts) {
    Presence above;
    for (const auto& c : exposure.circumstances)
      if (value(c) >= cut) above.add(c.failed);
    judge.add(cause, {}, words(cut), above, static_cast<double>(cuts.size()));
  }
}

void add_hours(const Exposure& exposure, Judge& judge) {
  std::array<Presence, 24> hours{};
  std::size_t used = 0;
  for (const auto& c : exposure.circumstances) {
    if (c.hour < 0) return;
    auto& presence = hours[static_cast<std::size_t>(c.hour) % 24];
    if (presence.runs() == 0) ++used;
    presence.add(c.failed);
  }
  if (used < 2) return;
  constexpr std::array<std::size_t, 4> lengths = {1, 3, 6, 12};
  for (const std::size_t length : lengths) {
    for (std::size_t first = 0; first < 24; ++first) {
      Presence presence;
      for (std::size_t h = first; h < first + length; ++h) {
        presence.failures += hours[h % 24].failures;
        presence.passes += hours[h % 24].passes;
      }
      judge.add(Cause::time_of_day, {},
                fmt::format("between {:02}:00 and {:02}:00 UTC", first, (first + length) % 24), presence,
                24.0 * lengths.size());
    }
  }
}

/// How likely the failures are time-outs: they take several times as long as passes do, up to a limit.
double judge_time_out(const Exposure& exposure, bool looks_like_time_out, FlakyTest& test) {
  std::vector<float> passes, failures;
  Presence hung;
  for (const auto& c : exposure.circumstances) {
    if (c.unfinished) {
      hung.add(true);
    } else if (c.seconds >= 0) {
      (c.failed ? failures : passes).push_back(c.seconds);
    }
  }
  std::sort(passes.begin(), passes.end());
  std::sort(failures.begin(), failures.end());
  if (!failures.empty()) test.failed_median_seconds = static_cast<double>(failures[failures.size() / 2]);
  if (passes.empty() || failures.empty()) return 0;
  const auto quantile = [&](double q) {
    return static_cast<double>(passes[static_cast<std::size_t>(q * static_cast<double>(passes.size() - 1))]);
  };
  // A failure formats a traceback: it takes a little longer than a pass anyhow.
  const double least = std::max({3 * quantile(0.5), quantile(0.5) + 0.1, 1.3 * quantile(0.95)});
  constexpr std::array<double, 4> factors = {1, 3, 10, 30};
  stats::TwoRateModel model = make_model();
  model.set_totals(static_cast<double>(failures.size()), static_cast<double>(passes.size()));
  double log_marginal = stats::minus_infinity;
  for (const double factor : factors) {
    const auto longer = [&](const std::vector<float>& values) {
      return static_cast<double>(
          values.end() - std::lower_bound(values.begin(), values.end(), static_cast<float>(least * factor)));
    };
    if (longer(failures) == 0) continue;
    log_marginal = stats::log_add(
        log_marginal, model.evaluate(longer(failures), longer(passes), 0, model_cells).log_marginal -
                          std::log(static_cast<double>(factors.size())));
  }
  if (log_marginal == stats::minus_infinity) return 0;
  const double prior = looks_like_time_out ? named_time_out_prior : time_out_prior;
  return stats::inverse_logit(log_marginal - model.constant_rate().log_marginal + stats::logit(prior));
}

/// Splits time-outs off 'alone': a failure that takes far longer and depends on nothing that was seen.
void split_time_out(FlakyTest& test) {
  if (test.time_out_probability <= 0.01) return;
  CausePosterior time_out;
  time_out.cause = Cause::time_out;
  for (auto& cause : test.causes) {
    if (cause.cause != Cause::alone) continue;
    time_out.probability = cause.probability * test.time_out_probability;
    cause.probability -= time_out.probability;
  }
  time_out.log10_bayes_factor =
      (stats::logit(std::min(test.time_out_probability, 1 - 1e-12)) - stats::logit(time_out_prior)) /
      std::log(10.0);
  test.causes.push_back(std::move(time_out));
}

/// Prior probability of a cause among those that could be told apart here.
double prior_of(const FlakyTest& test, Cause wanted) {
  double possible = 0;
  for (const auto& cause : test.causes)
    if (cause.cause != Cause::time_out) possible += priors[static_cast<std::size_t>(cause.cause)];
  if (wanted == Cause::time_out) return priors[0] / possible * time_out_prior;
  return priors[static_cast<std::size_t>(wanted)] / possible;
}

/// The Bayes factor of the first cause against all others together: what the data have made of its odds.
Strength strength_of(const FlakyTest& test) {
  if (test.causes.empty() || test.failures < 2) return Strength::too_thin;
  const auto& first = test.causes.front();
  if (first.probability < least_probability) return Strength::too_thin;
  const double odds = stats::logit(std::min(first.probability, 1 - 1e-12));
  const double factor = odds - stats::logit(std::min(prior_of(test, first.cause), 1 - 1e-12));
  if (factor >= std::log(150.0)) return Strength::very_strong;
  if (factor >= std::log(20.0)) return Strength::strong;
  if (factor >= std::log(3.0)) return Strength::positive;
  return Strength::too_thin;
}

bool says_time_out(const History& history, const FlakyTest& test) {
  std::uint64_t saying = 0;
  for (const auto& entry : test.signatures) {
    std::string text = history.signatures[entry.signature];
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    for (const char* mark : {"timeout", "time out", "timed out", "time limit", "deadline"})
      if (text.find(mark) != std::string::npos) {
        saying += entry.count;
        break;
      }
  }
  return 2 * saying >= test.failures;
}

/// Tests that undo what the suspected polluter did: among the executions behind it, those with the cleaner in
/// between fail less.
void find_cleaners(const History& history, FlakyTest& test) {
  const auto& first = test.causes.front();
  if (first.cause != Cause::polluter || test.strength == Strength::too_thin || first.suspects.empty()) return;
  if (first.suspects.front().probability < 0.5 || first.suspects.front().tests.size() != 1) return;
  Presence all;
  const auto between = measure_between(history, test, first.suspects.front().tests.front(), all);
  stats::TwoRateModel model = make_model();
  model.set_totals(all.failures, all.passes);
  double candidates = 0;
  for (const auto& presence : between) candidates += presence.runs() != 0 ? 1 : 0;
  // Three of four victims have a cleaner (IDoFT).
  double total = std::log(0.5) + model.constant_rate().log_marginal;
  std::vector<std::pair<double, std::uint32_t>> weights;
  for (std::uint32_t t = 0; t < between.size(); ++t) {
    if (between[t].runs() == 0) continue;
    const Presence without = complement(all, between[t]);
    const double weight = std::log(0.5 / candidates) +
                          model.evaluate(without.failures, without.passes, 0, model_cells).log_marginal;
    weights.emplace_back(weight, t);
    total = stats::log_add(total, weight);
  }
  for (const auto& [weight, cleaner] : weights)
    if (std::exp(weight - total) >= least_cleaner)
      test.cleaners.push_back({cleaner, std::exp(weight - total)});
}

}  // namespace

void judge_causes(const Exposure& exposure, const Membership& membership, bool looks_like_time_out,
                  FlakyTest& test) {
  test.causes.clear();
  Judge judge(exposure, test);
  add_order(exposure, judge, test);
  add_sets(exposure, membership, judge);
  add_workers(exposure, judge);
  add_overlaps(exposure, judge);
  add_thresholds(
      exposure, judge, Cause::amount, 0, 0,
      [](const Circumstance& c) { return static_cast<double>(c.tests_before); },
      [](double cut) { return fmt::format("with at least {:.0f} tests before it", cut); });
  add_thresholds(
      exposure, judge, Cause::run_length, least_longer_share, least_longer_seconds,
      [](const Circumstance& c) { return c.run_seconds; },
      [](double cut) { return fmt::format("in runs whose sound tests take {:.3g} s or more", cut); });
  add_hours(exposure, judge);
  judge.finish();
  test.time_out_probability = judge_time_out(exposure, looks_like_time_out, test);
  split_time_out(test);
  std::stable_sort(test.causes.begin(), test.causes.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  test.strength = strength_of(test);
  test.judged = true;
}

void judge_causes(const History& history, const std::vector<double>& run_seconds, FlakyTest& test) {
  const Exposure exposure = measure_exposure(history, run_seconds, test);
  // A set has more ways to fit by chance than two failures could rule out.
  const Membership membership =
      exposure.all.failures < 3 ? Membership{} : measure_membership(history, test, likely_members(exposure));
  judge_causes(exposure, membership, says_time_out(history, test), test);
  find_cleaners(history, test);
}

}  // namespace flakebisect::analyzer
