#include <catch2/catch.hpp>

#include "analyzer/shared_runs.h"

using namespace flakebisect::analyzer;
using flakebisect::bisect::ProbeResult;
using flakebisect::bisect::VictimEnd;

TEST_CASE("only later victims of the same worker that wait run behind one") {
  SharedRuns shared;
  shared.expect("7", "worker-0", "b", 20);
  shared.expect("7", "worker-0", "c", 30);
  shared.expect("7", "worker-0", "a", 10);
  shared.expect("7", "worker-1", "elsewhere", 40);
  shared.expect("6", "worker-0", "other run", 50);
  CHECK(shared.behind("a") == std::vector<std::string>{"b", "c"});
  CHECK(shared.behind("b") == std::vector<std::string>{"c"});
  CHECK(shared.behind("elsewhere").empty());
  CHECK(shared.behind("unknown").empty());
  shared.begin("b");
  CHECK(shared.behind("a") == std::vector<std::string>{"c"});
}

TEST_CASE("a result behind a victim tells what ran before it") {
  SharedRuns shared;
  ProbeResult result;
  result.ran = {{"t1", "success", {}}, {"t2", "success", {}}};
  result.end = VictimEnd::fail;
  result.after = {{"b", VictimEnd::fail, "Traceback"},
                  {"skipped", VictimEnd::void_probe, ""},
                  {"c", VictimEnd::pass, ""}};
  shared.add("a", result, 2);
  REQUIRE(shared.of("b").size() == 1);
  CHECK(shared.of("b")[0].ran == std::vector<std::string>{"t1", "t2", "a"});
  CHECK(shared.of("b")[0].end == VictimEnd::fail);
  CHECK(shared.of("b")[0].traceback == "Traceback");
  CHECK(shared.of("b")[0].beside == 2);
  CHECK(shared.of("skipped").empty());
  REQUIRE(shared.of("c").size() == 1);
  CHECK(shared.of("c")[0].ran == std::vector<std::string>{"t1", "t2", "a", "b", "skipped"});
  CHECK(shared.of("a").empty());
}

TEST_CASE("where probes at once disturb each other, those that ran beside others are no evidence") {
  SharedRuns shared;
  ProbeResult result;
  result.end = VictimEnd::fail;
  result.after = {{"b", VictimEnd::fail, "Traceback"}};
  shared.add("a", result, 3);
  shared.add("a", result, 0);
  CHECK_FALSE(shared.one_at_a_time());
  CHECK(shared.of("b").size() == 2);
  shared.disturbed();
  CHECK(shared.one_at_a_time());
  REQUIRE(shared.of("b").size() == 1);
  CHECK(shared.of("b")[0].beside == 0);
  shared.add("a", result, 1);
  CHECK(shared.of("b").size() == 1);
  shared.add("a", result, 0);
  CHECK(shared.of("b").size() == 2);
}
