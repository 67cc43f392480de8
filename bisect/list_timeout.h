#pragma once

#include "bisect/runner.h"

namespace flakebisect::bisect {

/// The list of tests did not come within the limit that was given for it.
struct ListTimeout : CannotRun {
  using CannotRun::CannotRun;
};

}  // namespace flakebisect::bisect
