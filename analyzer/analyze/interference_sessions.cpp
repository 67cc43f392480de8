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

}  // namespace

std::vector<KnownInterference> interference_of_sessions(const std::string& session_file,
                                                        std::vector<std::string>& warnings) {
  std::vector<KnownInterference> findings;
  std::error_code error;
  if (!std::filesystem::exists(session_file, error)) return findings;
  try {
    SessionStore store(session_file);
    for (const auto& session : store.list()) {
      if (session.report.empty()) continue;
      try {
        add_findings(parse_report_json(session.report), findings);
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
