#pragma once

/// What is looked for once a polluter is known: the tests that undo it (cleaners), and other polluters, by
/// removing what was found and looking again. Driven by outcomes alone, so that a stored session replays.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::bisect {

/// Runs of something that fails with probability `rate` until, all having passed, it is believed with
/// `confidence` that it no longer does; at least 1.
std::uint64_t passes_until_sure(double rate, double confidence);

/// Tests behind the polluters that undo what they do: groups are run with the polluters, a failure clears the
/// whole group, enough passes divide it. Each step can be wrong about a group with probability 1 -
/// confidence.
class CleanerSearch {
 public:
  CleanerSearch(const Problem& problem, const Verdict& verdict, double confidence);
  bool done() const { return groups_.empty(); }
  /// The list to run next; nothing where `running` runs of it are enough for now, or when done.
  std::optional<std::vector<TestIndex>> next(std::uint64_t running) const;
  void observe(const std::vector<TestIndex>& ran, bool failed);
  const std::vector<TestIndex>& found() const { return found_; }

 private:
  std::vector<TestIndex> list() const;
  std::vector<TestIndex> polluters_, found_;
  std::vector<std::vector<TestIndex>> groups_;  ///< still to be cleared or divided; the last one's turn it is
  std::uint64_t passes_ = 0, passes_needed_ = 1;
};

/// Other polluters: everything but the known ones is run until it should long have failed; where it fails, a
/// search of its own explains that.
class FurtherSearch {
 public:
  /// `probes_so_far` bounds the patience with the next search.
  FurtherSearch(const Problem& problem, const EngineOptions& options, const Verdict& verdict,
                std::uint64_t probes_so_far);
  bool done() const;
  /// `probe_id`: the number that the probe will have.
  std::optional<Probe> next(std::uint64_t probe_id, std::uint64_t running);
  void observe(const Observation& observation);
  /// A probe that gave nothing usable.
  void observe_void(const Observation& observation);
  void abandon(std::uint64_t probe_id);
  bool searching() const { return engine_.has_value(); }
  /// The run to explain, less the known polluters.
  const std::vector<TestIndex>& rest() const { return rest_; }
  /// Each one enough by itself.
  std::vector<std::vector<TestIndex>> found() const;
  /// For the reader; empty where there is nothing to say.
  std::string remark() const;

 private:
  bool concerns(const std::vector<TestIndex>& ran) const;
  std::vector<TestIndex> outer(const std::vector<TestIndex>& tests) const;
  Observation inner(const Observation& observation) const;

  Problem problem_;  ///< without the known polluters
  EngineOptions options_;
  std::vector<TestIndex> outer_of_;  ///< per candidate left: its index in the whole problem
  std::vector<std::int64_t>
      inner_of_;                 ///< per candidate of the whole problem: its index here, -1 where removed
  std::vector<TestIndex> rest_;  ///< the run to explain, less the known polluters
  std::uint64_t passes_ = 0, passes_needed_ = 1;
  std::optional<Engine> engine_;
  std::map<std::uint64_t, std::uint64_t> inner_ids_;  ///< of probes in flight
  std::uint64_t told_ = 0;                            ///< observations that the search was given
  bool given_up_ = false;
};

}  // namespace flakebisect::bisect
