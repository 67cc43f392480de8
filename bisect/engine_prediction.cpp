#include "bisect/engine_prediction.h"

#include <algorithm>
#include <cmath>

#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// Pairs lighter than this together cost more time than they inform.
constexpr double light_pairs = 0.02;

double odds_of_pass(double fail) {
  const double p = std::clamp(fail, 1e-6, 1.0 - 1e-6);
  return std::log1p(-p) - std::log(p);
}

}  // namespace

Prediction::Prediction(const Problem& problem, const Weights& w)
    : problem_(problem), w_(w), set_(w.set), setters_(w.setters) {
  const auto n = static_cast<Eigen::Index>(problem.candidates.size());
  for (const Candidate& candidate : problem.candidates) listed_ += candidate.in_failing_run ? 1 : 0;
  with_pairs_ = w.pairs.total > light_pairs;
  with_groups_ = !set_.light() || !setters_.light();
  kept_ = 1.0 - (with_pairs_ ? 0 : w.pairs.total) - (set_.light() ? w.set.weight : 0) -
          (setters_.light() ? w.setters.weight : 0);
  fail_step_ = w.polluter.weight * (w.polluter.in - w.polluter.out) +
               w.brittle.weight * (w.brittle.in - w.brittle.out);
  entropy_step_ = Eigen::ArrayXd::Zero(n);
  self_step_ = w.amplified.weight * (w.amplified.in - w.amplified.out);
  self_mass_ = w.self_total();
  start_.self_fail = w.self * w.self_rate + (w.amplified.weight * w.amplified.out).sum();
  start_.fail = w.gone * w.gone_rate + (w.polluter.weight * w.polluter.out).sum() +
                (w.brittle.weight * w.brittle.out).sum();
  start_.known = w.gone * stats::binary_entropy(w.gone_rate);
  for (const CandidateWeights* part : {&w.polluter, &w.brittle})
    for (Eigen::Index i = 0; i < n; ++i) {
      if (!(part->weight[i] > 0)) continue;
      const double out = part->weight[i] * stats::binary_entropy(part->out[i]);
      entropy_step_[i] += part->weight[i] * stats::binary_entropy(part->in[i]) - out;
      start_.known += out;
    }
  if (with_pairs_) {
    start_.pairs = w.pairs.alone_fail;
    start_.known += w.pairs.alone_entropy;
  }
  restart();
}

Prediction::Prediction(const Problem& problem, const Weights& w, const Branches& branches)
    : Prediction(problem, w) {
  if (branches.all().size() > 1) add_branches(branches);
  restart();
}

void Prediction::add_branches(const Branches& branches) {
  const auto count = static_cast<Eigen::Index>(branches.all().size());
  const auto n = static_cast<Eigen::Index>(problem_.candidates.size());
  for (ByBranch* one : {&branch_, &branch_self_mass_, &branch_kept_, &pairs_, &dose_, &sets_,
                        &several_setters_, &branch_start_.fail, &branch_start_.self_fail})
    one->resize(count);
  branch_step_.resize(count, n);
  branch_self_step_.resize(count, n);
  const Eigen::ArrayXd polluter = w_.polluter.in - w_.polluter.out, brittle = w_.brittle.in - w_.brittle.out,
                       amplified = w_.amplified.in - w_.amplified.out;
  const auto share = [](double weight, double of) { return of > 0 ? weight / of : 0; };
  for (Eigen::Index b = 0; b < count; ++b) {
    const Branch& one = branches.all()[static_cast<std::size_t>(b)];
    branch_[b] = one.probability;
    branch_self_mass_[b] = one.self + one.amplified.sum();
    branch_kept_[b] = 1.0 - (with_pairs_ ? 0 : one.pairs) - (set_.light() ? one.set : 0) -
                      (setters_.light() ? one.setters : 0);
    pairs_[b] = share(one.pairs, w_.pairs.total);
    dose_[b] = share(one.dose, w_.dose.weight);
    sets_[b] = share(one.set, w_.set.weight);
    several_setters_[b] = share(one.setters, w_.setters.weight);
    branch_start_.fail[b] = one.gone * w_.gone_rate + (one.polluter * w_.polluter.out).sum() +
                            (one.brittle * w_.brittle.out).sum();
    branch_start_.self_fail[b] =
        one.self * branches.self_rate(one) + (one.amplified * w_.amplified.out).sum();
    branch_step_.row(b) = (one.polluter * polluter + one.brittle * brittle).transpose();
    branch_self_step_.row(b) = (one.amplified * amplified).transpose();
  }
}

void Prediction::restart() {
  now_ = start_;
  branch_now_ = branch_start_;
  count_ = 0;
  places_.clear();
  set_.restart();
  setters_.restart();
}

void Prediction::include(TestIndex test) {
  const auto i = static_cast<Eigen::Index>(test);
  now_.fail += fail_step_[i];
  now_.known += entropy_step_[i];
  now_.self_fail += self_step_[i];
  if (branch_.size() > 0) {
    branch_now_.fail += branch_step_.col(i);
    branch_now_.self_fail += branch_self_step_.col(i);
  }
  if (problem_.candidates[test].in_failing_run) count_ += 1;
  if (with_groups_) {
    set_.include(test);
    setters_.include(test);
  }
  if (!with_pairs_ || w_.pairs.place[test] < 0) return;
  const auto place = static_cast<std::size_t>(w_.pairs.place[test]);
  for (const std::size_t other : places_) {
    const std::size_t pair =
        other < place ? PairWeights::pair_index(place, other) : PairWeights::pair_index(other, place);
    const PairClass& one = w_.pairs.classes[w_.pairs.class_of[pair]];
    now_.pairs += one.fail_step;
    now_.known += one.entropy_step;
  }
  places_.push_back(place);
}

double Prediction::dose_rate() const {
  return w_.dose.rate_at(listed_ > 0 ? count_ / listed_ : 0);
}

double Prediction::fail_sum() const {
  return now_.fail + now_.pairs + now_.self_fail + w_.dose.weight * dose_rate() + set_.sums().fail +
         setters_.sums().fail;
}

double Prediction::fail() const {
  return fail_sum() / kept_;
}

KindRates Prediction::kind_rates() const {
  // What is too light to be looked at is taken to agree with the others.
  const auto rate = [&](bool kept, double fail, double weight) {
    return std::clamp(kept && weight > 0 ? fail / weight : this->fail(), 0.0, 1.0);
  };
  return {rate(with_pairs_, now_.pairs, w_.pairs.total), dose_rate(),
          rate(!set_.light(), set_.sums().fail, w_.set.weight),
          rate(!setters_.light(), setters_.sums().fail, w_.setters.weight)};
}

/// Of coins, in nats.
Prediction::ByBranch Prediction::entropies(const ByBranch& probability) {
  const ByBranch p = probability.max(1e-12).min(1 - 1e-12);
  return -p * p.log() - (1 - p) * (1 - p).log();
}

Prediction::ByBranch Prediction::branch_fail() const {
  return (branch_now_.fail + branch_now_.self_fail + pairs_ * now_.pairs +
          dose_ * (w_.dose.weight * dose_rate()) + sets_ * set_.sums().fail +
          several_setters_ * setters_.sums().fail) /
         branch_kept_;
}

double Prediction::information() const {
  const double dose = w_.dose.weight > 0 ? w_.dose.weight * stats::binary_entropy(dose_rate()) : 0;
  const double known = now_.known + dose + set_.sums().known + setters_.sums().known;
  if (branch_.size() == 0) {
    const double self = self_mass_ > 0 ? self_mass_ * stats::binary_entropy(now_.self_fail / self_mass_) : 0;
    return std::max(0.0, stats::binary_entropy(fail()) - (known + self) / kept_);
  }
  const ByBranch self =
      branch_self_mass_ / branch_kept_ * entropies(branch_now_.self_fail / branch_self_mass_.max(1e-300));
  return std::max(0.0, (branch_ * (entropies(branch_fail()) - self)).sum() - known / kept_);
}

double Prediction::information_about_self() const {
  const double mass = self_mass();
  if (mass <= 0 || mass >= 1) return 0;
  if (branch_.size() == 0) {
    const double all = fail(), self = now_.self_fail / kept_;
    const double others = 1 - mass;
    return std::max(0.0, stats::binary_entropy(all) - mass * stats::binary_entropy(self / mass) -
                             others * stats::binary_entropy((all - self) / others));
  }
  const ByBranch all = branch_fail(), self_mass = (branch_self_mass_ / branch_kept_).max(1e-300),
                 self = branch_now_.self_fail / branch_kept_, others = (1 - self_mass).max(1e-300);
  const ByBranch told =
      entropies(all) - self_mass * entropies(self / self_mass) - others * entropies((all - self) / others);
  return std::max(0.0, (branch_ * told).sum());
}

double Prediction::effect(TestIndex test) {
  if (pair_fail_.size() == 0) add_pair_slopes();
  const auto i = static_cast<Eigen::Index>(test);
  const double groups = pair_fail_[i] + std::abs(set_.slope(test).fail) + std::abs(setters_.slope(test).fail);
  if (branch_.size() == 0) return std::abs(fail_step_[i]) + std::abs(self_step_[i]) + groups;
  return (branch_ * (branch_step_.col(i).abs() + branch_self_step_.col(i).abs())).sum() + groups;
}

void Prediction::mark() {
  marked_odds_ = odds_of_pass(fail());
  if (branch_.size() > 0)
    marked_branch_odds_ = branch_ / branch_kept_ * kept_ *
                          branch_fail().unaryExpr([](double fail) { return odds_of_pass(fail); });
  set_.mark();
  setters_.mark();
}

double Prediction::slope(TestIndex test) {
  if (pair_fail_.size() == 0) add_pair_slopes();
  const auto i = static_cast<Eigen::Index>(test);
  const GroupPrediction::Sums set = set_.slope(test), setters = setters_.slope(test);
  const double known = entropy_step_[i] + 0.5 * pair_entropy_[i] + set.known + setters.known;
  if (branch_.size() == 0)
    return marked_odds_ * (fail_step_[i] + self_step_[i] + 0.5 * pair_fail_[i] + set.fail + setters.fail) -
           known;
  return (marked_branch_odds_ *
          (branch_step_.col(i) + branch_self_step_.col(i) + pairs_ * (0.5 * pair_fail_[i]) +
           sets_ * set.fail + several_setters_ * setters.fail))
             .sum() -
         known;
}

void Prediction::add_pair_slopes() {
  const auto n = static_cast<Eigen::Index>(problem_.candidates.size());
  pair_fail_ = pair_entropy_ = Eigen::ArrayXd::Zero(n);
  if (!with_pairs_) return;
  std::size_t pair = 0;
  for (std::size_t a = 1; a < w_.pairs.pool.size(); ++a) {
    const auto x = static_cast<Eigen::Index>(w_.pairs.pool[a]);
    for (std::size_t b = 0; b < a; ++b, ++pair) {
      const auto y = static_cast<Eigen::Index>(w_.pairs.pool[b]);
      const PairClass& one = w_.pairs.classes[w_.pairs.class_of[pair]];
      pair_fail_[x] += one.fail_step;
      pair_fail_[y] += one.fail_step;
      pair_entropy_[x] += one.entropy_step;
      pair_entropy_[y] += one.entropy_step;
    }
  }
}

}  // namespace flakebisect::bisect
