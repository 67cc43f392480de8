#include "analyzer/command_check_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analyzer/command_line.h"
#include "analyzer/exit_status.h"
#include "bisect/check_server.h"

namespace flakebisect::analyzer {

namespace {

namespace po = boost::program_options;
using bisect::CheckedRequirement;
using bisect::CheckOutcome;
using bisect::CheckReport;

po::options_description check_options() {
  po::options_description options("Options");
  // clang-format off
  options.add_options()
    ("tests", po::value<std::vector<std::string>>()->value_name("ID"),
     "a test to run; may be repeated (default: the first four that the server lists)")
    ("only", po::value<std::vector<std::string>>()->value_name("REQUIREMENT"),
     "try this requirement, such as list.all; may be repeated (default: all)")
    ("timeout", po::value<std::string>()->default_value("30s")->value_name("TIME"),
     "for an answer, the tests' own time included")
    ("handshake-timeout", po::value<std::string>()->default_value("60s")->value_name("TIME"),
     "for the answer to Hello: imports may take long")
    ("exit-timeout", po::value<std::string>()->default_value("10s")->value_name("TIME"),
     "from Goodbye to the server's end")
    ("json", po::value<std::string>()->value_name("FILE"), "the result as JSON (-: standard output, instead of text)");
  // clang-format on
  options.add(common_options());
  return options;
}

void print(std::FILE* file, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size() || std::fflush(file) != 0)
    throw OutputError(fmt::format("cannot write the result: {}", std::strerror(errno)));
}

std::string colored(bool color, CheckOutcome outcome) {
  const std::string word = fmt::format("{:<12}", bisect::check_outcome_name(outcome));
  if (!color || outcome == CheckOutcome::skipped) return word;
  const char* code = outcome == CheckOutcome::passed ? "32" : outcome == CheckOutcome::failed ? "31;1" : "33";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, word);
}

/// One line; for a failure also why, and what was said.
std::string requirement_text(const CheckedRequirement& requirement, bool color) {
  std::string text =
      fmt::format("{}{:<18}{}\n", colored(color, requirement.outcome), requirement.id, requirement.title);
  if (requirement.outcome != CheckOutcome::failed) return text;
  text += fmt::format("    {}\n", requirement.why);
  for (const auto& line : requirement.sent) text += fmt::format("    sent      {}\n", line);
  if (requirement.received.empty()) text += "    received  nothing\n";
  for (const auto& line : requirement.received) text += fmt::format("    received  {}\n", line);
  return text;
}

std::string summary_text(const CheckReport& report) {
  std::string text;
  if (report.count(CheckOutcome::failed) > 0 && !report.error_tail.empty()) {
    text += "The end of the server's standard error:\n" + report.error_tail;
    if (text.back() != '\n') text += '\n';
  }
  if (report.answered_hello) {
    text +=
        fmt::format("{}version {}{}{}\n", report.server.empty() ? "" : report.server + ", ", report.version,
                    report.features.empty() ? "" : ", features: ", fmt::join(report.features, ", "));
  }
  text += fmt::format(
      "{} passed, {} failed, {} not offered{}: {}\n", report.count(CheckOutcome::passed),
      report.count(CheckOutcome::failed), report.count(CheckOutcome::not_offered),
      report.answered_hello ? "" : fmt::format(", {} skipped", report.count(CheckOutcome::skipped)),
      report.conforms()       ? "the server conforms"
      : report.answered_hello ? "the server does not conform"
                              : "this is no test server");
  return text;
}

std::string json_text(const CheckReport& report) {
  using Json = nlohmann::ordered_json;
  Json requirements = Json::array();
  for (const auto& one : report.requirements) {
    Json json = Json::object();
    json["id"] = one.id;
    json["title"] = one.title;
    json["outcome"] = bisect::check_outcome_name(one.outcome);
    if (!one.why.empty()) json["why"] = one.why;
    if (one.outcome == CheckOutcome::failed) {
      json["sent"] = one.sent;
      json["received"] = one.received;
    }
    requirements.push_back(std::move(json));
  }
  Json json = Json::object();
  json["schema"] = "flakebisect/check-server/1";
  json["command"] = report.command;
  json["conforms"] = report.conforms();
  json["answered_hello"] = report.answered_hello;
  json["protocol_version"] = report.version;
  json["server"] = report.server;
  json["features"] = report.features;
  json["requirements"] = std::move(requirements);
  json["standard_error"] = report.error_tail;
  json["version"] = FLAKEBISECT_VERSION;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_json(const CheckReport& report, const std::string& path) {
  const std::string text = json_text(report);
  if (path == "-") return print(stdout, text);
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) throw OutputError(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int error = errno;
  if (std::fclose(file) != 0 || !written)
    throw OutputError(fmt::format("cannot write {}: {}", path, std::strerror(written ? errno : error)));
}

}  // namespace

int command_check_server(const std::vector<std::string>& args) {
  const po::options_description shown = check_options();
  po::options_description options = check_options();
  options.add_options()("command", po::value<std::vector<std::string>>(), "the server");
  po::positional_options_description positional;
  positional.add("command", -1);
  const auto values = parse_options(args, options, positional);
  const CommonOptions common = read_common(values);
  if (values["help"].as<bool>()) {
    std::ostringstream help;
    help << "Usage: flakebisect check-server [OPTIONS] COMMAND\n\n"
            "Tries every requirement of the test-server protocol (docs/protocol.md) on the server that "
            "COMMAND\n"
            "starts, and prints one line for each. Exit status: 0 when all that is required holds, 6 when "
            "the\n"
            "server does not start or does not answer Hello, 7 when it does not conform.\n\n"
         << shown;
    print(stdout, help.str());
    return exit_ok;
  }
  if (values.count("command") == 0)
    throw UsageError(
        "check-server needs the command that starts the server, as one word: check-server 'COMMAND'");
  const auto& words = values["command"].as<std::vector<std::string>>();
  if (words.size() != 1)
    throw UsageError(fmt::format("check-server takes one command, quoted as one word: check-server '{}'",
                                 fmt::join(words, " ")));

  const bool json_only = values.count("json") > 0 && values["json"].as<std::string>() == "-";
  const bool color = use_color(common.color, fileno(stdout));
  bisect::CheckOptions check;
  check.directory = common.directory;
  if (values.count("tests") > 0) check.tests = values["tests"].as<std::vector<std::string>>();
  if (values.count("only") > 0) check.only = values["only"].as<std::vector<std::string>>();
  const auto known = bisect::check_ids();
  for (const std::string& id : check.only) {
    if (std::find(known.begin(), known.end(), id) != known.end()) continue;
    const auto suggestion = nearest(id, known);
    throw UsageError("--only: there is no requirement '" + id + "'" +
                     (suggestion ? "; did you mean '" + *suggestion + "'?" : ""));
  }
  check.reply_limit_seconds = parse_duration_seconds(values["timeout"].as<std::string>(), "--timeout");
  check.handshake_limit_seconds =
      parse_duration_seconds(values["handshake-timeout"].as<std::string>(), "--handshake-timeout");
  check.exit_limit_seconds =
      parse_duration_seconds(values["exit-timeout"].as<std::string>(), "--exit-timeout");
  check.on_requirement = [&](const CheckedRequirement& requirement) {
    const bool shown_when_quiet = requirement.outcome == CheckOutcome::failed;
    if (!json_only && (!common.quiet || shown_when_quiet))
      print(stdout, requirement_text(requirement, color));
  };
  const CheckReport report = bisect::check_server(words[0], check);
  if (!json_only) print(stdout, summary_text(report));
  if (values.count("json") > 0) write_json(report, values["json"].as<std::string>());
  if (!report.answered_hello) return exit_cannot_run;
  return report.conforms() ? exit_ok : exit_not_conforming;
}

}  // namespace flakebisect::analyzer
