#include "analyzer/report_formats.h"

#include <stdexcept>

#include "analyzer/report_json.h"
#include "analyzer/report_text.h"
#include "analyzer/signature.h"

namespace flakebisect::analyzer {

namespace {

struct Format {
  const char* name;
  std::string (*render)(const Report&);
};

std::string plain_text(const Report& report) {
  return render_text(report);
}

constexpr Format formats[] = {
    {"json", render_json},     {"text", plain_text},    {"markdown", render_markdown},
    {"html", render_html},     {"jira", render_jira},   {"dot", render_dot},
    {"github", render_github}, {"junit", render_junit}, {"sarif", render_sarif}};

}  // namespace

const std::vector<std::string>& known_report_formats() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const auto& format : formats) list.emplace_back(format.name);
    return list;
  }();
  return names;
}

std::string render_report(const Report& report, const std::string& format) {
  for (const auto& known : formats)
    if (format == known.name) return known.render(report);
  throw std::invalid_argument("there is no report format '" + format + "'");
}

FailingLine failing_line(const Report& report) {
  const auto signature = failure_signature(report.failure.traceback, report.victim);
  if (!signature.own || signature.line == 0) return {};
  return {signature.file, signature.line};
}

bool has_finding(const Report& report) {
  return report.verdict.kind != bisect::Kind::inconclusive &&
         report.verdict.kind != bisect::Kind::not_reproduced;
}

}  // namespace flakebisect::analyzer
