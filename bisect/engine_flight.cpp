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

Branches::Branches(const Weights& w) : w_(w) {
  branches_.push_back({1, w.polluter.weight, w.amplified.weight, w.brittle.weight, w.self, w.gone,
                       w.pairs.total, w.dose.weight, w.set.weight, w.setters.weight});
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
    Branch fails{branch.probability,           branch.polluter * polluter,
                 branch.amplified * amplified, branch.brittle * brittle,
                 branch.self * w_.self_rate,   branch.gone * w_.gone_rate,
                 branch.pairs * rates.pairs,   branch.dose * rates.dose,
                 branch.set * rates.set,       branch.setters * rates.setters};
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
      fails.probability *= fail;
      scale(fails, 1 / fail);
      ends.push_back(std::move(fails));
      if (1 - fail <= least_probability) continue;
      passes.probability *= 1 - fail;
      scale(passes, 1 / (1 - fail));
      ends.push_back(std::move(passes));
    } else {
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
  const double step = sum / static_cast<double>(most);
  double at = rng.uniform() * step, passed = 0;
  std::vector<Branch> kept;
  for (Branch& branch : branches_) {
    passed += branch.probability;
    double hits = 0;
    for (; at < passed; at += step) ++hits;
    if (hits == 0) continue;
    branch.probability = hits / static_cast<double>(most);
    kept.push_back(std::move(branch));
  }
  branches_ = std::move(kept);
}

}  // namespace flakebisect::bisect
