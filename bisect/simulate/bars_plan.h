#pragma once

/// Which cases the bars need.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bisect/simulate/campaign.h"

namespace flakebisect::bisect::simulate {

/// Failure rates at which the fourth bar counts probes.
inline constexpr double counted_rates[] = {0.3, 0.1, 1.0 / 30};
/// The length of the list there.
inline constexpr int counted_tests = 100;
/// Levels of confidence beside 0.95 at which calibration is shown.
inline constexpr double other_confidences[] = {0.8, 0.9, 0.99};

/// Batches and their results, found by label.
struct BarsData {
  std::vector<Batch> batches;
  std::vector<BatchResult> results;

  /// Throws std::out_of_range where there is no such batch or policy.
  const std::vector<CaseResult>& of(std::string_view label, std::string_view policy) const;
};

std::string field_label(CaseKind kind);
std::string confidence_label(CaseKind kind, double confidence);
std::string counted_label(double q);
std::string correlated_label(CaseKind kind);
/// Lists of 300 tests, a start-up of 2 s and nothing in the way: how the limits of the third bar were found.
std::string prototype_label(CaseKind kind);
/// Several polluters, each enough, that bite often: with many failures on hand, a leak and sets look likely.
struct OftenSlice {
  std::string_view label;
  double tests = 0;
  double q = 0;
  std::uint32_t stored_runs = 0;
};
inline constexpr OftenSlice often_slices[] = {
    {"polluters, 60 tests, q = 0.5", 60, 0.5, 0},
    {"polluters, 60 tests, q = 0.5, 60 stored runs", 60, 0.5, 60},
    {"polluters, 300 tests, q = 0.3", 300, 0.3, 0},
};
/// The same cases as in field_label() on a machine that can run the victim so many times in one probe, where
/// each of these runs fails on its own.
std::string repeated_label(CaseKind kind);
inline constexpr std::uint32_t repeated_runs = 32;
/// The same, but all runs of a process end like its first.
std::string by_process_label(CaseKind kind);
inline constexpr CaseKind by_process_kinds[] = {CaseKind::self, CaseKind::polluter};
/// correlated_label()'s cases there.
std::string repeated_correlated_label(CaseKind kind);
inline constexpr std::string_view repeated_background_label = "background, victim repeated";
inline constexpr std::string_view background_label = "background";
inline constexpr std::string_view counted_background_label = "background, probes counted";
inline constexpr std::string_view long_list_label = "5,000 tests";
inline constexpr std::string_view pairs_label = "500 tests, a pair";

std::vector<Batch> bars_plan(std::uint64_t cases, bool smoke);

}  // namespace flakebisect::bisect::simulate
