#pragma once

/// Where the nodes of an interference graph stand in a picture.

#include <cstddef>
#include <vector>

#include "analyzer/analyze/interference.h"

namespace flakebisect::analyzer {

/// Columns and rows, both from 0. What interferes stands left of what it interferes with, except where tests
/// interfere with each other in a circle; the rows of communities follow one another.
struct InterferenceLayout {
  std::vector<std::size_t> column, row;  ///< by node
  struct Box {
    std::size_t first_row = 0, rows = 0;
  };
  std::vector<Box> communities;  ///< by community
  std::size_t columns = 0, rows = 0;
};

/// Layers by longest paths, rows by the mean row of the neighbours (Sugiyama, Tagawa and Toda 1981).
InterferenceLayout lay_out(const Interference& graph);

}  // namespace flakebisect::analyzer
