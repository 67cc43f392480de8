#pragma once

/// Text form of a list of candidate indices, for storage: runs of successive numbers as "first-last", parts
/// joined by commas, in the given order ("0-12,15,14"). The empty list is the empty text.

#include <string>
#include <string_view>
#include <vector>

#include "bisect/engine.h"

namespace flakebisect::analyzer {

std::string encode_indices(const std::vector<bisect::TestIndex>& indices);

/// Throws std::invalid_argument where the text is not of this form.
std::vector<bisect::TestIndex> decode_indices(std::string_view text);

}  // namespace flakebisect::analyzer
