#include <fmt/format.h>

#include "analyzer/analyze/analysis_data.h"
#include "analyzer/analyze/analysis_words.h"
#include "analyzer/report_escape.h"

namespace flakebisect::analyzer {

namespace {

std::string field(const std::string& text) {
  std::string out = visible_line(text);
  if (!out.empty() && std::string_view("=+-@").find(out.front()) != std::string_view::npos)
    out.insert(0, 1, '\'');
  if (out.find_first_of("\",") == std::string::npos) return out;
  std::string quoted = "\"";
  for (const char c : out) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string render_analysis_csv(const Analysis& analysis) {
  std::string out =
      "group,test,state,runs,failures,rate,rate_low,rate_high,first_failed_run,first_failed,last_failed_run,"
      "last_failed,streaks,longest_streak,passes_since,median_seconds,run_seconds,finding,probability,"
      "strength,"
      "suspect,suspect_probability,began_run,signature,next\r\n";
  const auto& history = analysis.history();
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    for (const auto member : analysis.groups[g].tests) {
      const auto& test = analysis.tests[member];
      const auto& first = history.runs[test.first_failed];
      const auto& last = history.runs[test.last_failed];
      out += fmt::format(
          "{},{},{},{},{},{:.6g},{:.6g},{:.6g},{},{},{},{},{},{},{},{},{:.6g},", g + 1,
          field(analysis.name(test)), state_name(test.state), test.runs, test.failures, test.rate,
          test.interval.low, test.interval.high, first.id, format_date(first.started_micros), last.id,
          format_date(last.started_micros), test.streaks, test.longest_streak, test.passes_since,
          test.median_seconds < 0 ? "" : fmt::format("{:.6g}", test.median_seconds), test.run_seconds);
      std::string suspect;
      std::string suspect_probability;
      if (test.judged && !test.causes.front().suspects.empty()) {
        suspect = suspect_name(analysis, test.causes.front().cause, test.causes.front().suspects.front());
        suspect_probability = fmt::format("{:.6g}", test.causes.front().suspects.front().probability);
      }
      const std::string finding = !test.judged                          ? ""
                                  : test.state == FlakyState::regressed ? "regressed"
                                  : test.strength == Strength::too_thin
                                      ? "too-thin"
                                      : cause_name(test.causes.front().cause);
      out += fmt::format(
          "{},{},{},{},{},{},{},{}\r\n", finding,
          test.judged ? fmt::format("{:.6g}", test.causes.front().probability) : "",
          test.judged ? strength_name(test.strength) : "", field(suspect), suspect_probability,
          test.began ? std::to_string(history.runs[test.executions[test.began->at].run].id) : "",
          field(test.signatures.empty() ? "" : history.signatures[test.signatures.front().signature]),
          test.suggestion ? field(test.suggestion->command) : "");
    }
  }
  return out;
}

}  // namespace flakebisect::analyzer
