#include "bisect/simulate/bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "bisect/simulate/bars_plan.h"
#include "bisect/simulate/report.h"
#include "bisect/simulate/summary.h"
#include "bisect/simulate/text_table.h"

namespace flakebisect::bisect::simulate {
namespace {

const std::vector<std::string> field_peers{"told-q", "by-hand", "change-point", "random-halves", "testr"};

std::string wrong_figure(const Tally& t) {
  const Interval interval = wilson(t.wrong, t.given());
  return fmt::format("{} ({} of {}; {:.1f}-{:.1f})", percent(t.wrong_share()), t.wrong, t.given(),
                     100 * interval.low, 100 * interval.high);
}

std::string peer_wrong(const BarsData& data, const std::string& label, const std::string& policy) {
  const Tally t = tally(data.of(label, policy));
  return t.given() == 0 ? "-" : fmt::format("{:.0f} % of {}", 100 * t.wrong_share(), t.given());
}

BarRow wrong_row(const BarsData& data, const std::string& label, double limit,
                 const std::vector<std::string>& peers) {
  const Tally t = tally(data.of(label, "ours"));
  BarRow row;
  row.what = label;
  row.figure = wrong_figure(t);
  row.limit = fmt::format("at most {:.0f} %", 100 * limit);
  row.holds = t.wrong_share() <= limit && t.given() > 0 && t.errors == 0;
  for (const std::string& peer : peers) {
    row.peers.push_back(peer_wrong(data, label, peer));
  }
  return row;
}

Bar honest_confidence(const BarsData& data) {
  Bar bar{1, "honest confidence: wrong among the verdicts given, confidence 0.95", field_peers, {}};
  for (const CaseKind kind : all_case_kinds) {
    bar.rows.push_back(wrong_row(data, field_label(kind), 0.05, field_peers));
  }
  for (const OftenSlice& slice : often_slices)
    bar.rows.push_back(
        wrong_row(data, std::string(slice.label), 0.05, {"told-q", "by-hand", "change-point"}));
  for (const CaseKind kind : all_case_kinds)
    if (kind != CaseKind::not_reproduced) bar.rows.push_back(wrong_row(data, repeated_label(kind), 0.05, {}));
  for (const CaseKind kind : by_process_kinds)
    bar.rows.push_back(wrong_row(data, by_process_label(kind), 0.05, {}));
  const auto accused_share = [&](const std::string& policy) {
    const Tally t = tally(data.of(field_label(CaseKind::self), policy));
    return static_cast<double>(t.accused) / static_cast<double>(std::max<std::uint64_t>(1, t.cases));
  };
  BarRow row{"self that accuse a test",
             percent(accused_share("ours")),
             "at most 2 %",
             accused_share("ours") <= 0.02,
             {}};
  for (const std::string& peer : field_peers) {
    row.peers.push_back(percent(accused_share(peer)));
  }
  bar.rows.push_back(std::move(row));
  std::vector<double> levels(std::begin(other_confidences), std::end(other_confidences));
  levels.insert(levels.begin() + 2, 0.95);
  for (const double level : levels) {
    Tally sum;
    for (const CaseKind kind : all_case_kinds) {
      if (kind == CaseKind::not_reproduced) {
        continue;
      }
      const Tally t =
          tally(data.of(level == 0.95 ? field_label(kind) : confidence_label(kind, level), "ours"));
      sum.right += t.right;
      sum.wrong += t.wrong;
    }
    bar.rows.push_back({fmt::format("all kinds at {:g}", level),
                        wrong_figure(sum),
                        fmt::format("shown ({:.0f} %)", 100 * (1 - level)),
                        true,
                        {}});
  }
  return bar;
}

Bar abstention(const BarsData& data) {
  Bar bar{2, "no verdict within 3 times the mean cost, q from 0.02 to 1", field_peers, {}};
  for (const CaseKind kind : all_case_kinds) {
    if (kind == CaseKind::not_reproduced) {
      continue;
    }
    const double share = unanswered_within(data.of(field_label(kind), "ours"), 3);
    BarRow row{field_label(kind), percent(share), "at most 10 %", share <= 0.1, {}};
    for (const std::string& peer : field_peers) {
      row.peers.push_back(percent(unanswered_within(data.of(field_label(kind), peer), 3)));
    }
    bar.rows.push_back(std::move(row));
  }
  const auto ours_alone = [&](const std::string& label) {
    const double share = unanswered_within(data.of(label, "ours"), 3);
    bar.rows.push_back({label, percent(share), "at most 10 %", share <= 0.1, {}});
  };
  for (const CaseKind kind : all_case_kinds)
    if (kind != CaseKind::not_reproduced) ours_alone(repeated_label(kind));
  for (const CaseKind kind : by_process_kinds) ours_alone(by_process_label(kind));
  return bar;
}

Bar cost(const BarsData& data) {
  Bar bar{3, "machine seconds, ours divided by theirs (means over paired cases)", {"ours s", "theirs s"}, {}};
  // The peers run the victim once in each run, as their descriptions do, on the same cases.
  const auto add_paired = [&](const std::string& label, const std::string& peers_label,
                              const std::string& peer, double limit) {
    const auto& ours = data.of(label, "ours");
    const auto& theirs = data.of(peers_label, peer);
    const Ratio ratio = cost_ratio(ours, theirs);
    bar.rows.push_back({label + " against " + peer,
                        fmt::format("{} ({} to {})", ratio_text(ratio.value), ratio_text(ratio.interval.low),
                                    ratio_text(ratio.interval.high)),
                        limit > 0 ? fmt::format("at most 1/{:.0f}", limit) : "shown",
                        limit <= 0 || ratio.value <= 1 / limit,
                        {seconds_text(tally(ours).mean_seconds), seconds_text(tally(theirs).mean_seconds)}});
  };
  const auto add = [&](const std::string& label, const std::string& peer, double limit) {
    add_paired(label, label, peer, limit);
  };
  const auto add_all = [&](auto label_of) {
    const auto judged = [&](CaseKind kind, const char* peer, double limit) {
      add_paired(label_of(kind), field_label(kind), peer, limit);
    };
    judged(CaseKind::polluter, "told-q", 3);
    judged(CaseKind::self, "told-q", 12);
    judged(CaseKind::polluter, "by-hand", 5);
    judged(CaseKind::self, "by-hand", 20);
    judged(CaseKind::polluter, "change-point", 10);
    judged(CaseKind::self, "change-point", 0);
  };
  add_all(field_label);
  add_all(repeated_label);
  add_all(by_process_label);
  for (const CaseKind kind : {CaseKind::polluter, CaseKind::self})
    for (const char* peer : {"told-q", "by-hand", "change-point"}) add(prototype_label(kind), peer, 0);
  return bar;
}

/// log2(n) / C(q) with C(q) = log2(1 + q (1 − q)^((1 − q)/q)), the capacity of the channel that turns a
/// culprit's presence into a failure with probability q and never fails without it.
double least_probes(double n, double q) {
  return std::log2(n) / std::log2(1 + q * std::pow(1 - q, (1 - q) / q));
}

Bar counted(const BarsData& data, bool smoke) {
  Bar bar{
      4, "probes divided by the least any method can need, n = 100, r = 0", {"bound", "change-point"}, {}};
  const double tests = smoke ? 20 : counted_tests;
  for (const double q : counted_rates) {
    const double bound = least_probes(tests, q);
    const Tally t = tally(data.of(counted_label(q), "ours"));
    const Tally peer = tally(data.of(counted_label(q), "change-point"));
    const std::string at = fmt::format("q = {:.3g}, ", q);
    const std::vector<std::string> peers{fmt::format("{:.0f}", bound),
                                         fmt::format("{:.2f}", peer.mean_probes / bound)};
    bar.rows.push_back({at + "search",
                        fmt::format("{:.2f} ({:.0f})", t.mean_search_probes / bound, t.mean_search_probes),
                        "at most 2", t.mean_search_probes <= 2 * bound, peers});
    bar.rows.push_back({at + "with confirmation",
                        fmt::format("{:.2f} ({:.0f})", t.mean_probes / bound, t.mean_probes), "at most 3",
                        t.mean_probes <= 3 * bound, peers});
    bar.rows.push_back(
        {at + "wrong", wrong_figure(t), "shown (5 %)", true, {"", percent(peer.wrong_share())}});
  }
  return bar;
}

Bar choice_time(const BarsData& data) {
  Bar bar{7, "choosing the next probe: processor milliseconds, one core", {"median", "95 %", "max"}, {}};
  const auto add = [&](std::string_view label, double limit) {
    const std::vector<double> times = choice_times(data.of(label, "ours"));
    double mean = 0;
    for (const double time : times) {
      mean += time / static_cast<double>(times.size());
    }
    bar.rows.push_back({std::string(label) + ", mean",
                        fmt::format("{:.2f}", 1000 * mean),
                        fmt::format("at most {:.0f}", 1000 * limit),
                        !times.empty() && mean <= limit,
                        {fmt::format("{:.2f}", 1000 * quantile(times, 0.5)),
                         fmt::format("{:.2f}", 1000 * quantile(times, 0.95)),
                         fmt::format("{:.2f}", 1000 * quantile(times, 1))}});
  };
  add(long_list_label, 0.005);
  add(pairs_label, 0.05);
  return bar;
}

}  // namespace

bool Bar::holds() const {
  return std::all_of(rows.begin(), rows.end(), [](const BarRow& row) { return row.holds; });
}

bool BarsResult::hold() const {
  return engine_errors == 0 &&
         std::all_of(bars.begin(), bars.end(), [](const Bar& bar) { return bar.holds(); });
}

BarsResult run_bars(const BarsOptions& options, nlohmann::json* details) {
  BarsData data;
  data.batches = bars_plan(options.cases, options.smoke);
  data.results = run_campaign(data.batches, options.campaign);
  BarsResult result;
  for (const BatchResult& batch : data.results) {
    for (const auto& cases : batch.by_policy) {
      result.engine_errors += tally(cases).errors;
    }
  }
  result.bars.push_back(honest_confidence(data));
  result.bars.push_back(abstention(data));
  result.bars.push_back(cost(data));
  result.bars.push_back(counted(data, options.smoke));
  const std::string background(background_label);
  result.bars.push_back({5,
                         "background: wrong at q = 0.3, r = 0.1, n = 100",
                         field_peers,
                         {wrong_row(data, background, 0.05, field_peers),
                          wrong_row(data, std::string(repeated_background_label), 0.05, {}),
                          wrong_row(data, std::string(counted_background_label), 0.05, field_peers)}});
  result.bars.push_back({6,
                         "correlated reruns (0.2 within a server process): wrong",
                         field_peers,
                         {wrong_row(data, correlated_label(CaseKind::self), 0.1, field_peers),
                          wrong_row(data, correlated_label(CaseKind::polluter), 0.1, field_peers),
                          wrong_row(data, repeated_correlated_label(CaseKind::self), 0.1, {}),
                          wrong_row(data, repeated_correlated_label(CaseKind::polluter), 0.1, {})}});
  result.bars.push_back(choice_time(data));
  if (details != nullptr) {
    *details = simulation_json(data.batches, data.results);
  }
  return result;
}

std::string bars_text(const BarsResult& result) {
  std::string text;
  std::string missed;
  for (const Bar& bar : result.bars) {
    text += fmt::format("Bar {}: {}\n", bar.number, bar.title);
    std::vector<std::string> header{"", "cases", "ours", "bar"};
    header.insert(header.end(), bar.peer_names.begin(), bar.peer_names.end());
    TextTable table(std::move(header), 2);
    for (const BarRow& row : bar.rows) {
      std::vector<std::string> cells{row.holds ? "ok" : "MISSED", row.what, row.figure, row.limit};
      cells.insert(cells.end(), row.peers.begin(), row.peers.end());
      table.add(std::move(cells));
    }
    text += table.str() + "\n";
    if (!bar.holds()) {
      missed += fmt::format("{}{}", missed.empty() ? "" : ", ", bar.number);
    }
  }
  if (result.engine_errors > 0) {
    text += fmt::format("The engine threw in {} cases.\n", result.engine_errors);
  }
  return text + (missed.empty() ? "All bars hold.\n" : "Missed: bar " + missed + ".\n");
}

nlohmann::json bars_json(const BarsResult& result) {
  nlohmann::json all = nlohmann::json::array();
  for (const Bar& bar : result.bars) {
    nlohmann::json rows = nlohmann::json::array();
    for (const BarRow& row : bar.rows) {
      rows.push_back({{"what", row.what},
                      {"figure", row.figure},
                      {"limit", row.limit},
                      {"holds", row.holds},
                      {"peers", row.peers}});
    }
    all.push_back({{"bar", bar.number},
                   {"title", bar.title},
                   {"peers", bar.peer_names},
                   {"holds", bar.holds()},
                   {"rows", std::move(rows)}});
  }
  return all;
}

}  // namespace flakebisect::bisect::simulate
