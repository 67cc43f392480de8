#include "repo_reader/nearest.h"

#include <algorithm>
#include <vector>

namespace flakebisect::repo_reader {
namespace {

/// Levenshtein distance, or more than `most` as soon as it cannot be less.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most) {
  if (a.size() > b.size() + most || b.size() > a.size() + most) return most + 1;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    std::size_t least = row[0];
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      least = std::min(least, row[j]);
    }
    if (least > most) return most + 1;
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string_view> nearest_name(std::string_view wanted,
                                             std::span<const std::string_view> names) {
  if (wanted.empty()) return std::nullopt;
  for (std::string_view name : names) {
    if (name.ends_with(wanted) || name.starts_with(wanted)) return name;
  }
  std::optional<std::string_view> nearest;
  std::size_t most = wanted.size() / 3;
  for (std::string_view name : names) {
    const std::size_t distance = edit_distance(wanted, name, most);
    if (distance > most) continue;
    nearest = name;
    if (distance == 0) break;
    most = distance - 1;
  }
  return nearest;
}

}  // namespace flakebisect::repo_reader
