#pragma once

/// The notations of a time in subunit v1.

#include <optional>
#include <string_view>

#include "repo_reader/subunit_event.h"

namespace flakebisect::repo_reader {

/// Reads "YYYY-M[M]-D[D]?HH:MM:SS[.fraction][Z|+HH:MM|-HH:MM]" at the start of `text`; what follows is
/// ignored, no zone means UTC. Microseconds are those of the reference, which computes them in binary
/// floating point: one too low for about one fraction in a hundred. nullopt where the reference raises an
/// exception.
std::optional<Timestamp> parse_iso_time(std::string_view text);

}  // namespace flakebisect::repo_reader
