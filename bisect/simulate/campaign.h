#pragma once

/// Runs policies over cases on all cores. Results don't depend on the number of threads.

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "bisect/simulate/generator.h"
#include "bisect/simulate/judge.h"

namespace flakebisect::bisect::simulate {

/// Cases of one kind, given to some policies.
struct Batch {
  std::string label;  ///< for progress and tables
  CaseOptions cases;
  CaseKind kind = CaseKind::self;
  std::uint64_t first = 0;  ///< number of the first case
  std::uint64_t count = 0;
  std::vector<const Policy*> policies;
  PolicyOptions options;
};

/// One policy on one case.
struct CaseResult {
  std::uint64_t number = 0;
  double q = 0;
  Judgement judgement = Judgement::abstained;
  PolicyAnswer answer;
};

struct BatchResult {
  /// By policy (as in Batch::policies), then by case.
  std::vector<std::vector<CaseResult>> by_policy;
};

class CaseStore;

struct CampaignOptions {
  std::uint64_t seed = 1;
  unsigned threads = 0;           ///< 0: as many as the machine has processors
  std::FILE* progress = nullptr;  ///< one line now and then; null: silent
  CaseStore* store = nullptr;     ///< what it holds is not run again, what it lacks is added; may be null
};

/// Results in the order of the batches. A policy that throws is not caught, except what the engine throws
/// (PolicyAnswer::error), nor what the store throws.
std::vector<BatchResult> run_campaign(const std::vector<Batch>& batches, const CampaignOptions& options);

}  // namespace flakebisect::bisect::simulate
