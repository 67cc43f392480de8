#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "analyzer/analyze/analysis_data.h"
#include "analyzer/analyze/analysis_words.h"

namespace flakebisect::analyzer {

namespace {

using Json = nlohmann::ordered_json;

/// Six significant digits: more would differ between machines and say nothing.
double rounded(double value) {
  return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
}

class JsonWriter {
 public:
  explicit JsonWriter(const Analysis& analysis) : analysis_(analysis) {}

  Json write() const {
    const auto& history = analysis_.history();
    Json out;
    out["schema"] = "flakebisect/analysis/1";
    out["repository"] = analysis_.repository;
    out["runs"] = history.runs.size();
    out["stored_runs"] = analysis_.indexed.stored_runs;
    out["decoded_runs"] = analysis_.indexed.decoded_runs;
    out["first_run"] = history.runs.empty() ? Json(nullptr) : run(0);
    out["last_run"] =
        history.runs.empty() ? Json(nullptr) : run(static_cast<std::uint32_t>(history.runs.size() - 1));
    out["tests"] = analysis_.counts.tests;
    out["results"] = analysis_.counts.results;
    out["broken_runs"] = Json::array();
    for (const auto& broken : analysis_.counts.broken)
      out["broken_runs"].push_back(
          {{"run", run(broken.run)}, {"failures", broken.failures}, {"tests", broken.tests}});
    out["always_failing"] = Json::array();
    for (const auto test : analysis_.counts.always_failing)
      out["always_failing"].push_back(analysis_.name(test));
    out["groups"] = Json::array();
    for (const auto& group : analysis_.groups) out["groups"].push_back(this->group(group));
    out["interference"] = interference();
    out["warnings"] = analysis_.warnings;
    out["version"] = FLAKEBISECT_VERSION;
    return out;
  }

 private:
  Json run(std::uint32_t index) const {
    const auto& facts = analysis_.history().runs[index];
    return {{"id", std::to_string(facts.id)}, {"started", static_cast<double>(facts.started_micros) / 1e6}};
  }

  static Json known(double seconds) { return seconds < 0 ? Json(nullptr) : Json(rounded(seconds)); }

  Json change(const FlakyTest& test, const std::optional<stats::ChangePoint>& point) const {
    if (!point) return nullptr;
    const auto at = [&](std::size_t index) {
      return run(test.executions[std::min(index, test.executions.size() - 1)].run);
    };
    return {{"run", at(point->at)},
            {"interval", {at(point->low), at(point->high)}},
            {"probability", rounded(point->probability)},
            {"rate_before", rounded(point->rate_before)},
            {"rate_after", rounded(point->rate_after)}};
  }

  Json cause(const CausePosterior& cause) const {
    Json suspects = Json::array();
    for (const auto& suspect : cause.suspects) {
      Json tests = Json::array();
      for (const auto suspected : suspect.tests) tests.push_back(analysis_.name(suspected));
      suspects.push_back({{"tests", tests},
                          {"what", suspect.tests.empty() ? Json(suspect.what) : Json(nullptr)},
                          {"probability", rounded(suspect.probability)},
                          {"failures_with", suspect.failures_with},
                          {"runs_with", suspect.runs_with},
                          {"failures_without", suspect.failures_without},
                          {"runs_without", suspect.runs_without}});
    }
    return {{"cause", cause_name(cause.cause)},
            {"probability", rounded(cause.probability)},
            {"log10_bayes_factor", rounded(cause.log10_bayes_factor)},
            {"suspects", suspects}};
  }

  Json test(const FlakyTest& test) const {
    Json out;
    out["test"] = analysis_.name(test);
    out["state"] = state_name(test.state);
    out["runs"] = test.runs;
    out["failures"] = test.failures;
    out["unfinished"] = test.unfinished;
    out["rate"] = rounded(test.rate);
    out["interval"] = {rounded(test.interval.low), rounded(test.interval.high)};
    out["first_failed"] = run(test.first_failed);
    out["last_failed"] = run(test.last_failed);
    out["streaks"] = test.streaks;
    out["longest_streak"] = test.longest_streak;
    out["passes_since"] = test.passes_since;
    out["median_seconds"] = known(test.median_seconds);
    out["run_seconds"] = rounded(test.run_seconds);
    out["began"] = change(test, test.began);
    out["ended"] = change(test, test.ended);
    out["signatures"] = Json::array();
    for (const auto& entry : test.signatures)
      out["signatures"].push_back({{"signature", analysis_.history().signatures[entry.signature]},
                                   {"count", entry.count},
                                   {"last_run", run(entry.last_run)}});
    out["judged"] = test.judged;
    if (!test.judged) return out;
    out["finding"] = test.state == FlakyState::regressed   ? "regressed"
                     : test.strength == Strength::too_thin ? "too-thin"
                                                           : cause_name(test.causes.front().cause);
    out["strength"] = strength_name(test.strength);
    out["causes"] = Json::array();
    for (const auto& each : test.causes) out["causes"].push_back(cause(each));
    out["streak_weight"] = rounded(test.streak_weight);
    out["order_varied"] = test.order_varied;
    out["time_out_probability"] = rounded(test.time_out_probability);
    out["failed_median_seconds"] = known(test.failed_median_seconds);
    out["cleaners"] = Json::array();
    for (const auto& cleaner : test.cleaners)
      out["cleaners"].push_back(
          {{"test", analysis_.name(cleaner.test)}, {"probability", rounded(cleaner.probability)}});
    out["bisection"] = nullptr;
    if (test.bisection)
      out["bisection"] = {{"finding", test.bisection->words},
                          {"probability", rounded(test.bisection->probability)},
                          {"session", test.bisection->session}};
    out["next"] = nullptr;
    if (test.suggestion)
      out["next"] = {{"command", test.suggestion->command},
                     {"expected_probes", std::round(test.suggestion->probes)},
                     {"expected_seconds", rounded(test.suggestion->seconds)}};
    return out;
  }

  Json group(const FlakyGroup& group) const {
    Json tests = Json::array();
    for (const auto member : group.tests) tests.push_back(test(analysis_.tests[member]));
    return {
        {"failed_runs", group.failed_runs}, {"run_seconds", rounded(group.run_seconds)}, {"tests", tests}};
  }

  Json interference() const {
    const auto& graph = analysis_.graph;
    Json edges = Json::array();
    for (const auto& edge : graph.edges)
      edges.push_back({{"from", graph.nodes[edge.from].id},
                       {"to", graph.nodes[edge.to].id},
                       {"kind", interference_name(edge.kind)},
                       {"probability", rounded(edge.probability)},
                       {"confirmed", edge.confirmed}});
    const auto ids = [&](const std::vector<std::size_t>& nodes) {
      Json out = Json::array();
      for (const auto node : nodes) out.push_back(graph.nodes[node].id);
      return out;
    };
    Json communities = Json::array();
    for (const auto& community : graph.communities) communities.push_back(ids(community));
    return {{"edges", edges}, {"communities", communities}, {"hubs", ids(graph.hubs)}};
  }

  const Analysis& analysis_;
};

}  // namespace

std::string render_analysis_json(const Analysis& analysis) {
  return JsonWriter(analysis).write().dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace flakebisect::analyzer
