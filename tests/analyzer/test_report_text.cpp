#include <catch2/catch.hpp>

#include "analyzer/report_escape.h"
#include "analyzer/report_text.h"
#include "analyzer/report_words.h"
#include "report_samples.h"

using namespace flakebisect::analyzer;
using flakebisect::bisect::Kind;

namespace {

std::string without_colors(std::string text) {
  for (std::size_t at = text.find('\033'); at != std::string::npos; at = text.find('\033'))
    text.erase(at, text.find('m', at) + 1 - at);
  return text;
}

}  // namespace

TEST_CASE("the text report of each kind is the golden one") {
  const auto check = [](const std::string& name, const Report& report) {
    const auto text = render_text(report);
    CHECK(report_samples::golden(name + ".txt", text) == text);
  };
  check("polluter", report_samples::polluter());
  check("self", report_samples::self());
  check("hostile", report_samples::hostile());
  for (const auto kind : {Kind::polluter_set, Kind::brittle, Kind::cumulative, Kind::concurrent,
                          Kind::not_reproduced, Kind::inconclusive})
    check("kind-" + flakebisect::bisect::kind_name(kind), report_samples::of_kind(kind));
}

TEST_CASE("colours add nothing but colours") {
  const auto report = report_samples::polluter();
  const auto colored = render_text(report, {true, 80});
  CHECK(colored.find("\033[1m") != std::string::npos);
  CHECK(without_colors(colored) == render_text(report, {false, 80}));
  CHECK(render_text(report).find('\033') == std::string::npos);
}

TEST_CASE("prose is wrapped and ids and commands are not") {
  auto report = report_samples::polluter();
  const auto text = render_text(report, {false, 60});
  CHECK(text.find("\n  " + report.reproduce.command + "\n") != std::string::npos);
  CHECK(text.find(report.verdict.tests[0]) != std::string::npos);
  report.reproduce.command = "printf '%s\\n' \\\n  'a b' > list\nrun list";
  CHECK(render_text(report).find("\n" + report.reproduce.command + "\n") != std::string::npos);
  // Narrow and wide say the same words.
  const auto words = [](std::string all) {
    std::string out;
    for (const char c : all)
      if (c == ' ' || c == '\n') {
        if (!out.empty() && out.back() != ' ') out += ' ';
      } else {
        out += c;
      }
    return out;
  };
  CHECK(words(render_text(report, {false, 60})) == words(render_text(report, {false, 200})));
  CHECK(render_text(report, {false, 0}) == render_text(report, {false, 40}));
}

TEST_CASE("no text from tests reaches the terminal unescaped") {
  const auto text = render_text(report_samples::hostile());
  for (const char c : text) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
  CHECK(text.find('\x7f') == std::string::npos);
  CHECK(text.find("\xe2\x80\xae") == std::string::npos);
  CHECK(text.find("\xc2\x9b") == std::string::npos);
  CHECK(text.find("\\x1b[2J") != std::string::npos);
  CHECK(text.find("\\u202e") != std::string::npos);
  CHECK(text.find("\\xff") != std::string::npos);
  // An id with newlines stays on one line, so it cannot pretend to be a section.
  CHECK(text.find("\n# heading") == std::string::npos);
}

TEST_CASE("invisible and moving characters become visible") {
  CHECK(visible_line("a\tb\nc\r") == "a\\tb\\nc\\r");
  CHECK(visible_text("a\tb\r\nc\rd") == "a       b\nc\\rd");
  CHECK(visible_command("a\n\tb\x1b\n") == "a\n\\tb\\x1b\n");
  CHECK(visible_line("\xf0\x9f\x90\x9b \xc3\xa9 \xe6\xb8\xac") == "\xf0\x9f\x90\x9b \xc3\xa9 \xe6\xb8\xac");
  CHECK(visible_line("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(visible_line("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
  CHECK(visible_line("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(visible_line("\xe2\x80") == "\\xe2\\x80");  // cut off
  CHECK(visible_line(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(visible_line("\xe2\x81\xa6x\xe2\x81\xa9\xe2\x80\x8b\xef\xbb\xbf") == "\\u2066x\\u2069\\u200b\\ufeff");
  CHECK(visible_line("\xf3\xa0\x81\x81") == "\\U000e0041");
}

TEST_CASE("numbers read well") {
  CHECK(format_rate(0) == "0 %");
  CHECK(format_rate(0.0004) == "<0.1 %");
  CHECK(format_rate(0.033) == "3.3 %");
  CHECK(format_rate(0.225) == "22 %");
  CHECK(format_rate(0.999) == ">99 %");
  CHECK(format_rate(1) == "100 %");
  CHECK(format_p(0.00001) == "p < 0.0001");
  CHECK(format_p(0.0032) == "p = 0.0032");
  CHECK(format_p(0.34) == "p = 0.34");
}
