#include "stats/two_rate_model.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "stats/log_math.h"

namespace flakebisect::stats {

namespace {

// Nodes of the table over the number of active passes: dense where the sum bends most, then geometric.
constexpr double linear_step = 0.125;
constexpr std::size_t linear_nodes = 32;
constexpr double linear_end = linear_step * static_cast<double>(linear_nodes);
const double growth = std::log1p(1.0 / 32.0);
// log of the share of the highest term below which a term adds nothing: thousands of them less than 1e-14.
constexpr double negligible = -40;

double log_sum(const Eigen::ArrayXd& values) {
  const double high = values.maxCoeff();
  if (high == minus_infinity) return high;
  return high + std::log((values - high).exp().sum());
}

}  // namespace

double rate_density(const RatePrior& prior, double u) {
  if (u <= prior.logits.front()) return prior.densities.front();
  for (std::size_t i = 1; i < prior.logits.size(); ++i) {
    if (u > prior.logits[i]) continue;
    const double share = (u - prior.logits[i - 1]) / (prior.logits[i] - prior.logits[i - 1]);
    return prior.densities[i - 1] + share * (prior.densities[i] - prior.densities[i - 1]);
  }
  return prior.densities.back();
}

RatePrior default_rate_prior() {
  return {{logit(0.001), logit(0.004), logit(0.009), logit(0.02), logit(0.05), logit(0.1), logit(0.2),
           logit(0.3), logit(0.9), logit(0.99), logit(0.9995)},
          {0.002, 0.01, 0.25, 0.35, 0.25, 0.25, 0.13, 0.04, 0.03, 0.025, 0.01}};
}

RatePrior flat_rate_prior() {
  const std::vector<double> range = default_rate_prior().logits;
  return {{range.front(), range.back()}, {1, 1}};
}

TwoRateModel::TwoRateModel(RatePrior prior, std::vector<RatioCell> cells)
    : prior_(std::move(prior)), cells_(std::move(cells)) {
  if (prior_.logits.size() < 2 || prior_.logits.size() != prior_.densities.size())
    throw std::invalid_argument("a rate prior needs two or more breaks, each with a density");
  if (cells_.empty()) throw std::invalid_argument("a two-rate model needs at least one ratio");
  for (const RatioCell& cell : cells_)
    if (!(cell.ratio >= 0) || !(cell.ratio < 1) || !(cell.weight > 0))
      throw std::invalid_argument("a ratio must lie in [0, 1) and have a positive weight");
  for (const RatioCell& cell : cells_) {
    log_weight_.push_back(std::log(cell.weight));
    log_ratio_.push_back(std::log(cell.ratio));
  }
  set_totals(0, 0);
}

void TwoRateModel::make_grid(double failures) {
  // The posterior of logit(p) is never narrower than 1 / sqrt(failures); a step of twice that integrates a
  // normal curve to 5 %, evenly for all explanations.
  const double width = prior_.logits.back() - prior_.logits.front();
  const double step = std::min(0.2, 1.6 / std::sqrt(std::max(failures, 1.0)));
  const auto points = std::min<Eigen::Index>(3000, static_cast<Eigen::Index>(std::ceil(width / step)) + 1);
  rate_.resize(points);
  log_rate_.resize(points);
  log_pass_.resize(points);
  log_prior_.resize(points);
  for (Eigen::Index i = 0; i < points; ++i) {
    const double u = prior_.logits.front() + width * static_cast<double>(i) / static_cast<double>(points - 1);
    rate_[i] = inverse_logit(u);
    log_rate_[i] = log_inverse_logit(u);
    log_pass_[i] = log_inverse_logit(-u);
    log_prior_[i] = std::log(rate_density(prior_, u));
  }
  log_prior_ -= log_sum(log_prior_);
  inactive_log_pass_.clear();
  pass_change_.clear();
  for (const RatioCell& cell : cells_) {
    inactive_log_pass_.push_back((-cell.ratio * rate_).log1p());
    pass_change_.push_back(log_pass_ - inactive_log_pass_.back());
  }
  grid_failures_ = failures;
}

void TwoRateModel::set_totals(double failures, double passes) {
  // Refined in steps of a factor of two, so that neighbouring data sets share one grid.
  if (grid_failures_ < 0) make_grid(64);
  if (failures > grid_failures_) make_grid(2 * failures);
  failures_ = failures;
  passes_ = passes;
  base_.clear();
  node_.assign(cells_.size(), {});
  for (std::size_t k = 0; k < cells_.size(); ++k)
    base_.push_back(log_prior_ + failures * log_rate_ + passes * inactive_log_pass_[k]);
  const Eigen::ArrayXd terms = log_prior_ + failures * log_rate_ + passes * log_pass_;
  constant_.log_marginal = log_sum(terms);
  constant_.active_rate = ((terms - constant_.log_marginal).exp() * rate_).sum();
  constant_.inactive_rate = constant_.active_rate;
}

double TwoRateModel::constant_log_marginal(double failures, double passes) const {
  return log_sum(log_prior_ + failures * log_rate_ + passes * log_pass_);
}

double TwoRateModel::node_position(std::size_t index) {
  if (index <= linear_nodes) return linear_step * static_cast<double>(index);
  return linear_end * std::exp(growth * static_cast<double>(index - linear_nodes));
}

std::size_t TwoRateModel::node_below(double passes) {
  if (passes < linear_end) return static_cast<std::size_t>(passes / linear_step);
  return linear_nodes + static_cast<std::size_t>(std::log(passes / linear_end) / growth);
}

const TwoRateModel::Node& TwoRateModel::node(std::size_t cell, std::size_t index) const {
  std::vector<Node>& row = node_[cell];
  if (index >= row.size()) row.resize(index + 1);
  Node& node = row[index];
  if (node.known) return node;
  const Eigen::ArrayXd& change = pass_change_[cell];
  terms_ = base_[cell] + node_position(index) * change;
  const double high = terms_.maxCoeff();
  // Most of the grid adds nothing: only what lies between the first and the last term that does is summed.
  Eigen::Index first = 0, last = terms_.size();
  while (terms_[first] < high + negligible) ++first;
  while (terms_[last - 1] < high + negligible) --last;
  const Eigen::Index size = last - first;
  auto terms = terms_.segment(first, size);
  terms = (terms - high).exp();
  const double sum = terms.sum();
  node.log_value = high + std::log(sum);
  node.slope = (terms * change.segment(first, size)).sum() / sum;
  node.mean = (terms * rate_.segment(first, size)).sum() / sum;
  node.known = true;
  return node;
}

RateSummary TwoRateModel::evaluate(double active_failures, double active_passes, std::size_t first_cell,
                                   std::size_t last_cell) const {
  const double passes = std::clamp(active_passes, 0.0, passes_);
  const double outside = std::max(0.0, failures_ - active_failures);
  const std::size_t below = node_below(passes);
  const double left = node_position(below);
  const double width = node_position(below + 1) - left;
  const double t = std::clamp((passes - left) / width, 0.0, 1.0);
  RateSummary result{minus_infinity, 0, 0};
  double total = 0;
  double reference = minus_infinity;
  for (std::size_t k = first_cell; k < last_cell; ++k) {
    const RatioCell& cell = cells_[k];
    double value = log_weight_[k];
    if (outside > 1e-9) {
      if (cell.ratio <= 0) continue;
      value += outside * log_ratio_[k];
    }
    double mean = 0;
    node(k, below + 1);  // first: it may move the row
    const Node& low = node(k, below);
    if (t < 1e-12) {
      value += low.log_value;
      mean = low.mean;
    } else {
      const Node& high = node(k, below + 1);
      // Cubic Hermite: value and slope are known at both nodes.
      const double t2 = t * t;
      const double t3 = t2 * t;
      value += (2 * t3 - 3 * t2 + 1) * low.log_value + (t3 - 2 * t2 + t) * width * low.slope +
               (3 * t2 - 2 * t3) * high.log_value + (t3 - t2) * width * high.slope;
      mean = low.mean + t * (high.mean - low.mean);
    }
    if (reference == minus_infinity) reference = value;
    if (value > reference + 600) {  // rescale before exp() can overflow
      const double shrink = std::exp(reference - value);
      total *= shrink;
      result.active_rate *= shrink;
      result.inactive_rate *= shrink;
      reference = value;
    }
    const double share = std::exp(value - reference);
    total += share;
    result.active_rate += share * mean;
    result.inactive_rate += share * mean * cell.ratio;
  }
  if (total <= 0) return result;
  result.log_marginal = reference + std::log(total);
  result.active_rate /= total;
  result.inactive_rate /= total;
  return result;
}

}  // namespace flakebisect::stats
