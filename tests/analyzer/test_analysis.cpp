#include "analyzer/analyze/analysis.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "analysis_sample.h"
#include "analyzer/analyze/analysis_data.h"
#include "analyzer/analyze/analysis_text.h"
#include "analyzer/analyze/interference_render.h"
#include "report_samples.h"

using namespace flakebisect::analyzer;

namespace {

std::vector<std::pair<std::string, std::string>> renderings(const Analysis& analysis) {
  return {{".txt", render_analysis_text(analysis, {}, false)},
          {".verbose.txt", render_analysis_text(analysis, {}, true)},
          {".json", render_analysis_json(analysis)},
          {".csv", render_analysis_csv(analysis)},
          {".graph.dot", render_interference_dot(analysis.graph)},
          {".graph.svg", render_interference_svg(analysis.graph)}};
}

const FlakyTest& named(const Analysis& analysis, const std::string& end) {
  for (const auto& test : analysis.tests)
    if (analysis.name(test).ends_with(end)) return test;
  FAIL("no flaky test " << end);
  return analysis.tests.front();
}

}  // namespace

TEST_CASE("every rendering of an analysis gives its golden file") {
  for (const auto& [ending, text] : renderings(analysis_sample::planted())) {
    INFO(ending);
    CHECK(report_samples::golden("analysis" + ending, text) == text);
  }
  for (const auto& [ending, text] : renderings(analysis_sample::hostile())) {
    INFO(ending);
    CHECK(report_samples::golden("analysis-hostile" + ending, text) == text);
  }
}

TEST_CASE("an analysis finds what was planted") {
  const auto analysis = analysis_sample::planted();
  const auto first = [&](const std::string& end) { return named(analysis, end).causes.front().cause; };
  CHECK(first("test_total") == Cause::polluter);
  CHECK(first("test_reads") == Cause::state_setter);
  CHECK(first("test_unique") == Cause::alone);
  CHECK(first("test_answers") == Cause::time_out);
  CHECK(named(analysis, "test_cache").began);
  CHECK(named(analysis, "test_mended").state == FlakyState::fixed);
  CHECK(named(analysis, "test_was_broken").state == FlakyState::regressed);
  REQUIRE(analysis.counts.broken.size() == 1);
  CHECK(analysis.history().runs[analysis.counts.broken.front().run].id == 1077);
  REQUIRE(analysis.counts.always_failing.size() == 1);
  std::size_t largest = 0;
  for (const auto& group : analysis.groups) largest = std::max(largest, group.tests.size());
  CHECK(largest == 4);
  // What fails now comes first, what was mended last.
  for (std::size_t g = 1; g < analysis.groups.size(); ++g) {
    const auto state = [&](std::size_t i) { return analysis.tests[analysis.groups[i].tests.front()].state; };
    if (state(g - 1) == FlakyState::fixed) CHECK(state(g) == FlakyState::fixed);
    if (state(g) == FlakyState::active) CHECK(state(g - 1) == FlakyState::active);
  }
}

TEST_CASE("hostile text stays text in every rendering") {
  for (const auto& [ending, text] : renderings(analysis_sample::hostile())) {
    INFO(ending);
    if (ending != ".json") {
      CHECK(text.find('\x1b') == std::string::npos);
      CHECK(text.find('\x07') == std::string::npos);
      CHECK(text.find("\u202e") == std::string::npos);
      CHECK(text.find('\xff') == std::string::npos);
    }
    if (ending == ".graph.svg") CHECK(text.find("<script") == std::string::npos);
    if (ending == ".csv") CHECK(text.find(",=") == std::string::npos);
    if (ending == ".json") CHECK_NOTHROW(nlohmann::json::parse(text));
  }
}

TEST_CASE("nothing flaky is said so, in every rendering") {
  for (const auto& [ending, text] : renderings(analysis_sample::quiet())) {
    INFO(ending);
    CHECK_FALSE(text.empty());
    if (ending == ".txt") CHECK(text.find("No flaky test") != std::string::npos);
    if (ending == ".json") CHECK(nlohmann::json::parse(text)["groups"].empty());
  }
}
