#include "analyzer/analyze/run_index.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "analyzer/analyze/index_update.h"
#include "repo_reader/repository.h"

using namespace flakebisect::analyzer;
using flakebisect::repo_reader::Repository;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "flakebisect-index-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path path;
};

ImportedRun run_of(std::uint64_t number, const std::string& test, bool fails, std::int64_t started) {
  ImportedRun run;
  run.run = number;
  run.stamp = {100, static_cast<std::int64_t>(number), number};
  run.started_micros = started;
  run.wall_seconds = 2;
  run.tests = {test, "other"};
  run.processes.push_back({1, 1, 0, 2});
  Result result;
  result.test = 0;
  result.ending = fails ? Ending::fail : Ending::pass;
  result.start_micros = started;
  result.seconds = 0.5F;
  if (fails) {
    run.signatures = {"Error in " + test};
    result.signature = 1;
  }
  run.results.push_back(result);
  result.test = 1;
  result.ending = Ending::pass;
  result.signature = 0;
  run.results.push_back(result);
  return run;
}

void write_run(const fs::path& store, int number, bool fails) {
  std::ofstream(store / std::to_string(number))
      << "time: 2026-01-01 10:00:00.000000Z\ntags: worker-0\ntest: a.b\ntime: 2026-01-01 10:00:01.500000Z\n"
      << (fails ? "failure: a.b [\nTraceback\nError: 7\n]\n" : "success: a.b\n") << "tags: -worker-0\n";
}

/// Makes a repository with so many runs, of which every fourth failed; its folder.
fs::path write_runs(const Folder& folder, int count) {
  fs::path store = folder.path / ".testrepository";
  fs::create_directory(store);
  for (int n = 0; n < count; ++n) write_run(store, n, n % 4 == 0);
  return store;
}

}  // namespace

TEST_CASE("The index keeps runs, and replaces and forgets them") {
  Folder folder;
  const auto file = (folder.path / "index.sqlite").string();
  {
    RunIndex index(file, "/repository");
    index.store({run_of(1, "a", false, 10), run_of(2, "a", true, 20), run_of(5, "b", true, 30)});
    index.store({run_of(2, "a", false, 21)});
    index.forget({5, 77});
  }
  RunIndex index(file, "/repository");
  const auto runs = index.runs();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].run == 1);
  CHECK(runs[1].stamp == FileStamp{100, 2, 2});
  const auto history = index.load(0, 0);
  REQUIRE(history.runs.size() == 2);
  CHECK(history.runs[1].started_micros == 21);
  CHECK(history.runs[1].wall_seconds == 2);
  REQUIRE(history.results.size() == 4);
  CHECK(history.tests[history.results[2].test] == "a");
  CHECK(history.results[2].ending == Ending::pass);
  CHECK(history.results[2].seconds == Approx(0.5));
  CHECK(index.load(2, 0).runs.size() == 1);
  CHECK(index.load(0, 15).runs.size() == 1);
  CHECK(index.load(0, 22).runs.empty());
  // Another repository's runs do not mix with them.
  RunIndex other(file, "/elsewhere");
  CHECK(other.runs().empty());
  other.store({run_of(1, "c", true, 5)});
  CHECK(other.load(0, 0).runs.size() == 1);
  CHECK(index.load(0, 0).runs.size() == 2);
}

TEST_CASE("Files that are no index are told from damaged ones") {
  Folder folder;
  const auto file = (folder.path / "index.sqlite").string();
  std::ofstream(file) << std::string(5000, 'x');
  try {
    RunIndex index(file, "/repository");
    FAIL("it was opened");
  } catch (const IndexError& error) {
    CHECK(error.damaged);
  }
  RunIndex::remove(file);
  CHECK_FALSE(fs::exists(file));
  CHECK_NOTHROW(RunIndex(file, "/repository"));
  CHECK_THROWS_AS(RunIndex((folder.path / "missing" / "index").string(), "/repository"), IndexError);
}

TEST_CASE("A lock is waited for, and given up") {
  Folder folder;
  const auto path = (folder.path / "lock").string();
  auto first = std::make_unique<IndexLock>(path, 1);
  CHECK_THROWS_AS(IndexLock(path, 0), IndexError);
  first.reset();
  CHECK_NOTHROW(IndexLock(path, 0));
}

TEST_CASE("A history is the same whatever was indexed before") {
  Folder folder;
  const auto store = write_runs(folder, 30);
  const auto repository = Repository::find(folder.path);
  const auto file = (folder.path / ".flakebisect" / "index.sqlite").string();
  const auto silent = [](std::size_t, std::size_t) {};
  auto first = indexed_history(repository, file, {}, silent);
  CHECK(first.decoded_runs == 30);
  CHECK(first.warnings.empty());
  REQUIRE(first.history.results.size() == 30);
  CHECK(first.history.results[4].ending == Ending::fail);
  CHECK(first.history.results[4].seconds == Approx(1.5));
  CHECK(first.history.results[0].signature == first.history.results[4].signature);
  CHECK(first.history.runs[3].wall_seconds == Approx(1.5));
  CHECK(indexed_history(repository, file, {}, silent).decoded_runs == 0);
  write_run(store, 31, true);
  fs::remove(store / "2");
  std::ofstream(store / "3") << "";
  const auto after = indexed_history(repository, file, {}, silent);
  CHECK(after.decoded_runs == 2);
  CHECK(after.forgotten_runs == 1);
  CHECK(after.stored_runs == 30);
  CHECK(after.history.runs.size() == 30);
  CHECK(after.history.results.size() == 29);
  // Without a place for an index.
  const auto memory = indexed_history(repository, "/dev/null/index.sqlite", {}, silent);
  CHECK(memory.warnings.size() == 1);
  CHECK(memory.history.results.size() == 29);
}

TEST_CASE("An unexpected success is what the repository's own tool takes it for") {
  for (const bool stestr : {false, true}) {
    Folder folder;
    const auto store = folder.path / (stestr ? ".stestr" : ".testrepository");
    fs::create_directory(store);
    std::ofstream(store / "0") << "test: a.b\nuxsuccess: a.b\n";
    const auto imported = import_run(Repository::find(folder.path), 0);
    CHECK(imported.error.empty());
    REQUIRE(imported.results.size() == 1);
    CHECK(imported.results[0].ending == (stestr ? Ending::fail : Ending::pass));
    CHECK(imported.signatures ==
          (stestr ? std::vector<std::string>{"unexpected success"} : std::vector<std::string>{}));
  }
}

TEST_CASE("An index with damage anywhere is made anew, and never ends the analysis") {
  Folder folder;
  write_runs(folder, 12);
  const auto repository = Repository::find(folder.path);
  const auto file = folder.path / ".flakebisect" / "index.sqlite";
  const auto silent = [](std::size_t, std::size_t) {};
  REQUIRE(indexed_history(repository, file.string(), {}, silent).warnings.empty());
  std::string whole;
  {
    std::ifstream stream(file, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(stream), {});
  }
  REQUIRE(whole.size() > 8192);
  std::mt19937 random(1);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  for (int round = 0; round < 400; ++round) {
    // Behind the file's first hundred bytes, which say whose file it is: all of it, or up to 64 bytes.
    std::string damaged = whole;
    const bool all = round % 2 == 0;
    const std::size_t first = all ? 100 + below(1500) : 100 + below(whole.size() - 164);
    const std::size_t last = all ? whole.size() : first + 1 + below(64);
    for (std::size_t i = first; i < last; ++i) damaged[i] = static_cast<char>(random());
    RunIndex::remove(file.string());
    std::ofstream(file, std::ios::binary) << damaged;
    INFO("round " << round << ", bytes " << first << " to " << last);
    const auto found = indexed_history(repository, file.string(), {}, silent);
    for (const auto& warning : found.warnings) CHECK_THAT(warning, Catch::Contains("the index is damaged"));
    CHECK(found.history.runs.size() == 12);
    CHECK(found.history.results.size() == 12);
    if (!all) continue;
    CHECK(found.warnings.size() == 1);
    CHECK(found.decoded_runs == 12);
    CHECK(indexed_history(repository, file.string(), {}, silent).decoded_runs == 0);
  }
}

TEST_CASE("An index whose tables are not what they were is made anew") {
  Folder folder;
  write_runs(folder, 4);
  const auto repository = Repository::find(folder.path);
  const auto file = (folder.path / ".flakebisect" / "index.sqlite").string();
  const auto silent = [](std::size_t, std::size_t) {};
  for (const char* change : {"DROP TABLE run", "DROP TABLE test", "UPDATE test SET id = -1",
                             "UPDATE signature SET id = id + 1000000000000"}) {
    INFO(change);
    REQUIRE(indexed_history(repository, file, {}, silent).warnings.empty());
    SQLite::Database(file, SQLite::OPEN_READWRITE).exec(change);
    const auto found = indexed_history(repository, file, {}, silent);
    REQUIRE(found.warnings.size() == 1);
    CHECK_THAT(found.warnings[0], Catch::Contains("the index is damaged"));
    CHECK(found.history.results.size() == 4);
  }
}

TEST_CASE("A file that this SQLite cannot read, and that may be another program's, is left alone") {
  Folder folder;
  write_runs(folder, 4);
  const auto repository = Repository::find(folder.path);
  const auto file = folder.path / "index.sqlite";
  SQLite::Database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE precious (x)");
  {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(47);  // the last byte of the schema's format, of which 4 is the newest
    stream.put(9);
  }
  const auto size = fs::file_size(file);
  const auto found = indexed_history(repository, file.string(), {}, [](std::size_t, std::size_t) {});
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0], Catch::Contains("no index is kept"));
  CHECK(found.history.results.size() == 4);
  CHECK(fs::file_size(file) == size);
}
