#include "bisect/simulate/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flakebisect::bisect::simulate {

TextTable::TextTable(std::vector<std::string> header, std::size_t left)
    : rows_{std::move(header)}, left_(left) {}

void TextTable::add(std::vector<std::string> row) {
  rows_.push_back(std::move(row));
}

std::string TextTable::str() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], row[c].size());
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line +=
          c < left_ ? fmt::format("  {:<{}}", row[c], widths[c]) : fmt::format("  {:>{}}", row[c], widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

std::string seconds_text(double seconds) {
  if (seconds >= 1000) {
    const auto whole = static_cast<long long>(std::llround(seconds));
    return whole >= 1000000
               ? fmt::format("{},{:03},{:03}", whole / 1000000, whole / 1000 % 1000, whole % 1000)
               : fmt::format("{},{:03}", whole / 1000, whole % 1000);
  }
  return seconds >= 100  ? fmt::format("{:.0f}", seconds)
         : seconds >= 10 ? fmt::format("{:.1f}", seconds)
                         : fmt::format("{:.2f}", seconds);
}

std::string ratio_text(double ratio) {
  if (!std::isfinite(ratio)) {
    return "-";
  }
  if (ratio <= 0) {
    return "0";
  }
  return ratio < 1 ? fmt::format("1/{:.3g}", 1 / ratio) : fmt::format("{:.3g}", ratio);
}

}  // namespace flakebisect::bisect::simulate
