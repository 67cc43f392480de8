#pragma once

/// What the other workers of the run to explain did: the case of a search side by side.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/bisect_case.h"
#include "analyzer/bisect_options.h"
#include "repo_reader/repository.h"

namespace flakebisect::analyzer {

/// The case of a search in which the other workers run beside the victim's. Candidates are the tests that
/// other workers started before the victim ended (all, where the run has no times), in the order of their
/// starts; their weights say how they overlapped the victim in this run and in other stored runs
/// (analyzer/overlap.h), unless options.no_history. `first`: the case of the search on one worker, whose
/// session is `first_session`. `discovered` as build_case() has it. Nothing where no such test is left.
/// Throws repo_reader::InputError where the run can no longer be read.
std::optional<BisectCase> side_by_side_case(const repo_reader::Repository& repository,
                                            const BisectCase& first, std::int64_t first_session,
                                            const BisectOptions& options,
                                            const std::optional<std::vector<std::string>>& discovered);

}  // namespace flakebisect::analyzer
