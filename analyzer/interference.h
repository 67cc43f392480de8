#pragma once

/// Do probes that run at the same time disturb each other (a port, a file, a database that all of them use)?
/// The same list is run alone and among others, and the two are compared by Fisher's exact test; of a victim
/// that ran several times in one process, the first run. Pure.
///
/// Two occasions:
/// - Probes among others ended in an odd way (failed with another failure, or gave nothing usable) again and
///   again: one of their lists is run anew, several times alone and several times among others.
/// - A verdict is about to be given on evidence of probes among others: its reproduction must fail once with
///   nothing beside it. Where it keeps passing alone, the test decides.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// A probe that the guard wants.
struct InterferenceCheck {
  std::vector<bisect::TestIndex> subset;
  bool alone = true;  ///< false: while others run
};

class InterferenceGuard {
 public:
  /// Takes every observation; those of a probe are compared. `beside`: other probes that ran at the same
  /// time, at the most. `of_check`: it answers one of checks().
  void observe(const bisect::Observation& observation, std::uint64_t beside, bool of_check = false);
  /// Probes wanted now because of odd results; handed out once.
  std::vector<InterferenceCheck> checks();
  /// What must be run before this verdict may be given; nothing: it may. `full`: all candidates of the
  /// failing run.
  std::optional<InterferenceCheck> before(const bisect::Verdict& verdict,
                                          const std::vector<bisect::TestIndex>& full) const;
  /// Some of what was observed ran among others.
  bool saw_company() const { return saw_company_; }
  /// Interference was found: a sentence with the figures, for the user.
  const std::optional<std::string>& found() const { return found_; }

 private:
  struct Side {
    /// Processes, and how the victim's first run ended there.
    std::uint64_t runs = 0, failures = 0, odd = 0;
    std::uint64_t later_failures = 0;  ///< at a later run of the same process
  };
  struct Arm {
    Side alone, beside;
    std::uint64_t runs() const { return alone.runs + beside.runs; }
  };
  /// A comparison on fresh runs, under way. As many alone as among others, so that checks of several lists
  /// can be taken together.
  struct OddCheck {
    std::vector<bisect::TestIndex> subset;
    std::size_t left = 0;  ///< results still to come
    bool handed_out = false;
  };

  void judge(const std::vector<bisect::TestIndex>& subset, const char* what, const Side& alone,
             const Side& beside, std::uint64_t Side::*count);

  std::map<std::vector<bisect::TestIndex>, Arm> arms_;
  std::uint64_t odd_ = 0;  ///< among probes beside others
  std::uint64_t next_check_at_ = 3;
  std::optional<OddCheck> check_;
  Arm fresh_;  ///< of all checks so far
  std::optional<std::string> found_;
  bool saw_company_ = false;
};

}  // namespace flakebisect::analyzer
