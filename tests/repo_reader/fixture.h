#pragma once

/// The streams in tests/data/subunit with what the reference decoder makes of them.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo_reader/stream_decoder.h"
#include "repo_reader/stream_folder.h"

namespace fixture {

namespace rr = flakebisect::repo_reader;

std::string read_file(const std::string& path);

/// The bytes of a fixture.
std::string stream(const std::string& name);

/// Names of all fixtures, from INDEX.txt.
std::vector<std::string> names();

/// Its expected.json.
nlohmann::json expected(const std::string& name);

rr::Version version(const std::string& name);

/// Decodes in pieces of `piece` bytes (0: at once). Events are rendered as in expected.json; neighbouring
/// pieces of stream text are merged. With v1 the text is collected apart, as the reference does.
struct Decoded {
  nlohmann::json events = nlohmann::json::array();
  std::string passthrough;
};
Decoded decode(std::string_view bytes, rr::Version version, std::size_t piece = 0);

/// Folds a stream; rendered as the member "tests" of expected.json.
nlohmann::json fold(std::string_view bytes, rr::Version version);

/// One packet of v2.
std::string packet(std::string_view id, rr::Status status, std::optional<std::int64_t> micros = std::nullopt,
                   std::string_view tag = "");

/// Bytes as expected.json has them.
nlohmann::json render_bytes(std::string_view bytes);

}  // namespace fixture
