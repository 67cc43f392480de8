#pragma once

#include <string>
#include <string_view>

namespace flakebisect::repo_reader {

/// The text as a JSON string with its quotes. Invalid UTF-8 is replaced by U+FFFD.
std::string json_string(std::string_view text);

}  // namespace flakebisect::repo_reader
