#pragma once

/// One run in a few bytes a result: the form in which the index stores runs.
///
///   run     := format:u8 processes:n process* checksum:u32
///   process := worker:n generation:n results:n result*
///   result  := test:z flags:u8 [start:z] [duration:n] [signature:n]
///   flags   := ending (3 bits), 8 has a start, 16 has a duration, 32 has a signature
///
/// n is a number of seven bits a byte, lowest first; z one with its sign in the lowest bit. Test ids are
/// differences to the result before, starts differences to its stop, times microseconds. The checksum
/// (FNV-1a) covers all before it, so that a damaged index is noticed and never believed.

#include <optional>
#include <string>
#include <string_view>

#include "analyzer/analyze/history.h"

namespace flakebisect::analyzer {

/// A run whose results stand in a History of its own: processes and results from 0.
std::string encode_run(const std::vector<HistoryProcess>& processes, const std::vector<Result>& results);

/// Appends the run's processes and results to `history` (not the run itself) and returns the number of
/// processes; nothing where the bytes are damaged, and then `history` is as it was.
std::optional<std::size_t> decode_run(std::string_view bytes, History& history);

}  // namespace flakebisect::analyzer
