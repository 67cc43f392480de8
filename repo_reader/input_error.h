#pragma once

#include <stdexcept>
#include <string>

namespace flakebisect::repo_reader {

/// Input that is wrong or missing (exit status 5). The message says where, what was found and what to do.
class InputError : public std::runtime_error {
 public:
  enum class Kind { no_repository, no_run, no_such_run, no_such_worker, no_such_test, unreadable };

  InputError(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

}  // namespace flakebisect::repo_reader
