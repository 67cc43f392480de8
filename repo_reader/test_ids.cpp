#include "repo_reader/test_ids.h"

#include <algorithm>
#include <charconv>

namespace flakebisect::repo_reader {

bool is_test_id(std::string_view id) {
  constexpr std::string_view whole[] = {"",      "process-returncode",  "subunit.parser",
                                        "stdin", "testtools.extradata", "testrepository-rpc"};
  constexpr std::string_view beginnings[] = {"broken-runner-'",  "setUpClass (",     "tearDownClass (",
                                             "setUpModule (",    "tearDownModule (", "unittest.loader.",
                                             "unittest2.loader."};
  return std::find(std::begin(whole), std::end(whole), id) == std::end(whole) &&
         std::none_of(std::begin(beginnings), std::end(beginnings),
                      [&](std::string_view beginning) { return id.starts_with(beginning); });
}

std::optional<unsigned long> worker_number(std::string_view tag) {
  constexpr std::string_view prefix = "worker-";
  if (!tag.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = tag.substr(prefix.size());
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  unsigned long number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

}  // namespace flakebisect::repo_reader
