#pragma once

/// Where sessions live, and how to go on with one.

#include <optional>
#include <string>

#include "bisect/command_template.h"

namespace flakebisect::analyzer {

/// The path of the session file: what --session says, else .flakebisect/sessions.sqlite under the directory.
inline std::string session_file(const std::string& directory, const std::optional<std::string>& option) {
  if (option) return *option;
  return (directory == "." ? "" : directory + "/") + ".flakebisect/sessions.sqlite";
}

/// The command that goes on with session number `id` of a file, to paste into a shell.
inline std::string resume_command(const std::string& file, const std::string& id) {
  return "flakebisect resume --session " + bisect::shell_quote(file) + " " + id;
}

}  // namespace flakebisect::analyzer
