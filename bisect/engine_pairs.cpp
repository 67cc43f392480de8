#include "bisect/engine_pairs.h"

#include <algorithm>
#include <cmath>

#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// Stored runs weigh less than one, the older the less.
constexpr double units_of_a_run = 64;
constexpr unsigned log_units_of_a_class = 5;

}  // namespace

PairPosterior::PairPosterior(const Problem& problem) : place_(problem.candidates.size(), -1) {
  std::vector<TestIndex> listed;
  for (TestIndex i = 0; i < problem.candidates.size(); ++i)
    if (problem.candidates[i].in_failing_run) listed.push_back(i);
  if (listed.size() <= pair_pool) choose_pool(std::move(listed), Evidence(problem.candidates.size()));
}

void PairPosterior::choose_pool(std::vector<TestIndex> pool, const Evidence& evidence) {
  pool_ = std::move(pool);
  std::sort(pool_.begin(), pool_.end());
  std::fill(place_.begin(), place_.end(), -1);
  for (std::size_t i = 0; i < pool_.size(); ++i) place_[pool_[i]] = static_cast<std::int32_t>(i);
  counts_.assign(pool_.size() < 2 ? 0 : pool_.size() * (pool_.size() - 1) / 2, {});
  all_failures_ = all_passes_ = 0;
  for (const auto& [bits, arm] : evidence.arms()) {
    const std::vector<TestIndex> tests = to_tests(bits);
    if (arm.failures > 0) add(tests, true, arm.failures);
    if (arm.passes > 0) add(tests, false, arm.passes);
  }
}

void PairPosterior::add(const std::vector<TestIndex>& ran, bool failed, double weight) {
  const auto units = static_cast<std::uint32_t>(std::lround(units_of_a_run * weight));
  (failed ? all_failures_ : all_passes_) += units;
  std::vector<std::size_t> places;
  for (const TestIndex test : ran)
    if (place_[test] >= 0) places.push_back(static_cast<std::size_t>(place_[test]));
  std::sort(places.begin(), places.end());
  for (std::size_t a = 1; a < places.size(); ++a) {
    PairCounts* row = counts_.data() + PairWeights::pair_index(places[a], 0);
    for (std::size_t b = 0; b < a; ++b) (failed ? row[places[b]].failures : row[places[b]].passes) += units;
  }
}

double PairPosterior::weigh(const stats::TwoRateModel& model, double log_prior_of_one, PairWeights& w) const {
  w.pool = pool_;
  w.place = place_;
  w.classes.clear();
  w.class_of.resize(counts_.size());
  // Counts that agree to half a run share a class; with very many runs to more, which bounds the table.
  unsigned shift = log_units_of_a_class;
  const auto rounded = [&shift](std::uint32_t units) {
    return (units + (std::uint32_t{1} << shift >> 1)) >> shift;
  };
  while (static_cast<double>(rounded(all_failures_) + 1) * (rounded(all_passes_) + 1) > 4e6) ++shift;
  const std::size_t columns = rounded(all_passes_) + 1;
  const std::size_t cells = (rounded(all_failures_) + 1) * columns;
  if (class_at_.size() < cells) {
    class_at_.resize(cells);
    round_at_.resize(cells, 0);
  }
  ++round_;
  double high = stats::minus_infinity;
  for (std::size_t pair = 0; pair < counts_.size(); ++pair) {
    const PairCounts& counts = counts_[pair];
    const std::size_t cell = rounded(counts.failures) * columns + rounded(counts.passes);
    if (round_at_[cell] != round_) {
      round_at_[cell] = round_;
      class_at_[cell] = static_cast<std::uint32_t>(w.classes.size());
      const stats::RateSummary summary =
          model.evaluate(counts.failures / units_of_a_run, counts.passes / units_of_a_run, 0, polluter_cells);
      PairClass made;
      made.log_marginal = log_prior_of_one + summary.log_marginal;
      made.in = summary.active_rate;
      made.out = summary.inactive_rate;
      high = std::max(high, made.log_marginal);
      w.classes.push_back(made);
    }
    w.class_of[pair] = class_at_[cell];
  }
  return high;
}

void scale_pairs(PairWeights& w, double factor) {
  for (PairClass& one : w.classes) {
    one.weight *= factor;
    one.fail_step *= factor;
    one.entropy_step *= factor;
  }
  w.total *= factor;
  w.alone_fail *= factor;
  w.alone_entropy *= factor;
}

void normalise_pairs(PairWeights& w, double high) {
  std::vector<double> out_entropy(w.classes.size());
  for (std::size_t c = 0; c < w.classes.size(); ++c) {
    PairClass& one = w.classes[c];
    one.weight = std::exp(one.log_marginal - high);
    out_entropy[c] = one.weight * stats::binary_entropy(one.out);
    one.fail_step = one.weight * (one.in - one.out);
    one.entropy_step = one.weight * stats::binary_entropy(one.in) - out_entropy[c];
  }
  w.total = w.alone_fail = w.alone_entropy = 0;
  std::vector<std::size_t> size(w.classes.size(), 0);
  for (const std::uint32_t c : w.class_of) ++size[c];
  for (std::size_t c = 0; c < w.classes.size(); ++c) {
    const auto pairs = static_cast<double>(size[c]);
    w.total += pairs * w.classes[c].weight;
    w.alone_fail += pairs * w.classes[c].weight * w.classes[c].out;
    w.alone_entropy += pairs * out_entropy[c];
  }
  // The few heaviest pairs, for answers.
  constexpr std::size_t kept = 8;
  w.best.clear();
  double least = 0;
  std::size_t pair = 0;
  for (std::size_t a = 1; a < w.pool.size(); ++a)
    for (std::size_t b = 0; b < a; ++b, ++pair) {
      const double weight = w.classes[w.class_of[pair]].weight;
      if (weight <= least) continue;
      const auto better = [&](const PairWeights::Best& x, double value) {
        return w.classes[x.pair_class].weight >= value;
      };
      const auto where = std::lower_bound(w.best.begin(), w.best.end(), weight, better);
      w.best.insert(where, {w.pool[b], w.pool[a], w.class_of[pair]});
      if (w.best.size() > kept) w.best.pop_back();
      if (w.best.size() == kept) least = w.classes[w.best.back().pair_class].weight;
    }
}

}  // namespace flakebisect::bisect
