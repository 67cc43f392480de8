#include "bisect/engine_select.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bisect/engine_group.h"
#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

// Below this a test's duration is not worth telling apart from none: it keeps information per second finite.
// Where probes are counted, seconds break ties only.
constexpr double second_in_probes = 1e-5;
// A failure of the victim alone saves the search among the tests, which the information about the answer does
// not see: a probe of the victim alone is made where it tells at least so much less than the best one does.
constexpr double alone_preference = 2.2;
// Pairs lighter than this together cost more time than they inform: as if they never failed.
constexpr double light_pairs = 0.02;
// From this probability of 'self' on the question is whether it is right, not which of the others is.
constexpr double about_self_from = 0.8;

/// What the explanations predict for a list that grows candidate by candidate.
class Prediction {
 public:
  Prediction(const Problem& problem, const Weights& w)
      : problem_(problem), w_(w), set_(w.set), setters_(w.setters) {
    const auto n = static_cast<Eigen::Index>(problem.candidates.size());
    for (const Candidate& candidate : problem.candidates) listed_ += candidate.in_failing_run ? 1 : 0;
    with_pairs_ = w.pairs.total > light_pairs;
    with_groups_ = !set_.light() || !setters_.light();
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
      start_.fail += w.pairs.alone_fail;
      start_.known += w.pairs.alone_entropy;
      add_pair_slopes();
    } else {
      // Too light to matter: as if they never failed.
      pair_fail_ = pair_entropy_ = Eigen::ArrayXd::Zero(n);
    }
    restart();
  }

  void restart() {
    now_ = start_;
    count_ = 0;
    places_.clear();
    set_.restart();
    setters_.restart();
  }

  void include(TestIndex test) {
    const auto i = static_cast<Eigen::Index>(test);
    now_.fail += fail_step_[i];
    now_.known += entropy_step_[i];
    now_.self_fail += self_step_[i];
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
      now_.fail += one.fail_step;
      now_.known += one.entropy_step;
    }
    places_.push_back(place);
  }

  /// Expected information about whether the victim fails on its own, in nats.
  double information_about_self() const {
    if (self_mass_ <= 0 || self_mass_ >= 1) return 0;
    const double all = fail();
    const double others = 1 - self_mass_;
    return std::max(0.0, stats::binary_entropy(all) -
                             self_mass_ * stats::binary_entropy(now_.self_fail / self_mass_) -
                             others * stats::binary_entropy((all - now_.self_fail) / others));
  }
  double self_mass() const { return self_mass_; }

  double fail() const {
    return now_.fail + now_.self_fail + w_.dose.weight * dose_rate() + set_.sums().fail +
           setters_.sums().fail;
  }
  /// Expected information about the answer, in nats.
  double information() const {
    const double self = self_mass_ > 0 ? self_mass_ * stats::binary_entropy(now_.self_fail / self_mass_) : 0;
    const double dose = w_.dose.weight > 0 ? w_.dose.weight * stats::binary_entropy(dose_rate()) : 0;
    return std::max(0.0, stats::binary_entropy(fail()) - now_.known - self - dose - set_.sums().known -
                             setters_.sums().known);
  }

  /// How much the candidate changes the probability of a failure.
  double effect(TestIndex test) const {
    const auto i = static_cast<Eigen::Index>(test);
    return std::abs(fail_step_[i]) + std::abs(self_step_[i]) + pair_fail_[i] +
           std::abs(set_.slope(test).fail) + std::abs(setters_.slope(test).fail);
  }
  /// The present list is the one that slope() is asked about.
  void mark() {
    set_.mark();
    setters_.mark();
  }
  /// What including the candidate adds to the information where the probe fails with probability about
  /// `fail`: the derivative of the information by its membership. Of a pair, the partner is taken to run half
  /// the time.
  double slope(TestIndex test, double fail) const {
    const auto i = static_cast<Eigen::Index>(test);
    const double odds = std::log1p(-fail) - std::log(fail);
    const GroupPrediction::Sums set = set_.slope(test), setters = setters_.slope(test);
    return odds * (fail_step_[i] + self_step_[i] + 0.5 * pair_fail_[i] + set.fail + setters.fail) -
           entropy_step_[i] - 0.5 * pair_entropy_[i] - set.known - setters.known;
  }

 private:
  struct Sums {
    double fail = 0;       ///< of all answers but 'self' and 'cumulative'
    double known = 0;      ///< entropy that is left once the answer is known, of the same
    double self_fail = 0;  ///< of all explanations whose answer is 'self'
  };

  double dose_rate() const { return w_.dose.rate_at(listed_ > 0 ? count_ / listed_ : 0); }

  void add_pair_slopes() {
    const auto n = static_cast<Eigen::Index>(problem_.candidates.size());
    pair_fail_ = pair_entropy_ = Eigen::ArrayXd::Zero(n);
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

  const Problem& problem_;
  const Weights& w_;
  GroupPrediction set_, setters_;
  bool with_pairs_ = false;
  bool with_groups_ = false;
  double listed_ = 0;
  double self_mass_ = 0;
  Eigen::ArrayXd fail_step_, entropy_step_, self_step_, pair_fail_, pair_entropy_;
  Sums start_, now_;
  double count_ = 0;
  std::vector<std::size_t> places_;  ///< of the pool, in the list
};

}  // namespace

double probe_seconds(const Problem& problem, const std::vector<TestIndex>& subset) {
  double seconds = problem.startup_seconds + problem.victim_seconds;
  for (const TestIndex test : subset) seconds += problem.candidates[test].seconds;
  return std::max(seconds, least_seconds);
}

double predict_failure(const Problem& problem, const Weights& weights, const std::vector<TestIndex>& subset) {
  Prediction prediction(problem, weights);
  for (const TestIndex test : subset) prediction.include(test);
  return prediction.fail();
}

Choice choose_probe(const Problem& problem, const Weights& w, bool count_probes, stats::Rng rng) {
  const std::size_t n = problem.candidates.size();
  Prediction prediction(problem, w);
  const double alone_seconds = probe_seconds(problem, {});
  std::vector<double> jitter(n), key(n);
  const bool has_setters = std::any_of(problem.candidates.begin(), problem.candidates.end(),
                                       [](const Candidate& test) { return !test.in_failing_run; });
  const bool self_nearly_sure = prediction.self_mass() > about_self_from;
  for (double& value : jitter) value = 1.0 + 1e-6 * rng.uniform();
  std::vector<TestIndex> order(n);
  std::iota(order.begin(), order.end(), TestIndex{0});
  Choice best;
  double best_rate = -1;
  double assumed_fail = 0;
  const auto weigh = [&](double seconds, bool alone) {
    const double information =
        self_nearly_sure ? prediction.information_about_self() : prediction.information();
    const double rate = (alone && !self_nearly_sure ? alone_preference : 1.0) * information /
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
      const double worth = pass > 0 ? prediction.slope(test, assumed_fail) : prediction.effect(test);
      key[i] = worth / (count_probes ? 1.0 + second_in_probes * seconds : seconds) * jitter[i];
    }
    std::sort(order.begin(), order.end(), [&](TestIndex a, TestIndex b) { return key[a] > key[b]; });
    prediction.restart();
    double seconds = alone_seconds;
    std::size_t best_size = n + 1;
    for (std::size_t size = 0;; ++size) {
      if (weigh(seconds, size == 0)) {
        best_size = size;
        prediction.mark();
      }
      if (size == n) break;
      seconds += problem.candidates[order[size]].seconds;
      prediction.include(order[size]);
    }
    if (best_size <= n)
      best.subset.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(best_size));
    assumed_fail = std::clamp(best.fail_probability, 1e-6, 1.0 - 1e-6);
  }
  // The lists that a person would think of: an order by single tests passes them by.
  const auto consider = [&](auto&& taken) {
    prediction.restart();
    double seconds = alone_seconds;
    std::vector<TestIndex> subset;
    for (TestIndex i = 0; i < n; ++i) {
      if (!taken(problem.candidates[i])) continue;
      prediction.include(i);
      seconds += problem.candidates[i].seconds;
      subset.push_back(i);
    }
    if (weigh(seconds, subset.empty())) best.subset = std::move(subset);
  };
  if (has_setters) {
    consider([](const Candidate& test) { return !test.in_failing_run; });
    consider([](const Candidate& test) { return test.in_failing_run; });
  }
  std::sort(best.subset.begin(), best.subset.end());
  return best;
}

}  // namespace flakebisect::bisect
