#include "analyzer/interference.h"

#include <fmt/format.h>

#include "stats/fisher.h"

namespace flakebisect::analyzer {

using bisect::Kind;
using bisect::Outcome;

namespace {

/// Runs of each side of a comparison: all of one side and none of the other have p = 0.0002.
constexpr std::size_t fresh_runs = 8;
/// The level. A false alarm costs time and no truth; it is looked at after each run alone, hence the
/// strictness.
constexpr double level = 0.005;
/// A verdict of 'it never fails' is checked by so many runs alone.
constexpr std::uint64_t passes_alone = 5;
constexpr std::size_t most_arms = 4096;

}  // namespace

void InterferenceGuard::observe(const bisect::Observation& observation, std::uint64_t beside, bool of_check) {
  saw_company_ = saw_company_ || beside != 0;
  if (observation.source != bisect::Source::probe) return;
  const bool odd =
      observation.outcome == Outcome::other_failure || observation.outcome == Outcome::void_probe;
  // Probes alone and among others may differ in how often they run the victim: its first runs are compared.
  const bool first = observation.victim_runs <= 1;
  const bool failed = observation.outcome == Outcome::fail;
  const auto count = [&](Arm& arm) {
    Side& side = beside == 0 ? arm.alone : arm.beside;
    ++side.runs;
    side.failures += failed && first ? 1 : 0;
    side.later_failures += failed && !first ? 1 : 0;
    side.odd += odd && first ? 1 : 0;
  };
  // A search of a hundred thousand lists must not fill the memory; what ran once is compared with nothing.
  if (arms_.size() > most_arms)
    std::erase_if(arms_, [](const auto& entry) { return entry.second.runs() < 2; });
  Arm& arm = arms_[observation.ran];
  count(arm);
  if (arm.alone.runs != 0 && arm.alone.failures + arm.alone.later_failures == 0)
    judge(observation.ran, "failed", arm.alone, arm.beside, &Side::failures);
  if (of_check && check_) {
    count(fresh_);
    if (--check_->left == 0) {
      judge(check_->subset, "failed in another way or gave no result", fresh_.alone, fresh_.beside,
            &Side::odd);
      check_.reset();
    }
    return;
  }
  if (!odd || beside == 0 || check_) return;
  if (++odd_ < next_check_at_) return;
  next_check_at_ = 2 * odd_;
  check_ = OddCheck{observation.ran, 2 * fresh_runs, false};
}

std::vector<InterferenceCheck> InterferenceGuard::checks() {
  if (!check_ || check_->handed_out) return {};
  check_->handed_out = true;
  std::vector<InterferenceCheck> wanted(fresh_runs, {check_->subset, true});
  wanted.resize(2 * fresh_runs, {check_->subset, false});
  return wanted;
}

std::optional<InterferenceCheck> InterferenceGuard::before(const bisect::Verdict& verdict,
                                                           const std::vector<bisect::TestIndex>& full) const {
  std::vector<bisect::TestIndex> subset = verdict.reproduce;
  if (verdict.kind == Kind::not_reproduced) subset = full;
  if (verdict.kind == Kind::inconclusive) return std::nullopt;
  const auto arm = arms_.find(subset);
  const Side alone = arm == arms_.end() ? Side{} : arm->second.alone;
  const bool failed = alone.failures + alone.later_failures > 0;
  const bool enough = verdict.kind == Kind::not_reproduced ? alone.runs >= passes_alone : failed;
  if (enough) return std::nullopt;
  return InterferenceCheck{std::move(subset), true};
}

void InterferenceGuard::judge(const std::vector<bisect::TestIndex>& subset, const char* what,
                              const Side& alone, const Side& beside, std::uint64_t Side::*count) {
  if (found_ || alone.runs == 0 || beside.runs == 0) return;
  const double p = stats::fisher_exact_two_sided(beside.*count, beside.runs, alone.*count, alone.runs);
  if (p >= level) return;
  found_ = fmt::format(
      "probes that run at the same time disturb each other: with {} test{} before it the victim {} in {} of "
      "{} "
      "runs beside others, and in {} of {} alone (Fisher's exact test: p = {:.2g}); look for ports, files or "
      "databases that all of them use",
      subset.size(), subset.size() == 1 ? "" : "s", what, beside.*count, beside.runs, alone.*count,
      alone.runs, p);
}

}  // namespace flakebisect::analyzer
