#pragma once

/// Probes side by side: the victim's worker and, in processes of their own, chosen tests of the other workers
/// of the run to explain.

#include <memory>
#include <string>
#include <vector>

#include "bisect/concurrent_timing.h"
#include "bisect/runner.h"

namespace flakebisect::bisect {

struct ConcurrentOptions {
  std::vector<std::string> own;  ///< ran before the victim on its own worker; part of every probe
  double own_seconds = 0;        ///< expected, from the first of them to the victim's start
  double victim_seconds = 0;
  std::vector<BesideTest> others;  ///< what the other workers ran, in the order of the search's candidates
};

/// A Runner in which ProbeRequest::before names tests of the other workers. A probe runs `own` and the victim
/// in one process, and beside it, for each other worker that has tests among `before`, those in their order
/// in a process of their own. start_delays() says when each starts. A list that ends before the victim does
/// is run again, in a new process, until the victim's result is in. Then the lists that run are let come to
/// their end, for a test that is killed leaves its lock files and rows behind, which no real run did and
/// which would make later probes fail; they are killed where they take far longer than expected. So a test of
/// another worker meets the victim at least as often in a short list as it did among all others, and taking
/// tests away does not make the other worker idle when the victim runs.
///
/// ProbeResult::ran names the tests of other workers that started before the victim's result was in, in the
/// order of `others`. The timestamps of the workers' streams tell; where they do not, or tell of another time
/// than that of the run, a test that ran counts. Everything else is the result of the victim's own process.
class ConcurrentRunner final : public Runner {
 public:
  /// `beside` has one runner for each other worker.
  ConcurrentRunner(ConcurrentOptions options, std::unique_ptr<Runner> own,
                   std::vector<std::unique_ptr<Runner>> beside);
  ~ConcurrentRunner() override;

  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>& cancel) override;

  /// `tests`: tests of other workers, then the victim. Text for a POSIX shell that runs the other workers'
  /// tests over and over beside the victim's worker, and ends with the exit status of the latter.
  std::string reproduction_command(const std::vector<std::string>& tests) const override;
  std::string description() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flakebisect::bisect
