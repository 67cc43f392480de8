#pragma once

/// What is said on standard error before the first probe.

#include "analyzer/bisection.h"

namespace flakebisect::analyzer {

/// The victim, its run and history, the suspects, how they are run, and the warnings.
void print_preamble(const Bisection& bisection);
/// What runs beside the victim, where its own worker did not show the failure.
void print_side_by_side_preamble(const Bisection& bisection);

}  // namespace flakebisect::analyzer
