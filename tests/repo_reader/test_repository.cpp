#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fixture.h"
#include "repo_reader/input_error.h"
#include "repo_reader/repository.h"
#include "repo_reader/subunit_encoder.h"

namespace rr = flakebisect::repo_reader;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(TEST_DATA) / "repositories" / "testr_demo";

/// A directory that is gone afterwards.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "flakebisect-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

rr::InputError::Kind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const rr::InputError& error) {
    return error.kind();
  }
  throw std::runtime_error("no InputError");
}

using Kind = rr::InputError::Kind;

}  // namespace

TEST_CASE("run numbers are plain decimal numbers") {
  CHECK(rr::parse_run_id("0") == 0U);
  CHECK(rr::parse_run_id("1615") == 1615U);
  for (const char* text : {"", "-1", "+1", "007", "1.new", "tmp5", " 1", "0x1", "99999999999999999999"}) {
    INFO(text);
    CHECK(!rr::parse_run_id(text));
  }
}

TEST_CASE("the first of .testr, .testrepository and .stestr is the repository") {
  TemporaryDirectory project;
  CHECK(kind_of([&] { rr::Repository::find(project.path()); }) == Kind::no_repository);
  fs::create_directory(project.path() / ".stestr");
  CHECK(rr::Repository::find(project.path()).path().filename() == ".stestr");
  fs::create_directory(project.path() / ".testrepository");
  CHECK(rr::Repository::find(project.path()).path().filename() == ".testrepository");
  fs::create_directory(project.path() / ".testr");
  CHECK(rr::Repository::find(project.path()).path().filename() == ".testr");
}

TEST_CASE("a file of that name is no repository") {
  TemporaryDirectory project;
  write(project.path() / ".testr", "");
  CHECK(kind_of([&] { rr::Repository::find(project.path()); }) == Kind::no_repository);
}

TEST_CASE("a path given names the repository or what holds it") {
  TemporaryDirectory project;
  write(project.path() / ".stestr" / "0", "");
  CHECK(rr::Repository::open(project.path() / ".stestr").run_ids() == std::vector<rr::RunId>{0});
  CHECK(rr::Repository::open(project.path()).run_ids() == std::vector<rr::RunId>{0});
  CHECK(kind_of([&] { rr::Repository::open(project.path() / "missing"); }) == Kind::no_repository);
  CHECK(kind_of([&] { rr::Repository::open(project.path() / ".stestr" / "0"); }) == Kind::no_repository);
}

TEST_CASE("whose repository it is is told however its path is written") {
  const TemporaryDirectory directory;
  write(directory.path() / ".stestr" / "0", "");
  write(directory.path() / ".testrepository" / "0", "");
  for (const char* path :
       {".stestr", ".stestr/", ".stestr//", "./.stestr/.", ".testrepository/../.stestr/"}) {
    INFO(path);
    CHECK(rr::Repository::open(directory.path() / path).family() == rr::ConfigFamily::stestr);
    CHECK(rr::Repository::open(directory.path() / path).path() == directory.path() / ".stestr");
  }
  CHECK(rr::Repository::open(directory.path() / ".testrepository/").family() == rr::ConfigFamily::testr);
  CHECK(rr::Repository::find(directory.path()).family() == rr::ConfigFamily::testr);
}

TEST_CASE("a real repository has its runs, and nothing else is taken for one") {
  const auto repository = rr::Repository::open(demo);
  CHECK(repository.run_ids().size() == 31);
  CHECK(repository.latest_run() == 30);
  CHECK(repository.latest_failing_run() == 30);
  CHECK(repository.resolve("latest") == 30);
  CHECK(repository.resolve("5") == 5);
}

TEST_CASE("holes, temporary files and a next-stream ahead of the runs do no harm") {
  TemporaryDirectory project;
  const fs::path store = project.path() / ".testrepository";
  write(store / "format", "1\n");
  write(store / "next-stream", "40\n");
  write(store / "next-stream.new", "41\n");
  write(store / "failing", "test: a\nfailure: a\n");
  write(store / "tmpab12", "test: a\n");
  write(store / "3", "test: a\nsuccess: a\n");
  write(store / "17", "test: a\nfailure: a\n");
  write(store / "39", "test: a\nsuccess: a\n");
  fs::create_directory(store / "38");
  const auto repository = rr::Repository::find(project.path());
  CHECK(repository.run_ids() == std::vector<rr::RunId>{3, 17, 39});
  CHECK(repository.latest_run() == 39);
  CHECK(repository.latest_failing_run() == 17);
  CHECK_THROWS_WITH(repository.resolve("20"),
                    Catch::Contains("it holds 3 runs, 3 to 39; the nearest are 17 and 39"));
  CHECK_THROWS_WITH(repository.resolve("banana"), Catch::Contains("no run banana"));
}

TEST_CASE("no run, and no failing run, say so") {
  TemporaryDirectory project;
  fs::create_directory(project.path() / ".stestr");
  const auto repository = rr::Repository::find(project.path());
  CHECK(repository.run_ids().empty());
  CHECK(kind_of([&] { repository.latest_run(); }) == Kind::no_run);
  CHECK(kind_of([&] { repository.resolve("latest"); }) == Kind::no_run);
  CHECK(kind_of([&] { repository.read_run(0); }) == Kind::no_such_run);
  write(project.path() / ".stestr" / "0",
        "test: a\nsuccess: a\ntest: process-returncode\nfailure: process-returncode\n");
  CHECK(kind_of([&] { repository.resolve("latest"); }) == Kind::no_run);
}

TEST_CASE("a run that vanishes after it was listed is an error with a message") {
  TemporaryDirectory project;
  write(project.path() / ".stestr" / "0", "test: a\nsuccess: a\n");
  const auto repository = rr::Repository::find(project.path());
  REQUIRE(repository.run_ids().size() == 1);
  fs::remove(project.path() / ".stestr" / "0");
  CHECK(kind_of([&] { repository.read_run(0); }) == Kind::no_such_run);
}

TEST_CASE("a run may be read while it is written: every prefix is a prefix of the tests") {
  const std::string whole = fixture::read_file((demo / "5").string());
  const rr::TestRun complete = rr::Repository::open(demo).read_run(5);
  std::vector<std::string> ids;
  for (const auto& worker : complete.workers) {
    for (const auto& test : worker.tests) ids.push_back(test.id);
  }
  TemporaryDirectory project;
  const auto file = project.path() / ".testrepository" / "5";
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    write(file, std::string_view(whole).substr(0, length));
    const rr::TestRun run = rr::Repository::find(project.path()).read_run(5);
    CHECK(run.damaged_parts == 0);
    for (const auto& worker : run.workers) {
      for (const auto& test : worker.tests) {
        INFO("cut at " << length << ": " << test.id);
        CHECK(std::find(ids.begin(), ids.end(), test.id) != ids.end());
      }
    }
  }
}

TEST_CASE("the details of an execution are found again") {
  const auto repository = rr::Repository::open(demo);
  const rr::TestRun run = repository.read_run(5);
  std::size_t failures = 0;
  for (const auto& worker : run.workers) {
    for (const auto& test : worker.tests) {
      if (!test.failed()) continue;
      ++failures;
      CHECK(rr::failure_text(repository.read_details(5, test)).find("Traceback (most recent call last)") ==
            0);
    }
  }
  CHECK(failures == 1);
}

TEST_CASE("details of a test that ran twice belong to the execution asked for") {
  TemporaryDirectory project;
  write(project.path() / ".stestr" / "0",
        "test: a\nfailure: a [\nfirst\n]\ntest: a\nfailure: a [\nsecond\n]\n");
  const auto repository = rr::Repository::find(project.path());
  const rr::TestRun run = repository.read_run(0);
  REQUIRE(run.workers.at(0).tests.size() == 2);
  CHECK(rr::failure_text(repository.read_details(0, run.workers[0].tests[0])) == "first\n");
  CHECK(rr::failure_text(repository.read_details(0, run.workers[0].tests[1])) == "second\n");
}

TEST_CASE("the version is told from the content of each file") {
  TemporaryDirectory project;
  rr::Event event;
  event.test_id = "b";
  event.status = rr::Status::fail;
  std::string packet;
  rr::encode_event(event, packet);
  write(project.path() / ".stestr" / "0", packet);
  write(project.path() / ".stestr" / "1", "running=python\n" + packet);
  write(project.path() / ".stestr" / "2", "test: b\nfailure: b\n");
  const auto repository = rr::Repository::find(project.path());
  for (rr::RunId run : {0U, 1U, 2U}) {
    const rr::TestRun read = repository.read_run(run);
    REQUIRE(read.workers.size() == 1);
    REQUIRE(read.workers[0].tests.size() == 1);
    CHECK(read.workers[0].tests[0].id == "b");
    CHECK(read.workers[0].tests[0].failed());
  }
}

TEST_CASE("a scan reports every test") {
  struct Visitor final : rr::TestVisitor {
    void on_test(const rr::FoldedTest&) override { ++tests; }
    std::size_t tests = 0;
  };
  const auto repository = rr::Repository::open(demo);
  Visitor visitor;
  for (const rr::RunId run : repository.run_ids()) repository.scan_run(run, visitor);
  std::size_t tests = 0;
  for (const rr::RunId run : repository.run_ids()) {
    for (const auto& worker : repository.read_run(run).workers) tests += worker.tests.size();
  }
  CHECK(visitor.tests == tests);
}
