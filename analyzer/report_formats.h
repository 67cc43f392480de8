#pragma once

/// The renderings for trackers, continuous integration and browsers. Each takes a report whose every text may
/// be hostile (ids, tracebacks, output) and escapes it so that it can neither end its place nor start markup.

#include <string>
#include <vector>

#include "analyzer/report.h"

namespace flakebisect::analyzer {

/// The names render_report() takes: "json", "text", "markdown", "html", "jira", "dot", "github", "junit",
/// "sarif".
const std::vector<std::string>& known_report_formats();

/// Renders in the named format; "text" without colours and 80 columns wide. Throws std::invalid_argument for
/// a name that is not in known_report_formats().
std::string render_report(const Report& report, const std::string& format);

/// Markdown as GitHub and GitLab read it, evidence in collapsible sections. Test ids and other foreign text
/// stand in code spans and fences, where mentions, references and links are inert. At most 60,000 bytes or so
/// (GitHub takes 65,536 characters in an issue).
std::string render_markdown(const Report& report);

/// Jira's wiki markup. At most 30,000 bytes or so (Jira takes 32,767 characters).
std::string render_jira(const Report& report);

/// A graph in Graphviz's language: the victim, the culprits, cleaners and the leading alternatives.
std::string render_dot(const Report& report);

/// Workflow commands of GitHub Actions: one annotation, at the failing line of the test's own file where it
/// is known.
std::string render_github(const Report& report);

/// JUnit XML with one test case: a failure for a finding, skipped where there is none.
std::string render_junit(const Report& report);

/// SARIF 2.1.0 with one result and its fingerprint.
std::string render_sarif(const Report& report);

/// One HTML file that needs nothing else: no network, no other file. Readable without JavaScript.
std::string render_html(const Report& report);

/// The line of the test's own file at which the victim failed, from the traceback of the failure.
struct FailingLine {
  std::string file;  ///< relative: the part of the path that names the module; empty where unknown
  std::uint64_t line = 0;
};
FailingLine failing_line(const Report& report);

/// Whether the verdict explains the failure: neither inconclusive nor not-reproduced.
bool has_finding(const Report& report);

}  // namespace flakebisect::analyzer
