#include "analyzer/analyze/polluter_sets.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

namespace flakebisect::analyzer {

namespace {

constexpr std::size_t most_members = 40;
constexpr std::size_t beam_width = 20;
constexpr std::size_t largest_set = 4;

using Row = std::vector<std::uint64_t>;

Presence count(const Row& row, const Row& failed) {
  Presence presence;
  for (std::size_t w = 0; w < row.size(); ++w) {
    presence.failures += static_cast<std::uint32_t>(std::popcount(row[w] & failed[w]));
    presence.passes += static_cast<std::uint32_t>(std::popcount(row[w] & ~failed[w]));
  }
  return presence;
}

template <class Combine>
Row combined(const Row& a, const Row& b, Combine combine) {
  Row row(a.size());
  for (std::size_t w = 0; w < row.size(); ++w) row[w] = combine(a[w], b[w]);
  return row;
}

void keep_best(std::vector<PolluterSet>& sets) {
  std::stable_sort(sets.begin(), sets.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  if (sets.size() > beam_width) sets.resize(beam_width);
}

}  // namespace

std::vector<std::uint32_t> likely_members(const Exposure& exposure) {
  const double failures = exposure.all.failures;
  const double runs = exposure.all.runs();
  std::vector<std::pair<double, std::uint32_t>> ranked;
  for (std::uint32_t t = 0; t < exposure.before.size(); ++t) {
    const auto& presence = exposure.before[t];
    const double with = presence.runs();
    const double without = runs - with;
    if (presence.failures == 0 || without < 1) continue;
    const double pooled = failures / runs;
    const double difference = presence.failures / with - (failures - presence.failures) / without;
    const double deviation = std::sqrt(pooled * (1 - pooled) * (1 / with + 1 / without));
    if (difference > 0 && deviation > 0) ranked.emplace_back(difference / deviation, t);
  }
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  if (ranked.size() > most_members) ranked.resize(most_members);
  std::vector<std::uint32_t> members;
  members.reserve(ranked.size());
  for (const auto& [score, test] : ranked) members.push_back(test);
  std::sort(members.begin(), members.end());
  return members;
}

Membership measure_membership(const History& history, const FlakyTest& test,
                              std::vector<std::uint32_t> members) {
  Membership membership;
  membership.tests = std::move(members);
  const std::size_t executions = test.regime_end - test.regime_first;
  const std::size_t words = (executions + 63) / 64;
  membership.rows.assign(membership.tests.size(), Row(words));
  membership.failed.assign(words, 0);
  std::vector<std::size_t> place(history.tests.size(), membership.tests.size());
  for (std::size_t i = 0; i < membership.tests.size(); ++i) place[membership.tests[i]] = i;
  for (std::size_t e = 0; e < executions; ++e) {
    const auto& execution = test.executions[test.regime_first + e];
    const std::uint64_t bit = std::uint64_t{1} << (e % 64);
    if (history.results[execution.result].failed()) membership.failed[e / 64] |= bit;
    for (std::size_t i = history.processes[execution.process].first; i < execution.result; ++i) {
      const Result& result = history.results[i];
      if (place[result.test] < membership.tests.size() && result.ending != Ending::skip)
        membership.rows[place[result.test]][e / 64] |= bit;
    }
  }
  return membership;
}

std::vector<PolluterSet> promising_sets(const Membership& membership,
                                        const std::function<double(const Presence&)>& score) {
  const std::size_t members = membership.tests.size();
  const auto make = [&](std::vector<std::uint32_t> tests, bool needs_all, const Row& row) {
    PolluterSet set{std::move(tests), needs_all, count(row, membership.failed), 0};
    set.score = score(set.present);
    return set;
  };
  std::vector<PolluterSet> together;
  for (std::size_t i = 0; i < members; ++i)
    for (std::size_t j = i + 1; j < members; ++j)
      together.push_back(make({membership.tests[i], membership.tests[j]}, true,
                              combined(membership.rows[i], membership.rows[j], std::bit_and<>())));
  keep_best(together);

  std::vector<PolluterSet> result = std::move(together);
  struct Grown {
    std::vector<std::size_t> places;
    Row row;
    double score = 0;
  };
  std::vector<Grown> beam;
  for (std::size_t i = 0; i < members; ++i)
    beam.push_back({{i}, membership.rows[i], score(count(membership.rows[i], membership.failed))});
  for (std::size_t size = 2; size <= largest_set; ++size) {
    std::set<std::vector<std::size_t>> seen;
    std::vector<Grown> grown;
    std::vector<PolluterSet> sets;
    for (const auto& smaller : beam) {
      for (std::size_t i = 0; i < members; ++i) {
        auto places = smaller.places;
        if (std::find(places.begin(), places.end(), i) != places.end()) continue;
        places.insert(std::upper_bound(places.begin(), places.end(), i), i);
        if (!seen.insert(places).second) continue;
        Row row = combined(smaller.row, membership.rows[i], std::bit_or<>());
        std::vector<std::uint32_t> tests;
        tests.reserve(places.size());
        for (const auto place : places) tests.push_back(membership.tests[place]);
        sets.push_back(make(std::move(tests), false, row));
        grown.push_back({std::move(places), std::move(row), sets.back().score});
      }
    }
    std::stable_sort(grown.begin(), grown.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    if (grown.size() > beam_width) grown.resize(beam_width);
    beam = std::move(grown);
    keep_best(sets);
    result.insert(result.end(), sets.begin(), sets.end());
  }
  return result;
}

}  // namespace flakebisect::analyzer
