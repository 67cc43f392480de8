/// Confirmation and the stopping rule.

#include <algorithm>
#include <cmath>

#include "bisect/engine_state.h"
#include "stats/log_math.h"
#include "stats/rng.h"

namespace flakebisect::bisect {

double Engine::State::log_e_needed() const {
  return -std::log(1.0 - options.confidence);
}

double Engine::State::log_e(const Answer& answer) const {
  switch (answer.kind) {
    case Kind::self:
      return fails_alone.highest_log_e();
    case Kind::not_reproduced:
      // Nothing can be reproduced, so nothing can be confirmed: the posterior has the only word.
      return log_e_needed();
    default: {
      const auto found = confirmations.find(answer.key());
      return found == confirmations.end() ? 0.0 : found->second.test.highest_log_e();
    }
  }
}

double Engine::State::probability_needed(const Answer&) const {
  return options.confidence;
}

bool Engine::State::settled() {
  const Answer& top = best();
  return top.probability >= probability_needed(top) && log_e(top) >= log_e_needed() && seen_enough(top);
}

bool Engine::State::seen_enough(const Answer& answer) const {
  if (answer.kind == Kind::self && evidence.arm({}).probe_failures < least_failures_alone) return false;
  return processes.enough_for(answer.kind, answer.tests);
}

std::vector<TestIndex> Engine::State::full_list() const {
  std::vector<TestIndex> tests;
  for (TestIndex i = 0; i < problem.candidates.size(); ++i)
    if (problem.candidates[i].in_failing_run) tests.push_back(i);
  return tests;
}

bool Engine::State::is_alone(const std::vector<TestIndex>& ran) const {
  return std::none_of(ran.begin(), ran.end(),
                      [&](TestIndex test) { return problem.candidates[test].in_failing_run; });
}

Arms Engine::State::arms_of(const Answer& answer, std::uint64_t number) const {
  switch (answer.kind) {
    case Kind::brittle:
      return {{}, answer.tests};
    case Kind::cumulative:
      return {full_list(), {}};
    case Kind::polluter_set: {
      // All but one of the set, in turn: each of them must be needed.
      std::vector<TestIndex> control = answer.tests;
      control.erase(control.begin() + static_cast<std::ptrdiff_t>(number % control.size()));
      return {answer.tests, control};
    }
    default:
      return {answer.tests, {}};
  }
}

Probe Engine::State::confirm(const Answer& answer) {
  if (answer.kind == Kind::self) return issue({}, Purpose::treatment, answer);
  stats::Rng rng(options.seed, next_id);
  const bool treatment = rng.bernoulli(treatment_probability);
  Arms arms = arms_of(answer, rng.next() >> 32);
  return treatment ? issue(std::move(arms.treatment), Purpose::treatment, answer)
                   : issue(std::move(arms.control), Purpose::control, answer);
}

std::optional<double> Engine::expected_seconds_left() const {
  State& state = *state_;
  if (state.settled()) return 0.0;
  const Answer top = state.best();
  const Choice choice = choose_probe(state.problem, state.weights(), state.options.count_probes,
                                     stats::Rng(state.options.seed, 0));
  // The search: what is still unknown about the answer, at the present rate of information.
  double unknown = 0;
  for (const Answer& answer : state.answers(state.problem.candidates.size() + 2))
    if (answer.probability > 0) unknown -= answer.probability * std::log(answer.probability);
  double seconds = 0;
  if (top.probability < state.probability_needed(top)) {
    if (!(choice.information > 0)) return std::nullopt;
    seconds = unknown / choice.information * choice.seconds;
  }
  // The confirmation: about one nat for each failure of the reproduction and its controls.
  const double missing = std::max(0.0, state.log_e_needed() - std::max(0.0, state.log_e(top)));
  const double rate = std::max(0.01, top.rate);
  const double probes = missing / (top.kind == Kind::self ? 3.0 : 0.35) / rate;
  return seconds + probes * probe_seconds(state.problem, top.tests);
}

}  // namespace flakebisect::bisect
