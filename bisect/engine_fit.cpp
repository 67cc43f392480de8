#include "bisect/engine_fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "stats/process_spread.h"

namespace flakebisect::bisect {

namespace {

// A model that is wrong is rare, and saying so is an alarm: prior and posterior probability.
constexpr double prior_of_misfit = 0.05;
constexpr double sure_of_misfit = 0.99;
constexpr double rises_by = 2.0;

std::size_t group_of(std::size_t others, std::size_t listed) {
  if (others == 0) return 0;
  return 4 * others <= listed ? 1 : 2 * others <= listed ? 2 : 3;
}

Fit::Group sum(const Fit::Group& a, const Fit::Group& b) {
  return {a.runs + b.runs, a.failures + b.failures};
}

std::string of_runs(const Fit::Group& group) {
  return fmt::format("{} of {} runs", group.failures, group.runs);
}

}  // namespace

bool Fit::misfits() const {
  return probability_of_own_rates() >= sure_of_misfit;
}

double Fit::probability_of_own_rates() const {
  std::vector<stats::ProcessRuns> seen;
  for (const Group& group : groups)
    if (group.runs > 0) seen.push_back({group.runs, group.failures});
  return seen.size() > 1 ? stats::process_spread(seen, prior_of_misfit).probability : 0;
}

bool Fit::rises() const {
  const Group more = sum(groups[2], groups[3]);
  // What is cheap to ask comes first: this is asked before every probe.
  return more.runs > 0 && groups[0].runs > 0 && more.rate() >= rises_by * groups[0].rate() && misfits();
}

Fit fit_of(const Evidence& evidence, std::size_t listed, Kind kind, const std::vector<TestIndex>& tests) {
  Fit fit;
  fit.groups.resize(4);
  if (kind == Kind::cumulative || kind == Kind::not_reproduced) return fit;
  std::vector<std::uint8_t> in_order;
  const std::size_t own = kind == Kind::brittle ? 0 : tests.size();
  for (const ProbeRun& run : evidence.runs()) {
    if (!failure_possible(*run.list, kind, tests)) continue;
    in_order.resize(in_order.size() + run.worth - 1, 0);
    in_order.push_back(run.failed ? 1 : 0);
    Fit::Group& group = fit.groups[group_of(size_of(*run.list) - own, listed)];
    group.runs += run.worth;
    if (run.failed) ++group.failures;
  }
  fit.runs = in_order.size();
  fit.drift = stats::find_change_point(in_order, prior_of_misfit);
  return fit;
}

std::vector<std::string> fit_remarks(const Fit& fit, Kind kind) {
  std::vector<std::string> remarks;
  if (fit.misfits()) {
    const Fit::Group few = sum(fit.groups[0], fit.groups[1]);
    const Fit::Group many = sum(fit.groups[2], fit.groups[3]);
    const char* what = kind == Kind::self ? "alone or behind few tests" : "with few other tests";
    const char* advice =
        few.rate() > many.rate()
            ? "a test among the others may undo the cause (--cleaners looks for it), or the time they take"
            : "other tests may be part of the cause";
    remarks.push_back(
        fmt::format("one rate does not fit: {} {} failed, with more than a quarter of the list {}; {}", what,
                    of_runs(few), of_runs(many), advice));
  }
  if (fit.drift.probability >= sure_of_misfit) {
    remarks.push_back(fmt::format(
        "the rate changed while the probes ran: about {:.2g} % in the first {} in which the cause "
        "was present, {:.2g} % in the other {} (probability {:.3g} %); look at what else the machine "
        "did, at caches, disks that fill up, the time of day",
        100 * fit.drift.rate_before, fit.drift.at, 100 * fit.drift.rate_after, fit.runs - fit.drift.at,
        100 * std::min(fit.drift.probability, 0.999)));
  }
  return remarks;
}

}  // namespace flakebisect::bisect
