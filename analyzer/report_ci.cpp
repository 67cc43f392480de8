/// Renderings that continuous integration reads: GitHub's annotations, JUnit XML, SARIF.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyzer/report_escape.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_text.h"
#include "analyzer/report_words.h"

namespace flakebisect::analyzer {

namespace {

/// A workflow command's message: the runner decodes these three and reads one command a line.
std::string command_data(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '%')
      out += "%25";
    else if (c == '\n')
      out += "%0A";
    else if (c == '\r')
      out += "%0D";
    else
      out += c;
  }
  return out;
}

/// A property of a workflow command: colons and commas end it.
std::string command_property(const std::string& text) {
  std::string out;
  for (const char c : command_data(visible_line(text))) {
    if (c == ':')
      out += "%3A";
    else if (c == ',')
      out += "%2C";
    else
      out += c;
  }
  return out;
}

/// The whole finding as a few lines of plain text.
std::string summary(const Report& report) {
  std::string text =
      visible_line(plain(finding_sentence(report))) + "\n" + visible_line(certainty_sentence(report));
  if (!report.reproduce.command.empty()) text += "\nReproduce: " + visible_line(report.reproduce.command);
  if (const auto numbers = reproduction_sentence(report); !numbers.empty()) text += "\n" + numbers;
  return text + "\nFingerprint: " + fingerprint(report);
}

/// A relative reference of RFC 3986.
std::string uri_path(const std::string& path) {
  std::string out;
  for (const char c : path) {
    const bool plain_char = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                            c == '/' || c == '.' || c == '_' || c == '-';
    if (plain_char)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// SARIF's plain text messages have links, "[text](target)", which backslashes take the meaning from.
std::string sarif_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

const char* rule_help(bisect::Kind kind) {
  using bisect::Kind;
  switch (kind) {
    case Kind::self:
      return "The test fails now and then whatever ran before it.";
    case Kind::polluter:
      return "An earlier test makes this one fail.";
    case Kind::polluter_set:
      return "Several earlier tests together make this one fail.";
    case Kind::brittle:
      return "The test passes only where another test ran before it.";
    case Kind::cumulative:
      return "The more tests ran before this one, the more often it fails.";
    case Kind::concurrent:
      return "The test fails only while other workers run.";
    case Kind::not_reproduced:
      return "The failure did not come back.";
    case Kind::inconclusive:
      break;
  }
  return "Why the test fails is not decided yet.";
}

}  // namespace

std::string render_github(const Report& report) {
  std::string out = has_finding(report) ? "::warning " : "::notice ";
  const auto place = failing_line(report);
  if (!place.file.empty()) out += fmt::format("file={},line={},", command_property(place.file), place.line);
  out += "title=" + command_property("Flaky test: " + bisect::kind_name(report.verdict.kind));
  return out + "::" + command_data(summary(report)) + "\n";
}

std::string render_junit(const Report& report) {
  const auto attribute = [](const std::string& text) { return escape_markup(visible_line(text)); };
  const bool finding = has_finding(report);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format(
      "<testsuites>\n<testsuite name=\"flakebisect\" tests=\"1\" failures=\"{}\" errors=\"0\" "
      "skipped=\"{}\" time=\"{:.3f}\">\n",
      finding ? 1 : 0, finding ? 0 : 1, report.cost.wall_seconds);
  out += "<properties>\n";
  const auto property = [&](const char* name, const std::string& value) {
    out += fmt::format("<property name=\"{}\" value=\"{}\"/>\n", name, attribute(value));
  };
  property("kind", bisect::kind_name(report.verdict.kind));
  property("probability", fmt::format("{:.4f}", report.verdict.probability));
  property("fingerprint", fingerprint(report));
  property("run_id", report.run_id);
  property("worker", report.worker);
  for (const auto& id : report.verdict.tests) property("culprit", id);
  property("command", report.reproduce.command);
  out += "</properties>\n";
  out +=
      fmt::format("<testcase classname=\"flakebisect.{}\" name=\"{}\" time=\"{:.3f}\">\n",
                  bisect::kind_name(report.verdict.kind), attribute(report.victim), report.cost.wall_seconds);
  const auto finding_words = attribute(plain(finding_sentence(report)));
  if (finding)
    out += fmt::format("<failure type=\"{}\" message=\"{}\">{}</failure>\n",
                       bisect::kind_name(report.verdict.kind), finding_words,
                       escape_markup(visible_text(excerpt(report.failure.traceback, 400, 100000))));
  else
    out += fmt::format("<skipped message=\"{}\"/>\n", finding_words);
  out += "<system-out>" + escape_markup(render_text(report)) + "</system-out>\n";
  return out + "</testcase>\n</testsuite>\n</testsuites>\n";
}

std::string render_sarif(const Report& report) {
  using nlohmann::ordered_json;
  const auto kind = bisect::kind_name(report.verdict.kind);
  const auto rule = "flaky/" + kind;
  ordered_json driver = {{"name", "flakebisect"}, {"version", visible_line(report.version)}};
  driver["rules"] = {{{"id", rule},
                      {"name", "Flaky test: " + kind},
                      {"shortDescription", {{"text", rule_help(report.verdict.kind)}}},
                      {"defaultConfiguration", {{"level", has_finding(report) ? "warning" : "note"}}}}};
  ordered_json location;
  const auto place = failing_line(report);
  if (!place.file.empty())
    location["physicalLocation"] = {{"artifactLocation", {{"uri", uri_path(place.file)}}},
                                    {"region", {{"startLine", place.line}}}};
  location["logicalLocations"] = {
      {{"fullyQualifiedName", visible_line(report.victim)}, {"kind", "function"}}};
  ordered_json result = {{"ruleId", rule},
                         {"ruleIndex", 0},
                         {"level", has_finding(report) ? "warning" : "note"},
                         {"message", {{"text", sarif_text(summary(report))}}},
                         {"locations", {location}},
                         {"partialFingerprints", {{"flakebisect/v1", fingerprint(report)}}}};
  result["properties"] = {{"kind", kind},
                          {"tests", report.verdict.tests},
                          {"probability", report.verdict.probability},
                          {"runId", report.run_id},
                          {"worker", report.worker}};
  ordered_json out = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}};
  out["runs"] = {{{"tool", {{"driver", driver}}}, {"results", {result}}}};
  return out.dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace flakebisect::analyzer
