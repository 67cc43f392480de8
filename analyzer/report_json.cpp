#include "analyzer/report_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analyzer/index_list.h"

namespace flakebisect::analyzer {

using bisect::Kind;
using bisect::Outcome;
using bisect::Purpose;
using nlohmann::ordered_json;

namespace {

constexpr const char* schema = "flakebisect/report/1";

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fail:
      return "fail";
    case Outcome::other_failure:
      return "other-failure";
    case Outcome::void_probe:
      break;
  }
  return "void";
}

const char* purpose_name(Purpose purpose) {
  switch (purpose) {
    case Purpose::treatment:
      return "treatment";
    case Purpose::control:
      return "control";
    case Purpose::search:
      break;
  }
  return "search";
}

/// JSON has no infinity: the largest e-values are cut to what it can hold.
double finite(double value) {
  if (std::isfinite(value)) return value;
  return value > 0 ? 1e300 : 0;
}

ordered_json to_json(const ReportExplanation& explanation) {
  return {{"kind", bisect::kind_name(explanation.kind)},
          {"tests", explanation.tests},
          {"probability", finite(explanation.probability)}};
}

ordered_json to_json(const std::vector<ReportExplanation>& explanations) {
  auto list = ordered_json::array();
  for (const auto& explanation : explanations) list.push_back(to_json(explanation));
  return list;
}

ordered_json verdict_to_json(const ReportVerdict& verdict) {
  ordered_json out = {{"kind", bisect::kind_name(verdict.kind)},
                      {"tests", verdict.tests},
                      {"probability", finite(verdict.probability)},
                      {"confidence", finite(verdict.confidence)},
                      {"confirmed", verdict.confirmed},
                      {"e_value", finite(verdict.e_value)},
                      {"alternatives", to_json(verdict.alternatives)},
                      {"remarks", verdict.remarks}};
  if (!verdict.further_polluters.empty()) out["further_polluters"] = verdict.further_polluters;
  if (!verdict.cleaners.empty()) out["cleaners"] = verdict.cleaners;
  if (!verdict.abstains.empty()) out["abstains"] = verdict.abstains;
  if (verdict.exhausted) out["exhausted"] = true;
  return out;
}

ordered_json forecast_to_json(const ReportForecast& forecast) {
  const auto known = [](const std::optional<double>& seconds) {
    return seconds ? ordered_json(finite(*seconds)) : ordered_json(nullptr);
  };
  return {{"simulations", forecast.simulations},
          {"unfinished", forecast.unfinished},
          {"median_seconds", known(forecast.median_seconds)},
          {"low_seconds", known(forecast.low_seconds)},
          {"high_seconds", known(forecast.high_seconds)},
          {"spent_seconds", finite(forecast.spent_seconds)},
          {"share_with_as_much_again", finite(forecast.share_with_as_much_again)}};
}

ordered_json arms_to_json(const std::vector<ReportArm>& arms) {
  auto list = ordered_json::array();
  for (const auto& arm : arms)
    list.push_back({{"name", arm.name},
                    {"tests", arm.tests},
                    {"runs", arm.runs},
                    {"failures", arm.failures},
                    {"rate", finite(arm.rate)},
                    {"interval", {finite(arm.low), finite(arm.high)}}});
  return list;
}

ordered_json probes_to_json(const std::vector<ReportProbe>& probes) {
  auto list = ordered_json::array();
  for (const auto& probe : probes) {
    list.push_back({{"ran", encode_indices(probe.ran)},
                    {"outcome", outcome_name(probe.outcome)},
                    {"purpose", purpose_name(probe.purpose)},
                    {"seconds", finite(probe.seconds)}});
    if (probe.victim_runs > 1) list.back()["victim_runs"] = probe.victim_runs;
  }
  return list;
}

ordered_json evolution_to_json(const std::vector<PosteriorStep>& evolution) {
  auto list = ordered_json::array();
  for (const auto& step : evolution) {
    auto leading = ordered_json::array();
    for (const auto& [index, probability] : step.leading) leading.push_back({index, finite(probability)});
    list.push_back({{"probes", step.probes}, {"leading", std::move(leading)}});
  }
  return list;
}

/// Reads members of one object; errors name the path to the member.
class Reader {
 public:
  Reader(const ordered_json& value, std::string path) : value_(value), path_(std::move(path)) {
    if (!value.is_object()) throw wrong("an object");
  }

  template <class T>
  void read(const char* name, T& out) const {
    const auto found = value_.find(name);
    if (found == value_.end() || found->is_null()) return;
    try {
      out = found->get<T>();
    } catch (const nlohmann::json::exception& error) {
      throw ReportFormatError(fmt::format("report: {}.{} has the wrong type: {}", path_, name, error.what()));
    }
  }

  /// Calls `each` for each element of a list of objects.
  template <class F>
  void objects(const char* name, F each) const {
    const auto found = value_.find(name);
    if (found == value_.end() || found->is_null()) return;
    if (!found->is_array()) throw ReportFormatError(fmt::format("report: {}.{} is not a list", path_, name));
    std::size_t index = 0;
    for (const auto& element : *found) each(Reader(element, fmt::format("{}.{}[{}]", path_, name, index++)));
  }

  template <class F>
  void object(const char* name, F use) const {
    const auto found = value_.find(name);
    if (found == value_.end() || found->is_null()) return;
    use(Reader(*found, path_ + "." + name));
  }

  const ordered_json& json() const { return value_; }
  ReportFormatError wrong(const std::string& wanted) const {
    return ReportFormatError("report: " + path_ + " is not " + wanted);
  }

 private:
  const ordered_json& value_;
  std::string path_;
};

void read_kind(const Reader& reader, Kind& kind) {
  std::string name = bisect::kind_name(kind);
  reader.read("kind", name);
  const auto known = bisect::kind_from_name(name);
  if (!known) throw reader.wrong("of a kind this program knows: '" + name + "'");
  kind = *known;
}

ReportExplanation read_explanation(const Reader& reader) {
  ReportExplanation explanation;
  read_kind(reader, explanation.kind);
  reader.read("tests", explanation.tests);
  reader.read("probability", explanation.probability);
  return explanation;
}

std::vector<ReportExplanation> read_explanations(const Reader& reader, const char* name) {
  std::vector<ReportExplanation> list;
  reader.objects(name, [&](const Reader& element) { list.push_back(read_explanation(element)); });
  return list;
}

ReportVerdict read_verdict(const Reader& reader) {
  ReportVerdict verdict;
  read_kind(reader, verdict.kind);
  reader.read("tests", verdict.tests);
  reader.read("probability", verdict.probability);
  reader.read("confidence", verdict.confidence);
  reader.read("confirmed", verdict.confirmed);
  reader.read("e_value", verdict.e_value);
  verdict.alternatives = read_explanations(reader, "alternatives");
  reader.read("further_polluters", verdict.further_polluters);
  reader.read("cleaners", verdict.cleaners);
  reader.read("remarks", verdict.remarks);
  reader.read("abstains", verdict.abstains);
  reader.read("exhausted", verdict.exhausted);
  return verdict;
}

ReportArm read_arm(const Reader& reader) {
  ReportArm arm;
  reader.read("name", arm.name);
  reader.read("tests", arm.tests);
  reader.read("runs", arm.runs);
  reader.read("failures", arm.failures);
  reader.read("rate", arm.rate);
  std::vector<double> interval = {arm.low, arm.high};
  reader.read("interval", interval);
  if (interval.size() != 2) throw reader.wrong("an arm: its interval needs two numbers");
  arm.low = interval[0];
  arm.high = interval[1];
  if (arm.failures > arm.runs) throw reader.wrong("an arm: it has more failures than runs");
  return arm;
}

/// Refuses numbers beyond the candidates before the ranges are written out: a short text must not fill
/// memory.
void check_indices(const Reader& reader, const std::string& text, std::size_t candidates) {
  std::size_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      number = 0;
      continue;
    }
    number = number * 10 + static_cast<std::size_t>(c - '0');
    if (number >= candidates)
      throw reader.wrong("a probe: it names a candidate that is not there: '" + text + "'");
  }
}

ReportProbe read_probe(const Reader& reader, std::size_t candidates) {
  ReportProbe probe;
  std::string ran;
  reader.read("ran", ran);
  check_indices(reader, ran, candidates);
  try {
    probe.ran = decode_indices(ran);
  } catch (const std::invalid_argument& error) {
    throw reader.wrong(std::string("a probe: ") + error.what());
  }
  std::string outcome = "void";
  reader.read("outcome", outcome);
  for (const auto known : {Outcome::pass, Outcome::fail, Outcome::other_failure})
    if (outcome == outcome_name(known)) probe.outcome = known;
  std::string purpose = "search";
  reader.read("purpose", purpose);
  for (const auto known : {Purpose::treatment, Purpose::control})
    if (purpose == purpose_name(known)) probe.purpose = known;
  reader.read("seconds", probe.seconds);
  reader.read("victim_runs", probe.victim_runs);
  probe.victim_runs = std::max<std::uint32_t>(1, probe.victim_runs);
  return probe;
}

void read_evolution(const Reader& reader, Report& report) {
  report.explanations = read_explanations(reader, "explanations");
  reader.objects("evolution", [&](const Reader& element) {
    PosteriorStep step;
    element.read("probes", step.probes);
    element.read("leading", step.leading);
    for (const auto& leading : step.leading)
      if (leading.first >= report.explanations.size())
        throw element.wrong("a step: it names an explanation that is not there");
    report.evolution.push_back(std::move(step));
  });
}

void read_environment(const Reader& reader, ReportEnvironment& environment) {
  reader.read("host", environment.host);
  reader.read("git_revision", environment.git_revision);
  reader.object("versions", [&](const Reader& versions) {
    for (const auto& [name, value] : versions.json().items())
      environment.versions.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  });
}

}  // namespace

std::string render_json(const Report& report) {
  ordered_json out;
  out["schema"] = schema;
  out["verdict"] = verdict_to_json(report.verdict);
  out["victim"] = report.victim;
  out["run_id"] = report.run_id;
  out["worker"] = report.worker;
  out["position"] = report.position;
  out["candidates"] = report.candidate_tests.size();
  out["arms"] = arms_to_json(report.arms);
  if (report.exact_test)
    out["exact_test"] = {{"name", "Fisher, two-sided"},
                         {"treatment", report.exact_test->treatment},
                         {"control", report.exact_test->control},
                         {"p", finite(report.exact_test->p)}};
  out["cost"] = {{"probes", report.cost.probes},
                 {"void", report.cost.void_probes},
                 {"test_seconds", finite(report.cost.test_seconds)},
                 {"wall_seconds", finite(report.cost.wall_seconds)}};
  if (report.cost.repeats != 0) out["cost"]["repeats"] = report.cost.repeats;
  const auto runs = runs_for_95_percent(report.reproduce.rate);
  out["reproduce"] = {{"tests", report.reproduce.tests},
                      {"command", report.reproduce.command},
                      {"runs_for_95_percent", runs ? ordered_json(*runs) : ordered_json()},
                      {"rate", finite(report.reproduce.rate)},
                      {"seconds_per_run", finite(report.reproduce.seconds_per_run)}};
  if (report.side_by_side) out["reproduce"]["beside"] = report.reproduce.beside;
  out["failure"] = {{"signature", report.failure.signature}, {"traceback", report.failure.traceback}};
  out["other_failures"] = ordered_json::array();
  for (const auto& other : report.other_failures)
    out["other_failures"].push_back(
        {{"signature", other.signature}, {"count", other.count}, {"example", other.example}});
  out["history"] = {{"runs", report.history.runs}, {"failures", report.history.failures}};
  out["ruled_out"] = report.ruled_out;
  auto versions = ordered_json::object();
  for (const auto& [name, value] : report.environment.versions) versions[name] = value;
  out["environment"] = {{"host", report.environment.host},
                        {"git_revision", report.environment.git_revision},
                        {"versions", std::move(versions)}};
  out["session"] = report.session;
  out["seed"] = report.seed;
  out["fingerprint"] = fingerprint(report);
  if (report.forecast) out["forecast"] = forecast_to_json(*report.forecast);
  out["warnings"] = report.warnings;
  out["version"] = report.version;
  out["candidate_tests"] = report.candidate_tests;
  if (report.side_by_side) {
    out["side_by_side"] = true;
    out["own_tests"] = report.own_tests;
  }
  out["probes"] = probes_to_json(report.probes);
  out["explanations"] = to_json(report.explanations);
  out["evolution"] = evolution_to_json(report.evolution);
  // Escaped beyond ASCII: what is printed to a terminal or put into a page holds no bidirectional characters.
  return out.dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

Report parse_report_json(std::string_view text) {
  const auto parsed = ordered_json::parse(text, nullptr, false);
  if (parsed.is_discarded()) throw ReportFormatError("report: this is not JSON");
  const Reader reader(parsed, "report");
  std::string found = "none";
  reader.read("schema", found);
  if (found != schema)
    throw ReportFormatError(fmt::format("report: schema '{}' found, '{}' wanted", found, schema));
  Report report;
  reader.object("verdict", [&](const Reader& verdict) { report.verdict = read_verdict(verdict); });
  reader.read("victim", report.victim);
  reader.read("run_id", report.run_id);
  reader.read("worker", report.worker);
  reader.read("position", report.position);
  reader.read("candidate_tests", report.candidate_tests);
  reader.read("side_by_side", report.side_by_side);
  reader.read("own_tests", report.own_tests);
  reader.objects("arms", [&](const Reader& arm) { report.arms.push_back(read_arm(arm)); });
  reader.object("exact_test", [&](const Reader& test) {
    report.exact_test.emplace();
    test.read("treatment", report.exact_test->treatment);
    test.read("control", report.exact_test->control);
    test.read("p", report.exact_test->p);
  });
  reader.object("cost", [&](const Reader& cost) {
    cost.read("probes", report.cost.probes);
    cost.read("void", report.cost.void_probes);
    cost.read("repeats", report.cost.repeats);
    cost.read("test_seconds", report.cost.test_seconds);
    cost.read("wall_seconds", report.cost.wall_seconds);
  });
  reader.object("reproduce", [&](const Reader& reproduce) {
    reproduce.read("tests", report.reproduce.tests);
    reproduce.read("beside", report.reproduce.beside);
    reproduce.read("command", report.reproduce.command);
    reproduce.read("rate", report.reproduce.rate);
    reproduce.read("seconds_per_run", report.reproduce.seconds_per_run);
  });
  reader.object("failure", [&](const Reader& failure) {
    failure.read("signature", report.failure.signature);
    failure.read("traceback", report.failure.traceback);
  });
  reader.objects("other_failures", [&](const Reader& other) {
    auto& failure = report.other_failures.emplace_back();
    other.read("signature", failure.signature);
    other.read("count", failure.count);
    other.read("example", failure.example);
  });
  reader.object("history", [&](const Reader& history) {
    history.read("runs", report.history.runs);
    history.read("failures", report.history.failures);
  });
  reader.read("ruled_out", report.ruled_out);
  reader.object("environment",
                [&](const Reader& environment) { read_environment(environment, report.environment); });
  reader.read("session", report.session);
  reader.read("seed", report.seed);
  reader.object("forecast", [&](const Reader& forecast) {
    const auto known = [&](const char* name, std::optional<double>& seconds) {
      if (!forecast.json().contains(name) || forecast.json()[name].is_null()) return;
      forecast.read(name, seconds.emplace());
    };
    auto& out = report.forecast.emplace();
    forecast.read("simulations", out.simulations);
    forecast.read("unfinished", out.unfinished);
    known("median_seconds", out.median_seconds);
    known("low_seconds", out.low_seconds);
    known("high_seconds", out.high_seconds);
    forecast.read("spent_seconds", out.spent_seconds);
    forecast.read("share_with_as_much_again", out.share_with_as_much_again);
  });
  reader.read("warnings", report.warnings);
  reader.read("version", report.version);
  reader.objects("probes", [&](const Reader& probe) {
    report.probes.push_back(read_probe(probe, report.candidate_tests.size()));
  });
  read_evolution(reader, report);
  return report;
}

}  // namespace flakebisect::analyzer
