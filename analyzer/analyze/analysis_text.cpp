#include "analyzer/analyze/analysis_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/analyze/analysis_words.h"
#include "analyzer/report_escape.h"
#include "analyzer/report_words.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

namespace {

constexpr std::size_t few = 3;
/// Explanations less probable than this are not listed beside the first.
constexpr double least_listed = 0.05;

std::string count_of(std::uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

class Writer {
 public:
  Writer(const Analysis& analysis, const TextStyle& style, bool verbose)
      : analysis_(analysis), style_(style), most_(verbose ? ~std::size_t{0} : few) {}

  std::string write() {
    heading();
    for (std::size_t g = 0; g < analysis_.shown; ++g) group(g);
    rest();
    graph();
    return std::move(out_);
  }

 private:
  std::string paint(std::string_view color, const std::string& text) const {
    return style_.color ? fmt::format("\033[{}m{}\033[0m", color, text) : text;
  }
  static std::string shown(const std::string& id) { return visible_line(id); }
  void line(const std::string& text) { out_ += text + "\n"; }
  /// A fact about a test: its label stands in a column of its own.
  void fact(const std::string& label, const std::string& text) {
    line(fmt::format("    {} {}", paint("2", fmt::format("{:<10}", label)), text));
  }

  void heading() {
    const auto& history = analysis_.history();
    std::string text =
        fmt::format("{}: {}", shown(analysis_.repository), count_of(history.runs.size(), "run"));
    if (!history.runs.empty())
      text += fmt::format(", {} to {}", run_words(analysis_, 0),
                          run_words(analysis_, static_cast<std::uint32_t>(history.runs.size() - 1)));
    line(text);
    line(fmt::format("{}, {}", count_of(analysis_.counts.tests, "test"),
                     count_of(analysis_.counts.results, "result")));
    for (const auto& broken : analysis_.counts.broken)
      if (&broken - analysis_.counts.broken.data() < static_cast<std::ptrdiff_t>(std::min(most_, few)))
        line(fmt::format("{} left out: {} of {} tests failed in it", run_words(analysis_, broken.run),
                         broken.failures, broken.tests));
    if (analysis_.counts.broken.size() > few && most_ == few)
      line(fmt::format("... and {} more like it", analysis_.counts.broken.size() - few));
    line("");
    if (analysis_.tests.empty()) {
      line(paint("1", "No flaky test: no test both passed and failed."));
      return;
    }
    line(paint("1", fmt::format("{} in {}{}", count_of(analysis_.tests.size(), "flaky test"),
                                count_of(analysis_.groups.size(), "group"),
                                analysis_.groups.size() == analysis_.tests.size()
                                    ? ""
                                    : "; tests that fail in the same runs form one")));
  }

  void group(std::size_t number) {
    const auto& group = analysis_.groups[number];
    const auto& test = analysis_.tests[group.tests.front()];
    line("");
    line(fmt::format("{:>2}. {}", number + 1, paint("1", shown(analysis_.name(test)))));
    fact("fails",
         fmt::format("{} of {}: {} (95 %: {})", test.failures, count_of(test.runs, "run"),
                     format_rate(test.rate), format_interval(test.interval.low, test.interval.high)) +
             (test.unfinished == 0 ? "" : fmt::format("; {} of them never ended", test.unfinished)));
    fact("seen", fmt::format("first in {}, last in {}, {} since", run_words(analysis_, test.first_failed),
                             run_words(analysis_, test.last_failed),
                             test.passes_since == 1 ? std::string("1 pass")
                                                    : fmt::format("{} passes", test.passes_since)));
    fact("streaks", fmt::format("{}, the longest of {}", count_of(test.streaks, "streak"),
                                count_of(test.longest_streak, "failure")) +
                        (test.judged && test.streak_weight < 0.7
                             ? fmt::format("; so its runs are not independent, and count {} each",
                                           format_rate(test.streak_weight))
                             : ""));
    if (group.run_seconds > 0)
      fact("cost", fmt::format("{} spoiled, {} of wall-clock time", count_of(group.failed_runs, "run"),
                               format_seconds(group.run_seconds)));
    when(test);
    why(test);
    failures(test);
    members(group);
    if (test.suggestion) {
      const auto& command = test.suggestion->command;
      fact("next", fmt::format("{}   {}", visible_command(command),
                               paint("2", fmt::format("# about {:.0f} probes, {}", test.suggestion->probes,
                                                      format_seconds(test.suggestion->seconds)))));
      if (visible_command(command) != command)
        fact("", "(it holds characters that cannot be shown; --json has it as it must be)");
    } else if (test.bisection) {
      fact("next", fmt::format("flakebisect report {}   {}", test.bisection->session,
                               paint("2", "# the evidence, how to reproduce it, and what to do")));
    } else if (test.judged) {
      fact("next", "nothing: it seems to be mended");
    }
  }

  void change(const FlakyTest& test, const stats::ChangePoint& point, const std::string& label) {
    const auto run = [&](std::size_t index) {
      return test.executions[std::min(index, test.executions.size() - 1)].run;
    };
    const auto id = [&](std::size_t index) { return analysis_.history().runs[run(index)].id; };
    fact(label, fmt::format("about {} (95 %: {} to {}; a change with {}): {} before, {} since",
                            run_words(analysis_, run(point.at)), id(point.low), id(point.high),
                            format_probability(point.probability), format_rate(point.rate_before),
                            format_rate(point.rate_after)));
  }

  void when(const FlakyTest& test) {
    if (test.began) change(test, *test.began, "began");
    if (test.ended) change(test, *test.ended, "ended");
  }

  void why(const FlakyTest& test) {
    if (test.bisection)
      fact(
          "known",
          paint("33", fmt::format("it {} ({}, confirmed by bisection {})", shown(test.bisection->words),
                                  format_probability(test.bisection->probability), test.bisection->session)));
    if (test.state == FlakyState::regressed) {
      fact("likely", finding_words(test) + ": it failed always while it failed");
      return;
    }
    const bool thin = test.strength == Strength::too_thin;
    std::string text =
        thin ? finding_words(test) + ": " + thin_reason(test)
             : fmt::format("{} ({}, {} evidence)", cause_words(test.causes.front().cause),
                           format_probability(test.causes.front().probability), strength_name(test.strength));
    fact("likely", paint(thin ? "2" : "33", text));
    for (std::size_t c = 0; c < test.causes.size(); ++c) {
      const auto& cause = test.causes[c];
      if (c != 0 && (cause.probability < least_listed || c >= few)) continue;
      if (c != 0 || thin)
        fact(c == 0 ? "perhaps" : "or",
             fmt::format("{} ({})", cause_words(cause.cause), format_probability(cause.probability)));
      suspects(cause, c == 0);
      if (cause.cause == Cause::time_out)
        fact("", fmt::format("a failure takes {}, a pass {} (medians)",
                             format_seconds(test.failed_median_seconds),
                             format_seconds(std::max(0.0, test.median_seconds))));
    }
    const auto first = test.causes.front().cause;
    if (!thin && first != Cause::time_out && first != Cause::alone && test.time_out_probability > 0.5)
      fact("", "its failures look like time-outs: " + format_seconds(test.failed_median_seconds) +
                   " against " + format_seconds(std::max(0.0, test.median_seconds)));
    for (const auto& cleaner : test.cleaners)
      fact("cleaner", fmt::format("{} ({})", shown(analysis_.name(cleaner.test)),
                                  format_probability(cleaner.probability)));
  }

  void suspects(const CausePosterior& cause, bool first) {
    std::size_t listed = 0;
    for (const auto& suspect : cause.suspects) {
      if (suspect.probability < 0.01 || listed++ >= (first ? few : 1)) break;
      const bool setter = cause.cause == Cause::state_setter;
      fact("", fmt::format("{} {}  fails {} of {} {}, {} of {} {}", format_probability(suspect.probability),
                           shown(suspect_name(analysis_, cause.cause, suspect)), suspect.failures_with,
                           suspect.runs_with,
                           setter ? "without it"
                                  : (suspect.tests.empty()       ? "so"
                                     : suspect.tests.size() == 1 ? "with it"
                                                                 : "with them"),
                           suspect.failures_without, suspect.runs_without,
                           setter ? "after it" : (suspect.tests.empty() ? "otherwise" : "without")));
    }
  }

  void failures(const FlakyTest& test) {
    for (std::size_t s = 0; s < test.signatures.size() && s < most_; ++s) {
      const auto& entry = test.signatures[s];
      fact(
          s == 0 ? "failures" : "",
          fmt::format("{} x {}", entry.count, visible_line(analysis_.history().signatures[entry.signature])));
    }
    if (test.signatures.size() > most_)
      fact("", fmt::format("... and {} others", test.signatures.size() - most_));
  }

  void members(const FlakyGroup& group) {
    for (std::size_t m = 1; m < group.tests.size() && m <= most_; ++m) {
      const auto& member = analysis_.tests[group.tests[m]];
      fact(m == 1 ? "together" : "", fmt::format("{}  {} of {}", shown(analysis_.name(member)),
                                                 member.failures, count_of(member.runs, "run")));
    }
    if (group.tests.size() - 1 > most_)
      fact("", fmt::format("... and {} more tests fail in the same runs", group.tests.size() - 1 - most_));
  }

  void rest() {
    if (analysis_.shown < analysis_.groups.size()) {
      line("");
      line(fmt::format("{} more with less cost; --top 0 shows all of them",
                       count_of(analysis_.groups.size() - analysis_.shown, "group")));
    }
    const auto& always = analysis_.counts.always_failing;
    if (always.empty()) return;
    line("");
    line(fmt::format("{} failed every time and {} not flaky:", count_of(always.size(), "test"),
                     always.size() == 1 ? "is" : "are"));
    for (std::size_t i = 0; i < always.size() && i < most_; ++i)
      line("    " + shown(analysis_.name(always[i])));
    if (always.size() > most_) line(fmt::format("    ... and {} more", always.size() - most_));
  }

  void graph() {
    const auto& graph = analysis_.graph;
    if (graph.edges.empty()) return;
    line("");
    line(paint("1", fmt::format("Interference: {} among {} in {}", count_of(graph.edges.size(), "edge"),
                                count_of(graph.nodes.size(), "test"),
                                graph.communities.size() == 1
                                    ? std::string("1 community")
                                    : fmt::format("{} communities", graph.communities.size()))));
    for (std::size_t e = 0; e < graph.edges.size() && e < std::max(most_, std::size_t{10}); ++e) {
      const auto& edge = graph.edges[e];
      line(fmt::format("    {} {} {}  {} ({})", shown(graph.nodes[edge.from].id),
                       interference_name(edge.kind), shown(graph.nodes[edge.to].id),
                       format_probability(edge.probability),
                       edge.confirmed ? "confirmed by a bisection" : "suspected"));
    }
    if (graph.edges.size() > std::max(most_, std::size_t{10}))
      line(fmt::format("    ... and {} more; --dot, --svg and --json have all", graph.edges.size() - 10));
    for (const auto hub : graph.hubs) {
      const auto& node = graph.nodes[hub];
      line(fmt::format("    hub: {} interferes with {}, {} with it", shown(node.id),
                       count_of(node.harms, "test"), node.harmed_by));
    }
  }

  const Analysis& analysis_;
  const TextStyle& style_;
  std::size_t most_;
  std::string out_;
};

}  // namespace

std::string render_analysis_text(const Analysis& analysis, const TextStyle& style, bool verbose) {
  return Writer(analysis, style, verbose).write();
}

}  // namespace flakebisect::analyzer
