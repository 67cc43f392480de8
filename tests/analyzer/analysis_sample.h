#pragma once

/// Analyses to render: of a history with a cause of each kind planted, and of one whose every text is
/// hostile.

#include "analyzer/analyze/analysis.h"

namespace analysis_sample {

/// 240 runs of 30 tests on two workers, in an order that differs each time; with findings of bisections.
flakebisect::analyzer::Analysis planted();

/// A few runs of tests whose ids and signatures try to break out of every format.
flakebisect::analyzer::Analysis hostile();

/// Runs without a flaky test.
flakebisect::analyzer::Analysis quiet();

}  // namespace analysis_sample
