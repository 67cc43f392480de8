#include "analyzer/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "analyzer/report_words.h"
#include "analyzer/sha256.h"
#include "analyzer/status_view.h"
#include "stats/fisher.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

std::vector<std::string> names(const Report& report, const std::vector<bisect::TestIndex>& indices) {
  std::vector<std::string> ids;
  ids.reserve(indices.size());
  for (const auto index : indices) ids.push_back(report.candidate_tests.at(index));
  return ids;
}

/// The culprits against whichever control was run more often; for a failure of its own, the others against
/// none.
std::optional<ReportExactTest> exact_test(const Report& report) {
  const auto* alone = find_arm(report, "alone");
  const ReportArm* treatment = find_arm(report, "culprits");
  const ReportArm* control = alone;
  if (const auto* without = find_arm(report, "without culprits");
      without != nullptr && (control == nullptr || without->runs > control->runs))
    control = without;
  if (treatment == nullptr) {
    treatment = find_arm(report, "full");
    control = alone;
  }
  if (treatment == nullptr || control == nullptr) return std::nullopt;
  return ReportExactTest{
      treatment->name, control->name,
      stats::fisher_exact_two_sided(treatment->failures, treatment->runs, control->failures, control->runs)};
}

bool is_finding(Kind kind) {
  return kind != Kind::inconclusive && kind != Kind::not_reproduced;
}

std::vector<std::string> ruled_out(const Report& report) {
  std::vector<std::string> sentences;
  const auto& verdict = report.verdict;
  if (!is_finding(verdict.kind) || verdict.alternatives.empty()) return sentences;
  double listed = 0;
  bool self_listed = false;
  double self_probability = 0;
  std::set<std::string> named(verdict.tests.begin(), verdict.tests.end());
  // What a reader is shown: the verdict's own explanation and the alternatives worth listing.
  auto shown = listed_alternatives(report);
  for (const auto& alternative : verdict.alternatives) {
    if (alternative.kind == Kind::self) {
      self_listed = true;
      self_probability = alternative.probability;
    }
    if (alternative.kind == verdict.kind && alternative.tests == verdict.tests) shown.push_back(&alternative);
  }
  for (const auto* alternative : shown) {
    listed += alternative->probability;
    named.insert(alternative->tests.begin(), alternative->tests.end());
  }
  const double rest = std::clamp(1 - listed, 0.0, 1.0);
  if (verdict.kind != Kind::self && (self_listed ? self_probability < listed_probability : rest < 0.5)) {
    std::string sentence =
        fmt::format("That the test fails on its own in the same way: {}{}", self_listed ? "" : "less than ",
                    format_probability(self_listed ? self_probability : rest));
    if (const auto* alone = find_arm(report, "alone"); alone != nullptr && verdict.kind != Kind::brittle)
      sentence += fmt::format(", after {} failure{} in {} run{} {}", alone->failures,
                              alone->failures == 1 ? "" : "s", alone->runs, alone->runs == 1 ? "" : "s",
                              report.side_by_side ? "of its own worker only" : "alone");
    sentences.push_back(sentence + ".");
  }
  std::uint64_t others = 0;
  for (const auto& id : report.candidate_tests)
    if (named.count(id) == 0) ++others;
  if (others != 0 && rest < 0.5)
    sentences.push_back(
        fmt::format("The {} test{} not named here, and every explanation that is not listed: "
                    "together {}.",
                    others, others == 1 ? "" : "s", format_probability(rest)));
  return sentences;
}

}  // namespace

std::string side_by_side_name(const std::string& arm) {
  if (arm == "alone") return "own worker only";
  if (arm == "without culprits") return "beside the others";
  if (arm == "full") return "beside all";
  return arm.starts_with("culprits") || arm.starts_with("other lists") ? "beside " + arm : arm;
}

const ReportArm* find_arm(const Report& report, const std::string& name) {
  const auto wanted = report.side_by_side ? side_by_side_name(name) : name;
  for (const auto& arm : report.arms)
    if (arm.name == wanted && arm.runs != 0) return &arm;
  return nullptr;
}

void fill_verdict(Report& report, const bisect::Verdict& verdict, double confidence) {
  auto& out = report.verdict;
  out.kind = verdict.kind;
  out.tests = names(report, verdict.tests);
  out.probability = verdict.probability;
  out.confidence = confidence;
  out.confirmed = verdict.confirmed;
  out.e_value = verdict.e_value;
  out.alternatives.clear();
  for (const auto& explanation : verdict.alternatives)
    out.alternatives.push_back({explanation.kind, names(report, explanation.tests), explanation.probability});
  out.further_polluters.clear();
  for (const auto& tests : verdict.further_polluters) out.further_polluters.push_back(names(report, tests));
  out.cleaners = names(report, verdict.cleaners);
  out.remarks = verdict.remarks;
  report.arms.clear();
  for (const auto& arm : verdict.arms)
    report.arms.push_back({report.side_by_side ? side_by_side_name(arm.name) : arm.name,
                           names(report, arm.tests), arm.runs, arm.failures, arm.rate, arm.low, arm.high});
  report.reproduce.tests = names(report, verdict.reproduce);
  if (report.side_by_side) {
    report.reproduce.beside = std::move(report.reproduce.tests);
    report.reproduce.tests = report.own_tests;
  }
  report.reproduce.tests.push_back(report.victim);
  report.reproduce.rate = verdict.reproduce_rate;
  report.exact_test = exact_test(report);
  report.ruled_out = ruled_out(report);
}

void set_seconds_per_run(Report& report) {
  std::set<std::string> wanted(report.reproduce.tests.begin(), report.reproduce.tests.end());
  if (report.side_by_side) wanted = {report.reproduce.beside.begin(), report.reproduce.beside.end()};
  wanted.erase(report.victim);
  // Seconds and further runs of each such probe.
  std::vector<std::pair<double, double>> seen;
  double seconds = 0, further = 0, least_of_a_run = 0;
  for (const auto& probe : report.probes) {
    if (probe.outcome == bisect::Outcome::void_probe || probe.ran.size() != wanted.size()) continue;
    const auto ran = names(report, probe.ran);
    if (!std::all_of(ran.begin(), ran.end(), [&](const auto& id) { return wanted.count(id) != 0; })) continue;
    const double of_a_run = probe.seconds / probe.victim_runs;
    least_of_a_run = seen.empty() ? of_a_run : std::min(least_of_a_run, of_a_run);
    seen.emplace_back(probe.seconds, probe.victim_runs - 1);
    seconds += probe.seconds;
    further += probe.victim_runs - 1;
  }
  if (seen.empty()) return;
  const auto count = static_cast<double>(seen.size());
  // A further run, by least squares: the victim's first one may hold set-up that the others do not need.
  double product = 0, square = 0;
  for (const auto& [one_seconds, one_further] : seen) {
    product += (one_further - further / count) * (one_seconds - seconds / count);
    square += (one_further - further / count) * (one_further - further / count);
  }
  const double of_a_further_run = square > 0 ? std::clamp(product / square, 0.0, least_of_a_run) : 0.0;
  report.reproduce.seconds_per_run = (seconds - of_a_further_run * further) / count;
}

void add_posterior_step(Report& report, std::uint64_t probes,
                        const std::vector<bisect::Explanation>& leading) {
  PosteriorStep step;
  step.probes = probes;
  for (const auto& explanation : leading) {
    const auto tests = names(report, explanation.tests);
    auto found = std::find_if(report.explanations.begin(), report.explanations.end(), [&](const auto& known) {
      return known.kind == explanation.kind && known.tests == tests;
    });
    if (found == report.explanations.end())
      found = report.explanations.insert(report.explanations.end(), {explanation.kind, tests, 0});
    found->probability = explanation.probability;
    step.leading.emplace_back(static_cast<std::uint32_t>(found - report.explanations.begin()),
                              explanation.probability);
  }
  report.evolution.push_back(std::move(step));
}

std::optional<std::uint64_t> runs_for_95_percent(double rate) {
  if (!(rate > 0)) return std::nullopt;
  if (rate >= 0.95) return 1;
  // The small number keeps a rate that is exact on paper, such as 1 - 0.05^(1/3), from costing one run more.
  const double runs = std::ceil(std::log(0.05) / std::log1p(-rate) - 1e-9);
  if (!(runs < 1e15)) return std::nullopt;
  return static_cast<std::uint64_t>(runs);
}

std::string fingerprint(const Report& report) {
  auto culprits = report.verdict.tests;
  std::sort(culprits.begin(), culprits.end());
  // As JSON, because no two findings then give the same text, and because bytes that are no UTF-8 hash as
  // they will when the report is read back from its JSON form.
  using nlohmann::json;
  const json parts = {"flakebisect/fingerprint/1", report.victim, bisect::kind_name(report.verdict.kind),
                      culprits, report.failure.signature};
  const auto text = parts.dump(-1, ' ', false, json::error_handler_t::replace);
  return sha256_hex(text).substr(0, 16);
}

}  // namespace flakebisect::analyzer
