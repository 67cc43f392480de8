#include "analyzer/analyze/analysis_words.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

namespace flakebisect::analyzer {

std::string format_date(std::int64_t micros) {
  const auto seconds =
      static_cast<std::time_t>(micros >= 0 ? micros / 1'000'000 : (micros - 999'999) / 1'000'000);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min);
}

std::string cause_words(Cause cause) {
  switch (cause) {
    case Cause::alone:
      return "fails on its own";
    case Cause::polluter:
      return "order-dependent: polluted by a test that ran before it";
    case Cause::polluter_set:
      return "order-dependent: polluted by two tests together that ran before it";
    case Cause::state_setter:
      return "order-dependent: lacks a test that sets something up for it (brittle)";
    case Cause::worker:
      return "tied to a worker";
    case Cause::amount:
      return "depends on how many tests ran before it";
    case Cause::overlap:
      return "depends on what other workers run at the same time";
    case Cause::time_of_day:
      return "depends on the time of day";
    case Cause::run_length:
      return "depends on the length of the run";
    case Cause::time_out:
      return "times out";
  }
  return "";
}

std::string suspect_name(const Analysis& analysis, Cause cause, const Suspect& suspect) {
  if (suspect.tests.empty()) return suspect.what;
  std::string name = analysis.name(suspect.tests.front());
  for (std::size_t i = 1; i < suspect.tests.size(); ++i)
    name += (cause == Cause::polluter_set ? " together with " : " or ") + analysis.name(suspect.tests[i]);
  return name;
}

std::string finding_words(const FlakyTest& test) {
  if (!test.judged) return "";
  if (test.state == FlakyState::regressed) return "broken for a while rather than flaky";
  if (test.strength == Strength::too_thin) return "evidence is too thin to tell why";
  return "likely " + cause_words(test.causes.front().cause);
}

std::string thin_reason(const FlakyTest& test) {
  if (!test.judged || test.strength != Strength::too_thin) return "";
  if (test.failures == 1) return "it failed once";
  if (!test.order_varied)
    return "what ran before it never differed: runs in another order, or in parallel, would tell, and so "
           "would a "
           "bisection";
  return "the explanations differ too little";
}

std::string run_words(const Analysis& analysis, std::uint32_t run) {
  const auto& facts = analysis.history().runs[run];
  return fmt::format("run {} ({})", facts.id, format_date(facts.started_micros));
}

}  // namespace flakebisect::analyzer
