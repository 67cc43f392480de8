#pragma once

/// What ids and tags of stored runs mean.

#include <optional>
#include <string_view>

namespace flakebisect::repo_reader {

/// False for ids that runners and repositories make up: no test can be asked for by them.
///   process-returncode, subunit.parser, broken-runner-'k', stdin, testtools.extradata, testrepository-rpc,
///   setUpClass (..), tearDownClass (..), setUpModule (..), tearDownModule (..), import failures of unittest
bool is_test_id(std::string_view id);

/// The number of a worker tag ("worker-3" is 3); nullopt for other tags.
std::optional<unsigned long> worker_number(std::string_view tag);

}  // namespace flakebisect::repo_reader
