#pragma once

/// What the classic pipeline prints for a stored run, byte for byte.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "repo_reader/subunit_event.h"

namespace flakebisect::repo_reader {

/// Takes output as it is made.
using TextSink = std::function<void(std::string_view)>;

/// How subunit-ls writes: Python holds back up to 8 KiB of the ids it prints, but not the text that tests
/// printed, so that in a file or a pipe text comes out ahead of ids. On a terminal, and with PYTHONUNBUFFERED
/// set, all comes out in order.
enum class IdOutput { held_back, in_order };

/// What Python would do here: looks at standard output and at PYTHONUNBUFFERED.
IdOutput id_output_here();

/// Writes what
///   cat FILE | subunit-1to2 | subunit-filter -s --xfail --with-tag=TAG | subunit-ls
/// writes, its leaks included: unexpected successes of all workers, text that tests printed, unfinished tests
/// last. A v2 file goes without subunit-1to2; without `tag` there is no --with-tag. Where a program of the
/// pipeline dies of an exception this goes on (docs/formats.md). Throws InputError (unreadable).
void print_pipeline(const std::filesystem::path& file, const std::optional<std::string>& tag, IdOutput ids,
                    const TextSink& out);

/// The same for a stream in memory.
void print_pipeline_of(std::string_view stream, const std::optional<std::string>& tag, IdOutput ids,
                       const TextSink& out);

}  // namespace flakebisect::repo_reader
