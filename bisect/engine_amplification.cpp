#include "bisect/engine_amplification.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "bisect/engine_state.h"
#include "stats/log_math.h"
#include "stats/two_rate_model.h"

namespace flakebisect::bisect {

namespace {

// Cells of the model: the list matters; it matters little (twice; see the prior of `amplified`).
constexpr std::size_t rival = 0, first_own = 1, end_own = 3;
constexpr double matters_little = 0.1;

}  // namespace

ComparedArms compared_arms(const Evidence& evidence, const SubsetBits& full) {
  ComparedArms compared;
  const double listed = static_cast<double>(size_of(full));
  for (const auto& [bits, counts] : evidence.arms()) {
    std::size_t ran = 0;
    for (std::size_t word = 0; word < bits.size(); ++word)
      ran += static_cast<std::size_t>(std::popcount(bits[word] & full[word]));
    const bool alone = ran == 0 && size_of(bits) == 0;
    if (!alone && static_cast<double>(ran) < most_of_the_list * listed) continue;
    ArmCounts& arm = alone ? compared.alone : compared.most;
    arm.failures += counts.failures;
    arm.passes += counts.passes;
    arm.probe_failures += counts.probe_failures;
    arm.probe_runs += counts.probe_runs;
  }
  return compared;
}

double log_evidence_against_amplification(const ComparedArms& arms) {
  thread_local stats::TwoRateModel model(
      stats::default_rate_prior(),
      {{amplified_ratio, 1.0}, {0.6, matters_little / 2}, {0.8, matters_little / 2}});
  const ArmCounts& alone = arms.alone;
  const ArmCounts& most = arms.most;
  model.set_totals(alone.failures + most.failures, alone.passes + most.passes);
  const double same = std::log1p(-matters_little) + model.constant_rate().log_marginal;
  const double little = model.evaluate(most.failures, most.passes, first_own, end_own).log_marginal;
  return stats::log_add(same, little) -
         model.evaluate(most.failures, most.passes, rival, rival + 1).log_marginal;
}

double runs_to_exclude_amplification(double rate) {
  // Nothing fails more often than always: higher rates alone exclude it without a run behind the list.
  rate = std::min(rate, 0.98 * amplified_ratio);
  const double amplified = rate / amplified_ratio;
  const double nats_a_run =
      rate * std::log(rate / amplified) + (1 - rate) * std::log((1 - rate) / (1 - amplified));
  return std::log(amplification_evidence) / nats_a_run;
}

Engine::State::ListMatters Engine::State::list_matters(const Answer& answer) const {
  if (answer.kind != Kind::self || full_list().empty()) return ListMatters::no;
  const double log_evidence = log_evidence_against_amplification(
      compared_arms(evidence, to_bits(full_list(), problem.candidates.size())));
  if (log_evidence >= std::log(amplification_evidence)) return ListMatters::no;
  const double bearable = options.count_probes ? bearable_probes : bearable_seconds;
  const double seconds = options.count_probes ? 1 : probe_seconds(problem, full_list());
  const double expected = seconds * runs_to_exclude_amplification(std::clamp(answer.rate, 1e-4, 1.0));
  // Rates in between are told from neither.
  if (compared_seconds > std::min(2 * bearable, 3 * expected + 10 * seconds))
    return log_evidence < 0 ? ListMatters::maybe : ListMatters::not_asked;
  return expected > bearable ? ListMatters::not_asked : ListMatters::open;
}

std::vector<TestIndex> Engine::State::comparison_of_lists() const {
  std::vector<TestIndex> full = full_list();
  // The error of the ratio is least where the runs are shared out by the root of what they cost.
  const double costlier =
      options.count_probes ? 1 : std::sqrt(probe_seconds(problem, full) / probe_seconds(problem, {}));
  const ComparedArms arms = compared_arms(evidence, to_bits(full, problem.candidates.size()));
  const auto alone = static_cast<double>(arms.alone.probe_runs + running({}));
  const auto most = static_cast<double>(arms.most.probe_runs + running(full));
  if (alone < costlier * most) return {};
  return full;
}

bool Engine::State::comparison_on_its_way(const Answer& answer) const {
  const std::vector<TestIndex> full = full_list();
  ComparedArms arms = compared_arms(evidence, to_bits(full, problem.candidates.size()));
  const auto add = [&](ArmCounts& arm, std::uint64_t runs) {
    arm.failures += answer.rate * static_cast<double>(runs);
    arm.passes += (1 - answer.rate) * static_cast<double>(runs);
  };
  const std::uint64_t alone = running({}), most = running(full);
  add(arms.alone, alone);
  add(arms.most, most);
  return alone + most > 0 && log_evidence_against_amplification(arms) >= std::log(amplification_evidence);
}

}  // namespace flakebisect::bisect
