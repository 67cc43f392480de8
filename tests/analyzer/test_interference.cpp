#include "analyzer/analyze/interference.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "analyzer/analyze/co_failures.h"
#include "analyzer/analyze/interference_layout.h"
#include "analyzer/analyze/interference_render.h"
#include "analyzer/analyze/suggestion.h"
#include "analyzer/report_json.h"
#include "analyzer/session_store.h"
#include "report_samples.h"
#include "stats/rng.h"

using namespace flakebisect::analyzer;
using report_samples::count;

namespace {

KnownInterference pollutes(const std::string& from, const std::string& to, double probability = 0.9) {
  return {from, to, InterferenceKind::pollutes, probability, false};
}

}  // namespace

TEST_CASE("Findings about the same tests become one edge, the confirmed one first") {
  auto confirmed = pollutes("a", "v", 0.6);
  confirmed.confirmed = true;
  const auto graph = make_interference({pollutes("a", "v", 0.9), confirmed, pollutes("a", "v", 0.7)}, {"v"});
  REQUIRE(graph.nodes.size() == 2);
  REQUIRE(graph.edges.size() == 1);
  CHECK(graph.edges[0].confirmed);
  CHECK(graph.edges[0].probability == Approx(0.6));
  CHECK(graph.nodes[graph.edges[0].to].flaky);
  CHECK_FALSE(graph.nodes[graph.edges[0].from].flaky);
  CHECK(make_interference({}, {"v"}).nodes.empty());
}

TEST_CASE("Communities are cut where few edges join them, and hubs are named") {
  std::vector<KnownInterference> findings;
  for (const auto* victim : {"v1", "v2", "v3", "v4"}) findings.push_back(pollutes("a", victim));
  for (const auto* victim : {"w1", "w2", "w3", "w4"}) findings.push_back(pollutes("b", victim));
  findings.push_back(pollutes("v4", "w1"));
  const auto graph = make_interference(findings, {});
  REQUIRE(graph.communities.size() == 2);
  CHECK(graph.communities[0].size() == 5);
  CHECK(graph.communities[1].size() == 5);
  REQUIRE(graph.hubs.size() == 2);
  CHECK(graph.nodes[graph.hubs[0]].id == "a");
  CHECK(graph.nodes[graph.hubs[0]].harms == 4);
}

TEST_CASE("What interferes stands left of what it interferes with") {
  const auto graph =
      make_interference({pollutes("a", "b"), pollutes("b", "c"), pollutes("d", "c"), pollutes("x", "y")}, {});
  const auto layout = lay_out(graph);
  for (const auto& edge : graph.edges) CHECK(layout.column[edge.from] < layout.column[edge.to]);
  std::set<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) places.emplace(layout.column[n], layout.row[n]);
  CHECK(places.size() == graph.nodes.size());
}

TEST_CASE("Circles and loops have a layout too") {
  const auto graph =
      make_interference({pollutes("a", "b"), pollutes("b", "c"), pollutes("c", "a"), pollutes("d", "d")}, {});
  const auto layout = lay_out(graph);
  CHECK(layout.columns == 3);
  CHECK(count(render_interference_svg(graph), "<g class=\"node") == 4);
}

TEST_CASE("Pictures hold every edge and no text of a test as markup") {
  const std::string evil = "</text><script>alert(1)</script>\"\\\n\x1b[31m&";
  const auto graph = make_interference({pollutes(evil, "v"), pollutes("a", "v")}, {"v"});
  const auto svg = render_interference_svg(graph);
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find('\x1b') == std::string::npos);
  CHECK(count(svg, "class=\"edge pollutes suspected\"") == 2);
  const auto dot = render_interference_dot(graph);
  CHECK(count(dot, "->") == 2);
  CHECK(dot.find("\\\"\\\\\\\\n\\\\x1b[31m&amp;") != std::string::npos);
  CHECK(render_interference_svg({}).find("</svg>") != std::string::npos);
}

TEST_CASE("Tests that fail in the same runs form one group") {
  flakebisect::stats::Rng rng(4);
  std::vector<FlakyTest> tests(12);
  for (std::uint32_t run = 0; run < 400; ++run) {
    const bool down = rng.bernoulli(0.05);
    for (std::uint32_t t = 0; t < tests.size(); ++t) {
      const bool failed = t < 5 ? down && rng.bernoulli(0.9) : rng.bernoulli(0.05);
      if (failed) tests[t].failed_runs.push_back(run);
    }
  }
  const auto groups = group_co_failures(tests, 400);
  CHECK(groups.size() == 8);
  const auto largest = std::max_element(groups.begin(), groups.end(),
                                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  auto members = *largest;
  std::sort(members.begin(), members.end());
  CHECK(members == std::vector<std::size_t>{0, 1, 2, 3, 4});
  // Two tests that failed once each, in the same run, may have done so by chance.
  std::vector<FlakyTest> once(2);
  once[0].failed_runs = once[1].failed_runs = {7};
  CHECK(group_co_failures(once, 400).size() == 2);
  CHECK(group_co_failures({}, 0).empty());
}

TEST_CASE("Suspects are quoted as regular expressions that match just them") {
  CHECK(regex_quote("a.b::c[x-1] (y)") == "a\\.b::c\\[x-1\\] \\(y\\)");
}

TEST_CASE("What bisections found enters the graph, and a file that cannot be read is said") {
  std::string folder = (std::filesystem::temp_directory_path() / "flakebisect-graph-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string file = folder + "/sessions.sqlite";
  std::vector<std::string> warnings;
  CHECK(findings_of_sessions(file, warnings).interference.empty());
  CHECK(warnings.empty());
  const auto report = report_samples::polluter();
  {
    SessionStore store(file);
    SessionInfo info;
    info.options = info.problem = info.context = "{}";
    store.finish(store.create(info), "done", render_json(report));
    store.finish(store.create(info), "done", "no report");
  }
  const auto [findings, verdicts] = findings_of_sessions(file, warnings);
  CHECK(warnings.size() == 1);
  REQUIRE(findings.size() == report.verdict.tests.size() + report.verdict.cleaners.size());
  CHECK(findings.front().from == report.verdict.tests.front());
  CHECK(findings.front().to == report.victim);
  CHECK(findings.front().kind == InterferenceKind::pollutes);
  CHECK(findings.front().confirmed);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts.front().victim == report.victim);
  CHECK(verdicts.front().words == "fails after " + report.verdict.tests.front());
  CHECK(verdicts.front().session == 1);
  CHECK(findings.back().kind == InterferenceKind::cleans);
  std::ofstream(file) << std::string(4096, 'x');
  warnings.clear();
  CHECK(findings_of_sessions(file, warnings).interference.empty());
  CHECK(warnings.size() == 1);
  std::filesystem::remove_all(folder);
}
