#include "analyzer/analyze/suggestion.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "bisect/command_template.h"
#include "stats/search_cost.h"

namespace flakebisect::analyzer {

namespace {

bool is_order(Cause cause) {
  return cause == Cause::polluter || cause == Cause::polluter_set || cause == Cause::state_setter;
}

/// Entropy of the posterior over explanations, in bits; those that are not listed share what is left.
double doubt_bits(const FlakyTest& test, std::size_t candidates) {
  double bits = 0;
  double left = 1;
  const auto add = [&](double p) {
    if (p > 0) bits -= p * std::log2(p);
    left -= p;
  };
  for (const auto& cause : test.causes) {
    if (cause.suspects.empty()) add(cause.probability);
    for (const auto& suspect : cause.suspects) add(suspect.probability);
  }
  if (left > 1e-9 && candidates > 0) bits += left * std::log2(static_cast<double>(candidates) / left);
  return std::min(bits, std::log2(static_cast<double>(candidates) + 2));
}

}  // namespace

std::string regex_quote(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Suggestion suggest_bisection(const History& history, const FlakyTest& test, const std::string& prefix) {
  const Execution* failure = nullptr;
  double failures = 0;
  for (std::size_t e = test.regime_first; e < test.regime_end; ++e) {
    if (!history.results[test.executions[e].result].failed()) continue;
    failure = &test.executions[e];
    failures += 1;
  }
  Suggestion suggestion;
  const auto& process = history.processes[failure->process];
  suggestion.command = prefix + " --run-id " + std::to_string(history.runs[failure->run].id);
  if (process.worker != 0) suggestion.command += " --worker " + worker_tag(process.worker);
  suggestion.command += " --test " + bisect::shell_quote(history.tests[test.test]);
  const CausePosterior* order = nullptr;
  for (const auto& cause : test.causes)
    if (is_order(cause.cause))
      if (order == nullptr || cause.probability > order->probability) order = &cause;
  if (order != nullptr) {
    for (const auto& suspect : order->suspects)
      if (suspect.probability >= 0.2)
        for (const auto suspected : suspect.tests)
          suggestion.command +=
              " --suspect " + bisect::shell_quote("^" + regex_quote(history.tests[suspected]) + "$");
  }

  double list_seconds = 0;
  for (std::size_t i = process.first; i < failure->result; ++i)
    list_seconds += std::max(0.0, static_cast<double>(history.results[i].seconds));
  const bool alone = test.causes.empty() || !is_order(test.causes.front().cause);
  // Under a cause the rate is that of the runs in which it was present.
  double rate = failures / static_cast<double>(test.regime_end - test.regime_first);
  if (!alone && !test.causes.front().suspects.empty()) {
    const auto& suspect = test.causes.front().suspects.front();
    rate = (static_cast<double>(suspect.failures_with) + 0.5) / (static_cast<double>(suspect.runs_with) + 1);
  }
  const auto estimate =
      stats::estimate_search(doubt_bits(test, failure->result - process.first), rate, alone,
                             assumed_startup_seconds, list_seconds, std::max(0.0, test.median_seconds));
  suggestion.probes = estimate.probes;
  suggestion.seconds = estimate.seconds;
  return suggestion;
}

}  // namespace flakebisect::analyzer
