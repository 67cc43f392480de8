#include "bisect/simulate/report.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "bisect/simulate/summary.h"
#include "bisect/simulate/text_table.h"

namespace flakebisect::bisect::simulate {
namespace {

std::string wrong_text(const Tally& tally) {
  if (tally.given() == 0) {
    return "-";
  }
  const Interval interval = wilson(tally.wrong, tally.given());
  return fmt::format("{} ({:.1f}-{:.1f})", percent(tally.wrong_share()), 100 * interval.low,
                     100 * interval.high);
}

/// Where ours stands among the policies of a batch; none: past the end.
std::size_t ours_in(const Batch& batch) {
  std::size_t at = 0;
  while (at < batch.policies.size() && batch.policies[at]->name() != "ours") {
    ++at;
  }
  return at;
}

std::string judgement_name(Judgement judgement) {
  return judgement == Judgement::right ? "right" : judgement == Judgement::wrong ? "wrong" : "abstained";
}

}  // namespace

std::string results_text(const std::vector<Batch>& batches, const std::vector<BatchResult>& results) {
  TextTable table({"cases", "policy", "right", "wrong", "none", "accused", "wrong of given (95 %)", "probes",
                   "machine s", "median s", "ours / it (95 %)", "ms a choice: mean", "95 %", "max"},
                  2);
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const std::size_t ours = ours_in(batches[b]);
    for (std::size_t p = 0; p < batches[b].policies.size(); ++p) {
      const std::vector<CaseResult>& cases = results[b].by_policy[p];
      const Tally t = tally(cases);
      std::vector<std::string> row{batches[b].label,
                                   batches[b].policies[p]->name(),
                                   std::to_string(t.right),
                                   std::to_string(t.wrong),
                                   std::to_string(t.abstained),
                                   std::to_string(t.accused),
                                   wrong_text(t),
                                   fmt::format("{:.1f}", t.mean_probes),
                                   seconds_text(t.mean_seconds),
                                   seconds_text(t.median_seconds)};
      if (p == ours) {
        const std::vector<double> times = choice_times(cases);
        double total = 0;
        for (const double time : times) {
          total += time;
        }
        if (!times.empty()) {
          row.insert(row.end(), {"", fmt::format("{:.2f}", 1000 * total / static_cast<double>(times.size())),
                                 fmt::format("{:.2f}", 1000 * quantile(times, 0.95)),
                                 fmt::format("{:.2f}", 1000 * times.back())});
        }
      } else if (ours < batches[b].policies.size()) {
        const Ratio ratio = cost_ratio(results[b].by_policy[ours], cases);
        row.push_back(fmt::format("{} ({} to {})", ratio_text(ratio.value), ratio_text(ratio.interval.low),
                                  ratio_text(ratio.interval.high)));
      }
      table.add(std::move(row));
    }
  }
  std::string text = table.str();
  for (std::size_t b = 0; b < batches.size(); ++b) {
    for (const auto& cases : results[b].by_policy) {
      for (const CaseResult& result : cases) {
        if (!result.answer.error.empty()) {
          text += fmt::format("  engine error in case {} of {}: {}\n", result.number, batches[b].label,
                              result.answer.error);
        }
      }
    }
  }
  return text;
}

std::string jobs_text(const std::vector<Batch>& batches, const std::vector<BatchResult>& results) {
  TextTable table({"cases", "right", "wrong", "none", "wall-clock s", "of one job", "speed-up (95 %)",
                   "probes: times one job's (95 %)"},
                  1);
  for (std::size_t b = 1; b < batches.size(); ++b) {
    const std::size_t ours = ours_in(batches[b - 1]);
    if (batches[b].options.jobs == 1 || ours == batches[b - 1].policies.size()) {
      continue;
    }
    const std::vector<CaseResult>& one = results[b - 1].by_policy[ours];
    const std::vector<CaseResult>& many = results[b].by_policy.front();
    const Tally t = tally(many);
    const Ratio speed = wall_ratio(one, many), probes = probes_ratio(many, one);
    table.add(
        {batches[b].label, std::to_string(t.right), std::to_string(t.wrong), std::to_string(t.abstained),
         seconds_text(t.mean_wall_seconds), seconds_text(tally(one).mean_wall_seconds),
         fmt::format("{:.2f} ({:.2f}-{:.2f})", speed.value, speed.interval.low, speed.interval.high),
         fmt::format("{:.2f} ({:.2f}-{:.2f})", probes.value, probes.interval.low, probes.interval.high)});
  }
  return table.str();
}

std::string calibration_text(const std::vector<Batch>& batches, const std::vector<BatchResult>& results) {
  std::map<double, Tally> sums;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const std::size_t ours = ours_in(batches[b]);
    if (ours < batches[b].policies.size()) {
      const Tally t = tally(results[b].by_policy[ours]);
      Tally& sum = sums[batches[b].options.confidence];
      sum.cases += t.cases;
      sum.right += t.right;
      sum.wrong += t.wrong;
      sum.abstained += t.abstained;
      sum.mean_seconds += t.mean_seconds * static_cast<double>(t.cases);
    }
  }
  TextTable table({"confidence", "cases", "right", "wrong", "none", "wrong of given (95 %)", "machine s"}, 0);
  for (const auto& [confidence, t] : sums) {
    table.add({fmt::format("{:g}", confidence), std::to_string(t.cases), std::to_string(t.right),
               std::to_string(t.wrong), std::to_string(t.abstained), wrong_text(t),
               seconds_text(t.cases > 0 ? t.mean_seconds / static_cast<double>(t.cases) : 0)});
  }
  return table.str();
}

nlohmann::json simulation_json(const std::vector<Batch>& batches, const std::vector<BatchResult>& results) {
  nlohmann::json all = nlohmann::json::array();
  for (std::size_t b = 0; b < batches.size(); ++b) {
    for (std::size_t p = 0; p < batches[b].policies.size(); ++p) {
      const std::vector<CaseResult>& cases = results[b].by_policy[p];
      const Tally t = tally(cases);
      nlohmann::json list = nlohmann::json::array();
      for (const CaseResult& result : cases) {
        list.push_back({{"case", result.number},
                        {"q", result.q},
                        {"judgement", judgement_name(result.judgement)},
                        {"kind", kind_name(result.answer.kind)},
                        {"tests", result.answer.tests},
                        {"probability", result.answer.probability},
                        {"probes", result.answer.probes},
                        {"search_probes", result.answer.search_probes},
                        {"seconds", result.answer.seconds},
                        {"wall_seconds", result.answer.wall_seconds}});
        if (!result.answer.error.empty()) {
          list.back()["error"] = result.answer.error;
        }
      }
      all.push_back({{"label", batches[b].label},
                     {"kind", case_kind_name(batches[b].kind)},
                     {"policy", batches[b].policies[p]->name()},
                     {"confidence", batches[b].options.confidence},
                     {"jobs", batches[b].options.jobs},
                     {"right", t.right},
                     {"wrong", t.wrong},
                     {"abstained", t.abstained},
                     {"accused", t.accused},
                     {"mean_probes", t.mean_probes},
                     {"mean_seconds", t.mean_seconds},
                     {"median_seconds", t.median_seconds},
                     {"cases", std::move(list)}});
    }
  }
  return all;
}

}  // namespace flakebisect::bisect::simulate
