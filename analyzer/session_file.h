#pragma once

/// Where sessions live, and how to go on with one.

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "bisect/command_template.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

/// The path of the session file: what --session says, else .flakebisect/sessions.sqlite under the directory.
inline std::string session_file(const std::string& directory, const std::optional<std::string>& option) {
  if (option) return *option;
  return (directory == "." ? "" : directory + "/") + ".flakebisect/sessions.sqlite";
}

/// Throws where -C names no directory.
inline void check_directory(const std::string& directory) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return;
  throw repo_reader::InputError(repo_reader::InputError::Kind::no_repository,
                                directory + " is no directory; name one with -C");
}

/// The command that goes on with session number `id` of a file, to paste into a shell.
inline std::string resume_command(const std::string& file, const std::string& id) {
  return "flakebisect resume --session " + bisect::shell_quote(file) + " " + id;
}

}  // namespace flakebisect::analyzer
