#pragma once

/// `flakebisect simulate`: the command line of bisect/simulate.

#include <string>
#include <vector>

namespace flakebisect::analyzer {

/// Runs the command with the words behind it; results to standard output, progress to standard error. Returns
/// the exit status. Throws UsageError and OutputError.
int command_simulate(const std::vector<std::string>& args);

/// The text of `flakebisect simulate --help`.
std::string simulate_help();

}  // namespace flakebisect::analyzer
