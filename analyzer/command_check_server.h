#pragma once

#include <string>
#include <vector>

namespace flakebisect::analyzer {

/// `flakebisect check-server COMMAND`: is this a test server as docs/protocol.md has it? One line for each
/// requirement on standard output. Returns exit_ok where all that is required holds, exit_cannot_run where
/// the server does not start or answer Hello, exit_not_conforming otherwise. Throws UsageError and
/// OutputError.
int command_check_server(const std::vector<std::string>& args);

}  // namespace flakebisect::analyzer
