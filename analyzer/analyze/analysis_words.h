#pragma once

/// The words of an analysis, shared by its renderings. Ids are returned as they are: each rendering makes
/// them harmless in its own way.

#include <string>

#include "analyzer/analyze/analysis.h"

namespace flakebisect::analyzer {

/// "2026-11-22 14:03" (UTC).
std::string format_date(std::int64_t micros);

/// What a cause means: "fails on its own", "after another test in the same process", ...
std::string cause_words(Cause cause);

/// The name of what is suspected: the ids of its tests, or "on worker-3".
std::string suspect_name(const Analysis& analysis, Cause cause, const Suspect& suspect);

/// The finding about a judged test in a few words, without ids: "likely fails on its own", "the evidence is
/// too thin to tell ...".
std::string finding_words(const FlakyTest& test);

/// What it takes to learn more where the evidence is too thin; empty elsewhere.
std::string thin_reason(const FlakyTest& test);

/// "run 17 (2026-11-22 14:03)".
std::string run_words(const Analysis& analysis, std::uint32_t run);

}  // namespace flakebisect::analyzer
