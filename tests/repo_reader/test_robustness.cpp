#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "fixture.h"

/// Where the reference decoder dies of an exception or swallows the stream, and what is done instead. The
/// rules are in docs/formats.md.

namespace rr = flakebisect::repo_reader;

namespace {

/// "id status" of every event with a status, and "stdout: ..." for text.
std::vector<std::string> outline(std::string_view stream, rr::Version version) {
  std::vector<std::string> out;
  rr::CallbackSink sink([&](const rr::Event& event) {
    if (!event.test_id) {
      out.push_back("stdout: " + std::string(event.file_bytes));
    } else if (event.status != rr::Status::none) {
      std::string line(*event.test_id);
      out.push_back(line.append(" ").append(rr::status_name(event.status)));
    }
  });
  rr::decode_stream(stream, sink, {.version = version, .details = true});
  return out;
}

std::vector<std::string> outline_of_fixture(const std::string& name) {
  return outline(fixture::stream(name), fixture::version(name));
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("v1: an unexpected success outside a test is text") {
  const Lines lines = outline_of_fixture("v1_uxsuccess_outside");
  REQUIRE(!lines.empty());
  CHECK(lines.front().starts_with("stdout: uxsuccess"));
}

TEST_CASE("v1: a time that cannot be read is text") {
  for (const char* name : {"v1_time_no_seconds", "v1_time_date_only"}) {
    INFO(name);
    bool text = false;
    for (const std::string& line : outline_of_fixture(name)) text = text || line.starts_with("stdout: time:");
    CHECK(text);
  }
  CHECK(outline("time: 3.2 seconds\ntest: a\nsuccess: a\n", rr::Version::v1) ==
        Lines{"stdout: time: 3.2 seconds\n", "a inprogress", "a success"});
  CHECK(outline("time: 2026-13-01 00:00:00Z\n", rr::Version::v1).size() == 1);
  CHECK(outline("progress: half\nprogress: +3\n", rr::Version::v1) == Lines{"stdout: progress: half\n"});
}

TEST_CASE("v1: bytes of a name that are not UTF-8 are replaced, and the test still ends") {
  CHECK(outline_of_fixture("v1_not_utf8_name") == Lines{"a\xEF\xBF\xBD inprogress", "a\xEF\xBF\xBD success"});
}

TEST_CASE("v1: damaged details are reported, skipped to their end, and the outcome stands") {
  for (const char* name : {"v1_multipart_lf_header", "v1_multipart_bad_mime"}) {
    INFO(name);
    CHECK(outline_of_fixture(name) == Lines{"a inprogress", "subunit.parser fail", "a fail"});
  }
  CHECK(outline(
            "test: a\nfailure: a [ multipart\nContent-Type: text/plain\nlog\n3\r\nabcnonsense\r\n]\ntest: b\n"
            "success: b\n",
            rr::Version::v1) ==
        Lines{"a inprogress", "subunit.parser fail", "a fail", "b inprogress", "b success"});
}

TEST_CASE("v1: what was read of damaged details is kept") {
  const nlohmann::json tests =
      fixture::fold("test: a\nfailure: a [ multipart\nContent-Type: text/plain\nlog\n3\r\nabcnonsense\r\n]\n",
                    rr::Version::v1);
  REQUIRE(tests.size() == 2);
  CHECK(tests[1]["details"]["log"]["bytes"]["utf8"] == "abc");
}

TEST_CASE("v2: fields past the end of a packet are a parse error") {
  for (const char* name : {"v2_tags_count_lie", "v2_body_missing_ts"}) {
    INFO(name);
    const std::string stream = fixture::stream(name);
    CHECK(outline(stream + stream, rr::Version::v2) == Lines{"subunit.parser fail", "subunit.parser fail"});
  }
}

TEST_CASE("v2: a MIME type without a slash is kept as it is") {
  struct Visitor final : rr::TestVisitor {
    void on_test(const rr::FoldedTest& test) override { mime_type = test.details.front().mime_type; }
    std::string mime_type;
  };
  Visitor visitor;
  rr::StreamFolder folder(visitor);
  rr::Event event;
  event.test_id = "a";
  event.status = rr::Status::fail;
  event.file_name = "log";
  event.file_bytes = "x";
  event.mime_type = "nonsense";
  folder.on_event(event);
  CHECK(visitor.mime_type == "nonsense");
}

TEST_CASE("many tests in progress at once, ended in any order") {
  // Beyond a few the tests in progress are found by a hash table.
  struct Visitor final : rr::TestVisitor {
    void on_test(const rr::FoldedTest& test) override { seen.emplace_back(test.id); }
    std::vector<std::string> seen;
  };
  constexpr int tests = 100;
  Visitor visitor;
  rr::StreamFolder folder(visitor);
  const auto send = [&](int number, rr::Status status) {
    const std::string id = fmt::format("t{}", number);
    rr::Event event;
    event.test_id = id;
    event.status = status;
    folder.on_event(event);
  };
  for (int i = 0; i < tests; ++i) send(i, rr::Status::inprogress);
  for (int i = 0; i < tests; i += 2) send(i, rr::Status::success);
  for (int i = 0; i < tests; i += 2)
    CHECK(visitor.seen.at(static_cast<std::size_t>(i / 2)) == fmt::format("t{}", i));
  send(1, rr::Status::inprogress);  // known already
  folder.finish();
  REQUIRE(visitor.seen.size() == tests);
  CHECK(visitor.seen.at(tests / 2) == "t99");  // opened last, reported first
  CHECK(visitor.seen.back() == "t1");
  send(5, rr::Status::success);  // and few again
  CHECK(visitor.seen.back() == "t5");
}
