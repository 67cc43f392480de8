#include "analyzer/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "analyzer/report_escape.h"
#include "analyzer/report_words.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

constexpr std::string_view bold = "\033[1m";
constexpr std::string_view dim = "\033[2m";
constexpr std::string_view red = "\033[31m";
constexpr std::string_view yellow = "\033[33m";
constexpr std::string_view cyan = "\033[36m";

/// Columns the text takes, as far as one code point is one column.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

class Writer {
 public:
  explicit Writer(const TextStyle& style) : style_(style), width_(std::max<std::size_t>(style.width, 40)) {}

  std::string take() { return std::move(out_); }

  std::string paint(std::string_view color, std::string_view text) const {
    if (!style_.color) return std::string(text);
    return fmt::format("{}{}\033[0m", color, text);
  }

  void blank() { out_ += '\n'; }
  void line(const std::string& text) { out_ += text + "\n"; }
  void heading(const std::string& text) {
    blank();
    line(paint(bold, text));
  }

  /// Wraps at spaces; a word that is longer than the line, such as an id, gets a line of its own and is never
  /// cut.
  void prose(const Sentence& sentence, std::size_t indent = 0, const std::string& first = {}) {
    struct Word {
      std::string shown;
      std::size_t columns = 0;
      bool space_before = false;
    };
    std::vector<Word> words;
    bool space = false;
    bool glue = false;
    const auto push = [&](const std::string& plain_text, const std::string& shown) {
      if (glue && !words.empty()) {
        words.back().shown += shown;
        words.back().columns += columns(plain_text);
      } else {
        words.push_back({shown, columns(plain_text), space});
      }
      space = false;
      glue = true;
    };
    for (const auto& phrase : sentence) {
      const auto text = visible_line(phrase.text);
      if (phrase.is_test) {
        push(text, paint(cyan, text));
        continue;
      }
      std::size_t at = 0;
      while (at < text.size()) {
        const auto end = text.find(' ', at);
        const auto word = text.substr(at, end == std::string::npos ? end : end - at);
        if (!word.empty() && word[0] == '%' && space) {
          // A number and its unit stay together.
          glue = true;
          push(" " + word, " " + word);
        } else if (!word.empty()) {
          push(word, word);
        }
        if (end == std::string::npos) break;
        space = true;
        glue = false;
        at = end + 1;
      }
    }
    out_ += first;
    std::string margin(indent, ' ');
    std::size_t column = indent;
    if (first.empty()) out_ += margin;
    bool line_start = true;
    for (const auto& word : words) {
      if (!line_start && column + 1 + word.columns > width_) {
        out_ += "\n" + margin;
        column = indent;
        line_start = true;
      }
      if (!line_start) {
        out_ += ' ';
        ++column;
      }
      out_ += word.shown;
      column += word.columns;
      line_start = false;
    }
    out_ += '\n';
  }
  void prose(const std::string& text, std::size_t indent = 0, const std::string& first = {}) {
    prose(Sentence{{text, false}}, indent, first);
  }
  void bullet(const Sentence& sentence) { prose(sentence, 4, "  - "); }
  void bullet(const std::string& text) { prose(text, 4, "  - "); }

 private:
  TextStyle style_;
  std::size_t width_;
  std::string out_;
};

void write_tests(Writer& out, const std::vector<std::string>& tests) {
  for (std::size_t i = 0; i < tests.size(); ++i)
    out.line(fmt::format("  {:>2}. {}", i + 1, out.paint(cyan, visible_line(tests[i]))));
}

void write_arms(Writer& out, const std::vector<ReportArm>& arms) {
  if (arms.empty()) return;
  std::size_t name_width = 3;
  std::size_t tests_width = 0;
  for (const auto& arm : arms) {
    name_width = std::max(name_width, columns(visible_line(arm.name)));
    tests_width = std::max(tests_width, columns(arm_words(arm)));
  }
  out.heading("Evidence");
  const auto pad = [](const std::string& text, std::size_t to) {
    const auto taken = columns(text);
    return text + std::string(to > taken ? to - taken : 0, ' ');
  };
  out.line(fmt::format("  {}  {}  {:>5}  {:>8}  {:>6}  {}", pad("arm", name_width),
                       pad("what ran", tests_width), "runs", "failures", "rate", "95 % interval"));
  for (const auto& arm : arms)
    out.line(fmt::format("  {}  {}  {:>5}  {:>8}  {:>6}  {}", pad(visible_line(arm.name), name_width),
                         pad(arm_words(arm), tests_width), arm.runs, arm.failures,
                         arm.runs == 0 ? "-" : format_rate(arm.rate),
                         arm.runs == 0 ? "-" : format_interval(arm.low, arm.high)));
}

void write_alternatives(Writer& out, const Report& report) {
  const auto shown = listed_alternatives(report);
  if (shown.empty() && report.ruled_out.empty()) return;
  out.heading(report.verdict.kind == Kind::inconclusive ? "Explanations so far" : "Other explanations");
  for (const auto* alternative : shown) {
    auto sentence = explanation_words(*alternative);
    sentence.insert(sentence.begin(),
                    {fmt::format("{}: it ", format_probability(alternative->probability)), false});
    out.bullet(sentence);
  }
  for (const auto& ruled_out : report.ruled_out) out.bullet(ruled_out);
}

void write_reproduction(Writer& out, const Report& report) {
  const auto& reproduce = report.reproduce;
  if (reproduce.tests.empty() && reproduce.command.empty()) return;
  const bool found = report.verdict.kind != Kind::inconclusive && report.verdict.kind != Kind::not_reproduced;
  out.heading(found ? "To reproduce" : "What was run");
  if (!reproduce.tests.empty() && reproduce.tests.size() <= 20) {
    out.line("  These tests, in this order:");
    write_tests(out, reproduce.tests);
  } else if (!reproduce.tests.empty()) {
    out.line(
        fmt::format("  {} tests, in the order of the JSON report, the victim last.", reproduce.tests.size()));
  }
  if (const auto beside = beside_sentence(report); !beside.empty()) {
    out.blank();
    out.prose(beside, 2);
  }
  if (!reproduce.command.empty()) {
    out.blank();
    const auto command = visible_command(reproduce.command);
    // Lines of a command are not indented: they may stand inside of quotes.
    const std::string indent(command.find('\n') == std::string::npos ? 2 : 0, ' ');
    out.line(indent + out.paint(bold, command));
    if (command != reproduce.command)
      out.prose("(Control characters are written out here; the JSON report has the exact command.)", 2);
    out.blank();
  }
  const auto words = reproduction_sentence(report);
  if (!words.empty()) out.prose(words, 2);
}

void write_failure(Writer& out, const Report& report) {
  const auto& failure = report.failure;
  if (failure.signature.empty() && failure.traceback.empty() && report.other_failures.empty()) return;
  out.heading("The failure");
  if (!failure.signature.empty()) out.line("  " + visible_line(failure.signature));
  if (!failure.traceback.empty()) {
    out.blank();
    const auto text = visible_text(excerpt(failure.traceback, 100, 20000));
    std::size_t at = 0;
    while (at < text.size()) {
      const auto end = std::min(text.find('\n', at), text.size());
      out.line(out.paint(dim, "  | " + text.substr(at, end - at)));
      at = end + 1;
    }
  }
  for (const auto& other : report.other_failures)
    out.bullet(fmt::format("counted apart, seen {} time{}: {}", other.count, other.count == 1 ? "" : "s",
                           other.signature));
}

void write_source(Writer& out, const Report& report) {
  out.heading("Source");
  out.bullet(source_sentence(report));
  if (const auto words = history_sentence(report); !words.empty()) out.bullet(words);
  out.bullet("Spent: " + cost_sentence(report));
  std::string made = fmt::format("seed {}", report.seed);
  if (!report.session.empty()) made += ", session " + report.session;
  if (!report.version.empty()) made += ", flakebisect " + report.version;
  if (!report.environment.host.empty()) made += ", on " + report.environment.host;
  if (!report.environment.git_revision.empty()) made += ", revision " + report.environment.git_revision;
  for (const auto& [name, value] : report.environment.versions) made += ", " + name + " " + value;
  out.bullet(made + ".");
  out.bullet("Fingerprint: " + fingerprint(report));
}

}  // namespace

std::string render_text(const Report& report, const TextStyle& style) {
  Writer out(style);
  const auto& verdict = report.verdict;
  const bool found = verdict.kind != Kind::inconclusive && verdict.kind != Kind::not_reproduced;
  auto sentence = finding_sentence(report);
  out.line(out.paint(found ? red : yellow, fmt::format("Verdict: {}", bisect::kind_name(verdict.kind))));
  out.prose(sentence);
  out.prose(certainty_sentence(report));
  for (const auto& remark : verdict.remarks) out.bullet(remark);
  for (const auto& tests : verdict.further_polluters) {
    Sentence words = explanation_words({tests.size() > 1 ? Kind::polluter_set : Kind::polluter, tests, 0});
    words.insert(words.begin(), {"it also ", false});
    out.bullet(words);
  }
  for (const auto& cleaner : verdict.cleaners)
    out.bullet(Sentence{{"cleaner (undoes the pollution when run in between): ", false}, {cleaner, true}});
  for (const auto& warning : report.warnings) out.prose(warning, 2, out.paint(yellow, "Warning:") + "\n  ");
  write_arms(out, report.arms);
  if (const auto words = exact_test_sentence(report); !words.empty()) out.prose(words, 2);
  write_reproduction(out, report);
  write_alternatives(out, report);
  write_failure(out, report);
  out.heading("What to do next");
  for (const auto& line : advice(report)) out.bullet(line);
  write_source(out, report);
  return out.take();
}

}  // namespace flakebisect::analyzer
