#include <catch2/catch.hpp>

#include "fixture.h"
#include "repo_reader/stream_decoder.h"

namespace rr = flakebisect::repo_reader;
using fixture::packet;

namespace {

/// One line an event: what a reader of a failed check wants to see.
std::string summary(std::string_view stream, rr::Version version = rr::Version::automatic) {
  std::string out;
  rr::CallbackSink sink([&](const rr::Event& event) {
    out.append(event.test_id.value_or("-")).append(" ").append(rr::status_name(event.status));
    if (event.file_name) out.append(" ").append(*event.file_name).append("=").append(event.file_bytes);
    out += ";";
  });
  rr::decode_stream(stream, sink, {.version = version, .details = true});
  return out;
}

}  // namespace

TEST_CASE("a v2 stream is told by its first byte") {
  CHECK(summary(packet("a", rr::Status::success)) == "a success;");
  CHECK(summary(packet("a", rr::Status::success), rr::Version::v1) != "a success;");
}

TEST_CASE("a v1 stream is told by its first byte") {
  CHECK(summary("test: a\nsuccess: a\n") == "a inprogress;a success;");
  CHECK(summary("test: a\nfailure: a [\nboom\n]\n") == "a inprogress;a unknown traceback=boom\n;a fail;");
}

TEST_CASE("text before the first packet does not hide a v2 stream") {
  const std::string stream = "running=python -m x\n" + packet("a", rr::Status::success) + "bye";
  CHECK(summary(stream) == "- unknown stdout=running=python -m x\n;a success;- unknown stdout=bye;");
  CHECK(summary("test: half" + packet("a", rr::Status::success)) == "- unknown stdout=test: half;a success;");
}

TEST_CASE("a signature byte after a v1 directive is text") {
  const std::string stream = "test: a\n" + packet("b", rr::Status::success) + "\nsuccess: a\n";
  CHECK(summary(stream).starts_with("a inprogress;- unknown stdout="));
  CHECK(summary(stream).ends_with("a success;"));
}

TEST_CASE("every packet is delivered with its last byte") {
  const std::string stream = packet("a", rr::Status::success) + packet("b", rr::Status::fail);
  std::size_t events = 0;
  rr::CallbackSink sink([&](const rr::Event&) { ++events; });
  rr::StreamDecoder decoder(sink);
  for (std::size_t i = 0; i < stream.size(); ++i) {
    decoder.feed(std::string_view(stream).substr(i, 1));
    const std::size_t complete = (i + 1 >= stream.size() / 2 ? 1U : 0U) + (i + 1 == stream.size() ? 1U : 0U);
    REQUIRE(events == complete);
  }
}

TEST_CASE("a packet whose length is too short does not swallow the stream") {
  for (char length : {'\0', '\1', '\5'}) {
    std::string stream = "\xB3\x29\x03";
    stream.push_back(length);
    stream.append(packet("a", rr::Status::success));
    const std::string seen = summary(stream);
    CHECK(seen.starts_with("subunit.parser unknown Packet data="));
    CHECK(seen.ends_with("a success;"));
  }
}
