#include "analyzer/preamble.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "analyzer/signature.h"

namespace flakebisect::analyzer {

void print_preamble(const Bisection& bisection) {
  const auto& facts = bisection.facts;
  std::string text = "victim   " + facts.victim + "\n";
  if (!facts.run_id.empty()) {
    text += fmt::format("run      {} on {}, test {} of {}\n", facts.run_id,
                        facts.worker.empty() ? "its only worker" : facts.worker, facts.position,
                        facts.worker_tests);
    if (facts.history_runs != 0) {
      text += fmt::format("history  failed like this in {} of {} other stored runs in which it ran{}\n",
                          facts.history_failures, facts.history_runs,
                          facts.history_other_failures == 0
                              ? ""
                              : fmt::format(", and differently in {}", facts.history_other_failures));
    } else {
      text += "history  no other stored run in which it ran\n";
    }
  }
  if (!facts.traceback.empty()) {
    text += "failure  " + signature_text(failure_signature(facts.traceback, facts.victim)) + "\n";
  }
  text += fmt::format("suspects {} test{} that ran before it\n", facts.candidates.size(),
                      facts.candidates.size() == 1 ? "" : "s");
  if (facts.other_workers != 0)
    text += fmt::format("workers  {} other{} ran tests at the same time\n", facts.other_workers,
                        facts.other_workers == 1 ? "" : "s");
  for (const auto& other : facts.other_failed) text += "also failed there: " + other + "\n";
  text += "running  " + bisection.runners.front()->description() + "\n";
  std::fputs(text.c_str(), stderr);
  for (const auto& warning : facts.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
}

void print_side_by_side_preamble(const Bisection& bisection) {
  const auto& facts = bisection.facts;
  std::size_t likeliest = 0;
  for (std::size_t i = 0; i < facts.candidates.size(); ++i) {
    if (facts.candidate_facts[i].weight > facts.candidate_facts[likeliest].weight) likeliest = i;
  }
  std::string workers;
  for (const auto& tag : facts.side_by_side->workers) workers += (workers.empty() ? "" : ", ") + tag;
  std::fprintf(
      stderr,
      "side by side: the victim's worker alone did not show the failure; now beside %zu test%s of %s, "
      "as it happened\n(overlapped the victim most where it failed: %s)\n",
      facts.candidates.size(), facts.candidates.size() == 1 ? "" : "s", workers.c_str(),
      facts.candidates[likeliest].c_str());
}

}  // namespace flakebisect::analyzer
