#pragma once

#include <string>

namespace flakebisect::analyzer {

/// A quoted string of Graphviz's language, control characters made visible. Backslashes start its escapes and
/// ampersands its entities.
std::string dot_quoted(const std::string& text);

}  // namespace flakebisect::analyzer
