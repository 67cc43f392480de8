#pragma once

/// Where sessions live.

#include <optional>
#include <string>

namespace flakebisect::analyzer {

/// The path of the session file: what --session says, else .flakebisect/sessions.sqlite under the directory.
inline std::string session_file(const std::string& directory, const std::optional<std::string>& option) {
  if (option) return *option;
  return (directory == "." ? "" : directory + "/") + ".flakebisect/sessions.sqlite";
}

}  // namespace flakebisect::analyzer
