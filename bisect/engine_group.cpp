#include "bisect/engine_group.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "stats/log_math.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

namespace {

// A background is there in one case of five, as for the other kinds.
constexpr struct { double ratio, weight; } group_ratios[] = {{0.0, 0.8}, {0.04, 0.1}, {0.16, 0.1}};

// Until a list is marked, a third of the groups is taken to be active.
const double unmarked_share = std::exp(-1.0);
// Of more tests no groups are made: choosing a probe would take too long.
constexpr std::size_t large_universe = 2500;
// What Sizes counts up to.
constexpr std::size_t most_least = 3;

/// Probabilities of how many of some tests are members, as far as it matters whether they are `least`, at
/// most three.
class Sizes {
 public:
  explicit Sizes(std::size_t least) : least_(least) {}
  /// Called for each test after each run: hence no loop and no branch.
  void add(double member) {
    size_[2] += member * (size_[1] - size_[2]);
    size_[1] += member * (size_[0] - size_[1]);
    size_[0] *= 1.0 - member;
  }
  /// That they are `least` or more.
  double enough() const {
    double below = 0;
    for (std::size_t k = 0; k < least_; ++k) below += size_[k];
    return std::clamp(1.0 - below, 0.0, 1.0);
  }
  /// That a test which was added with probability `member` is one, now that they are known to be enough.
  double marginal(double member) const { return marginal(member, 1.0 / (1.0 - member), enough()); }
  /// The same where 1 / (1 - member) and enough() are known: it is asked of each test after each run.
  double marginal(double member, double of_absent, double all_enough) const {
    if (member > 0.5)
      return std::max(member, std::min(1.0, member * (all_enough + size_[least_ - 1]) / all_enough));
    // The sizes of the others, which must be one fewer.
    double others = 0, before = 0;
    for (std::size_t k = 0; k + 1 < least_; ++k) {
      before = (size_[k] - member * before) * of_absent;
      others += before;
    }
    return std::clamp(member * (1.0 - others) / all_enough, member, 1.0);
  }

 private:
  std::size_t least_;
  std::array<double, most_least> size_{1, 0, 0};
};

}  // namespace

GroupPosterior::GroupPosterior(const Problem& problem, GroupForm form, std::size_t least, double expected)
    : form_(form), least_(least), candidates_(problem.candidates.size()), place_(candidates_, -1) {
  if (least < 1 || least > most_least)
    throw std::invalid_argument("a group has one to three members at least");
  double weight = 0;
  for (TestIndex i = 0; i < candidates_; ++i) {
    if (problem.candidates[i].in_failing_run != (form == GroupForm::all_needed)) continue;
    place_[i] = static_cast<std::int32_t>(universe_.size());
    universe_.push_back(i);
    weight += problem.candidates[i].weight;
  }
  if (universe_.size() > large_universe) universe_.clear();
  if (empty()) return;
  for (const TestIndex test : universe_)
    prior_member_.push_back(std::min(0.5, expected * problem.candidates[test].weight / weight));
  const stats::RatePrior prior = stats::default_rate_prior();
  const double low = prior.logits.front();
  const double high = prior.logits.back();
  const auto points = static_cast<Eigen::Index>(std::ceil((high - low) / 0.15)) + 1;
  grid_.resize(points);
  Eigen::ArrayXd density(points);
  for (Eigen::Index i = 0; i < points; ++i) {
    const double u = low + (high - low) * static_cast<double>(i) / static_cast<double>(points - 1);
    grid_[i] = stats::inverse_logit(u);
    density[i] = stats::rate_density(prior, u);
  }
  density /= density.sum();
  log_grid_ = grid_.log();
  log_pass_ = (-grid_).log1p();
  for (const auto& [ratio, share] : group_ratios) {
    parts_.push_back({ratio, std::log(share), density, (-ratio * grid_).log1p(), prior_member_});
  }
}

std::vector<std::uint32_t> GroupPosterior::quenchers(const std::vector<TestIndex>& ran) const {
  std::vector<char> chosen(universe_.size(), form_ == GroupForm::all_needed ? 1 : 0);
  for (const TestIndex test : ran)
    if (place_[test] >= 0)
      chosen[static_cast<std::size_t>(place_[test])] = form_ == GroupForm::all_needed ? 0 : 1;
  std::vector<std::uint32_t> places;
  for (std::uint32_t i = 0; i < chosen.size(); ++i)
    if (chosen[i] != 0) places.push_back(i);
  return places;
}

void GroupPosterior::learn(Part& part, const Run& run, bool scored) const {
  // Sizes of the part of the group that left the run alone, and of the whole group.
  thread_local std::vector<double> left_alone;
  left_alone = part.member;
  for (const std::uint32_t place : run.quenchers) left_alone[place] = 0;
  Sizes others(least_), sizes(least_);
  for (const double member : left_alone) others.add(member);
  sizes = others;
  double none = 1;
  for (const std::uint32_t place : run.quenchers) {
    sizes.add(part.member[place]);
    none *= 1.0 - part.member[place];
  }
  // Where there can hardly be such a group any more none is active; what follows is predicted from that.
  const double enough = sizes.enough();
  const bool possible = enough > least_absent;
  const double active = possible ? std::min(1.0, none * others.enough() / enough) : 0.0;

  // The outcomes' probability at each rate, while no member interferes and when one does.
  Eigen::ArrayXd in = run.failures * log_grid_ + run.passes * log_pass_;
  Eigen::ArrayXd out = Eigen::ArrayXd::Zero(grid_.size());
  if (part.ratio > 0)
    out = run.failures * (log_grid_ + std::log(part.ratio)) + run.passes * part.log_pass;
  else if (run.failures > 0)
    out = stats::minus_infinity;
  const double high = std::max(in.maxCoeff(), out.maxCoeff());
  in = (in - high).exp();
  out = (out - high).exp();
  const double mean_in = (part.rate * in).sum();
  const double mean_out = (part.rate * out).sum();
  const Eigen::ArrayXd joint = part.rate * (active * in + (1.0 - active) * out);
  const double both = joint.sum();
  if (!(both > 1e-280)) {
    if (scored) part.log_evidence = stats::minus_infinity;
    return;
  }
  if (possible)
    for (const std::uint32_t place : run.quenchers) {
      // The odds change by how much likelier the outcome is with this member than without.
      double& member = part.member[place];
      const double absent = std::max(1.0 - member, least_absent);
      const double without = std::max(1.0 - sizes.marginal(member, 1.0 / absent, enough), least_absent);
      const double still_active = std::min(1.0, active / without);
      const double with = member * mean_out;
      const double other =
          absent * std::max(still_active * mean_in + (1.0 - still_active) * mean_out, 1e-280);
      member = with < 1e12 * other ? with / (with + other) : 1.0 - least_absent;
    }
  if (!scored) return;
  part.log_evidence += std::log(both) + high;
  part.rate = joint / both;
}

void GroupPosterior::look_back(Part& part) const {
  // What was learned from early runs, while rate and members were unknown, was learned badly: once more, from
  // the rate that is known now. Failures first, because what they exclude sharpens what passes say.
  part.member = prior_member_;
  for (const bool failures : {true, false})
    for (const Run& run : runs_)
      if ((run.failures > 0) == failures) learn(part, run, false);
}

void GroupPosterior::add(const std::vector<TestIndex>& ran, bool failed, double weight) {
  if (empty()) return;
  const SubsetBits bits = to_bits(ran, candidates_);
  const auto [found, is_new] = run_of_.try_emplace(bits, runs_.size());
  if (is_new) {
    runs_.push_back({quenchers(ran)});
    quenched_ += static_cast<double>(runs_.back().quenchers.size());
  }
  Run& all = runs_[found->second];
  (failed ? all.failures : all.passes) += weight;
  Run one{all.quenchers};
  (failed ? one.failures : one.passes) = weight;
  for (Part& part : parts_)
    if (part.log_evidence > stats::minus_infinity) learn(part, one, true);
  ++seen_;
  if (!failed && seen_ < look_back_at_) return;
  look_back_at_ = seen_ + seen_ / 8 + 8;
  for (Part& part : parts_)
    if (part.log_evidence > stats::minus_infinity) look_back(part);
}

double GroupPosterior::log_marginal() const {
  double sum = stats::minus_infinity;
  for (const Part& part : parts_) sum = stats::log_add(sum, part.log_evidence);
  return sum;
}

void GroupPosterior::predict(GroupWeights& weights) const {
  weights.all_needed = form_ == GroupForm::all_needed;
  weights.least = least_;
  weights.parts.clear();
  weights.member = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(candidates_));
  const double total = log_marginal();
  double shares = 0;
  std::vector<const Part*> kept;
  for (const Part& part : parts_) {
    Sizes sizes(least_);
    for (const double p : part.member) sizes.add(p);
    GroupWeights::Part made;
    made.share = std::exp(part.log_evidence - total);
    if (!(made.share > 0.01) || !(sizes.enough() > least_absent)) continue;
    shares += made.share;
    made.in = (part.rate * grid_).sum();
    made.out = part.ratio * made.in;
    made.log_absent = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(candidates_));
    if (weights.all_needed) made.enough = sizes.enough();
    for (std::size_t i = 0; i < universe_.size(); ++i) {
      const auto at = static_cast<Eigen::Index>(universe_[i]);
      const double member = sizes.marginal(part.member[i]);
      made.log_absent[at] =
          std::log(std::max(1.0 - (weights.all_needed ? part.member[i] : member), least_absent));
      made.log_none += made.log_absent[at];
      weights.member[at] += made.share * member;
    }
    weights.parts.push_back(std::move(made));
    kept.push_back(&part);
  }
  weights.in = weights.out = 0;
  weights.likely.clear();
  if (weights.parts.empty()) return;
  weights.member /= shares;
  for (GroupWeights::Part& part : weights.parts) {
    part.share /= shares;
    weights.in += part.share * part.in;
    weights.out += part.share * part.out;
  }
  LikelyGroup likely{{}, 0, weights.in, weights.out};
  for (const TestIndex test : universe_)
    if (weights.member[static_cast<Eigen::Index>(test)] > 0.5) likely.tests.push_back(test);
  if (likely.tests.size() < least_) return;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    Sizes sizes(least_);
    double probability = weights.parts[k].share;
    for (std::size_t i = 0; i < universe_.size(); ++i) {
      const double p = kept[k]->member[i];
      sizes.add(p);
      probability *= weights.member[static_cast<Eigen::Index>(universe_[i])] > 0.5 ? p : 1.0 - p;
    }
    likely.probability += std::min(weights.parts[k].share, probability / sizes.enough());
  }
  weights.likely.push_back(std::move(likely));
}

GroupPrediction::GroupPrediction(const GroupWeights& weights, double light) : w_(weights) {
  heavy_ = w_.weight > 0 && w_.weight >= light && (!w_.parts.empty() || w_.exact.share > 0);
  if (!heavy_) return;
  for (const GroupWeights::Part& part : w_.parts) {
    start_.push_back(w_.all_needed ? part.log_none : 0.0);
    if (w_.all_needed) absent_.emplace_back(part.log_absent.exp());
    terms_.push_back(
        {std::exp(part.log_none), part.share * w_.weight * part.out,
         part.share * w_.weight * (part.in - part.out),
         part.share * w_.weight * stats::binary_entropy(part.out),
         part.share * w_.weight * (stats::binary_entropy(part.in) - stats::binary_entropy(part.out)),
         unmarked_share});
  }
  if (w_.all_needed)
    inside_.resize(static_cast<Eigen::Index>(w_.least), static_cast<Eigen::Index>(terms_.size()));
  tabulate();
  restart();
}

void GroupPrediction::tabulate() {
  const GroupWeights::Exact& exact = w_.exact;
  if (!(exact.share > 0)) return;
  const std::size_t masks = std::size_t{1} << exact.suspects.size();
  const auto everybody = static_cast<std::uint32_t>(masks - 1);
  start_mask_ = w_.all_needed ? 0 : everybody;
  marked_mask_ = everybody;
  marked_share_ = unmarked_share;
  table_.assign(masks, {});
  Sums inactive;
  for (const GroupWeights::Exact::Group& group : exact.groups) {
    const double weight = w_.weight * exact.share * group.probability;
    const double known = stats::binary_entropy(group.out);
    inactive.fail += weight * group.out;
    inactive.known += weight * known;
    table_[group.mask].fail += weight * (group.in - group.out);
    table_[group.mask].known += weight * (stats::binary_entropy(group.in) - known);
  }
  // A group is active where the mask holds all of it: sums over subsets.
  for (std::size_t bit = 1; bit < masks; bit *= 2)
    for (std::size_t mask = 0; mask < masks; ++mask)
      if ((mask & bit) != 0) {
        table_[mask].fail += table_[mask ^ bit].fail;
        table_[mask].known += table_[mask ^ bit].known;
      }
  for (Sums& sums : table_) {
    sums.fail += inactive.fail;
    sums.known += inactive.known;
  }
}

std::uint32_t GroupPrediction::bit_of(TestIndex test) const {
  const std::vector<TestIndex>& suspects = w_.exact.suspects;
  const auto found = std::lower_bound(suspects.begin(), suspects.end(), test);
  return found == suspects.end() || *found != test ? 0 : 1U << (found - suspects.begin());
}

void GroupPrediction::include_in_terms(TestIndex test) {
  for (std::size_t i = 0; i < log_active_.size(); ++i) {
    const double one = w_.parts[i].log_absent[static_cast<Eigen::Index>(test)];
    log_active_[i] += w_.all_needed ? -one : one;
    if (!w_.all_needed) continue;
    auto sizes = inside_.col(static_cast<Eigen::Index>(i));
    const double absent = absent_[i][static_cast<Eigen::Index>(test)];
    for (Eigen::Index k = sizes.size() - 1; k > 0; --k)
      sizes[k] = absent * sizes[k] + (1.0 - absent) * sizes[k - 1];
    sizes[0] *= absent;
  }
  if (table_.empty()) return;
  const std::uint32_t bit = bit_of(test);
  mask_ = w_.all_needed ? mask_ | bit : mask_ & ~bit;
}

double GroupPrediction::active(std::size_t part) const {
  const double none = terms_[part].none;
  if (!w_.all_needed)  // no group is empty
    return none < 1 ? std::clamp((std::exp(log_active_[part]) - none) / (1.0 - none), 0.0, 1.0) : 0.0;
  // No member is left out, and those that ran are enough.
  const double enough = 1 - inside_.col(static_cast<Eigen::Index>(part)).sum();
  return std::clamp(std::exp(std::min(0.0, log_active_[part])) * enough / w_.parts[part].enough, 0.0, 1.0);
}

void GroupPrediction::mark() {
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    // Where all are needed, one more test also makes a group of those that lack one.
    const double none_left_out = std::exp(std::min(0.0, log_active_[i]));
    const auto part = static_cast<Eigen::Index>(i);
    terms_[i].marked =
        w_.all_needed ? active(i) + none_left_out * inside_(inside_.rows() - 1, part) / w_.parts[i].enough
                      : none_left_out;
  }
  marked_mask_ = mask_;
  marked_share_ = 1;
}

GroupPrediction::Sums GroupPrediction::sums_of_terms() const {
  Sums sums = table_.empty() ? Sums{} : table_[mask_];
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    const Term& term = terms_[i];
    const double share = active(i);
    sums.fail += term.fail + share * term.fail_step;
    sums.known += term.known + share * term.known_step;
  }
  return sums;
}

GroupPrediction::Sums GroupPrediction::slope_of_terms(TestIndex test) const {
  Sums sums;
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    const double one = w_.parts[i].log_absent[static_cast<Eigen::Index>(test)];
    const double step = (w_.all_needed ? -one : one) * terms_[i].marked;
    sums.fail += step * terms_[i].fail_step;
    sums.known += step * terms_[i].known_step;
  }
  if (table_.empty()) return sums;
  const std::uint32_t bit = bit_of(test);
  if (bit == 0) return sums;
  const Sums &left_alone = table_[marked_mask_ | bit], &quenched = table_[marked_mask_ & ~bit];
  const double sign = w_.all_needed ? marked_share_ : -marked_share_;
  sums.fail += sign * (left_alone.fail - quenched.fail);
  sums.known += sign * (left_alone.known - quenched.known);
  return sums;
}

}  // namespace flakebisect::bisect
