#pragma once

/// What a command that threw comes to.

#include <string>

namespace flakebisect::analyzer {

struct CommandEnding {
  int status = 0;       ///< exit_status.h
  std::string message;  ///< for the user, without the program's name
};

/// Of the exception that is being handled: to be called within a catch block. What no command is expected to
/// throw is called a defect of ours.
CommandEnding ending_of_exception();

}  // namespace flakebisect::analyzer
