#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report_escape.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_words.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

/// The longest run of `c` in the text.
std::size_t longest_run(std::string_view text, char c) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char each : text) {
    run = each == c ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

/// A code span that shows the text as it is: its fence is longer than any run of backticks in it.
std::string code(const std::string& text) {
  const auto line = visible_line(text);
  if (line.empty()) return "(empty)";
  const std::string fence(longest_run(line, '`') + 1, '`');
  const bool pad = line.front() == '`' || line.back() == '`' || (line.front() == ' ' && line.back() == ' ');
  return fence + (pad ? " " : "") + line + (pad ? " " : "") + fence;
}

/// A fenced block; the same idea.
std::string block(const std::string& text, const std::string& language) {
  const auto lines = visible_text(text);
  const std::string fence(std::max<std::size_t>(3, longest_run(lines, '`') + 1), '`');
  return fence + language + "\n" + lines + (lines.empty() || lines.back() != '\n' ? "\n" : "") + fence + "\n";
}

/// Sentences that may hold text from tests. Punctuation is escaped; what makes trackers link to people,
/// issues and the like even where it is escaped is cut off from the word behind it by an empty comment.
std::string words(const std::string& text) {
  std::string out;
  const auto shown = visible_line(text);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const char c = shown[i];
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '@':
      case '#':
      case '!':
      case '~':
      case '$':
        out += fmt::format("\\{}<!-- -->", c);
        break;
      case '\\':
      case '`':
      case '*':
      case '_':
      case '{':
      case '}':
      case '[':
      case ']':
      case '|':
        out += fmt::format("\\{}", c);
        break;
      case ':':
        // No "http://" and no ":emoji:".
        out += i + 1 < shown.size() && shown[i + 1] != ' ' ? "&#58;" : ":";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// Our own sentences, with code spans for the test ids in them.
std::string sentence(const Sentence& phrases) {
  std::string out;
  for (const auto& phrase : phrases) out += phrase.is_test ? code(phrase.text) : words(phrase.text);
  return out;
}

/// Names of arms are ours; anything else in them is replaced, because no escape holds in every table parser.
std::string arm_name(const std::string& name) {
  std::string out;
  for (const char c : name)
    out += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '-'
               ? c
               : '?';
  return out.substr(0, 60);
}

std::string details(const std::string& summary, const std::string& content) {
  return "<details><summary>" + summary + "</summary>\n\n" + content + "\n</details>\n\n";
}

std::string bullets(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += "- " + words(line) + "\n";
  return out;
}

std::string arms_table(const Report& report) {
  if (report.arms.empty()) return {};
  std::string out =
      "| arm | what ran | runs | failures | rate | 95 % interval |\n"
      "| --- | --- | ---: | ---: | ---: | --- |\n";
  for (const auto& arm : report.arms)
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", arm_name(arm.name), arm_words(arm), arm.runs,
                       arm.failures, arm.runs == 0 ? "" : format_rate(arm.rate),
                       arm.runs == 0 ? "" : format_interval(arm.low, arm.high));
  out += "\n";
  if (const auto test = exact_test_sentence(report); !test.empty()) out += words(test) + "\n\n";
  return out;
}

std::string reproduction(const Report& report) {
  const auto& reproduce = report.reproduce;
  if (reproduce.tests.empty() && reproduce.command.empty()) return {};
  std::string out = has_finding(report) ? "**To reproduce**\n\n" : "**What was run**\n\n";
  if (!reproduce.command.empty()) {
    const auto command = visible_command(reproduce.command);
    out += block(command, "sh") + "\n";
    if (command != reproduce.command)
      out += "Control characters are written out here; the JSON report has the exact command.\n\n";
  }
  if (const auto numbers = reproduction_sentence(report); !numbers.empty()) out += words(numbers) + "\n\n";
  if (const auto beside = beside_sentence(report); !beside.empty()) out += sentence(beside) + "\n\n";
  if (reproduce.tests.size() > 1) {
    std::string list;
    std::size_t shown = 0;
    for (const auto& id : reproduce.tests) {
      // The victim is last and always shown.
      if (shown >= 50 && shown + 1 < reproduce.tests.size()) {
        ++shown;
        continue;
      }
      list += fmt::format("{}. {}\n", ++shown, code(id));
    }
    out += details(fmt::format("The {} tests, in order{}", reproduce.tests.size(),
                               reproduce.tests.size() > 51 ? " (the first 50 and the victim)" : ""),
                   list);
  }
  return out;
}

std::string others(const Report& report) {
  std::string out;
  for (const auto* alternative : listed_alternatives(report))
    out += fmt::format("- {}: it {}\n", format_probability(alternative->probability),
                       sentence(explanation_words(*alternative)));
  for (const auto& ruled_out : report.ruled_out) out += "- " + words(ruled_out) + "\n";
  if (out.empty()) return {};
  return details(report.verdict.kind == Kind::inconclusive ? "Explanations so far" : "Other explanations",
                 out);
}

std::string failure(const Report& report) {
  const auto& shown = report.failure;
  if (shown.signature.empty() && shown.traceback.empty() && report.other_failures.empty()) return {};
  std::string out;
  if (!shown.signature.empty()) out += code(shown.signature) + "\n\n";
  if (!shown.traceback.empty()) out += block(excerpt(shown.traceback, 100, 15000), "text") + "\n";
  std::size_t listed = 0;
  for (const auto& other : report.other_failures) {
    if (++listed > 10) break;
    out += fmt::format("- counted apart, seen {} time{}: {}\n", other.count, other.count == 1 ? "" : "s",
                       code(excerpt(other.signature, 1, 400)));
  }
  if (report.other_failures.size() > 10)
    out += fmt::format("- and {} more\n", report.other_failures.size() - 10);
  return details("The failure", out);
}

std::string source(const Report& report) {
  std::string out = "- " + words(source_sentence(report)) + "\n";
  if (const auto history = history_sentence(report); !history.empty()) out += "- " + words(history) + "\n";
  out += "- Spent: " + words(cost_sentence(report)) + "\n";
  out += fmt::format("- Seed {}", report.seed);
  if (!report.session.empty()) out += ", session " + code(report.session);
  if (!report.version.empty()) out += ", flakebisect " + code(report.version);
  out += "\n";
  if (!report.environment.host.empty()) out += "- Host " + code(report.environment.host) + "\n";
  if (!report.environment.git_revision.empty())
    out += "- Revision " + code(report.environment.git_revision) + "\n";
  for (const auto& [name, value] : report.environment.versions)
    out += "- " + code(name) + " " + code(value) + "\n";
  return details("Source, cost and environment", out);
}

}  // namespace

std::string render_markdown(const Report& report) {
  const auto& verdict = report.verdict;
  std::string out = "### Flaky test: " + sentence(finding_title(report)) + "\n\n";
  out += sentence(finding_sentence(report)) + "\n\n";
  out += words(certainty_sentence(report)) + "\n\n";
  std::string notes = bullets(verdict.remarks);
  for (const auto& tests : verdict.further_polluters)
    notes += "- it also " +
             sentence(explanation_words({tests.size() > 1 ? Kind::polluter_set : Kind::polluter, tests, 0})) +
             "\n";
  for (const auto& cleaner : verdict.cleaners)
    notes += "- cleaner (undoes the pollution when run in between): " + code(cleaner) + "\n";
  for (const auto& warning : report.warnings) notes += "- **Warning**: " + words(warning) + "\n";
  if (!notes.empty()) out += notes + "\n";
  out += arms_table(report);
  out += reproduction(report);
  out += "**What to do next**\n\n" + bullets(advice(report)) + "\n";
  out += others(report);
  out += failure(report);
  out += source(report);
  const auto mark = fingerprint(report);
  out += fmt::format("<sub>flakebisect fingerprint {}</sub>\n<!-- flakebisect-fingerprint: {} -->\n", mark,
                     mark);
  return out;
}

}  // namespace flakebisect::analyzer
