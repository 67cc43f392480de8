#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "fixture.h"
#include "repo_reader/subunit_encoder.h"

/// What is encoded is decoded again: events made by a seeded generator, in streams cut into pieces of any
/// size.

namespace rr = flakebisect::repo_reader;

namespace {

/// An event that owns its text.
struct OwnedEvent {
  std::optional<std::string> test_id;
  rr::Status status = rr::Status::none;
  std::optional<std::vector<std::string>> tags;
  bool runnable = true;
  std::optional<std::string> file_name;
  std::string file_bytes;
  bool eof = false;
  std::optional<std::string> mime_type;
  std::optional<std::string> route_code;
  std::optional<rr::Timestamp> timestamp;

  bool operator==(const OwnedEvent&) const = default;
};

OwnedEvent owned(const rr::Event& event) {
  const auto text = [](const std::optional<std::string_view>& view) {
    return view ? std::optional<std::string>(*view) : std::nullopt;
  };
  OwnedEvent out;
  out.test_id = text(event.test_id);
  out.status = event.status;
  if (event.tags) out.tags.emplace(event.tags->begin(), event.tags->end());
  out.runnable = event.runnable;
  out.file_name = text(event.file_name);
  out.file_bytes = event.file_bytes;
  out.eof = event.eof;
  out.mime_type = text(event.mime_type);
  out.route_code = text(event.route_code);
  out.timestamp = event.timestamp;
  return out;
}

void encode(const OwnedEvent& event, std::string& out) {
  rr::Event view;
  view.test_id = event.test_id;
  view.status = event.status;
  std::vector<std::string_view> tags;
  if (event.tags) {
    tags.assign(event.tags->begin(), event.tags->end());
    view.tags = tags;
  }
  view.runnable = event.runnable;
  view.file_name = event.file_name;
  view.file_bytes = event.file_bytes;
  view.eof = event.eof;
  view.mime_type = event.mime_type;
  view.route_code = event.route_code;
  view.timestamp = event.timestamp;
  rr::encode_event(view, out);
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }

  OwnedEvent event() {
    OwnedEvent event;
    event.test_id = maybe_text();
    event.status = static_cast<rr::Status>(below(8));
    event.runnable = below(2) == 0;
    event.eof = below(2) == 0;
    if (below(2) == 0) {
      event.tags.emplace();
      for (std::size_t i = below(4); i > 0; --i) event.tags->push_back(fmt::format("tag {}{}", i, text()));
    }
    event.mime_type = maybe_text();
    event.file_name = maybe_text();
    if (event.file_name) {
      // Around the sizes at which length fields grow, and any bytes.
      constexpr std::size_t sizes[] = {0, 1, 2, 20, 62, 63, 64, 300, 16'370, 16'384, 70'000};
      event.file_bytes.resize(sizes[below(std::size(sizes))]);
      for (char& byte : event.file_bytes) byte = static_cast<char>(random_());
    }
    event.route_code = maybe_text();
    if (below(2) == 0)
      event.timestamp = rr::Timestamp{static_cast<std::int64_t>(below(4'294'967'296'000'000))};
    return event;
  }

 private:
  std::string text() {
    constexpr const char* letters[] = {
        "a", "Z", " ", "[", "\n", "\xC2\xB3", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    std::string out;
    for (std::size_t i = below(below(8) == 0 ? 100 : 12); i > 0; --i)
      out += letters[below(std::size(letters))];
    return out;
  }
  std::optional<std::string> maybe_text() {
    if (below(2) == 0) return std::nullopt;
    return text();
  }

  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("events come back as they were encoded") {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    Generator generate(seed);
    std::vector<OwnedEvent> events;
    std::string stream;
    for (std::size_t i = 1 + generate.below(10); i > 0; --i) {
      events.push_back(generate.event());
      encode(events.back(), stream);
    }
    std::vector<OwnedEvent> decoded;
    rr::CallbackSink sink([&](const rr::Event& event) { decoded.push_back(owned(event)); });
    rr::StreamDecoder decoder(sink);
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t piece = 1 + generate.below(generate.below(3) == 0 ? 7 : 5000);
      decoder.feed(std::string_view(stream).substr(at, piece));
      at += piece;
    }
    decoder.finish();
    INFO("seed " << seed);
    CHECK((decoded == events));
  }
}

TEST_CASE("damage to one packet costs that packet alone") {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    Generator generate(seed);
    std::string before;
    std::string damaged;
    std::string after;
    const OwnedEvent first = generate.event();
    const OwnedEvent last = generate.event();
    encode(first, before);
    encode(generate.event(), damaged);
    encode(last, after);
    // Any byte behind the length field; in front of it a flip may change where the packet ends.
    const std::size_t at = 6 + generate.below(damaged.size() - 6);
    damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1U << generate.below(8)));
    std::vector<OwnedEvent> decoded;
    rr::CallbackSink sink([&](const rr::Event& event) { decoded.push_back(owned(event)); });
    rr::decode_stream(before + damaged + after, sink);
    INFO("seed " << seed);
    REQUIRE(decoded.size() == 4);
    CHECK((decoded.front() == first));
    CHECK((decoded.back() == last));
    CHECK(decoded[1].test_id == "subunit.parser");
    CHECK(decoded[1].file_bytes == damaged);
    CHECK(decoded[2].status == rr::Status::fail);
  }
}

TEST_CASE("what has no v2 form is refused, and nothing is written") {
  std::string out = "kept";
  const auto refuses = [&](const OwnedEvent& event) {
    CHECK_THROWS_AS(encode(event, out), rr::EncodeError);
    CHECK(out == "kept");
  };
  OwnedEvent event;
  event.test_id = std::string("a\0b", 3);
  refuses(event);
  event.test_id.emplace("a\xFF");
  refuses(event);
  event.test_id.emplace("a\xED\xA0\x80");  // a surrogate
  refuses(event);
  event.test_id.emplace("a");
  event.timestamp = rr::Timestamp{-1};
  refuses(event);
  event.timestamp = rr::Timestamp{4'294'967'296'000'000};
  refuses(event);
  event.timestamp.reset();
  event.file_name.emplace("f");
  event.file_bytes.assign(rr::max_packet_bytes - 16, 'x');
  refuses(event);
  event.file_bytes.pop_back();
  CHECK_NOTHROW(encode(event, out));
  CHECK(out.size() == 4 + rr::max_packet_bytes);
}

TEST_CASE("the encoder writes what the reference writes") {
  // The streams of these fixtures are single packets of the reference encoder, all fields in use between
  // them.
  for (const char* name : {"v2_start_stop", "v2_file_and_status_in_one", "v2_route_nested", "v2_len_edge_49",
                           "v2_len_edge_50", "v2_len_edge_53", "v2_strlen_edge_63", "v2_strlen_edge_64",
                           "v2_len_max", "v2_unicode_id", "v2_file_interleaved", "v2_no_start"}) {
    INFO(name);
    const std::string stream = fixture::stream(name);
    std::string encoded;
    rr::CallbackSink sink([&](const rr::Event& event) { rr::encode_event(event, encoded); });
    rr::decode_stream(stream, sink, {.version = rr::Version::v2, .details = true});
    CHECK((encoded == stream));
  }
}
