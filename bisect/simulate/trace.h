#pragma once

/// One case, probe by probe: for those who improve the engine.

#include <cstdint>
#include <string>

#include "bisect/simulate/campaign.h"

namespace flakebisect::bisect::simulate {

/// What is true of the case, every probe of ours with its outcome and the leading explanations behind it, and
/// the verdict.
std::string trace_case(const Batch& batch, std::uint64_t seed, std::uint64_t number);

}  // namespace flakebisect::bisect::simulate
