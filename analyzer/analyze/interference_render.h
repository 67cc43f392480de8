#pragma once

/// The interference graph as pictures.

#include <string>

#include "analyzer/analyze/interference.h"

namespace flakebisect::analyzer {

/// Graphviz: one box for each community of two or more. Names of nodes are numbers, so no text from tests is
/// one.
std::string render_interference_dot(const Interference& graph);

/// A picture of its own, without Graphviz: communities below one another, what interferes on the left, what
/// suffers on the right. Readable on light and dark pages; ids too long for a box are cut on the left and
/// stand in full in its title.
std::string render_interference_svg(const Interference& graph);

}  // namespace flakebisect::analyzer
