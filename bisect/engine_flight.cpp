#include "bisect/engine_flight.h"

#include <utility>

namespace flakebisect::bisect {

namespace {

/// What cannot be is no way to end.
constexpr double least_probability = 1e-9;

double total(const Branch& branch) {
  return branch.polluter.sum() + branch.amplified.sum() + branch.brittle.sum() + branch.self + branch.gone +
         branch.pairs + branch.dose + branch.set + branch.setters;
}

void scale(Branch& branch, double factor) {
  for (Eigen::ArrayXd* part : {&branch.polluter, &branch.amplified, &branch.brittle}) *part *= factor;
  for (double* part : {&branch.self, &branch.gone, &branch.pairs, &branch.dose, &branch.set, &branch.setters})
    *part *= factor;
}

}  // namespace

Branches::Branches(const Weights& w, SelfRates self_rates) : w_(w), self_rates_(std::move(self_rates)) {
  Branch now;
  now.polluter = w.polluter.weight;
  now.amplified = w.amplified.weight;
  now.brittle = w.brittle.weight;
  now.self = w.self;
  now.gone = w.gone;
  now.pairs = w.pairs.total;
  now.dose = w.dose.weight;
  now.set = w.set.weight;
  now.setters = w.setters.weight;
  branches_.push_back(std::move(now));
}

void Branches::add(const std::vector<TestIndex>& list, const KindRates& rates, stats::Rng& rng) {
  const auto rate_of = [&](const CandidateWeights& part) {
    Eigen::ArrayXd rate = part.out;
    for (const TestIndex test : list)
      rate[static_cast<Eigen::Index>(test)] = part.in[static_cast<Eigen::Index>(test)];
    return rate;
  };
  const Eigen::ArrayXd polluter = rate_of(w_.polluter), amplified = rate_of(w_.amplified),
                       brittle = rate_of(w_.brittle);
  std::vector<Branch> ends;
  ends.reserve(2 * branches_.size());
  for (Branch& branch : branches_) {
    Branch fails = branch;
    fails.polluter *= polluter;
    fails.amplified *= amplified;
    fails.brittle *= brittle;
    fails.self *= self_rate(branch);
    fails.gone *= w_.gone_rate;
    fails.pairs *= rates.pairs;
    fails.dose *= rates.dose;
    fails.set *= rates.set;
    fails.setters *= rates.setters;
    const double fail = total(fails);
    if (fail > least_probability) {
      Branch passes = branch;
      passes.polluter -= fails.polluter;
      passes.amplified -= fails.amplified;
      passes.brittle -= fails.brittle;
      passes.self -= fails.self;
      passes.gone -= fails.gone;
      passes.pairs -= fails.pairs;
      passes.dose -= fails.dose;
      passes.set -= fails.set;
      passes.setters -= fails.setters;
      ++fails.failures;
      fails.probability *= fail;
      scale(fails, 1 / fail);
      ends.push_back(std::move(fails));
      if (1 - fail <= least_probability) continue;
      ++passes.passes;
      passes.probability *= 1 - fail;
      scale(passes, 1 / (1 - fail));
      ends.push_back(std::move(passes));
    } else {
      ++branch.passes;
      ends.push_back(std::move(branch));
    }
  }
  branches_ = std::move(ends);
  if (branches_.size() > most) thin_out(rng);
}

void Branches::thin_out(stats::Rng& rng) {
  // Systematic sampling: each is kept in proportion to its probability.
  double sum = 0;
  for (const Branch& branch : branches_) sum += branch.probability;
  const double step = sum / static_cast<double>(most), offset = rng.uniform();
  double passed = 0;
  std::size_t drawn = 0;
  std::vector<Branch> kept;
  for (Branch& branch : branches_) {
    passed += branch.probability;
    std::size_t hits = 0;
    while ((static_cast<double>(drawn) + offset) * step < passed) {
      ++drawn;
      ++hits;
    }
    if (hits == 0) continue;
    branch.probability = static_cast<double>(hits) / static_cast<double>(most);
    kept.push_back(std::move(branch));
  }
  branches_ = std::move(kept);
}

}  // namespace flakebisect::bisect
