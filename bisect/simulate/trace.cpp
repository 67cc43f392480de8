#include "bisect/simulate/trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "bisect/simulate/text_table.h"

namespace flakebisect::bisect::simulate {
namespace {

std::string test_list(const std::vector<TestIndex>& tests) {
  std::string text;
  for (std::size_t i = 0; i < tests.size() && i < 8; ++i) {
    text += fmt::format("{}{}", i > 0 ? "," : "", tests[i]);
  }
  return tests.size() > 8 ? text + ",..." : text;
}

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fail:
      return "FAIL";
    case Outcome::other_failure:
      return "other";
    case Outcome::void_probe:
      return "void";
  }
  return "?";
}

const char* purpose_name(Purpose purpose) {
  return purpose == Purpose::search ? "search" : purpose == Purpose::treatment ? "treatment" : "control";
}

std::string truth_text(const SimCase& sim_case) {
  const Truth& truth = sim_case.truth;
  std::string text = fmt::format("truth: {} q={:.4g} r={:.4g}", case_kind_name(truth.kind), truth.q, truth.r);
  if (!truth.culprits.empty()) {
    text += " culprits " + test_list(truth.culprits);
  }
  if (!truth.cleaners.empty()) {
    text += " cleaners " + test_list(truth.cleaners);
  }
  if (truth.amplifier) {
    text += fmt::format(" amplifier {}", *truth.amplifier);
  }
  if (truth.kind == CaseKind::cumulative) {
    text += fmt::format(" dose power {:.2f} threshold {:.2f}", truth.dose_power, truth.dose_threshold);
  }
  std::uint64_t failed = 0;
  for (const Observation& stored : sim_case.history) {
    failed += stored.source == Source::history && stored.outcome == Outcome::fail ? 1U : 0U;
  }
  return text +
         fmt::format(
             "\ncase: {} candidates ({} listed), start-up {:.2f} s, victim {:.2f} s, history {} runs ({} "
             "failed), server {} correlation {:.2f}, drift {:.2f}, voids {:.3f}, other failures {:.3f}\n",
             sim_case.problem.candidates.size(), sim_case.listed().size(), sim_case.problem.startup_seconds,
             sim_case.problem.victim_seconds, sim_case.history.size() - 1, failed, sim_case.server_probes,
             truth.correlation, truth.drift, truth.void_rate, truth.other_rate);
}

}  // namespace

std::string trace_case(const Batch& batch, std::uint64_t seed, std::uint64_t number) {
  const SimCase sim_case = generate_case(batch.cases, batch.kind, seed, number);
  World world(sim_case);
  std::string text = truth_text(sim_case);
  PolicyOptions options = batch.options;
  options.trace = [&](const Probe& probe, const WorldRun& run, const Engine& engine) {
    std::size_t culprits = 0;
    for (const TestIndex test : probe.subset) {
      culprits +=
          std::binary_search(sim_case.truth.culprits.begin(), sim_case.truth.culprits.end(), test) ? 1U : 0U;
    }
    text += fmt::format("{:>5} {:<9} {:>5} tests {} culprits {:>7.2f} s process {} runs {}/{} {:<5}",
                        probe.id, purpose_name(probe.purpose), probe.subset.size(), culprits, run.seconds,
                        run.process, run.victim_runs, probe.victim_runs, outcome_name(run.outcome));
    for (const Explanation& explanation : engine.leading(3)) {
      text += fmt::format("  {}[{}] {:.3f}", kind_name(explanation.kind), test_list(explanation.tests),
                          explanation.probability);
    }
    text += "\n";
  };
  const PolicyAnswer answer = find_policy("ours")->explain(sim_case, world, options);
  const Judgement judgement = judge(sim_case, answer);
  text +=
      fmt::format("verdict: {} [{}] probability {:.4f} after {} probes, {} s: {}\n", kind_name(answer.kind),
                  test_list(answer.tests), answer.probability, world.probes(), seconds_text(world.seconds()),
                  judgement == Judgement::right   ? "right"
                  : judgement == Judgement::wrong ? "WRONG"
                                                  : "abstained");
  if (!answer.error.empty()) {
    text += "engine error: " + answer.error + "\n";
  }
  return text;
}

}  // namespace flakebisect::bisect::simulate
