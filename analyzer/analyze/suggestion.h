#pragma once

/// The bisection to run next, as a command.

#include "analyzer/analyze/flaky_test.h"

namespace flakebisect::analyzer {

/// Seconds that a probe is taken to need before its first test: stored runs do not tell.
inline constexpr double assumed_startup_seconds = 2;

/// A bisection of the test's latest failure among the runs it was judged by, with what the stored runs make
/// suspicious, and what it is expected to cost (stats/search_cost.h). `prefix` is "flakebisect" with the
/// options that name the repository, quoted for the shell.
Suggestion suggest_bisection(const History& history, const FlakyTest& test, const std::string& prefix);

/// `text` as a regular expression (ECMAScript) that matches just that.
std::string regex_quote(const std::string& text);

}  // namespace flakebisect::analyzer
