#include <catch2/catch.hpp>
#include <string>

#include "bisect/probe_reader.h"

using flakebisect::bisect::ProbeReader;
using flakebisect::bisect::stands_for_no_test;
using flakebisect::repo_reader::Event;
using flakebisect::repo_reader::Status;
using flakebisect::repo_reader::Timestamp;

namespace {

Event status(std::string_view id, Status status, std::int64_t milliseconds = -1) {
  Event event;
  event.test_id = id;
  event.status = status;
  if (milliseconds >= 0) event.timestamp = Timestamp{milliseconds * 1000};
  return event;
}

Event file(std::string_view id, std::string_view name, std::string_view bytes,
           std::string_view mime_type = "text/plain") {
  Event event;
  event.test_id = id;
  event.file_name = name;
  event.file_bytes = bytes;
  event.mime_type = mime_type;
  return event;
}

template <class... Events>
ProbeReader read(const Events&... events) {
  ProbeReader reader("victim");
  (reader.on_event(events), ...);
  return reader;
}

}  // namespace

TEST_CASE("tests count in the order they start, with their own times") {
  auto reader = read(status("a", Status::inprogress, 0), status("b", Status::inprogress, 10),
                     status("b", Status::success, 30), status("a", Status::fail, 1500),
                     status("a", Status::inprogress, 2000), status("a", Status::success, 2100),
                     status("victim", Status::inprogress, 3000), status("victim", Status::success, 3250));
  CHECK(reader.victim_status() == Status::success);
  CHECK(reader.victim_seconds() == 0.25);
  const auto ran = reader.take_ran();
  REQUIRE(ran.size() == 3);
  CHECK(ran[0].id == "a");
  CHECK(ran[0].status == "fail");
  CHECK(ran[0].seconds == 1.5);
  CHECK(ran[1].id == "b");
  CHECK(ran[1].seconds == 0.02);
  CHECK(ran[2].id == "a");  // it ran twice
  CHECK(ran[2].status == "success");
}

TEST_CASE("what starts after the victim did not come before it") {
  auto reader = read(status("slow", Status::inprogress, 0), status("victim", Status::inprogress),
                     status("late", Status::inprogress), status("slow", Status::success, 1000),
                     status("late", Status::success));
  CHECK_FALSE(reader.went_on());
  REQUIRE(reader.ran().size() == 1);
  CHECK(reader.ran()[0].id == "slow");
  CHECK(reader.ran()[0].status == "success");
  reader.on_event(status("victim", Status::fail));
  CHECK_FALSE(reader.went_on());
  reader.on_event(status("next", Status::inprogress));
  CHECK(reader.went_on());
  CHECK(reader.ran().size() == 1);
}

TEST_CASE("streams without starts are understood from their ends") {
  auto reader = read(status("a", Status::success), status("victim", Status::fail));
  CHECK(reader.victim_status() == Status::fail);
  CHECK_FALSE(reader.victim_seconds());
  REQUIRE(reader.ran().size() == 1);
  CHECK_FALSE(reader.ran()[0].seconds);
}

TEST_CASE("a clock that steps back gives no duration") {
  CHECK_FALSE(read(status("victim", Status::inprogress, 100), status("victim", Status::success, 50))
                  .victim_seconds());
}

TEST_CASE("the failure's text is the traceback, in whatever pieces, also behind the result") {
  CHECK(read(file("victim", "log", "noise\n"), file("victim", "traceback", "Trace"),
             file("victim", "traceback", "back"), status("victim", Status::fail))
            .victim_text() == "Traceback");
  CHECK(read(status("victim", Status::fail), file("victim", "traceback", "late")).victim_text() == "late");
  CHECK(read(file("victim", "reason", "why\n"),
             file("victim", "core",
                  "\x7F"
                  "ELF",
                  "application/x-core"),
             file("victim", "log", "how\n"), status("victim", Status::skip))
            .victim_text() == "why\nhow\n");
}

TEST_CASE("the first result of the victim is its result") {
  CHECK(read(status("victim", Status::fail), status("victim", Status::inprogress),
             status("victim", Status::success))
            .victim_status() == Status::fail);
}

TEST_CASE("huge attachments are cut, not kept") {
  ProbeReader reader("victim");
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) reader.on_event(file("victim", "log", megabyte));
  CHECK(reader.victim_text().size() == 4U << 20);
}

TEST_CASE("known tests are no news, and results made up at the end are none") {
  auto reader = read(status("a", Status::exists), status("victim", Status::exists));
  CHECK(reader.spoke_subunit());
  CHECK_FALSE(reader.any_test());
  CHECK_FALSE(reader.victim_started());
  reader.on_event(status("victim", Status::inprogress));
  reader.end_of_stream();
  reader.on_event(status("victim", Status::fail));
  CHECK(reader.victim_started());
  CHECK_FALSE(reader.victim_status());
}

TEST_CASE("a start alone does not prove subunit, unless it is the victim's") {
  CHECK_FALSE(read(status("tests::b ... ok", Status::inprogress)).spoke_subunit());
  CHECK(read(status("a", Status::inprogress), status("a", Status::success)).spoke_subunit());
  CHECK(read(status("victim", Status::inprogress)).spoke_subunit());
}

TEST_CASE("fixtures and imports that fail are obstacles, not tests") {
  auto reader = read(file("setUpClass (mod.A)", "traceback", "Traceback\n  x\nOSError: no\n\n"),
                     status("setUpClass (mod.A)", Status::fail), status("setUpModule (mod)", Status::skip),
                     status("process-returncode", Status::fail));
  REQUIRE(reader.obstacles().size() == 2);
  CHECK(reader.obstacles()[0] == "setUpClass (mod.A) failed: OSError: no");
  CHECK(reader.obstacles()[1] == "setUpModule (mod) skipped its tests");
  CHECK_FALSE(reader.import_failed());
  CHECK(reader.ran().empty());
  reader = read(file("unittest.loader._FailedTest.mod", "traceback", "ImportError: x"),
                status("unittest.loader._FailedTest.mod", Status::fail));
  CHECK(reader.import_failed());
  CHECK(reader.obstacles()[0] == "mod could not be imported: ImportError: x");
  for (const char* id : {"process-returncode", "subunit.parser", "testrepository-rpc", "tearDownClass (m.A)",
                         "unittest.loader.ModuleImportFailure.m"}) {
    CHECK(stands_for_no_test(id));
  }
  CHECK_FALSE(stands_for_no_test("tests.test_setUpClass"));
}

TEST_CASE("stray text is kept from its end") {
  Event event;
  event.file_name = "stdout";
  const std::string text(10'000, 'a');
  event.file_bytes = text;
  ProbeReader reader("victim");
  reader.on_event(event);
  event.file_bytes = "end";
  reader.on_event(event);
  CHECK(reader.stray().size() == 4096);
  CHECK(reader.stray().substr(4090) == "aaaend");
}

TEST_CASE("tests that are wanted behind the victim have results of their own") {
  ProbeReader reader("victim", {"next", "later", "never"});
  const auto feed = [&](const auto&... events) { (reader.on_event(events), ...); };
  feed(status("a", Status::inprogress), status("a", Status::success), status("victim", Status::inprogress),
       status("victim", Status::success));
  CHECK(reader.after().empty());
  CHECK_FALSE(reader.after_finished());
  feed(status("next", Status::inprogress), file("next", "log", "chatter"), file("next", "traceback", "Boom"),
       status("next", Status::fail), status("later", Status::inprogress));
  CHECK_FALSE(reader.went_on());  // they were asked for
  const auto after = reader.after();
  REQUIRE(after.size() == 2);
  CHECK(after[0].id == "next");
  CHECK(after[0].status == Status::fail);
  CHECK(after[0].text == "Boom");
  CHECK(after[1].id == "later");
  CHECK_FALSE(after[1].status.has_value());
  CHECK_FALSE(reader.after_finished());
  feed(status("later", Status::success), status("never", Status::skip));
  CHECK(reader.after_finished());
  CHECK(reader.victim_text().empty());
  REQUIRE(reader.ran().size() == 1);
  feed(status("stranger", Status::inprogress));
  CHECK(reader.went_on());
}

TEST_CASE("a test wanted behind the victim that runs before it counts as one that ran before it") {
  ProbeReader reader("victim", {"next"});
  reader.on_event(status("next", Status::inprogress));
  reader.on_event(status("next", Status::fail));
  CHECK(reader.after().empty());
  REQUIRE(reader.ran().size() == 1);
  CHECK(reader.ran()[0].id == "next");
}
