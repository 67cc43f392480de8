/// Change-point Bayes on prefixes, by git-bayesect's rule: 'from prefix length b on, the victim fails at
/// another rate', Beta–Bernoulli marginals for both rates, the prefix with the least expected entropy next,
/// until one change point has the asked probability. A repository's commits are the list's prefixes here: the
/// full list stands for the newest commit. Its default priors: Beta(0.9, 0.1) after, Beta(0.05, 0.95) before.

#include <algorithm>
#include <cmath>
#include <limits>

#include "bisect/simulate/policy.h"

namespace flakebisect::bisect::simulate {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// log B(alpha + k, beta + m) − log B(alpha, beta) from tables of log Γ(x + k) − log Γ(x), which a recurrence
/// fills: std::lgamma is slow and not thread-safe.
class BetaMarginal {
 public:
  BetaMarginal(double alpha, double beta) : alpha_(alpha), beta_(beta) {}
  void grow(std::size_t counts) {
    extend(yes_, alpha_, counts);
    extend(no_, beta_, counts);
    extend(all_, alpha_ + beta_, counts);
  }
  double log_likelihood(std::size_t yes, std::size_t no) const {
    return yes_[yes] + no_[no] - all_[yes + no];
  }
  double mean(std::size_t yes, std::size_t no) const {
    return (alpha_ + static_cast<double>(yes)) / (alpha_ + beta_ + static_cast<double>(yes + no));
  }

 private:
  static void extend(std::vector<double>& table, double start, std::size_t counts) {
    while (table.size() <= counts) {
      const auto k = static_cast<double>(table.size());
      table.push_back(table.empty() ? 0 : table.back() + std::log(start + k - 1));
    }
  }
  double alpha_, beta_;
  std::vector<double> yes_, no_, all_;
};

double weighted_log(double w) {
  return w > 0 ? w * std::log2(w) : 0;
}

/// Sums over hypotheses of a weight and of weight · log2(weight), for an entropy without normalising first.
struct EntropySum {
  double weight = 0;
  double logs = 0;
  void add(double w) {
    weight += w;
    logs += weighted_log(w);
  }
  /// Entropy times total weight.
  static double expected(const EntropySum& a, const EntropySum& b) {
    return weighted_log(a.weight + b.weight) - (a.logs + b.logs);
  }
};

/// Hypothesis b, 1 ≤ b ≤ n: prefixes of at least b tests fail at the new rate, so test b − 1 is the culprit.
/// Hypothesis 0, where there is one: every prefix does, the empty one too.
class ChangePoint final : public Policy {
 public:
  explicit ChangePoint(bool with_null) : with_null_(with_null) {}
  std::string name() const override { return with_null_ ? "change-point-null" : "change-point"; }
  std::string description() const override {
    return with_null_ ? "the same with 'fails on its own' as one more change point"
                      : "change-point Bayes on prefixes (git-bayesect's rule)";
  }

  PolicyAnswer explain(const SimCase& sim_case, World& world, const PolicyOptions& options) const override {
    const std::vector<TestIndex> tests = sim_case.listed();
    const std::size_t n = tests.size();
    PolicyAnswer answer;
    if (n == 0) {
      return answer;
    }
    const std::uint64_t max_probes = std::min<std::uint64_t>(options.max_probes, patience);
    std::vector<std::size_t> yes(n + 1), no(n + 1);  // by prefix length
    BetaMarginal after(0.9, 0.1), before(0.05, 0.95);
    std::vector<double> posterior(n + 1);
    std::vector<double> rate_after(n + 1), rate_before(n + 1);
    for (std::size_t observed = 0;; ++observed) {
      after.grow(observed);
      before.grow(observed);
      update(yes, no, after, before, posterior, rate_after, rate_before);
      const auto best = std::max_element(posterior.begin(), posterior.end());
      if (*best >= options.confidence) {
        const auto b = static_cast<std::size_t>(best - posterior.begin());
        answer.kind = b == 0 ? Kind::self : Kind::polluter;
        if (b > 0) {
          answer.tests = {tests[b - 1]};
        }
        answer.probability = *best;
        return answer;
      }
      if (world.probes() >= max_probes) {
        return answer;
      }
      const std::size_t length = choose(posterior, rate_after, rate_before);
      (fails(world, {tests.data(), length}) ? yes : no)[length] += 1;
    }
  }

 private:
  /// It has no rule for giving up; without one its cost on a case that it cannot explain has no end.
  static constexpr std::uint64_t patience = 3000;

  void update(const std::vector<std::size_t>& yes, const std::vector<std::size_t>& no,
              const BetaMarginal& after, const BetaMarginal& before, std::vector<double>& posterior,
              std::vector<double>& rate_after, std::vector<double>& rate_before) const {
    std::size_t yes_after = 0, no_after = 0;
    for (std::size_t length = 0; length < yes.size(); ++length) {
      yes_after += yes[length];
      no_after += no[length];
    }
    std::size_t yes_before = 0, no_before = 0;
    double top = -infinity;
    for (std::size_t b = 0; b < posterior.size(); ++b) {
      if (b > 0) {
        yes_before += yes[b - 1];
        no_before += no[b - 1];
      }
      const std::size_t y = yes_after - yes_before;
      const std::size_t m = no_after - no_before;
      posterior[b] = b == 0 && !with_null_
                         ? -infinity
                         : after.log_likelihood(y, m) + before.log_likelihood(yes_before, no_before);
      rate_after[b] = after.mean(y, m);
      rate_before[b] = before.mean(yes_before, no_before);
      top = std::max(top, posterior[b]);
    }
    double total = 0;
    for (double& p : posterior) {
      p = std::exp(p - top);
      total += p;
    }
    for (double& p : posterior) {
      p /= total;
    }
  }

  static std::size_t choose(const std::vector<double>& posterior, const std::vector<double>& rate_after,
                            const std::vector<double>& rate_before) {
    // A prefix of length l is 'after' for b ≤ l and 'before' for b > l.
    EntropySum fail_before, pass_before;
    std::vector<EntropySum> fail_tail(posterior.size() + 1), pass_tail(posterior.size() + 1);
    for (std::size_t b = posterior.size(); b-- > 0;) {
      fail_before.add(posterior[b] * rate_before[b]);
      pass_before.add(posterior[b] * (1 - rate_before[b]));
      fail_tail[b] = fail_before;
      pass_tail[b] = pass_before;
    }
    EntropySum fail_head, pass_head;
    std::size_t best = 0;
    double least = infinity;
    for (std::size_t length = 0; length < posterior.size(); ++length) {
      fail_head.add(posterior[length] * rate_after[length]);
      pass_head.add(posterior[length] * (1 - rate_after[length]));
      const double entropy = EntropySum::expected(fail_head, fail_tail[length + 1]) +
                             EntropySum::expected(pass_head, pass_tail[length + 1]);
      if (entropy < least) {
        least = entropy;
        best = length;
      }
    }
    return best;
  }

  bool with_null_;
};

}  // namespace

std::unique_ptr<Policy> make_change_point(bool with_null) {
  return std::make_unique<ChangePoint>(with_null);
}

}  // namespace flakebisect::bisect::simulate
