#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "fixture.h"
#include "repo_reader/input_error.h"
#include "repo_reader/list_tests.h"

namespace rr = flakebisect::repo_reader;
using nlohmann::json;

namespace {

const std::string repositories = std::string(TEST_DATA) + "/repositories";

std::string pipeline(std::string_view stream, const std::optional<std::string>& tag,
                     rr::IdOutput ids = rr::IdOutput::held_back) {
  std::string out;
  rr::print_pipeline_of(stream, tag, ids, [&](std::string_view text) { out.append(text); });
  return out;
}

std::string list(rr::RunId run, const rr::ListOptions& options) {
  std::string out;
  rr::print_list(rr::Repository::open(repositories + "/testr_demo"), run, options,
                 [&](std::string_view text) { out.append(text); });
  return out;
}

rr::ListOptions worker(const std::string& tag) {
  rr::ListOptions options;
  options.worker = tag;
  return options;
}

}  // namespace

TEST_CASE("list --pipeline prints what the pipeline printed, for every run and worker of a real repository") {
  for (rr::RunId run = 0; run <= 30; ++run) {
    for (const std::string tag : {"worker-0", "worker-1"}) {
      INFO("run " << run << " " << tag);
      rr::ListOptions options = worker(tag);
      options.pipeline = true;
      CHECK(list(run, options) == fixture::read_file(repositories + "/testr_demo.golden/" +
                                                     std::to_string(run) + "." + tag + ".pipeline.txt"));
    }
  }
}

TEST_CASE(
    "list --pipeline prints what the pipeline printed for a crashed worker and a failed class fixture") {
  for (const std::string name : {"testr_crash_stream", "testr_setupclass_stream"}) {
    for (const std::string tag : {"worker-0", "worker-1"}) {
      INFO(name << " " << tag);
      CHECK(pipeline(fixture::read_file(repositories + "/" + name), tag) ==
            fixture::read_file(repositories + "/" + name + "." + tag + ".pipeline.txt"));
    }
  }
}

TEST_CASE("list prints the true list: what the golden files say of each worker, in order") {
  for (rr::RunId run = 0; run <= 30; ++run) {
    const json golden =
        json::parse(fixture::read_file(repositories + "/testr_demo.golden/" + std::to_string(run) + ".json"));
    for (const std::string tag : {"worker-0", "worker-1"}) {
      std::string expected;
      for (const json& test : golden["tests"]) {
        const auto& tags = test["tags"];
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) continue;
        expected += test["id"].get<std::string>();
        expected += '\n';
      }
      INFO("run " << run << " " << tag);
      CHECK(list(run, worker(tag)) == expected);
    }
  }
}

TEST_CASE("list --before ends with that test") {
  rr::ListOptions options = worker("worker-0");
  const std::string all = list(5, options);
  const std::string third = [&] {
    std::istringstream lines(all);
    std::string line;
    for (int i = 0; i < 3; ++i) std::getline(lines, line);
    return line;
  }();
  options.before = third;
  const std::string cut = list(5, options);
  CHECK(all.starts_with(cut));
  CHECK(cut.ends_with(third + "\n"));
  CHECK(std::count(cut.begin(), cut.end(), '\n') == 3);
}

TEST_CASE("list without a worker groups by worker") {
  const std::string grouped = list(5, {});
  CHECK(grouped.starts_with("worker-0 ("));
  CHECK(grouped.find("\n\nworker-1 (") != grouped.npos);
}

TEST_CASE("list --with-status has the outcome and the seconds of each test") {
  rr::ListOptions options = worker("worker-0");
  options.with_status = true;
  std::istringstream lines(list(5, options));
  std::istringstream plain(list(5, worker("worker-0")));
  std::string line;
  std::string id;
  int count = 0;
  for (; std::getline(lines, line); ++count) {
    REQUIRE(std::getline(plain, id));
    CHECK(line.ends_with("\t" + id));
    CHECK(std::count(line.begin(), line.end(), '\t') == 2);
  }
  CHECK(count > 10);
}

TEST_CASE("list --json is JSON and agrees with the plain list") {
  rr::ListOptions options;
  options.json = true;
  const json document = json::parse(list(5, options));
  CHECK(document["schema"] == "flakebisect/list/1");
  CHECK(document["run_id"] == "5");
  REQUIRE(document["workers"].size() == 2);
  for (const json& each : document["workers"]) {
    std::string ids;
    for (const json& test : each["tests"]) ids += test["id"].get<std::string>() + "\n";
    CHECK(ids == list(5, worker(each["worker"])));
  }
}

TEST_CASE("list names what there is where something is missing") {
  CHECK_THROWS_WITH(list(5, worker("worker-9")), "run 5 has no worker-9; its workers are worker-0, worker-1");
  CHECK_THROWS_WITH(list(31, {}), Catch::Contains("no run 31") && Catch::Contains("31 runs, 0 to 30"));
  rr::ListOptions options = worker("worker-0");
  options.before = "tests.test_echo.TestEcho.test_victm";
  CHECK_THROWS_WITH(list(5, options),
                    Catch::Contains("did you mean 'tests.test_echo.TestEcho.test_victim'?"));
  options.before = "tests.test_echo.TestEcho.test_victim";
  CHECK_THROWS_WITH(list(5, options),
                    Catch::Contains("did not run in run 5 on worker-0; it ran on worker-1"));
}

TEST_CASE("the pipeline holds ids back and lets text pass") {
  // subunit-ls writes ids through a buffer of 8 KiB that text does not go through.
  const std::string id(100, 'x');
  std::string stream;
  for (int i = 0; i < 100; ++i) {
    stream.append("test: ").append(id).append("\nsuccess: ").append(id).append("\n");
    if (i == 0 || i == 90) stream += "text\n";
  }
  const std::string out = pipeline(stream, std::nullopt);
  CHECK(out.starts_with("text\nxxx"));
  CHECK(out.find("text\n", 1) == 5 + 81 * 101);
  CHECK(pipeline(stream, std::nullopt, rr::IdOutput::in_order).find("text\n") == 101);
}

TEST_CASE("the pipeline loses a packet behind text that ends inside a character") {
  const std::string out = pipeline("\xC3\ntest: a\nsuccess: a\n", std::nullopt);
  CHECK(out == "\xC3\na\n");  // the line end is no continuation: back at a boundary
  const std::string lost = pipeline("caf\xC3", std::nullopt);
  CHECK(lost == "caf\xC3");
}
