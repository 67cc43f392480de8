/// What the engine says: verdict, arms, remarks.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

#include "bisect/engine_amplification.h"
#include "bisect/engine_fit.h"
#include "bisect/engine_processes.h"
#include "bisect/engine_state.h"
#include "stats/beta.h"
#include "stats/log_math.h"

namespace flakebisect::bisect {

namespace {

Arm make_arm(std::string name, std::vector<TestIndex> tests, std::uint64_t runs, std::uint64_t failures) {
  Arm arm{std::move(name), std::move(tests), runs, failures};
  const auto fails = static_cast<double>(failures);
  const auto all = static_cast<double>(runs);
  const stats::Interval interval = stats::jeffreys_interval(fails, all);
  arm.rate = runs > 0 ? fails / all : 0;
  arm.low = interval.low;
  arm.high = interval.high;
  return arm;
}

/// The lists a reader wants to see, and all other probes by whether the culprits ran.
std::vector<Arm> evidence_arms(const Problem& problem, const Evidence& evidence,
                               const std::vector<TestIndex>& culprits, bool all_needed,
                               const std::vector<TestIndex>& full) {
  std::vector<TestIndex> rest;
  for (const TestIndex test : full)
    if (std::find(culprits.begin(), culprits.end(), test) == culprits.end()) rest.push_back(test);
  std::vector<std::pair<std::string, std::vector<TestIndex>>> named{{"alone", {}}};
  if (!culprits.empty()) {
    named.emplace_back("culprits", culprits);
    for (std::size_t i = 0; all_needed && i < culprits.size(); ++i) {
      std::vector<TestIndex> but_one = culprits;
      but_one.erase(but_one.begin() + static_cast<std::ptrdiff_t>(i));
      named.emplace_back(fmt::format("culprits but no. {}", i + 1), std::move(but_one));
    }
    if (!rest.empty()) named.emplace_back("without culprits", rest);
  }
  if (!full.empty() && full != culprits) named.emplace_back("full", full);

  std::vector<Arm> arms;
  std::uint64_t runs = 0, failures = 0;
  for (const auto& [name, tests] : named) {
    const ArmCounts counts = evidence.arm(tests);
    if (counts.probe_runs == 0) continue;
    arms.push_back(make_arm(name, tests, counts.victim_runs, counts.probe_failures));
  }
  std::uint64_t other_runs[2] = {0, 0}, other_failures[2] = {0, 0};
  for (const auto& [list, counts] : evidence.arms()) {
    const SubsetBits& bits = list;  // C++20 lambdas capture no structured bindings everywhere
    runs += counts.victim_runs;
    failures += counts.probe_failures;
    const auto is_same = [&](const auto& entry) {
      return to_bits(entry.second, problem.candidates.size()) == bits;
    };
    if (std::any_of(named.begin(), named.end(), is_same)) continue;
    const bool all =
        std::all_of(culprits.begin(), culprits.end(), [&](TestIndex test) { return contains(bits, test); });
    const std::size_t with = !culprits.empty() && all ? 1 : 0;
    other_runs[with] += counts.victim_runs;
    other_failures[with] += counts.probe_failures;
  }
  if (other_runs[1] > 0)
    arms.push_back(make_arm("other lists with culprits", {}, other_runs[1], other_failures[1]));
  if (other_runs[0] > 0)
    arms.push_back(make_arm(culprits.empty() ? "other lists" : "other lists without culprits", {},
                            other_runs[0], other_failures[0]));
  return arms;
}

/// 'Self' says that the victim fails without the others, not that they leave it alone: that is said where the
/// runs of the whole list (nearly all of it) leave room for a rate twice as high. Shorter lists say nothing
/// of the tests that they left out.
std::optional<std::string> amplification_remark(const ComparedArms& arms) {
  const ArmCounts& alone = arms.alone;
  const ArmCounts& most = arms.most;
  if (alone.probe_runs == 0) return std::nullopt;
  if (most.probe_runs == 0)
    return "it was not run behind the whole list here, so other tests may make it fail more often than it "
           "does "
           "alone";
  const double rate =
      (static_cast<double>(alone.probe_failures) + 0.5) / (static_cast<double>(alone.victim_runs) + 1);
  const double high = stats::jeffreys_interval(static_cast<double>(most.probe_failures),
                                               static_cast<double>(most.victim_runs))
                          .high;
  if (high < 2 * rate) return std::nullopt;
  return fmt::format(
      "behind the whole list, or nearly all of it, {} of {} runs failed: that other tests make it fail "
      "{:.2g} "
      "times as often as alone is not excluded",
      most.probe_failures, most.victim_runs, high / rate);
}

/// What a failing list leaves behind on the machine (a file, a row, a container) may make every later run
/// fail, the victim alone among them: then the runs alone passed before other tests ran, and failed ever
/// since.
std::optional<std::string> leftover_remark(const Evidence& evidence, const SubsetBits& listed) {
  std::uint64_t before = 0, after = 0, failures = 0;
  bool others_ran = false;
  for (const ProbeRun& run : evidence.runs()) {
    bool alone = true;
    for (std::size_t word = 0; word < listed.size(); ++word)
      alone = alone && ((*run.list)[word] & listed[word]) == 0;
    others_ran = others_ran || !alone;
    if (!alone) continue;
    if (run.failed && !others_ran) return std::nullopt;
    ++(others_ran ? after : before);
    failures += run.failed ? 1 : 0;
  }
  if (before == 0 || 2 * failures < after) return std::nullopt;
  // The chance that all failures lie among the later runs if the order means nothing.
  const auto later = static_cast<double>(after), fails = static_cast<double>(failures);
  if (std::exp(stats::log_choose(later, fails) -
               stats::log_choose(later + static_cast<double>(before), fails)) > 0.05)
    return std::nullopt;
  return fmt::format(
      "alone it passed in {} of {} runs before other tests had run here, and failed in {} of {} since: they "
      "may have left something behind (a file, a database row); clean up and run it alone once more",
      before, before, failures, after);
}

/// What was made of several runs of the victim in one process, `most` at the most.
std::string repeats_remark(const Repeats& repeats, std::uint32_t most) {
  const std::string ran = fmt::format("the victim ran up to {} times in one process: ", most);
  switch (repeats.counted_as()) {
    case RepeatForm::by_run:
    case RepeatForm::alike:
      return ran + (repeats.counted_as() == RepeatForm::by_run
                        ? "each of its runs fails independently of the others, as far as was seen"
                        : "its runs there agree more than those of different processes, and count for less");
    case RepeatForm::by_process:
      if (repeats.probability(RepeatForm::by_process) < 0.5) break;
      return ran +
             "there the first run fails or none does, as far as was seen, so each process was counted once";
    case RepeatForm::by_repeating:
      return ran + "running it again makes it fail by itself, and such failures were not counted";
  }
  return ran + "what more than one of them is worth is open, so each process was counted once";
}

/// One polluter is named although no other test ran without it: any of them might do the same.
bool only_suspect(const Evidence& evidence, const SubsetBits& listed, TestIndex culprit) {
  return std::none_of(evidence.runs().begin(), evidence.runs().end(), [&](const ProbeRun& run) {
    if (contains(*run.list, culprit)) return false;
    for (std::size_t word = 0; word < listed.size(); ++word)
      if (((*run.list)[word] & listed[word]) != 0) return true;
    return false;
  });
}

}  // namespace

std::vector<Arm> Engine::State::arms(Kind kind, const std::vector<TestIndex>& culprits) const {
  return evidence_arms(problem, evidence, culprits, kind == Kind::polluter_set, full_list());
}

Verdict Engine::State::own_verdict(bool final) {
  Verdict verdict;
  const std::vector<Answer> best = answers(8);
  for (const Answer& answer : best)
    verdict.alternatives.push_back({answer.kind, answer.tests, answer.probability});
  const Answer& top = best.front();
  verdict.kind = final ? top.kind : Kind::inconclusive;
  // Many probes and not one failure: what can be said is that it was not reproduced; but not of a list that
  // was never run.
  const ComparedArms compared = compared_arms(evidence, to_bits(full_list(), problem.candidates.size()));
  const bool list_ran = full_list().empty() || compared.most.probe_runs > 0;
  if (!final && evidence.probe_failures() == 0 && evidence.probe_runs() > 0) {
    if (list_ran)
      verdict.kind = Kind::not_reproduced;
    else
      verdict.remarks.emplace_back(
          "nothing failed, but the list that failed then was never run as a whole: that takes more time");
  }
  if (final) verdict.tests = top.tests;
  verdict.probability = verdict.kind == Kind::not_reproduced ? weights().gone : top.probability;
  verdict.e_value = std::exp(std::min(700.0, log_e(top)));
  verdict.confirmed = final && top.kind != Kind::not_reproduced;
  // The posterior rests on a model; the confirmation does not. Nobody should believe more than both allow.
  if (verdict.confirmed)
    verdict.probability =
        std::min(verdict.probability, std::max(options.confidence, 1.0 - 1.0 / verdict.e_value));
  verdict.arms = arms(top.kind, top.tests);
  if (top.kind == Kind::polluter || top.kind == Kind::polluter_set) verdict.reproduce = top.tests;
  if (top.kind == Kind::cumulative || top.kind == Kind::not_reproduced) verdict.reproduce = full_list();
  verdict.reproduce_rate = top.rate;
  if (auto remark = process_remark(evidence, top.kind, top.tests))
    verdict.remarks.push_back(std::move(*remark));
  if (final)
    for (std::string& remark :
         fit_remarks(fit_of(evidence, full_list().size(), top.kind, top.tests), top.kind))
      verdict.remarks.push_back(std::move(remark));
  if (!final && top.kind == Kind::self && top.probability >= options.confidence) {
    if (list_matters(top) == ListMatters::open)
      verdict.remarks.emplace_back(
          "it fails alone; too few runs behind the whole list to say whether other tests make it fail "
          "several "
          "times as often");
    else if (self_does_not_fit(top))
      verdict.remarks.emplace_back(
          "it fails alone, and seemingly at least twice as often behind other tests; which of them is open");
  }
  if (final && top.kind == Kind::self) {
    const Weights& w = weights();
    if (w.amplified.weight.sum() > w.self)
      verdict.remarks.emplace_back("fails alone, and more often after some of the other tests");
    else if (auto remark = full_list().empty() ? std::nullopt : amplification_remark(compared))
      verdict.remarks.push_back(std::move(*remark));
  }
  const SubsetBits listed = to_bits(full_list(), problem.candidates.size());
  if (final && top.kind == Kind::self)
    if (auto remark = leftover_remark(evidence, listed)) verdict.remarks.push_back(std::move(*remark));
  if (final && top.kind == Kind::polluter && full_list().size() > 1 &&
      only_suspect(evidence, listed, top.tests.front()))
    verdict.remarks.emplace_back(
        "no other test ran before it without this one, so that others may do the same "
        "(--all looks for them)");
  std::uint32_t most_runs = 1;
  for (const Seen& one : seen)
    if (one.source == Source::probe) most_runs = std::max(most_runs, one.victim_runs);
  if (most_runs > 1) verdict.remarks.push_back(repeats_remark(repeats, most_runs));
  if (!final && !stuck.empty()) verdict.remarks.push_back(stuck);
  if (void_probes > 0) verdict.remarks.push_back(fmt::format("{} probes gave nothing usable", void_probes));
  if (other_failures > 0)
    verdict.remarks.push_back(
        fmt::format("{} probes failed in another way; they were left out", other_failures));
  return verdict;
}

}  // namespace flakebisect::bisect
