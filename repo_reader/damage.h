#pragma once

/// How damage in a stream is reported: the two events of the reference decoder.

#include <string_view>

#include "repo_reader/subunit_event.h"

namespace flakebisect::repo_reader {

/// The test id under which damage is reported. Not a test.
inline constexpr std::string_view parser_test_id = "subunit.parser";

/// Reports `data`, the bytes that could not be read, and `message`, why.
void report_damage(EventSink& sink, std::string_view data, std::string_view message);

/// Reports bytes that belong to no packet and no directive.
void report_text(EventSink& sink, std::string_view text);

}  // namespace flakebisect::repo_reader
