#include "bisect/engine_select.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "bisect/engine_prediction.h"

namespace flakebisect::bisect {

namespace {

// Below this a test's duration is not worth telling apart from none: it keeps information per second finite.
// Where probes are counted, seconds break ties only.
constexpr double second_in_probes = 1e-5;
// A failure of the victim alone saves the search among the tests, which the information about the answer does
// not see: a probe of the victim alone is made where it tells at least so much less than the best one does.
constexpr double alone_preference = 2.2;
// From this probability of 'self' on the question is whether it is right, not which of the others is.
constexpr double about_self_from = 0.8;

// So many of the tests that matter most are put into the list and taken out of it one by one, so many times.
constexpr std::size_t tests_toggled = 12;
constexpr int toggling_rounds = 3;

// A test that is suspected less than this of being needed with others is none whose role is to be told.
constexpr double suspected_from = 0.02;

/// The suspects of the sets, ascending; none where there is nothing to be told of them.
std::vector<TestIndex> suspects_of_sets(const Weights& w) {
  std::vector<TestIndex> suspects;
  if (GroupPrediction(w.set).light()) return suspects;
  for (const TestIndex test : w.set.exact.suspects)
    if (w.set.member[static_cast<Eigen::Index>(test)] > suspected_from) suspects.push_back(test);
  return suspects;
}

/// The places of the largest few, at most `most`, largest first.
std::vector<TestIndex> heaviest(const std::vector<double>& value, std::size_t most) {
  std::vector<TestIndex> places(value.size());
  std::iota(places.begin(), places.end(), TestIndex{0});
  const std::size_t kept = std::min(most, places.size());
  std::partial_sort(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(kept), places.end(),
                    [&](TestIndex a, TestIndex b) { return value[a] > value[b]; });
  places.resize(kept);
  return places;
}

}  // namespace

double probe_seconds(const Problem& problem, const std::vector<TestIndex>& subset) {
  double seconds = problem.startup_seconds + problem.victim_seconds;
  for (const TestIndex test : subset) seconds += problem.candidates[test].seconds;
  return std::max(seconds, least_seconds);
}

namespace {

constexpr double least_usable_share = 0.05;

}  // namespace

double usable_share(const Problem& problem, const std::vector<TestIndex>& subset) {
  double voids = 0;
  for (const TestIndex test : subset) voids += problem.candidates[test].void_share;
  return std::max(least_usable_share, 1 - voids);
}

double dearness(const Candidate& candidate) {
  constexpr double of_a_void = 1e5;
  return candidate.seconds + least_seconds + of_a_void * candidate.void_share;
}

double predict_failure(const Problem& problem, const Weights& weights, const std::vector<TestIndex>& subset) {
  Prediction prediction(problem, weights);
  for (const TestIndex test : subset) prediction.include(test);
  return prediction.fail();
}

Branches look_ahead(const Problem& problem, const Weights& w,
                    const std::vector<const std::vector<TestIndex>*>& in_flight, stats::Rng rng,
                    SelfRates self_rates) {
  Branches branches(w, std::move(self_rates));
  if (in_flight.empty()) return branches;
  Prediction prediction(problem, w);
  for (const std::vector<TestIndex>* list : in_flight) {
    prediction.restart();
    for (const TestIndex test : *list) prediction.include(test);
    branches.add(*list, prediction.kind_rates(), rng);
  }
  return branches;
}

Choice choose_probe(const Problem& problem, const Weights& w, const Branches& branches, bool count_probes,
                    stats::Rng rng) {
  const std::size_t n = problem.candidates.size();
  Prediction prediction(problem, w, branches);
  const double alone_seconds = probe_seconds(problem, {});
  std::vector<double> jitter(n), key(n), effect(n);
  std::vector<TestIndex> weightiest;
  const bool has_setters = std::any_of(problem.candidates.begin(), problem.candidates.end(),
                                       [](const Candidate& test) { return !test.in_failing_run; });
  const bool self_nearly_sure = prediction.self_mass() > about_self_from;
  for (double& value : jitter) value = 1.0 + 1e-6 * rng.uniform();
  std::vector<TestIndex> order(n);
  std::iota(order.begin(), order.end(), TestIndex{0});
  Choice best;
  double best_rate = -1;
  const auto weigh = [&](double seconds, double voids, bool alone) {
    const double information =
        self_nearly_sure ? prediction.information_about_self() : prediction.information();
    const double rate = (alone && !self_nearly_sure ? alone_preference : 1.0) *
                        std::max(least_usable_share, 1 - voids) * information /
                        (count_probes ? 1.0 + second_in_probes * seconds : seconds);
    if (!(rate > best_rate)) return false;
    best_rate = rate;
    best.information = information;
    best.seconds = seconds;
    best.fail_probability = prediction.fail();
    return true;
  };
  // What a candidate adds depends on how likely the whole probe fails. The first order is by the change in
  // failures that a candidate is expected to bring; the later ones are for the list that the pass before
  // chose.
  for (int pass = 0; pass < 3; ++pass) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto test = static_cast<TestIndex>(i);
      const double seconds = problem.candidates[i].seconds + least_seconds;
      const double worth = pass > 0 ? prediction.slope(test) : prediction.effect(test);
      if (pass == 0) effect[i] = worth * jitter[i];
      key[i] = worth / (count_probes ? 1.0 + second_in_probes * seconds : seconds) * jitter[i] *
               std::max(least_usable_share, 1 - problem.candidates[i].void_share);
    }
    if (pass == 0) weightiest = heaviest(effect, tests_toggled);
    std::sort(order.begin(), order.end(), [&](TestIndex a, TestIndex b) { return key[a] > key[b]; });
    prediction.restart();
    double seconds = alone_seconds, voids = 0;
    std::size_t best_size = n + 1;
    for (std::size_t size = 0;; ++size) {
      if (weigh(seconds, voids, size == 0)) {
        best_size = size;
        prediction.mark();
      }
      if (size == n) break;
      seconds += problem.candidates[order[size]].seconds;
      voids += problem.candidates[order[size]].void_share;
      prediction.include(order[size]);
    }
    if (best_size <= n)
      best.subset.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(best_size));
  }
  // The lists that a person would think of: an order by single tests passes them by.
  const auto consider = [&](std::vector<TestIndex> subset) {
    prediction.restart();
    double seconds = alone_seconds, voids = 0;
    for (const TestIndex test : subset) {
      prediction.include(test);
      seconds += problem.candidates[test].seconds;
      voids += problem.candidates[test].void_share;
    }
    if (!weigh(seconds, voids, subset.empty())) return false;
    best.subset = std::move(subset);
    return true;
  };
  if (has_setters) {
    std::vector<TestIndex> listed, unlisted;
    for (TestIndex i = 0; i < n; ++i) (problem.candidates[i].in_failing_run ? listed : unlisted).push_back(i);
    consider(std::move(unlisted));
    consider(std::move(listed));
  }
  // Two tests that are alike stand side by side in every order: all suspects of a set but one tells them
  // apart.
  const std::vector<TestIndex> suspects = suspects_of_sets(w);
  for (const TestIndex left_out : suspects) {
    std::vector<TestIndex> subset;
    std::copy_if(suspects.begin(), suspects.end(), std::back_inserter(subset),
                 [&](TestIndex test) { return test != left_out; });
    consider(std::move(subset));
  }
  // Nor does an order see what a test tells only without another: a polluter by itself, say, where all that
  // is left to ask is whether it needs a second one.
  for (const TestIndex test : weightiest) consider({test});
  for (int round = 0; round < toggling_rounds; ++round) {
    bool better = false;
    for (const TestIndex test : weightiest) {
      std::vector<TestIndex> subset = best.subset;
      const auto found = std::find(subset.begin(), subset.end(), test);
      if (found == subset.end())
        subset.push_back(test);
      else
        subset.erase(found);
      better = consider(std::move(subset)) || better;
    }
    if (!better) break;
  }
  std::sort(best.subset.begin(), best.subset.end());
  return best;
}

}  // namespace flakebisect::bisect
