#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "fixture.h"
#include "repo_reader/run_file.h"
#include "repo_reader/subunit_encoder.h"

/// What each worker executed, in which order.

namespace rr = flakebisect::repo_reader;
using fixture::packet;

namespace {

/// Blocks as testr and stestr store them. Times are milliseconds after 12:00.
std::string time_line(int ms) {
  return fmt::format("time: 2026-11-22 12:{:02}:{:02}.{:03}000Z\n", ms / 60'000, ms / 1000 % 60, ms % 1000);
}

std::string block(const std::string& id, int worker, int start, int stop,
                  const std::string& outcome = "successful") {
  const std::string details =
      outcome == "failure" ? "Content-Type: text/plain\ntraceback\n3\r\nbad0\r\n" : "";
  return fmt::format("{}tags: worker-{}\ntest: {}\n{}{}: {} [ multipart\n{}]\ntags: -worker-{}\n",
                     time_line(start), worker, id, time_line(stop), outcome, id, details, worker);
}

std::string unfinished_block(const std::string& id, int worker, int start) {
  return fmt::format("{}tags: worker-{}\ntest: {}\nfailure: {} [ multipart\n]\ntags: -worker-{}\n",
                     time_line(start), worker, id, id, worker);
}

/// "worker-0/1: a b! c" for each list; "!" marks unfinished tests.
std::vector<std::string> lists(std::string_view stream) {
  std::vector<std::string> out;
  for (const rr::WorkerRun& worker : rr::read_run_stream(stream).workers) {
    std::string line = fmt::format("{}/{}:", worker.tag, worker.generation);
    for (const rr::ExecutedTest& test : worker.tests) {
      line.append(" ").append(test.id);
      if (test.unfinished) line.append("!");
    }
    out.push_back(line);
  }
  return out;
}

using Lists = std::vector<std::string>;

}  // namespace

TEST_CASE("tests go to their worker in the order of the file") {
  CHECK(lists(block("a", 0, 0, 10) + block("x", 1, 0, 11) + block("b", 0, 10, 20)) ==
        Lists{"worker-0/1: a b", "worker-1/1: x"});
}

TEST_CASE("workers are ordered by number") {
  CHECK(lists(block("a", 10, 0, 10) + block("b", 2, 0, 10)) == Lists{"worker-2/1: b", "worker-10/1: a"});
}

TEST_CASE("tests that never ended go back to where they started") {
  CHECK(lists(block("a", 0, 0, 10) + block("b", 0, 10, 20) + block("d", 0, 30, 40) + block("x", 1, 0, 50) +
              unfinished_block("y", 1, 55) + unfinished_block("c", 0, 25)) ==
        Lists{"worker-0/1: a b c! d", "worker-1/1: x y!"});
}

TEST_CASE("a bare failure that is not at the end of the file did end") {
  CHECK(lists(unfinished_block("a", 0, 0) + block("b", 0, 10, 20)) == Lists{"worker-0/1: a b"});
}

TEST_CASE("a failure without times is no unfinished test") {
  CHECK(lists("test: a\nfailure: a\n") == Lists{"/1: a"});
}

TEST_CASE("a failure with details at the end of the file did end") {
  CHECK(lists(block("a", 0, 0, 10) + block("b", 0, 20, 20, "failure")) == Lists{"worker-0/1: a b"});
}

TEST_CASE("the worker that died: real stream") {
  const auto run =
      rr::read_run_stream(fixture::read_file(std::string(TEST_DATA) + "/repositories/testr_crash_stream"));
  REQUIRE(run.workers.size() == 2);
  const auto& tests = run.workers[1].tests;
  REQUIRE(tests.size() > 2);
  CHECK(tests.back().id == "process-returncode");
  CHECK(!tests.back().runnable);
  const auto& noisy = tests[tests.size() - 2];
  CHECK(noisy.id == "tests.test_delta.TestDelta.test_noisy");
  CHECK(noisy.unfinished);
  CHECK(noisy.runnable);
  CHECK(noisy.failed());
  CHECK(!noisy.seconds);
}

TEST_CASE("the failed class fixture: real stream") {
  const auto run = rr::read_run_stream(
      fixture::read_file(std::string(TEST_DATA) + "/repositories/testr_setupclass_stream"));
  std::size_t fixtures = 0;
  for (const auto& worker : run.workers) {
    for (const auto& test : worker.tests) {
      if (!test.id.starts_with("setUpClass (")) continue;
      ++fixtures;
      CHECK(!test.runnable);
      CHECK(!test.unfinished);
      CHECK(test.status == rr::Status::fail);
    }
  }
  CHECK(fixtures == 1);
}

TEST_CASE("a test that ran twice is there twice, numbered") {
  const auto run = rr::read_run_stream(block("a", 0, 0, 10) + block("b", 0, 10, 20) + block("a", 0, 20, 30));
  REQUIRE(run.workers.size() == 1);
  REQUIRE(run.workers[0].tests.size() == 3);
  CHECK(run.workers[0].tests[0].occurrence == 1);
  CHECK(run.workers[0].tests[2].occurrence == 2);
}

TEST_CASE("an appended run is another process") {
  const std::string first = block("a", 0, 0, 10) + block("x", 1, 0, 12) + block("b", 0, 10, 20);
  const std::string second = block("a", 0, 1000, 1010) + block("b", 1, 1000, 1020);
  CHECK(lists(first + second) == Lists{"worker-0/1: a b", "worker-1/1: x", "worker-0/2: a", "worker-1/2: b"});
}

TEST_CASE("an appended run begins behind the unfinished tests of the one before") {
  const std::string first = block("a", 0, 0, 10) + block("b", 0, 20, 30) + unfinished_block("h", 0, 15);
  const std::string second = block("c", 0, 1000, 1010) + block("a", 0, 1010, 1020);
  CHECK(lists(first + second) == Lists{"worker-0/1: a h! b", "worker-0/2: c a"});
}

TEST_CASE("two appended runs are two more processes") {
  const std::string runs = block("a", 0, 0, 10) + block("a", 0, 1000, 1010) + block("a", 0, 2000, 2010);
  CHECK(lists(runs) == Lists{"worker-0/1: a", "worker-0/2: a", "worker-0/3: a"});
}

TEST_CASE("a pause alone is no appended run") {
  CHECK(lists(block("a", 0, 0, 10) + block("b", 0, 5000, 5010)) == Lists{"worker-0/1: a b"});
}

TEST_CASE("a worker tag on every test, added by a reload, is ignored where there is another") {
  const std::string both =
      "tags: worker-0\ntest: a\nsuccess: a\ntags: worker-1\ntest: b\nsuccess: b\ntest: c\nsuccess: c\n";
  CHECK(lists(both) == Lists{"worker-0/1: a", "worker-1/1: b c"});
}

TEST_CASE("tests without a worker tag form a list of their own") {
  CHECK(lists("test: a\nsuccess: a\n" + block("b", 0, 0, 1)) == Lists{"worker-0/1: b", "/1: a"});
}

TEST_CASE("v2: exists is no result, and an unfinished test is in its place") {
  CHECK(lists(packet("a", rr::Status::exists) + packet("b", rr::Status::exists) +
              packet("a", rr::Status::inprogress) + packet("b", rr::Status::inprogress) +
              packet("b", rr::Status::success)) == Lists{"/1: a! b"});
}

TEST_CASE("v2: a file behind the end of its test is no execution") {
  rr::Event file;
  file.test_id = "a";
  file.file_name = "log";
  file.file_bytes = "late";
  std::string late;
  rr::encode_event(file, late);
  CHECK(lists(packet("a", rr::Status::success) + late) == Lists{"/1: a"});
  CHECK(lists(late) == Lists{"/1: a!"});
}

TEST_CASE("durations are never negative, and absent where unknown") {
  const auto seconds = [](std::string_view stream) {
    return rr::read_run_stream(stream).workers.at(0).tests.at(0).seconds;
  };
  CHECK(seconds(block("a", 0, 100, 350)) == Approx(0.25));
  CHECK(seconds(block("a", 0, 100, 50)) == 0.0);
  CHECK(!seconds("test: a\nsuccess: a\n"));
  CHECK(!seconds(unfinished_block("a", 0, 5)));
}

TEST_CASE("ids that runners make up are not runnable") {
  for (const char* id : {"process-returncode", "testrepository-rpc", "subunit.parser", "broken-runner-'0'",
                         "stdin", "setUpClass (m.C)", "tearDownClass (m.C)", "setUpModule (m)",
                         "unittest.loader._FailedTest.m", "unittest.loader.ModuleImportFailure.m"}) {
    INFO(id);
    const auto run = rr::read_run_stream(fmt::format("test: {0}\nfailure: {0}\n", id));
    CHECK(!run.workers.at(0).tests.at(0).runnable);
  }
  CHECK(rr::read_run_stream("test: m.C.test_stdin\nsuccess: m.C.test_stdin\n")
            .workers.at(0)
            .tests.at(0)
            .runnable);
}

TEST_CASE("damage is counted and does not hide the rest") {
  const auto run = rr::read_run_stream(packet("a", rr::Status::success) + std::string("\xB3\x29\x03\x01", 4) +
                                       packet("b", rr::Status::success));
  CHECK(run.damaged_parts == 1);
  std::size_t tests = 0;
  for (const auto& test : run.workers.at(0).tests) tests += test.runnable ? 1U : 0U;
  CHECK(tests == 2);
}
