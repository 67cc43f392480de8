#include "analyzer/index_list.h"

#include <charconv>
#include <stdexcept>

namespace flakebisect::analyzer {

using bisect::TestIndex;

std::string encode_indices(const std::vector<TestIndex>& indices) {
  std::string text;
  for (std::size_t i = 0; i < indices.size();) {
    std::size_t last = i;
    while (last + 1 < indices.size() && indices[last + 1] == indices[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(indices[i]);
    if (last > i) text += '-' + std::to_string(indices[last]);
    i = last + 1;
  }
  return text;
}

std::vector<TestIndex> decode_indices(std::string_view text) {
  std::vector<TestIndex> indices;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto fail = [&] { return std::invalid_argument("not a list of indices: " + std::string(text)); };
  while (at != end) {
    TestIndex first = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc{}) throw fail();
    TestIndex last = first;
    if (parsed.ptr != end && *parsed.ptr == '-') {
      parsed = std::from_chars(parsed.ptr + 1, end, last);
      if (parsed.ec != std::errc{} || last < first) throw fail();
    }
    for (TestIndex index = first;; ++index) {
      indices.push_back(index);
      if (index == last) break;
    }
    at = parsed.ptr;
    if (at != end) {
      if (*at != ',' || at + 1 == end) throw fail();
      ++at;
    }
  }
  return indices;
}

}  // namespace flakebisect::analyzer
