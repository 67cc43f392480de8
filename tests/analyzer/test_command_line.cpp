#include <catch2/catch.hpp>

#include "analyzer/bisect_options.h"
#include "analyzer/command_line.h"
#include "analyzer/exit_status.h"
#include "analyzer/runner_plan.h"

using namespace flakebisect::analyzer;
using Catch::Matchers::Contains;

TEST_CASE("durations are sums of numbers with units") {
  CHECK(parse_duration_seconds("90s", "--budget") == 90);
  CHECK(parse_duration_seconds("30m", "--budget") == 1800);
  CHECK(parse_duration_seconds("8h", "--budget") == 28800);
  CHECK(parse_duration_seconds("1h30m", "--budget") == 5400);
  CHECK(parse_duration_seconds("2.5", "--budget") == 2.5);
  for (const char* bad : {"", "s", "-1s", "3x", "nan", "1e999", "0s"}) {
    CHECK_THROWS_WITH(parse_duration_seconds(bad, "--budget"), Contains("--budget"));
  }
}

TEST_CASE("an unknown option suggests the nearest one") {
  bool help = false;
  CHECK_THROWS_WITH(parse_bisect_options({"--run-di", "3"}, help), Contains("'--run-id'"));
  CHECK_THROWS_AS(parse_bisect_options({"--zzzzzzzzz"}, help), UsageError);
  CHECK_THROWS_AS(parse_bisect_options({"stray"}, help), UsageError);
  // Abbreviations are not guessed: scripts would break when an option is added.
  CHECK_THROWS_AS(parse_bisect_options({"--conf", "0.9"}, help), UsageError);
}

TEST_CASE("options that make no sense are refused") {
  for (const char* option : {"--jobs", "--max-probes", "--seed"}) {
    bool asked = false;
    CHECK_THROWS_WITH(parse_bisect_options({option, "-1"}, asked), Contains(option));
  }
  bool help = false;
  CHECK_THROWS_WITH(parse_bisect_options({"--confidence", "1"}, help), Contains("--confidence"));
  CHECK_THROWS_WITH(parse_bisect_options({"--confidence", "nan"}, help), Contains("--confidence"));
  CHECK_THROWS_WITH(parse_bisect_options({"--match", "("}, help), Contains("--match"));
  CHECK_THROWS_WITH(parse_bisect_options({"--load-list", "x"}, help), Contains("--test"));
  CHECK_THROWS_WITH(parse_bisect_options({"--load-list", "x", "--test", "t"}, help), Contains("--command"));
  CHECK_THROWS_WITH(parse_bisect_options({"--json", "-", "--text", "-"}, help), Contains("standard output"));
  CHECK_THROWS_WITH(parse_bisect_options({"--max-probes", "0"}, help), Contains("--max-probes"));
  for (const char* runs : {"0", "65", "-1", "many", "4294967297"}) {
    CHECK_THROWS_AS(parse_bisect_options({"--victim-runs", runs}, help), UsageError);
    CHECK_THROWS_WITH(parse_bisect_options({"--victim-runs", runs}, help), Contains("--victim-runs"));
  }
}

TEST_CASE("the command word is found behind common options") {
  std::vector<std::string> args = {"-C", "list", "-q", "list", "--run-id", "6"};
  CHECK(take_command_word(args) == "list");
  CHECK(args == std::vector<std::string>{"-C", "list", "-q", "--run-id", "6"});
  args = {"--run-id", "list"};
  CHECK_FALSE(take_command_word(args));
  args = {};
  CHECK_FALSE(take_command_word(args));
}

TEST_CASE("a resumed session has the options it was started with") {
  bool help = false;
  const auto options =
      parse_bisect_options({"--run-id", "7", "--confidence", "0.9", "--budget", "8h", "--suspect", "a.*",
                            "--seed", "18446744073709551615", "--command", "run $IDFILE"},
                           help);
  const auto again = bisect_options_from_json(bisect_options_to_json(options));
  CHECK(again.run_id == "7");
  CHECK(again.confidence == 0.9);
  CHECK(again.budget_seconds == 28800);
  CHECK(again.suspects == std::vector<std::string>{"a.*"});
  CHECK(again.seed == 18446744073709551615ULL);
  CHECK(again.command == "run $IDFILE");
  CHECK_FALSE(again.worker);
  CHECK_FALSE(again.victim_runs);
}

TEST_CASE("a probe may run the victim as often as was asked for, 32 times on a test server, else once") {
  bool help = false;
  RunnerPlan command;
  RunnerPlan server;
  server.server.emplace();
  auto options = parse_bisect_options({}, help);
  CHECK(command.victim_runs(options) == 1);
  CHECK(server.victim_runs(options) == 32);
  options =
      bisect_options_from_json(bisect_options_to_json(parse_bisect_options({"--victim-runs", "64"}, help)));
  CHECK(command.victim_runs(options) == 1);
  CHECK(server.victim_runs(options) == 64);
  CHECK(server.victim_runs(parse_bisect_options({"--victim-runs", "1"}, help)) == 1);
}

TEST_CASE("the nearest word is suggested only where it is near") {
  CHECK(nearest("anlyze", {"list", "analyze"}) == "analyze");
  CHECK_FALSE(nearest("xyz", {"list", "analyze"}));
}
