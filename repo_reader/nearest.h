#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace flakebisect::repo_reader {

/// The name a user is likely to have meant: one that ends or begins with `wanted`, else the one at the least
/// edit distance, if that is at most a third of the length. The result points into `names`.
std::optional<std::string_view> nearest_name(std::string_view wanted,
                                             std::span<const std::string_view> names);

}  // namespace flakebisect::repo_reader
