#include <fmt/format.h>

#include "analyzer/report_escape.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_html_parts.h"
#include "analyzer/report_json.h"
#include "analyzer/report_words.h"
#include "analyzer/sha256.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Kind;
using bisect::Outcome;

std::string html(const std::string& text) {
  return escape_markup(visible_line(text));
}

std::string html_code(const std::string& text) {
  return "<code>" + html(text) + "</code>";
}

std::string html_sentence(const Sentence& sentence) {
  std::string out;
  for (const auto& phrase : sentence) out += phrase.is_test ? html_code(phrase.text) : html(phrase.text);
  return out;
}

std::string outcome_words(const ReportProbe& probe) {
  const auto count = count_words(probe.outcome, probe.victim_runs);
  switch (probe.outcome) {
    case Outcome::pass:
      return "passed" + count;
    case Outcome::fail:
      return "failed" + count;
    case Outcome::other_failure:
      return "failed in another way" + count;
    case Outcome::void_probe:
      break;
  }
  return "void";
}

const char* outcome_class(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fail:
      return "fail";
    case Outcome::other_failure:
      return "other";
    case Outcome::void_probe:
      break;
  }
  return "void";
}

namespace {

std::string section(const std::string& id, const std::string& title, const std::string& content) {
  if (content.empty()) return {};
  return fmt::format("<section aria-labelledby=\"h-{0}\"><h2 id=\"h-{0}\">{1}</h2>\n{2}</section>\n", id,
                     title, content);
}

std::string list(const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string out = "<ul>\n";
  for (const auto& item : items) out += "<li>" + item + "</li>\n";
  return out + "</ul>\n";
}

std::string header(const Report& report) {
  const auto& verdict = report.verdict;
  std::string out = fmt::format("<header><p class=\"kind {}\">{}</p>\n<h1>{}</h1>\n<p>{}</p>\n",
                                has_finding(report) ? "found" : "open", html(bisect::kind_name(verdict.kind)),
                                html_sentence(finding_sentence(report)), html(certainty_sentence(report)));
  std::vector<std::string> notes;
  for (const auto& remark : verdict.remarks) notes.push_back(html(remark));
  for (const auto& tests : verdict.further_polluters)
    notes.push_back("it also " + html_sentence(explanation_words(
                                     {tests.size() > 1 ? Kind::polluter_set : Kind::polluter, tests, 0})));
  for (const auto& cleaner : verdict.cleaners)
    notes.push_back("cleaner (undoes the pollution when run in between): " + html_code(cleaner));
  for (const auto& warning : report.warnings) notes.push_back("<strong>Warning:</strong> " + html(warning));
  return out + list(notes) + "</header>\n";
}

std::string evidence(const Report& report) {
  if (report.arms.empty()) return {};
  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">arm</th><th scope=\"col\">what ran</th>"
      "<th scope=\"col\" class=\"n\">runs</th><th scope=\"col\" class=\"n\">failures</th>"
      "<th scope=\"col\" class=\"n\">rate</th><th scope=\"col\">95 % interval</th></tr></thead>\n<tbody>\n";
  for (const auto& arm : report.arms)
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td>{}</td></tr>\n",
        html(arm.name), html(arm_words(arm)), arm.runs, arm.failures,
        arm.runs == 0 ? "" : html(format_rate(arm.rate)),
        arm.runs == 0 ? "" : html(format_interval(arm.low, arm.high)));
  out += "</tbody></table></div>\n" + html_rate_chart(report);
  if (const auto test = exact_test_sentence(report); !test.empty())
    out += "<p class=\"dim\">" + html(test) + "</p>\n";
  return out;
}

std::string reproduction(const Report& report) {
  const auto& reproduce = report.reproduce;
  std::string out;
  if (!reproduce.command.empty()) {
    const auto command = visible_command(reproduce.command);
    out += "<div class=\"command\"><pre id=\"command\" tabindex=\"0\">" + escape_markup(command) +
           "</pre><button type=\"button\" data-copy=\"command\" hidden>Copy</button></div>\n";
    if (command != reproduce.command)
      out +=
          "<p class=\"dim\">Control characters are written out here; the JSON report has the exact "
          "command.</p>\n";
  }
  if (const auto numbers = reproduction_sentence(report); !numbers.empty())
    out += "<p>" + html(numbers) + "</p>\n";
  if (const auto beside = beside_sentence(report); !beside.empty())
    out += "<p>" + html_sentence(beside) + "</p>\n";
  if (reproduce.tests.empty()) return out;
  std::string tests = "<ol>\n";
  for (const auto& id : reproduce.tests) tests += "<li>" + html_code(id) + "</li>\n";
  tests += "</ol>\n";
  if (reproduce.tests.size() <= 12) return out + tests;
  return out + fmt::format("<details><summary>The {} tests, in order</summary>{}</details>\n",
                           reproduce.tests.size(), tests);
}

std::string others(const Report& report) {
  std::vector<std::string> items;
  for (const auto* alternative : listed_alternatives(report))
    items.push_back(fmt::format("{}: it {}", html(format_probability(alternative->probability)),
                                html_sentence(explanation_words(*alternative))));
  for (const auto& ruled_out : report.ruled_out) items.push_back(html(ruled_out));
  return list(items);
}

std::string failure(const Report& report) {
  std::string out;
  if (!report.failure.signature.empty()) out += "<p>" + html_code(report.failure.signature) + "</p>\n";
  const auto traceback = [](const std::string& text) {
    return "<pre tabindex=\"0\">" + escape_markup(visible_text(excerpt(text, 1000, 200000))) + "</pre>\n";
  };
  if (!report.failure.traceback.empty()) out += traceback(report.failure.traceback);
  for (const auto& other : report.other_failures)
    out += fmt::format("<details><summary>counted apart, seen {} time{}: {}</summary>{}</details>\n",
                       other.count, other.count == 1 ? "" : "s", html_code(other.signature),
                       traceback(excerpt(other.example, 200, 20000)));
  return out;
}

std::string source(const Report& report) {
  std::vector<std::pair<std::string, std::string>> rows = {
      {"Source", source_sentence(report)}, {"History", history_sentence(report)},
      {"Spent", cost_sentence(report)},    {"Seed", fmt::format("{}", report.seed)},
      {"Session", report.session},         {"flakebisect", report.version},
      {"Host", report.environment.host},   {"Revision", report.environment.git_revision}};
  rows.insert(rows.end(), report.environment.versions.begin(), report.environment.versions.end());
  rows.emplace_back("Fingerprint", fingerprint(report));
  std::string out = "<dl>\n";
  for (const auto& [name, value] : rows)
    if (!value.empty()) out += "<dt>" + html(name) + "</dt><dd>" + html(value) + "</dd>\n";
  return out + "</dl>\n";
}

/// The report with only those probes that the page draws: a long search would make it too big for a browser.
Report drawn_part(const Report& report) {
  const auto shown = shown_probes(report, most_drawn_probes);
  if (shown.left_out == 0) return report;
  Report part = report;
  part.probes.clear();
  for (const auto index : shown.indices) part.probes.push_back(report.probes[index]);
  return part;
}

/// JSON for a script element: nothing in it can end the element or start a comment.
std::string embedded_json(const Report& report) {
  std::string out;
  for (const char c : render_json(drawn_part(report))) {
    if (c == '<' || c == '>' || c == '&')
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string render_html(const Report& report) {
  const auto policy = fmt::format(
      "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; "
      "base-uri 'none'; form-action 'none'",
      sha256_base64(html_style()), sha256_base64(html_script()));
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"" +
      policy +
      "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n";
  out += "<title>" + html("Flaky test: " + plain(finding_title(report))) + "</title>\n";
  out += "<style>" + html_style() +
         "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the finding</a>\n";
  out +=
      "<div class=\"bar\" hidden><button type=\"button\" id=\"theme\">Dark or light</button>"
      "<button type=\"button\" id=\"unfold\">Open all</button></div>\n<main id=\"main\">\n";
  out += header(report);
  std::string advice_text;
  for (const auto& line : advice(report)) advice_text += "<li>" + html(line) + "</li>\n";
  out += section("evidence", "Evidence", evidence(report));
  out += section("reproduce", has_finding(report) ? "To reproduce" : "What was run", reproduction(report));
  out += section("next", "What to do next", "<ul>\n" + advice_text + "</ul>\n");
  out += section("others",
                 report.verdict.kind == Kind::inconclusive ? "Explanations so far" : "Other explanations",
                 others(report));
  if (const auto chart = html_evolution_chart(report); !chart.empty())
    out += section(
        "evolution", "How the explanations fared",
        "<p class=\"dim\">Probability of each explanation after so many probes; the dashed line is what was "
        "asked for.</p>\n" +
            chart);
  if (const auto chart = html_suspicion_chart(report); !chart.empty())
    out += section("suspicion", "Which tests were suspected",
                   "<p class=\"dim\">The stronger the colour, the more probable it was that the test is "
                   "involved. Tests stand in "
                   "the order in which they ran.</p>\n" +
                       chart);
  if (const auto chart = html_probe_chart(report); !chart.empty())
    out += section(
        "probes", "The probes",
        fmt::format(
            "<p class=\"dim\">Each column is a probe: the bars are the tests that ran {} the victim, the "
            "mark below tells how the victim ended.</p>\n",
            report.side_by_side ? "beside" : "before") +
            chart);
  if (!report.probes.empty()) out += section("story", "The search, step by step", html_story(report));
  out += section("failure", "The failure", failure(report));
  out += section("source", "Source, cost and environment", source(report));
  out +=
      "</main>\n<script type=\"application/json\" id=\"report\">\n" + embedded_json(report) + "</script>\n";
  return out + "<script>" + html_script() + "</script>\n</body>\n</html>\n";
}

}  // namespace flakebisect::analyzer
