#pragma once

/// Whether what was seen looks like what the answer predicts. Every explanation by tests says: where its
/// cause was present the failure has one rate, whatever else ran, and at all times. The posterior compares
/// explanations with each other and does not see that none of them fits; this does.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bisect/engine_evidence.h"
#include "stats/change_point.h"

namespace flakebisect::bisect {

/// The probes in which the answer's cause was present.
struct Fit {
  /// The same number of tests beside the answer's own, more or less: none, up to a quarter of the failing
  /// run's list, up to a half, more.
  struct Group {
    std::uint64_t runs = 0, failures = 0;
    double rate() const { return runs > 0 ? static_cast<double>(failures) / static_cast<double>(runs) : 0; }
  };
  std::vector<Group> groups;  ///< four
  stats::ChangePoint drift;   ///< over the probes in their order
  std::size_t runs = 0;
  /// Posterior probability that the groups have rates of their own; costs some ten thousand logarithms.
  double probability_of_own_rates() const;
  /// Whether the rate depends, almost surely, on what else ran.
  bool misfits() const;
  /// Whether it does, and more tests make it fail at least twice as often as none: then it is not 'self'.
  bool rises() const;
};

/// Of an answer that says that the failure has one rate; for 'cumulative', whose rate depends on how much
/// ran, and 'not reproduced' nothing is tested. `listed`: the failing run's tests.
Fit fit_of(const Evidence& evidence, std::size_t listed, Kind kind, const std::vector<TestIndex>& tests);

/// For the reader: what does not fit. Empty where all does.
std::vector<std::string> fit_remarks(const Fit& fit, Kind kind);

}  // namespace flakebisect::bisect
