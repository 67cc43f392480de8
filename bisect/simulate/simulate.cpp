#include "bisect/simulate/simulate.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bisect/simulate/bars.h"
#include "bisect/simulate/case_store.h"
#include "bisect/simulate/report.h"
#include "bisect/simulate/trace.h"

namespace flakebisect::bisect::simulate {
namespace {

std::vector<const Policy*> chosen_policies(const SimulateOptions& options) {
  std::vector<const Policy*> chosen;
  if (options.policies.empty()) {
    for (const auto& policy : all_policies()) {
      chosen.push_back(policy.get());
    }
  }
  for (const std::string& name : options.policies) {
    const Policy* policy = find_policy(name);
    if (policy == nullptr) {
      std::string known;
      for (const auto& other : all_policies()) {
        known += (known.empty() ? "" : ", ") + other->name();
      }
      throw std::invalid_argument(fmt::format("there is no policy '{}'; there are: {}", name, known));
    }
    chosen.push_back(policy);
  }
  return chosen;
}

std::vector<Batch> make_batches(const SimulateOptions& options) {
  Batch batch;
  batch.cases = options.field;
  batch.count = options.cases;
  batch.options.confidence = options.confidence;
  batch.options.max_probes = options.max_probes;
  batch.options.max_seconds = options.max_seconds;
  batch.options.count_probes = options.count_probes;
  std::vector<CaseKind> kinds = options.kinds;
  if (kinds.empty()) {
    kinds.assign(std::begin(all_case_kinds), std::end(all_case_kinds));
  }
  std::vector<Batch> batches;
  for (const CaseKind kind : kinds) {
    batch.kind = kind;
    batch.label = case_kind_name(kind);
    batch.policies = chosen_policies(options);
    batch.options.confidence = options.confidence;
    batches.push_back(batch);
    if (options.jobs > 1) {
      Batch at_once = batch;
      at_once.policies = {find_policy("ours")};
      at_once.options.jobs = options.jobs;
      at_once.label = fmt::format("{}, {} jobs", case_kind_name(kind), options.jobs);
      batches.push_back(std::move(at_once));
    }
    if (options.calibration) {
      batch.policies = {find_policy("ours")};
      for (const double confidence : {0.8, 0.9, 0.95, 0.99}) {
        if (confidence != options.confidence) {
          batch.options.confidence = confidence;
          batch.label = fmt::format("{} at {:g}", case_kind_name(kind), confidence);
          batches.push_back(batch);
        }
      }
    }
  }
  return batches;
}

void write_json(const std::string& file, const nlohmann::json& json, std::FILE* out) {
  const std::string text = json.dump(1) + "\n";
  std::FILE* stream = file == "-" ? out : std::fopen(file.c_str(), "w");
  if (stream == nullptr) {
    throw std::runtime_error("cannot write " + file + ": " + std::strerror(errno));
  }
  bool failed = std::fwrite(text.data(), 1, text.size(), stream) != text.size();
  if (stream != out) {
    failed = std::fclose(stream) != 0 || failed;
  }
  if (failed) {
    throw std::runtime_error("cannot write " + file + ": " + std::strerror(errno));
  }
}

void print(std::FILE* out, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out);
}

}  // namespace

int run_simulate(const SimulateOptions& options, std::FILE* out, std::FILE* progress) {
  check_case_options(options.field);
  if (!(options.confidence > 0 && options.confidence < 1)) {
    throw std::invalid_argument("confidence: a probability between 0 and 1 is wanted");
  }
  if (options.trace_case) {
    if (options.kinds.size() != 1) {
      throw std::invalid_argument("tracing a case needs exactly one --kind");
    }
    if (!options.store.empty()) {
      throw std::invalid_argument("tracing a case keeps no results: --trace and --store do not go together");
    }
    Batch batch = make_batches(options).front();
    batch.options.jobs = options.jobs;
    print(out, trace_case(batch, options.seed, *options.trace_case));
    return 0;
  }
  const bool tables = options.json != "-";
  nlohmann::json json{{"schema", "flakebisect/simulation/1"}, {"seed", options.seed}};
  std::optional<CaseStore> store;
  if (!options.store.empty()) {
    store.emplace(options.store, options.build, options.seed);
  }
  const CampaignOptions campaign{options.seed, options.threads, progress, store ? &*store : nullptr};
  int status = 0;
  if (options.bars || options.smoke) {
    const BarsResult result = run_bars({options.cases, options.smoke, campaign}, &json["results"]);
    json["bars"] = bars_json(result);
    if (tables) {
      print(out, bars_text(result));
    }
    status = result.hold() || options.smoke ? 0 : 3;
  } else {
    const std::vector<Batch> batches = make_batches(options);
    const std::vector<BatchResult> results = run_campaign(batches, campaign);
    json["results"] = simulation_json(batches, results);
    if (tables) {
      print(out, fmt::format("{} cases of each kind, seed {}, confidence {:g}\n\n", options.cases,
                             options.seed, options.confidence));
      print(out, results_text(batches, results));
      if (options.jobs > 1) {
        print(out, "\nprobes side by side: wall-clock time and number of probes\n\n" +
                       jobs_text(batches, results));
      }
      if (options.calibration) {
        print(out, "\ncalibration of ours, all kinds together\n\n" + calibration_text(batches, results));
      }
    }
  }
  if (!options.json.empty()) {
    write_json(options.json, json, out);
  }
  return status;
}

}  // namespace flakebisect::bisect::simulate
