#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report_escape.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_words.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Whether the character at `i` takes a backslash: it would mark words up. Inside of a word "_" and "-" mean
/// nothing, and "(" starts an icon only where the bracket closes soon.
bool needs_backslash(const std::string& text, std::size_t i) {
  constexpr std::string_view markup = "![]^~+?{}*|@";
  const char c = text[i];
  if (markup.find(c) != std::string_view::npos) return true;
  if (c == '_' || c == '-')
    return i == 0 || i + 1 == text.size() || !is_alphanumeric(text[i - 1]) || !is_alphanumeric(text[i + 1]);
  return c == '(' && text.find(')', i) < i + 16;
}

/// Whether the character at `i` becomes a character entity, which Jira keeps: a backslash of the text's own,
/// and what starts links, smileys, entities and lists.
bool needs_entity(const std::string& text, std::size_t i) {
  const char c = text[i];
  if (c == ':' || c == ';') return i + 1 < text.size() && text[i + 1] != ' ';
  return c == '\\' || c == '&' || c == '<' || c == '>' || c == '#';
}

/// Escapes for Jira's wiki markup.
std::string words(const std::string& text) {
  const auto shown = visible_line(text);
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (needs_entity(shown, i)) {
      out += fmt::format("&#{};", static_cast<int>(shown[i]));
      continue;
    }
    if (needs_backslash(shown, i)) out += '\\';
    out += shown[i];
  }
  return out;
}

std::string code(const std::string& text) {
  return "{{" + words(text) + "}}";
}

/// A {noformat} block. Nothing can be escaped in it, so what would end it (or any macro of that name) gets a
/// space.
std::string block(const std::string& text) {
  const auto lines = visible_text(text);
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += lines[i];
    if (lines[i] != '{') continue;
    const auto next = static_cast<unsigned char>(i + 1 < lines.size() ? lines[i + 1] : ' ');
    if (next == 'n' || next == 'N') out += ' ';
  }
  if (out.empty() || out.back() != '\n') out += '\n';
  return "{noformat}\n" + out + "{noformat}\n";
}

std::string sentence(const Sentence& phrases) {
  std::string out;
  for (const auto& phrase : phrases) out += phrase.is_test ? code(phrase.text) : words(phrase.text);
  return out;
}

std::string bullets(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += "* " + words(line) + "\n";
  return out;
}

std::string arms_table(const Report& report) {
  if (report.arms.empty()) return {};
  std::string out = "||arm||what ran||runs||failures||rate||95 % interval||\n";
  for (const auto& arm : report.arms)
    out += fmt::format("|{} |{} |{} |{} |{} |{} |\n", words(arm.name), arm_words(arm), arm.runs, arm.failures,
                       arm.runs == 0 ? "" : words(format_rate(arm.rate)),
                       arm.runs == 0 ? "" : words(format_interval(arm.low, arm.high)));
  out += "\n";
  if (const auto test = exact_test_sentence(report); !test.empty()) out += words(test) + "\n\n";
  return out;
}

std::string reproduction(const Report& report) {
  const auto& reproduce = report.reproduce;
  if (reproduce.tests.empty() && reproduce.command.empty()) return {};
  std::string out = has_finding(report) ? "h4. To reproduce\n\n" : "h4. What was run\n\n";
  if (!reproduce.command.empty()) {
    const auto command = visible_command(reproduce.command);
    out += block(command);
    if (command != reproduce.command)
      out += "Control characters are written out here; the JSON report has the exact command.\n";
    out += "\n";
  }
  if (const auto numbers = reproduction_sentence(report); !numbers.empty()) out += words(numbers) + "\n\n";
  if (const auto beside = beside_sentence(report); !beside.empty()) out += sentence(beside) + "\n\n";
  if (reproduce.tests.size() > 1 && reproduce.tests.size() <= 50) {
    out += "These tests, in this order:\n";
    for (const auto& id : reproduce.tests) out += "# " + code(id) + "\n";
    out += "\n";
  } else if (reproduce.tests.size() > 50) {
    out += fmt::format("{} tests, in the order of the JSON report, the victim last.\n\n",
                       reproduce.tests.size());
  }
  return out;
}

std::string others(const Report& report) {
  std::string out;
  for (const auto* alternative : listed_alternatives(report))
    out += fmt::format("* {}{} it {}\n", words(format_probability(alternative->probability)), ":",
                       sentence(explanation_words(*alternative)));
  out += bullets(report.ruled_out);
  if (out.empty()) return {};
  return (report.verdict.kind == Kind::inconclusive ? "h4. Explanations so far\n\n"
                                                    : "h4. Other explanations\n\n") +
         out + "\n";
}

std::string failure(const Report& report) {
  const auto& shown = report.failure;
  if (shown.signature.empty() && shown.traceback.empty() && report.other_failures.empty()) return {};
  std::string out = "h4. The failure\n\n";
  if (!shown.signature.empty()) out += code(shown.signature) + "\n\n";
  if (!shown.traceback.empty()) out += block(excerpt(shown.traceback, 100, 12000)) + "\n";
  std::size_t listed = 0;
  for (const auto& other : report.other_failures) {
    if (++listed > 5) break;
    out += fmt::format("* counted apart, seen {} time{}{} {}\n", other.count, other.count == 1 ? "" : "s",
                       words(":"), code(excerpt(other.signature, 1, 300)));
  }
  return out + "\n";
}

std::string source(const Report& report) {
  std::string out = "h4. Source\n\n* " + words(source_sentence(report)) + "\n";
  if (const auto history = history_sentence(report); !history.empty()) out += "* " + words(history) + "\n";
  out += "* " + words("Spent: " + cost_sentence(report)) + "\n";
  out += fmt::format("* Seed {}", report.seed);
  if (!report.session.empty()) out += ", session " + code(report.session);
  if (!report.version.empty()) out += ", flakebisect " + code(report.version);
  out += "\n";
  if (!report.environment.host.empty()) out += "* Host " + code(report.environment.host) + "\n";
  if (!report.environment.git_revision.empty())
    out += "* Revision " + code(report.environment.git_revision) + "\n";
  for (const auto& [name, value] : report.environment.versions)
    out += "* " + code(name) + " " + code(value) + "\n";
  return out + "* Fingerprint " + code(fingerprint(report)) + "\n";
}

}  // namespace

std::string render_jira(const Report& report) {
  const auto& verdict = report.verdict;
  std::string out = "h3. Flaky test " + sentence(finding_title(report)) + "\n\n";
  out += "Finding: " + sentence(finding_sentence(report)) + "\n\n";
  out += words(certainty_sentence(report)) + "\n\n";
  std::string notes = bullets(verdict.remarks);
  for (const auto& tests : verdict.further_polluters)
    notes += "* it also " +
             sentence(explanation_words({tests.size() > 1 ? Kind::polluter_set : Kind::polluter, tests, 0})) +
             "\n";
  for (const auto& cleaner : verdict.cleaners)
    notes += "* cleaner, undoes the pollution when run in between: " + code(cleaner) + "\n";
  for (const auto& warning : report.warnings) notes += "* " + words("Warning: " + warning) + "\n";
  if (!notes.empty()) out += notes + "\n";
  out += arms_table(report);
  out += reproduction(report);
  out += "h4. What to do next\n\n" + bullets(advice(report)) + "\n";
  out += others(report);
  out += failure(report);
  out += source(report);
  return out;
}

}  // namespace flakebisect::analyzer
