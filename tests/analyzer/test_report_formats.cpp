#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "analyzer/report_formats.h"
#include "report_samples.h"

using namespace flakebisect::analyzer;
using flakebisect::bisect::Kind;
using report_samples::count;

namespace {

const std::vector<std::pair<std::string, std::string>> file_endings = {
    {"markdown", ".md"},     {"jira", ".jira"},   {"dot", ".dot"},  {"github", ".github"},
    {"junit", ".junit.xml"}, {"sarif", ".sarif"}, {"html", ".html"}};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("every format gives its golden file") {
  for (const auto& [format, ending] : file_endings) {
    const auto check = [&, name = format, end = ending](const std::string& sample, const Report& report) {
      INFO(sample << end);
      const auto text = render_report(report, name);
      CHECK(report_samples::golden(sample + end, text) == text);
    };
    check("polluter", report_samples::polluter());
    check("self", report_samples::self());
    check("hostile", report_samples::hostile());
    check("kind-inconclusive", report_samples::of_kind(Kind::inconclusive));
    check("kind-brittle", report_samples::of_kind(Kind::brittle));
  }
}

TEST_CASE("all formats render all kinds and reports with little in them") {
  for (const auto& format : known_report_formats()) {
    INFO(format);
    for (int kind = 1; kind <= 8; ++kind)
      CHECK_FALSE(render_report(report_samples::of_kind(static_cast<Kind>(kind)), format).empty());
    CHECK_FALSE(render_report(Report{}, format).empty());
  }
  CHECK_THROWS_AS(render_report(Report{}, "word"), std::invalid_argument);
}

TEST_CASE("hostile text brings no control or bidirectional characters into any format") {
  for (const auto& format : known_report_formats()) {
    INFO(format);
    const auto text = render_report(report_samples::hostile(), format);
    std::size_t controls = 0;
    for (const char c : text) controls += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? 1U : 0U;
    CHECK(controls == 0);
    CHECK(count(text, "\xe2\x80\xae") == 0);
    CHECK(count(text, "\xc2\x9b") == 0);
  }
}

TEST_CASE("hostile text cannot leave a Markdown fence or code span") {
  const auto text = render_markdown(report_samples::hostile());
  // Outside of fences, markup characters of the attack stand only in code spans.
  std::string fence;
  std::size_t fences = 0;
  for (const auto& line : lines_of(text)) {
    const auto ticks =
        line.find_first_not_of('`') == std::string::npos ? line.size() : line.find_first_not_of('`');
    if (fence.empty() && ticks >= 3) {
      fence = line.substr(0, ticks);
      ++fences;
    } else if (!fence.empty() && line == fence) {
      fence.clear();
    } else if (fence.empty()) {
      // Take the code spans out, as CommonMark matches them.
      std::string rest;
      for (std::size_t at = 0; at < line.size();) {
        if (line[at] == '\\' && at + 1 < line.size()) {
          at += 2;
          continue;
        }
        if (line[at] != '`') {
          rest += line[at++];
          continue;
        }
        std::size_t run = 0;
        while (at + run < line.size() && line[at + run] == '`') ++run;
        auto close = at + run;
        while (true) {
          close = line.find(std::string(run, '`'), close);
          REQUIRE(close != std::string::npos);
          std::size_t length = 0;
          while (close + length < line.size() && line[close + length] == '`') ++length;
          if (length == run) break;
          close += length;
        }
        at = close + run;
      }
      CHECK(count(rest, "<script") == 0);
      CHECK(count(rest, "<!--]]") == 0);
      CHECK(count(rest, "@octocat") == 0);
      CHECK(count(rest, "http:") == 0);
    }
  }
  CHECK(fence.empty());
  CHECK(fences == 2);
  CHECK(count(text, "<details>") == count(text, "\n</details>\n"));
}

TEST_CASE("long tracebacks and lists stay below what trackers take") {
  auto report = report_samples::polluter();
  report.failure.traceback.clear();
  for (int i = 0; i < 20000; ++i)
    report.failure.traceback += "  File \"x.py\", line " + std::to_string(i) + "\n";
  report.reproduce.tests.clear();
  for (int i = 0; i < 5000; ++i)
    report.reproduce.tests.push_back("package.module.Class.test_number_" + std::to_string(i));
  report.other_failures.assign(200, report.other_failures[0]);
  CHECK(render_markdown(report).size() < 60000);
  CHECK(count(render_markdown(report), "test_number_4999") == 1);
  CHECK(render_jira(report).size() < 30000);
  CHECK(count(render_jira(report), "left out; the JSON report has all of it") == 1);
  report.failure.traceback = std::string(1U << 20U, 'x');
  CHECK(render_markdown(report).size() < 60000);
  CHECK(render_jira(report).size() < 30000);
}

TEST_CASE("hostile text cannot leave Jira's blocks") {
  const auto text = render_jira(report_samples::hostile());
  // The blocks of the command and of the traceback, and nothing that opens or closes another one.
  CHECK(count(text, "{noformat}") == 4);
  std::string outside;
  bool inside = false;
  for (const auto& line : lines_of(text)) {
    if (line == "{noformat}")
      inside = !inside;
    else if (!inside)
      outside += line + "\n";
  }
  CHECK_FALSE(inside);
  CHECK(count(outside, "{code}") == 0);
  CHECK(count(outside, "{color") == count(outside, "\\{color"));
  CHECK(count(outside, "[x|") == 0);
  CHECK(count(outside, "*b*") == 0);
  CHECK(count(outside, "\\{code\\}") > 0);
}

TEST_CASE("GitHub's annotation is one command, at the line of the failure") {
  const auto text = render_github(report_samples::polluter());
  CHECK(text.rfind("::warning file=shop/tests/test_prices.py,line=31,title=Flaky test%3A polluter::", 0) ==
        0);
  for (const auto& report :
       {report_samples::polluter(), report_samples::hostile(), report_samples::of_kind(Kind::inconclusive)}) {
    const auto one = render_github(report);
    CHECK(lines_of(one).size() == 1);
    CHECK(one.back() == '\n');
  }
  // The attack's "%0A::error::" must not become a line of its own when the runner decodes it.
  CHECK(count(render_github(report_samples::hostile()), "%0A::error") == 0);
  CHECK(count(render_github(report_samples::hostile()), "%250A::error") > 0);
  CHECK(render_github(report_samples::of_kind(Kind::not_reproduced)).rfind("::notice ", 0) == 0);
}

TEST_CASE("JUnit and DOT keep hostile text inside their strings") {
  const auto xml = render_junit(report_samples::hostile());
  CHECK(count(xml, "<script") == 0);
  CHECK(count(xml, "<testcase") == 1);
  CHECK(count(xml, "]]>") == 0);
  CHECK(count(render_junit(report_samples::of_kind(Kind::inconclusive)), "<skipped message=") == 1);
  const auto dot = render_dot(report_samples::hostile());
  for (const auto& line : lines_of(dot)) {
    std::size_t quotes = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
      if (line[at] == '\\') {
        ++at;
      } else if (line[at] == '"') {
        ++quotes;
      }
    }
    CHECK(quotes % 2 == 0);
  }
}

TEST_CASE("SARIF says where, what and with which fingerprint") {
  using nlohmann::json;
  const auto report = report_samples::polluter();
  const auto sarif = json::parse(render_sarif(report));
  CHECK(sarif["version"] == "2.1.0");
  const auto& run = sarif["runs"][0];
  CHECK(run["tool"]["driver"]["rules"][0]["id"] == "flaky/polluter");
  const auto& result = run["results"][0];
  CHECK(result["partialFingerprints"]["flakebisect/v1"] == fingerprint(report));
  CHECK(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "shop/tests/test_prices.py");
  CHECK(result["locations"][0]["physicalLocation"]["region"]["startLine"] == 31);
  const auto hostile = json::parse(render_sarif(report_samples::hostile()));
  const auto message = hostile["runs"][0]["results"][0]["message"]["text"].get<std::string>();
  CHECK(count(message, "\\[x|http") > 0);
}

TEST_CASE("a large search stays a page that a browser can show") {
  Report report = report_samples::polluter();
  report.candidate_tests.clear();
  for (int i = 0; i < 5000; ++i)
    report.candidate_tests.push_back("package.module_" + std::to_string(i) + ".Class.test");
  report.probes.clear();
  report.evolution.clear();
  report.explanations.clear();
  for (std::uint64_t made = 0; made < 1500; ++made) {
    ReportProbe probe;
    // Every other test, from another start each time: the worst case for the drawing.
    for (std::uint32_t test = static_cast<std::uint32_t>(made % 2); test < 2000; test += 2)
      probe.ran.push_back(test);
    probe.outcome = made % 7 == 0 ? flakebisect::bisect::Outcome::fail : flakebisect::bisect::Outcome::pass;
    report.probes.push_back(std::move(probe));
    std::vector<flakebisect::bisect::Explanation> leading;
    for (std::uint32_t i = 0; i < 20; ++i)
      leading.push_back(
          {Kind::polluter, {static_cast<std::uint32_t>((made * 37 + i) % 2000)}, 1.0 / (i + 2)});
    add_posterior_step(report, made + 1, leading);
  }
  const auto page = render_html(report);
  CHECK(count(page, "data-probe=") == 600);
  CHECK(count(page, "data-probe=\"599\"") == 1);
  CHECK(count(page, ", 900 in the middle left out") == 1);
  INFO(page.size());
  CHECK(page.size() < 12U << 20U);
}
