#include "analyzer/overlap.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace flakebisect::analyzer {

namespace {

constexpr double culprit_overlaps = 0.9;
constexpr double least_share = 0.02;
constexpr double most_weight = 1000;
constexpr std::size_t cells = 2;

std::unordered_set<std::string> overlapping(const Interval& victim,
                                            const std::vector<Neighbour>& neighbours) {
  std::unordered_set<std::string> ids;
  for (const auto& test : neighbours) {
    if (overlap(victim, test.when)) ids.insert(test.id);
  }
  return ids;
}

}  // namespace

bool overlap(const Interval& a, const Interval& b) {
  return a.start <= b.end && b.start <= a.end;
}

OverlapCounts::OverlapCounts() : model_(stats::default_rate_prior(), {{0.0, 0.7}, {0.1, 0.3}}) {}

void OverlapCounts::set_explained(const Interval& victim, const std::vector<Neighbour>& neighbours) {
  has_explained_ = true;
  std::unordered_set<std::string> all;
  for (const auto& test : neighbours) all.insert(test.id);
  const auto ids = overlapping(victim, neighbours);
  for (const auto& id : ids) overlaps_[id].explained = true;
  const double share = (static_cast<double>(ids.size()) + 0.5) / (static_cast<double>(all.size()) + 1);
  share_ = std::clamp(share, least_share, 1 - least_share);
}

void OverlapCounts::add_run(const Interval& victim, bool failed, const std::vector<Neighbour>& neighbours,
                            double weight) {
  (failed ? failing_ : passing_) += weight;
  for (const auto& id : overlapping(victim, neighbours))
    (failed ? overlaps_[id].failing : overlaps_[id].passing) += weight;
  totals_set_ = false;
}

double OverlapCounts::weight(const std::string& id) {
  if (!totals_set_) model_.set_totals(failing_, passing_);
  totals_set_ = true;
  const auto found = overlaps_.find(id);
  const Overlaps overlaps = found == overlaps_.end() ? Overlaps{} : found->second;
  double log_weight = model_.evaluate(overlaps.failing, overlaps.passing, 0, cells).log_marginal -
                      model_.constant_rate().log_marginal;
  if (has_explained_)
    log_weight +=
        std::log(overlaps.explained ? culprit_overlaps / share_ : (1 - culprit_overlaps) / (1 - share_));
  return std::clamp(std::exp(log_weight), 1 / most_weight, most_weight);
}

}  // namespace flakebisect::analyzer
