#pragma once

/// What `--since` means.

#include <string>

#include "analyzer/analyze/index_update.h"

namespace flakebisect::analyzer {

/// "1500": from that run number on. "2026-11-01" or "2026-11-01 12:30" (UTC, seconds and a zone may follow):
/// runs that started then or later. "30d", "12h": in the time up to `now_seconds` (since 1970). Throws
/// UsageError.
RunSelection parse_since(const std::string& text, double now_seconds);

}  // namespace flakebisect::analyzer
