#pragma once

/// What the victims of one campaign learn from each other's probes. A probe for a victim goes on, at little
/// cost, with the victims that come later on the same worker and that have no search yet; each of their
/// results is an observation of that victim behind what ran before it, and the search for it starts with
/// them.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bisect/runner.h"

namespace flakebisect::analyzer {

/// One run of a victim in a probe for another one.
struct SharedRun {
  std::vector<std::string> ran;  ///< before it, in the order in which it ran
  bisect::VictimEnd end = bisect::VictimEnd::void_probe;
  std::string traceback;
  std::uint64_t beside = 0;  ///< other probes that ran at the same time
};

/// ... and the victim that it tells of.
struct KnownRun {
  std::string victim;
  SharedRun run;
};

class SharedRuns {
 public:
  /// A victim that waits for its search. `position`: in the list of its worker in that run.
  void expect(const std::string& run_id, const std::string& worker, const std::string& id,
              std::size_t position);
  /// Its search begins: it is no longer run behind others.
  void begin(const std::string& id);

  /// The victims to run behind this one, in their order: of the same run and worker, at most five.
  std::vector<std::string> behind(const std::string& id) const;

  /// Takes the results that a probe for `victim` brought of others, and returns those that count.
  std::vector<KnownRun> add(const std::string& victim, const bisect::ProbeResult& result,
                            std::uint64_t beside);
  /// Takes what an earlier life of the campaign has stored.
  void add(const KnownRun& known);

  /// Probes at once were found to disturb each other: what ran beside others is forgotten, and is not taken
  /// any more.
  void disturbed();
  bool one_at_a_time() const { return one_at_a_time_; }

  /// What is known of a victim so far.
  const std::vector<SharedRun>& of(const std::string& id) const;

 private:
  struct Place {
    std::string run_id, worker;
    std::size_t position = 0;
    bool waits = true;
  };
  std::map<std::string, Place> places_;
  std::map<std::string, std::vector<SharedRun>> runs_;
  bool one_at_a_time_ = false;
};

}  // namespace flakebisect::analyzer
