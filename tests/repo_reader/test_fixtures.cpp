#include <catch2/catch.hpp>

#include "fixture.h"

/// Every stream of tests/data/subunit against what the reference decoder made of it. Where that stopped with
/// an exception, the events up to there must be the first of ours; what ours does next is in
/// test_robustness.cpp.

using nlohmann::json;

namespace {

constexpr std::size_t large = 65'536;

json first_of(const json& all, std::size_t count) {
  return json(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size())));
}

}  // namespace

TEST_CASE("there are fixtures") {
  CHECK(fixture::names().size() == 123);
}

TEST_CASE("every fixture decodes as the reference decodes it") {
  for (const std::string& name : fixture::names()) {
    INFO(name);
    const json expected = fixture::expected(name);
    const fixture::Decoded decoded = fixture::decode(fixture::stream(name), fixture::version(name));
    if (expected["exception"].is_null()) {
      CHECK(decoded.events == expected["events"]);
      if (expected.contains("passthrough")) {
        CHECK(fixture::render_bytes(decoded.passthrough) == expected["passthrough"]);
      }
    } else {
      CHECK(first_of(decoded.events, expected["events"].size()) == expected["events"]);
    }
  }
}

TEST_CASE("every fixture folds as the reference folds it") {
  for (const std::string& name : fixture::names()) {
    INFO(name);
    const json expected = fixture::expected(name);
    if (!expected["exception"].is_null()) continue;
    CHECK(fixture::fold(fixture::stream(name), fixture::version(name)) == expected["tests"]);
  }
}

TEST_CASE("the pieces a stream arrives in make no difference") {
  for (const std::string& name : fixture::names()) {
    INFO(name);
    const std::string stream = fixture::stream(name);
    const fixture::Decoded whole = fixture::decode(stream, fixture::version(name));
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 16U, 61U, 4096U, 65'536U}) {
      if (stream.size() > large && piece < 4096) continue;
      INFO("pieces of " << piece);
      const fixture::Decoded decoded = fixture::decode(stream, fixture::version(name), piece);
      CHECK(decoded.events == whole.events);
      CHECK(decoded.passthrough == whole.passthrough);
    }
  }
}

TEST_CASE("a stream cut at any length loses its end and nothing else") {
  for (const std::string& name : fixture::names()) {
    INFO(name);
    const std::string stream = fixture::stream(name);
    if (stream.size() > large) continue;
    for (std::size_t length = 0; length <= stream.size(); ++length) {
      INFO("cut at " << length);
      const std::string_view head = std::string_view(stream).substr(0, length);
      // What a live reader has seen by then, and what it sees in the end.
      std::vector<std::string> live;
      std::vector<std::string> whole;
      std::vector<std::string>* seen = &live;
      std::string text;
      fixture::rr::CallbackSink sink([&](const fixture::rr::Event& event) {
        if (event.test_id) {
          std::string line(*event.test_id);
          line.append("/").append(fixture::rr::status_name(event.status)).append("/");
          line.append(event.file_name.value_or("")).append("/").append(event.file_bytes);
          seen->push_back(line);
        }
      });
      fixture::rr::StreamDecoder cut(sink, {.version = fixture::version(name), .details = true});
      cut.feed(head);
      const std::size_t before_end = live.size();
      cut.finish();
      CHECK(live.size() <= before_end + 3);  // damage, or a test begun in the last line, and lost
      seen = &whole;
      fixture::rr::decode_stream(stream, sink, {.version = fixture::version(name), .details = true});
      REQUIRE(before_end <= whole.size());
      live.resize(before_end);
      whole.resize(before_end);
      CHECK(live == whole);
    }
  }
}
