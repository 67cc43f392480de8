#pragma once

/// The words of a report, shared by all renderings. Sentences come as parts, so that each rendering can set
/// test ids and numbers in its own way and escape what comes from tests.

#include <string>
#include <vector>

#include "analyzer/report.h"

namespace flakebisect::analyzer {

/// A piece of a sentence: words of ours, or a test id.
struct Phrase {
  std::string text;
  bool is_test = false;
};
using Sentence = std::vector<Phrase>;

/// The finding in one sentence that a stranger understands.
Sentence finding_sentence(const Report& report);
/// The finding in a few words for titles: "tests.A.x fails after tests.B.y".
Sentence finding_title(const Report& report);
/// An explanation in a few words: "fails on its own", "after X", ...
Sentence explanation_words(const ReportExplanation& explanation);
/// How sure: the probability, the confidence asked for, and how it was confirmed.
std::string certainty_sentence(const Report& report);
/// What the numbers of the reproduction mean: the rate, how many runs show a failure, how long that takes.
/// Empty where the rate is unknown.
std::string reproduction_sentence(const Report& report);
/// "212 probes (1 void) in 6 min 42 s".
std::string cost_sentence(const Report& report);
/// "Run 1615, worker-0, the 300th test there; 299 tests ran before it."
std::string source_sentence(const Report& report);
/// Empty where the history holds nothing.
std::string history_sentence(const Report& report);
/// Empty where no exact test was made.
std::string exact_test_sentence(const Report& report);
/// Which tests of other workers belong to the reproduction, and how they run; empty where none do.
Sentence beside_sentence(const Report& report);
/// What to do next, by kind.
std::vector<std::string> advice(const Report& report);

/// What an arm ran before the victim, in a few words. Never text from tests.
std::string arm_words(const ReportArm& arm);

/// Explanations less probable than this are not listed as alternatives.
constexpr double listed_probability = 0.0005;
/// The explanations worth listing beside the verdict's own, best first, at most five.
std::vector<const ReportExplanation*> listed_alternatives(const Report& report);

/// The text with its middle left out where it is longer than `most_lines` or `most_bytes`, and a line that
/// says so. Trackers refuse long texts; the JSON report has all of it.
std::string excerpt(const std::string& text, std::size_t most_lines, std::size_t most_bytes);

/// A sentence as plain text, test ids as they are.
std::string plain(const Sentence& sentence);

/// "9 %", "0.4 %", "100 %": a rate for a table.
std::string format_rate(double rate);
/// "12 % to 37 %".
std::string format_interval(double low, double high);
/// "p = 0.013", "p < 0.0001".
std::string format_p(double p);

}  // namespace flakebisect::analyzer
