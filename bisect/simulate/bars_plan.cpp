#include "bisect/simulate/bars_plan.h"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>

namespace flakebisect::bisect::simulate {
namespace {

std::vector<const Policy*> policies(std::initializer_list<std::string_view> names) {
  std::vector<const Policy*> found;
  for (const std::string_view name : names) {
    found.push_back(find_policy(name));
  }
  return found;
}

/// One list and one machine, nothing in the way: what the published bound and the peers' own calibrations are
/// about.
CaseOptions plain(double tests, double q, double r) {
  CaseOptions options;
  options.tests = {tests, tests};
  options.q = {q, q};
  options.background = Range{r, r};
  options.correlation = 0;
  options.drift = 0;
  options.void_rate = 0;
  options.other_rate = 0;
  options.history_runs = 0;
  options.cleaners = false;
  return options;
}

}  // namespace

const std::vector<CaseResult>& BarsData::of(std::string_view label, std::string_view policy) const {
  for (std::size_t b = 0; b < batches.size(); ++b) {
    for (std::size_t p = 0; batches[b].label == label && p < batches[b].policies.size(); ++p) {
      if (batches[b].policies[p]->name() == policy) {
        return results.at(b).by_policy.at(p);
      }
    }
  }
  throw std::out_of_range(fmt::format("no policy {} in the cases '{}'", policy, label));
}

std::string field_label(CaseKind kind) {
  return case_kind_name(kind);
}
std::string confidence_label(CaseKind kind, double confidence) {
  return fmt::format("{} at {:g}", case_kind_name(kind), confidence);
}
std::string counted_label(double q) {
  return fmt::format("probes counted, q = {:.3g}", q);
}
std::string correlated_label(CaseKind kind) {
  return case_kind_name(kind) + ", correlated";
}

std::string repeated_label(CaseKind kind) {
  return case_kind_name(kind) + ", victim repeated";
}
std::string by_process_label(CaseKind kind) {
  return case_kind_name(kind) + ", repeated in vain";
}
std::string repeated_correlated_label(CaseKind kind) {
  return correlated_label(kind) + ", victim repeated";
}

std::string prototype_label(CaseKind kind) {
  return case_kind_name(kind) + ", 300 tests, start-up 2 s";
}

std::vector<Batch> bars_plan(std::uint64_t cases, bool smoke) {
  std::vector<Batch> batches;
  Batch batch;
  batch.count = smoke ? 4 : cases;
  CaseOptions field;
  field.q = {0.02, 1};
  if (smoke) {
    field.tests = {10, 60};
    field.q = {0.2, 1};
  }

  batch.cases = field;
  for (const CaseKind kind : all_case_kinds) {
    batch.kind = kind;
    batch.label = field_label(kind);
    batch.options.confidence = 0.95;
    // Nothing will ever be found there: how long the search goes on says nothing, so it is cut short.
    batch.options.max_probes = smoke ? 100 : kind == CaseKind::not_reproduced ? 500 : 100000;
    batch.options.max_seconds = 5e5;
    batch.policies = policies({"ours", "told-q", "by-hand", "change-point", "random-halves", "testr"});
    batches.push_back(batch);
  }
  batch.options.max_probes = smoke ? 100 : 2000;
  batch.options.max_seconds = std::numeric_limits<double>::infinity();
  batch.count = smoke ? 2 : (cases + 3) / 4;
  for (const double confidence : other_confidences) {
    for (const CaseKind kind : all_case_kinds) {
      if (kind == CaseKind::not_reproduced) {
        continue;  // no verdict there that could be wrong
      }
      batch.kind = kind;
      batch.label = confidence_label(kind, confidence);
      batch.options.confidence = confidence;
      batch.policies = policies({"ours"});
      batches.push_back(batch);
    }
  }
  batch.options.confidence = 0.95;
  batch.count = smoke ? 4 : cases;

  batch.kind = CaseKind::polluter;
  batch.policies = policies({"ours", "change-point"});
  for (const double q : counted_rates) {
    batch.label = counted_label(q);
    batch.cases = plain(smoke ? 20 : counted_tests, q, 0);
    batch.options.count_probes = true;
    batches.push_back(batch);
  }
  batch.options.count_probes = false;

  batch.label = background_label;
  batch.cases = plain(smoke ? 20 : 100, 0.3, 0.1);
  batch.policies = policies({"ours", "told-q", "by-hand", "change-point", "random-halves", "testr"});
  batches.push_back(batch);

  batch.label = counted_background_label;
  batch.options.count_probes = true;
  batches.push_back(batch);
  batch.options.count_probes = false;

  for (const CaseKind kind : {CaseKind::polluter, CaseKind::self}) {
    batch.kind = kind;
    batch.label = prototype_label(kind);
    batch.cases = plain(smoke ? 20 : 300, 1, 0);
    batch.cases.q = field.q;
    batch.cases.startup_seconds = {2, 2};
    batches.push_back(batch);
    batches.back().policies = policies({"ours", "told-q", "by-hand", "change-point"});
  }

  batch.kind = CaseKind::polluters;
  for (const OftenSlice& slice : often_slices) {
    batch.label = slice.label;
    batch.cases = plain(smoke ? 20 : slice.tests, slice.q, 0);
    batch.cases.startup_seconds = {2, 2};
    batch.cases.history_runs = slice.stored_runs;
    batch.policies = policies({"ours", "told-q", "by-hand", "change-point"});
    batches.push_back(batch);
  }

  batch.cases = field;
  batch.cases.correlation = 0.2;
  batch.policies = policies({"ours", "told-q", "by-hand", "change-point", "random-halves", "testr"});
  for (const CaseKind kind : {CaseKind::self, CaseKind::polluter}) {
    batch.kind = kind;
    batch.label = correlated_label(kind);
    batches.push_back(batch);
  }

  batch.policies = policies({"ours"});
  batch.cases.victim_runs = repeated_runs;
  for (const CaseKind kind : {CaseKind::self, CaseKind::polluter}) {
    batch.kind = kind;
    batch.label = repeated_correlated_label(kind);
    batches.push_back(batch);
  }
  batch.label = repeated_background_label;
  batch.cases = plain(smoke ? 20 : 100, 0.3, 0.1);
  batch.cases.victim_runs = repeated_runs;
  batches.push_back(batch);

  batch.cases = field;
  batch.cases.victim_runs = repeated_runs;
  batch.options.max_probes = smoke ? 100 : 100000;
  batch.options.max_seconds = 5e5;
  for (const CaseKind kind : all_case_kinds) {
    if (kind == CaseKind::not_reproduced) continue;
    batch.kind = kind;
    batch.label = repeated_label(kind);
    batches.push_back(batch);
  }
  batch.cases.decided_by_process = 1;
  for (const CaseKind kind : by_process_kinds) {
    batch.kind = kind;
    batch.label = by_process_label(kind);
    batches.push_back(batch);
  }
  batch.options.max_probes = smoke ? 100 : 2000;
  batch.options.max_seconds = std::numeric_limits<double>::infinity();

  batch.count = smoke ? 1 : 10;
  batch.cases = field;
  batch.kind = CaseKind::polluter;
  batch.label = long_list_label;
  batch.cases.tests = smoke ? Range{500, 500} : Range{5000, 5000};
  batch.cases.history_runs = 20;
  batches.push_back(batch);
  batch.kind = CaseKind::polluter_set;
  batch.label = pairs_label;
  batch.cases.tests = smoke ? Range{50, 50} : Range{500, 500};
  batch.cases.set_size = 2;
  batches.push_back(batch);
  return batches;
}

}  // namespace flakebisect::bisect::simulate
