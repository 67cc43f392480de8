#pragma once

/// The pieces of the HTML report. Internal to report_html.cpp. Every function returns markup in which all
/// foreign text is escaped. No piece has style attributes or event handlers: the page's content security
/// policy forbids them.

#include <string>
#include <vector>

#include "analyzer/report.h"
#include "analyzer/report_words.h"

namespace flakebisect::analyzer {

/// The style sheet and the script, as they stand between their tags.
const std::string& html_style();
const std::string& html_script();

/// Text for HTML: made visible on one line, then escaped.
std::string html(const std::string& text);
/// A test id or other foreign name in a code element.
std::string html_code(const std::string& text);
/// One of our sentences, with code elements for its test ids.
std::string html_sentence(const Sentence& sentence);
/// "failed", "passed (32 runs)", ... and the class that colours it: "fail", "pass", "other", "void".
std::string outcome_words(const ReportProbe& probe);
const char* outcome_class(bisect::Outcome outcome);

/// SVG: the probabilities of the leading explanations over the probes, with a legend. Empty where there is no
/// evolution to show.
std::string html_evolution_chart(const Report& report);
/// SVG: how probable it is that each test is involved (rows) over the probes (columns).
std::string html_suspicion_chart(const Report& report);
/// SVG: which tests each probe ran (rows) and how the victim ended (colour and mark), a column for each
/// probe.
std::string html_probe_chart(const Report& report);
/// SVG: the failure rate of each arm with its interval.
std::string html_rate_chart(const Report& report);
/// The search as a tree of nested details: history, each time another explanation led, confirmation, verdict.
std::string html_story(const Report& report);

/// More probes than this are not drawn, nor embedded in the page: columns would be thinner than a pixel.
constexpr std::size_t most_drawn_probes = 600;

/// The probes a chart shows: all, or where there are too many, the first and the last ones.
struct ShownProbes {
  std::vector<std::size_t> indices;  ///< into Report::probes
  std::size_t left_out = 0;
};
ShownProbes shown_probes(const Report& report, std::size_t most);

}  // namespace flakebisect::analyzer
