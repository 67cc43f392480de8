#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "analyzer/analyze/interference.h"
#include "analyzer/report_json.h"
#include "analyzer/session_store.h"

namespace flakebisect::analyzer {

namespace {

void add_findings(const Report& report, std::vector<KnownInterference>& findings) {
  const auto& verdict = report.verdict;
  const auto add = [&](const std::vector<std::string>& tests, InterferenceKind kind) {
    for (const auto& test : tests)
      findings.push_back({test, report.victim, kind, verdict.probability, verdict.confirmed});
  };
  switch (verdict.kind) {
    case bisect::Kind::polluter:
    case bisect::Kind::polluter_set:
      add(verdict.tests, InterferenceKind::pollutes);
      break;
    case bisect::Kind::brittle:
      add(verdict.tests, InterferenceKind::sets_up);
      break;
    default:
      break;
  }
  for (const auto& tests : verdict.further_polluters) add(tests, InterferenceKind::pollutes);
  add(verdict.cleaners, InterferenceKind::cleans);
}

std::string verdict_words(const ReportVerdict& verdict) {
  const std::string tests = fmt::format("{}", fmt::join(verdict.tests, ", "));
  switch (verdict.kind) {
    case bisect::Kind::self:
      return "fails on its own";
    case bisect::Kind::polluter:
      return "fails after " + tests;
    case bisect::Kind::polluter_set:
      return "fails after these together: " + tests;
    case bisect::Kind::brittle:
      return "fails unless one of these ran before it: " + tests;
    case bisect::Kind::cumulative:
      return "fails the more often, the more tests ran before it";
    case bisect::Kind::concurrent:
      return "fails beside other workers" + (tests.empty() ? tests : ": " + tests);
    default:
      return bisect::kind_name(verdict.kind);
  }
}

}  // namespace

SessionFindings findings_of_sessions(const std::string& session_file, std::vector<std::string>& warnings) {
  SessionFindings findings;
  std::error_code error;
  if (!std::filesystem::exists(session_file, error)) return findings;
  try {
    SessionStore store(session_file);
    auto sessions = store.list();
    std::sort(sessions.begin(), sessions.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    for (const auto& session : sessions) {
      if (session.report.empty()) continue;
      try {
        const auto report = parse_report_json(session.report);
        add_findings(report, findings.interference);
        if (report.verdict.confirmed)
          findings.verdicts.push_back(
              {report.victim, verdict_words(report.verdict), report.verdict.probability, session.id});
      } catch (const ReportFormatError&) {
        warnings.push_back("the report of session " + std::to_string(session.id) + " in " + session_file +
                           " cannot be read; the graph lacks it");
      }
    }
  } catch (const SessionError& failure) {
    warnings.push_back(std::string(failure.what()) + "; the graph lacks what bisections found");
  }
  return findings;
}

}  // namespace flakebisect::analyzer
