#pragma once

/// Whether an answer is right.

#include <cstdint>

#include "bisect/simulate/policy.h"

namespace flakebisect::bisect::simulate {

enum class Judgement : std::uint8_t { right, wrong, abstained };

/// The rules:
/// - `inconclusive` is an abstention. So is `not-reproduced` where the victim does fail: it accuses nobody,
/// and
///   the contract gives it an exit status of its own, apart from verdicts.
/// - self: the verdict is `self`. A test that changes the rate by less than half does not make it another
/// kind.
/// - polluter: exactly the polluter; not a set that contains it.
/// - polluters (several, each enough): `polluter` with any one of them.
/// - polluter-set: exactly the set.
/// - brittle: `brittle` with true state-setters only, at least one.
/// - cumulative, not-reproduced: that kind.
Judgement judge(const SimCase& sim_case, const PolicyAnswer& answer);

/// Whether the answer accuses a test: any kind that names tests, or `cumulative`.
bool accuses(const PolicyAnswer& answer);

}  // namespace flakebisect::bisect::simulate
