#include "analyzer/report_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzer/report_escape.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

std::string count(std::uint64_t number, const std::string& noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

/// The arm without the culprits that was run most.
const ReportArm* control_arm(const Report& report) {
  const auto* alone = find_arm(report, "alone");
  const auto* without = find_arm(report, "without culprits");
  if (alone == nullptr) return without;
  return without != nullptr && without->runs > alone->runs ? without : alone;
}

std::string of_runs(const ReportArm& arm) {
  return fmt::format("{} of {}", arm.failures, count(arm.runs, "run"));
}

std::string how_often(double rate) {
  if (rate >= 0.95) return "nearly every run";
  if (rate > 0.67) return "most runs";
  const auto every = std::llround(1 / rate);
  return every <= 1 ? "most runs" : fmt::format("about one run in {}", every);
}

void add(Sentence& sentence, const std::string& words) {
  sentence.push_back({words, false});
}

void add_test(Sentence& sentence, const std::string& id) {
  sentence.push_back({id, true});
}

void add_tests(Sentence& sentence, const std::vector<std::string>& tests, const std::string& joint) {
  for (std::size_t i = 0; i < tests.size(); ++i) {
    if (i != 0) add(sentence, i + 1 == tests.size() ? " " + joint + " " : ", ");
    add_test(sentence, tests[i]);
  }
}

std::string ordinal(std::uint64_t number) {
  const auto last_two = number % 100;
  const auto last = number % 10;
  const char* ending = last_two >= 11 && last_two <= 13 ? "th"
                       : last == 1                      ? "st"
                       : last == 2                      ? "nd"
                       : last == 3                      ? "rd"
                                                        : "th";
  return fmt::format("{}{}", number, ending);
}

/// ", with one of them left out 0 of 31 runs": the controls of a set. Empty where none ran.
std::string without_one_each(const Report& report) {
  ReportArm all;
  const std::string name = "culprits but";
  for (const auto& arm : report.arms) {
    if (!arm.name.starts_with(report.side_by_side ? side_by_side_name(name) : name)) continue;
    all.runs += arm.runs;
    all.failures += arm.failures;
  }
  return all.runs == 0 ? std::string() : ", with one of them left out " + of_runs(all);
}

/// ": with it 9 of 40 runs failed, without it 0 of 38"
std::string contrast(const Report& report, const std::string& with, const std::string& without) {
  const auto* treatment = find_arm(report, "culprits");
  const auto* control = control_arm(report);
  if (treatment == nullptr) return {};
  std::string words = fmt::format(": {} {} failed", with, of_runs(*treatment));
  if (control != nullptr) words += fmt::format(", {} {}", without, of_runs(*control));
  return words;
}

}  // namespace

Sentence explanation_words(const ReportExplanation& explanation) {
  Sentence words;
  switch (explanation.kind) {
    case Kind::self:
      add(words, "fails on its own");
      return words;
    case Kind::polluter:
      add(words, "fails after ");
      add_tests(words, explanation.tests, "or");
      return words;
    case Kind::polluter_set:
      add(words, "fails after ");
      add_tests(words, explanation.tests, "and");
      add(words, " together");
      return words;
    case Kind::brittle:
      add(words, "fails unless ");
      add_tests(words, explanation.tests, "or");
      add(words, " ran before it");
      return words;
    case Kind::cumulative:
      add(words, "fails the more often, the more tests ran before it");
      return words;
    case Kind::concurrent:
      add(words, "fails while ");
      if (explanation.tests.empty()) {
        add(words, "other workers run, the more of their tests the likelier");
        return words;
      }
      add_tests(words, explanation.tests, "and");
      add(words, explanation.tests.size() == 1 ? " runs on another worker" : " run on other workers");
      return words;
    case Kind::not_reproduced:
      add(words, "does not fail any more");
      return words;
    case Kind::inconclusive:
      break;
  }
  add(words, "fails for a reason not known yet");
  return words;
}

Sentence finding_title(const Report& report) {
  Sentence words;
  add_test(words, report.victim);
  add(words, " ");
  for (auto& phrase : explanation_words({report.verdict.kind, report.verdict.tests, 0}))
    words.push_back(std::move(phrase));
  return words;
}

Sentence finding_sentence(const Report& report) {
  const auto& verdict = report.verdict;
  const std::string them = verdict.tests.size() == 1 ? "it" : "them";
  Sentence words;
  if (verdict.kind == Kind::not_reproduced) {
    add(words, "The failure of ");
    add_test(words, report.victim);
    const auto usable = report.cost.probes - std::min(report.cost.probes, report.cost.void_probes);
    add(words,
        fmt::format(" did not come back in {}", count(usable, report.cost.repeats == 0 ? "run" : "probe")));
    if (report.cost.repeats != 0)
      add(words, fmt::format(", in which the test ran {} times", victim_runs(report.cost)));
    add(words, ".");
    return words;
  }
  if (verdict.kind == Kind::inconclusive) {
    add(words, "Why ");
    add_test(words, report.victim);
    add(words, " fails is not decided yet");
    if (!verdict.alternatives.empty()) {
      const auto& best = verdict.alternatives.front();
      add(words, "; the leading explanation is that it ");
      for (auto& phrase : explanation_words(best)) words.push_back(std::move(phrase));
      add(words, fmt::format(" ({})", format_probability(best.probability)));
    }
    add(words, ".");
    return words;
  }
  add_test(words, report.victim);
  switch (verdict.kind) {
    case Kind::self:
      add(words, " fails on its own");
      if (const auto* alone = find_arm(report, "alone"); alone != nullptr) {
        add(words, fmt::format(": with no other test before it {} failed", of_runs(*alone)));
        if (alone->failures != 0) add(words, ", " + how_often(alone->rate));
        add(words, ". No other test is needed to make it fail");
      } else {
        add(words, "; no other test is needed to make it fail");
      }
      break;
    case Kind::polluter:
      add(words, " fails because ");
      add_tests(words, verdict.tests, "or");
      add(words, " ran before it" + contrast(report, "after " + them, "without " + them));
      break;
    case Kind::polluter_set:
      add(words, " fails because ");
      add_tests(words, verdict.tests, "and");
      add(words, verdict.tests.size() == 2 ? " both ran before it" : " all ran before it");
      add(words, contrast(report, "after all of them", "without them") + without_one_each(report));
      break;
    case Kind::brittle:
      add(words, " fails unless ");
      add_tests(words, verdict.tests, "or");
      add(words, " ran before it");
      if (const auto* control = control_arm(report); control != nullptr) {
        add(words, fmt::format(": without {} {} failed", them, of_runs(*control)));
        if (const auto* with = find_arm(report, "culprits"); with != nullptr)
          add(words, fmt::format(", after {} {}", them, of_runs(*with)));
      }
      break;
    case Kind::cumulative:
      add(words,
          " fails the more often, the more tests ran before it in the same process; no single test is to "
          "blame");
      break;
    case Kind::concurrent:
      if (verdict.tests.empty()) {
        add(words,
            " fails only while other workers run tests at the same time, and no single test of theirs is to "
            "blame: the more of them run, the likelier");
        break;
      }
      add(words, " fails because ");
      add_tests(words, verdict.tests, "and");
      add(words, verdict.tests.size() == 1 ? " ran on another worker at the same time"
                                           : " ran on other workers at the same time");
      add(words, contrast(report, "beside " + them, "without " + them) + without_one_each(report));
      break;
    case Kind::not_reproduced:
    case Kind::inconclusive:
      break;
  }
  add(words, ".");
  return words;
}

std::string certainty_sentence(const Report& report) {
  const auto& verdict = report.verdict;
  if (verdict.kind == Kind::inconclusive || verdict.kind == Kind::not_reproduced)
    return verdict.abstains.empty() ? fmt::format("No explanation reached the {} asked for.",
                                                  format_probability(verdict.confidence))
                                    : verdict.abstains;
  std::string words = fmt::format("Probability {} ({:g} % asked for)",
                                  format_probability(verdict.probability), verdict.confidence * 100);
  if (!verdict.confirmed) return words + "; not confirmed on fresh runs.";
  const bool set =
      verdict.kind == Kind::polluter_set || (verdict.kind == Kind::concurrent && verdict.tests.size() > 1);
  words +=
      verdict.kind == Kind::self
          ? "; confirmed by its runs alone, with a test that stays valid however long one looks"
      : set ? "; confirmed on fresh runs of the reproduction and of a control for each of these tests, which "
              "leaves it out, drawn in random order"
            : "; confirmed on fresh runs of the reproduction and of a control, drawn in random order";
  if (verdict.e_value > 0) {
    words +=
        fmt::format(": {}e-value {} ({} needed)", set ? "least " : "",
                    verdict.e_value >= 1e6 ? fmt::format("{:.1e}", verdict.e_value)
                                           : fmt::format("{:.0f}", std::floor(verdict.e_value)),
                    verdict.confidence < 1 ? fmt::format("{:.0f}", 1 / (1 - verdict.confidence)) : "more");
  }
  return words + ".";
}

std::string exact_test_sentence(const Report& report) {
  if (!report.exact_test) return {};
  const auto& test = *report.exact_test;
  return fmt::format(
      "Fisher's exact test, '{}' against '{}': {} (two-sided; it does not allow for runs having been "
      "stopped on the evidence, the e-value does).",
      test.treatment, test.control, format_p(test.p));
}

std::string reproduction_sentence(const Report& report) {
  const auto& reproduce = report.reproduce;
  const auto runs = runs_for_95_percent(reproduce.rate);
  if (!runs) return {};
  std::string words = fmt::format("It fails in {} of its runs: ", format_rate(reproduce.rate));
  words += *runs == 1 ? "one run shows the failure with 95 % probability"
                      : fmt::format("{} runs show the failure at least once with 95 % probability", *runs);
  if (reproduce.seconds_per_run > 0)
    words += fmt::format("; expect the first one after {}",
                         format_seconds(reproduce.seconds_per_run / reproduce.rate));
  return words + ".";
}

std::string cost_sentence(const Report& report) {
  std::string words = count(report.cost.probes, "probe");
  if (report.cost.void_probes != 0) words += fmt::format(" ({} void)", report.cost.void_probes);
  if (report.cost.repeats != 0)
    words += fmt::format(" with {} of the victim", count(victim_runs(report.cost), "run"));
  words += fmt::format(" in {}", format_seconds(report.cost.wall_seconds));
  if (std::abs(report.cost.test_seconds - report.cost.wall_seconds) >
      std::max(1.0, 0.05 * report.cost.wall_seconds))
    words += fmt::format(" ({} of running tests)", format_seconds(report.cost.test_seconds));
  return words + ".";
}

std::string source_sentence(const Report& report) {
  std::string words = report.run_id.empty() ? "A given list" : "Run " + visible_line(report.run_id);
  if (!report.worker.empty()) words += ", " + visible_line(report.worker);
  if (report.position != 0) words += fmt::format(", the {} test there", ordinal(report.position));
  if (report.side_by_side)
    return words + fmt::format("; {} ran before it, and other workers ran {} until it ended.",
                               count(report.own_tests.size(), "test"),
                               count(report.candidate_tests.size(), "test"));
  return words + fmt::format("; {} ran before it.", count(report.candidate_tests.size(), "test"));
}

Sentence beside_sentence(const Report& report) {
  Sentence words;
  if (report.reproduce.beside.empty()) return words;
  add(words, "Beside them, as on another worker, over and over until the victim has ended: ");
  constexpr std::size_t most_named = 20;
  auto named = report.reproduce.beside;
  const std::size_t left_out = named.size() > most_named ? named.size() - most_named : 0;
  named.resize(named.size() - left_out);
  add_tests(words, named, left_out == 0 ? "and" : ",");
  add(words, left_out == 0 ? "." : fmt::format(" and {} more (in the JSON report).", left_out));
  return words;
}

std::string history_sentence(const Report& report) {
  if (report.history.runs == 0) return {};
  return fmt::format("It failed in {} of {} in which it ran.", report.history.failures,
                     count(report.history.runs, "stored run"));
}

std::string plain(const Sentence& sentence) {
  std::string text;
  for (const auto& phrase : sentence) text += phrase.text;
  return text;
}

std::string arm_words(const ReportArm& arm) {
  if (arm.name == side_by_side_name("alone")) return "no other worker";
  if (!arm.tests.empty())
    return count(arm.tests.size(), "test") + (arm.name.starts_with("beside") ? " beside it" : " before it");
  return arm.name == "alone" ? "the victim alone" : "various";
}

std::vector<const ReportExplanation*> listed_alternatives(const Report& report) {
  std::vector<const ReportExplanation*> listed;
  for (const auto& alternative : report.verdict.alternatives) {
    const bool own = alternative.kind == report.verdict.kind && alternative.tests == report.verdict.tests;
    if (!own && alternative.probability >= listed_probability && listed.size() < 5)
      listed.push_back(&alternative);
  }
  return listed;
}

std::string excerpt(const std::string& text, std::size_t most_lines, std::size_t most_bytes) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() <= most_lines && text.size() <= most_bytes) return text;
  // What matters stands at both ends: how it came about, and what was raised. The end gets two thirds.
  const std::size_t line_bytes = std::max<std::size_t>(most_bytes / 8, 80);
  for (auto& line : lines)
    if (line.size() > line_bytes) line = line.substr(0, line_bytes) + " [...]";
  std::vector<std::string> head;
  std::vector<std::string> tail;
  std::size_t used = 0;
  const auto fits = [&](const std::vector<std::string>& part, std::size_t lines_limit,
                        std::size_t bytes_limit, const std::string& line) {
    return part.size() < lines_limit && used + line.size() + 1 <= bytes_limit;
  };
  std::size_t first = 0;
  while (first < lines.size() && fits(head, most_lines / 3, most_bytes / 3, lines[first])) {
    used += lines[first].size() + 1;
    head.push_back(lines[first++]);
  }
  std::size_t last = lines.size();
  while (last > first && fits(tail, most_lines - most_lines / 3, most_bytes, lines[last - 1])) {
    used += lines[last - 1].size() + 1;
    tail.push_back(lines[--last]);
  }
  std::string out;
  for (const auto& line : head) out += line + "\n";
  if (last > first)
    out += fmt::format("[... {} left out; the JSON report has all of it ...]\n", count(last - first, "line"));
  for (auto line = tail.rbegin(); line != tail.rend(); ++line) out += *line + "\n";
  return out;
}

std::string format_rate(double rate) {
  const double percent = rate * 100;
  if (percent <= 0) return "0 %";
  if (percent < 0.1) return "<0.1 %";
  if (percent < 9.95) return fmt::format("{:.1f} %", percent);
  if (percent > 99.5 && percent < 100) return ">99 %";
  return fmt::format("{:.0f} %", percent);
}

std::string format_interval(double low, double high) {
  return format_rate(low) + " to " + format_rate(high);
}

std::string format_p(double p) {
  if (p < 0.0001) return "p < 0.0001";
  if (p < 0.01) return fmt::format("p = {:.4f}", p);
  return fmt::format("p = {:.2f}", p);
}

}  // namespace flakebisect::analyzer
