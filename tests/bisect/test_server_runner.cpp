#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "bisect/server_runner.h"
#include "command_project.h"
#include "rpc_test_tools.h"

using namespace flakebisect::bisect;
using Catch::Matchers::Contains;
using flakebisect::bisect::testing::Project;

namespace {

const std::vector<std::string> kTests = {"suite.a_pass", "suite.b_pollute", "suite.c_pass", "suite.e_victim"};

/// Commands of tiny_server.py, and the process ids of all that were started.
class Tiny {
 public:
  explicit Tiny(const std::string& mode, const std::string& tests = "")
      : pids_((std::filesystem::temp_directory_path() / fmt::format("tiny-{}-{}", getpid(), ++counter()))
                  .string()) {
    options.command =
        fmt::format("exec {} -S {}/servers/tiny_server.py {} {}", FLAKEBISECT_PYTHON, TEST_DATA, mode, tests);
    options.environment = {{"TINY_SERVER_PIDS", pids_}};
    options.stop_grace_seconds = 30;
    options.handshake_limit_seconds = 60;
  }
  ~Tiny() { std::filesystem::remove(pids_); }

  std::vector<pid_t> pids() const {
    std::vector<pid_t> all;
    std::ifstream file(pids_);
    for (pid_t pid = 0; file >> pid;) all.push_back(pid);
    return all;
  }
  bool any_alive() const {
    for (const pid_t pid : pids()) {
      if (::kill(pid, 0) == 0) return true;
    }
    return false;
  }

  ServerRunnerOptions options;

 private:
  static int& counter() {
    static int count = 0;
    return count;
  }
  std::string pids_;
};

ProbeRequest probe(std::vector<std::string> before = {"suite.a_pass"},
                   std::string victim = "suite.e_victim") {
  ProbeRequest request;
  request.before = std::move(before);
  request.victim = std::move(victim);
  return request;
}

ProbeResult run(ServerRunner& runner, const ProbeRequest& request) {
  const std::atomic<bool> never{false};
  return runner.run(request, never);
}

std::vector<std::string> ids(const std::vector<TestRun>& ran) {
  std::vector<std::string> list;
  for (const auto& test : ran) list.push_back(test.id);
  return list;
}

std::string failure_of(Tiny& tiny, const ProbeRequest& request = probe()) {
  ServerRunner runner(tiny.options);
  try {
    const ProbeResult result = run(runner, request);
    return "no exception, but: " + result.void_reason;
  } catch (const CannotRun& failure) {
    CHECK_FALSE(tiny.any_alive());
    return failure.what();
  }
}

}  // namespace

TEST_CASE("a warm server serves probes that do not see each other", "[server]") {
  Tiny tiny("good");
  {
    ServerRunner runner(tiny.options);
    const ProbeResult clean = run(runner, probe());
    CHECK(clean.end == VictimEnd::pass);
    CHECK(ids(clean.ran) == std::vector<std::string>{"suite.a_pass"});
    CHECK(clean.ran[0].status == "success");
    CHECK(clean.ran[0].seconds.has_value());
    CHECK(clean.victim_seconds.has_value());
    CHECK(clean.startup_seconds > 0);
    CHECK(clean.wall_seconds >= clean.startup_seconds);
    CHECK(clean.remarks.empty());
    const ProbeResult polluted = run(runner, probe({"suite.a_pass", "suite.b_pollute", "suite.c_pass"}));
    CHECK(polluted.end == VictimEnd::fail);
    CHECK_THAT(polluted.traceback, Contains("AssertionError: polluted"));
    CHECK(ids(polluted.ran) == std::vector<std::string>{"suite.a_pass", "suite.b_pollute", "suite.c_pass"});
    const ProbeResult again = run(runner, probe());
    CHECK(again.end == VictimEnd::pass);
    CHECK(clean.process != 0);
    CHECK(polluted.process == clean.process);
    CHECK(again.process == clean.process);
    CHECK(runner.servers_started() == 1);
    CHECK(runner.warm_pid() > 0);
    CHECK_THAT(runner.description(), Contains("tiny_server 1.0") && Contains("kept warm"));

    SECTION("a fresh process is another server's, and the warm one stays") {
      ProbeRequest fresh = probe();
      fresh.fresh_process = true;
      const ProbeResult result = run(runner, fresh);
      CHECK(result.end == VictimEnd::pass);
      CHECK(result.process == 0);
      CHECK(run(runner, probe()).process == clean.process);
      CHECK(tiny.pids().size() == 2);
    }
    SECTION("the list") {
      const std::atomic<bool> never{false};
      const auto list = runner.list_tests(never);
      REQUIRE(list);
      CHECK(list->size() == 5);
      CHECK(list->front() == "suite.a_pass");
    }
  }
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("servers of every well-behaved kind give the same results", "[server]") {
  const std::string mode = GENERATE("v1", "inline", "plain2", "ordered", "good_noisy", "good_split",
                                    "good_routed", "good_number_nonce", "slow_hello");
  INFO(mode);
  Tiny tiny(mode);
  {
    ServerRunner runner(tiny.options);
    CHECK(run(runner, probe()).end == VictimEnd::pass);
    const ProbeResult polluted = run(runner, probe({"suite.a_pass", "suite.b_pollute", "suite.d_print"}));
    CHECK(polluted.end == VictimEnd::fail);
    CHECK(ids(polluted.ran) == std::vector<std::string>{"suite.a_pass", "suite.b_pollute", "suite.d_print"});
    CHECK(run(runner, probe()).end == VictimEnd::pass);
    const bool warm = mode.starts_with("good") || mode == "slow_hello";
    CHECK(runner.servers_started() == (warm ? 1 : 3));
    CHECK((polluted.process != 0) == warm);
    if (!warm) CHECK_FALSE(tiny.any_alive());
  }
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("warm servers are replaced by the schedule, and each has a name of its own", "[server]") {
  ReplacementSchedule schedule;
  std::vector<std::uint32_t> quotas;
  for (std::uint64_t i = 0; i < 9; ++i) quotas.push_back(schedule.probes_of(i));
  CHECK(quotas == std::vector<std::uint32_t>{4, 6, 9, 13, 19, 28, 42, 50, 50});
  CHECK(ReplacementSchedule{0, 0, 0}.probes_of(1000) == 1);
  CHECK(ReplacementSchedule{1, 2, 0}.probes_of(1000) > 1000000);

  Tiny tiny("good");
  tiny.options.replacement = {1, 2, 2};
  ServerRunner runner(tiny.options);
  std::vector<std::uint64_t> processes;
  for (int i = 0; i < 5; ++i) processes.push_back(run(runner, probe()).process);
  CHECK(runner.servers_started() == 3);
  CHECK(processes[1] == processes[2]);
  CHECK(processes[3] == processes[4]);
  CHECK(std::set<std::uint64_t>(processes.begin(), processes.end()).size() == 3);
}

TEST_CASE("what is no server is told so, with its standard error, and leaves no process", "[server]") {
  SECTION("it dies at once") {
    Tiny tiny("dies_at_once");
    CHECK_THAT(failure_of(tiny), Contains("failed 3 times in a row") &&
                                     Contains("did not enter server mode") &&
                                     Contains("exited with status 3 before it answered Hello") &&
                                     Contains("cannot find my tests") && Contains("check-server"));
    CHECK(tiny.pids().size() == 3);
  }
  SECTION("there is no such command") {
    Tiny tiny("good");
    tiny.options.command = "exec no-such-test-server";
    CHECK_THAT(failure_of(tiny), Contains("exited with status 127") && Contains("no-such-test-server"));
  }
  SECTION("it never answers") {
    Tiny tiny("silent");
    tiny.options.handshake_limit_seconds = 0.2;
    CHECK_THAT(failure_of(tiny), Contains("no answer to Hello within 0.2 seconds"));
  }
  SECTION("it prints and ends") {
    Tiny tiny("text");
    CHECK_THAT(failure_of(tiny), Contains("after 26 bytes that are no subunit") && Contains("Ran 0 tests"));
  }
  SECTION("it prints for ever") {
    Tiny tiny("endless_text");
    tiny.options.faults_in_a_row = 1;
    tiny.options.handshake_limit_seconds = 4;
    CHECK_THAT(failure_of(tiny), Contains("no answer to Hello within 4 seconds") && Contains("la la la"));
  }
  SECTION("it runs its tests") {
    Tiny tiny("old_program");
    CHECK_THAT(failure_of(tiny), Contains("ran tests that nobody asked for") && Contains("suite.a_pass"));
  }
  SECTION("it speaks another version") {
    Tiny tiny("v7");
    CHECK_THAT(failure_of(tiny),
               Contains("the server speaks version 7 of the protocol, flakebisect versions 1 to 2"));
    CHECK(tiny.pids().size() == 1);
  }
}

TEST_CASE("a server that fails during runs is told apart by how", "[server]") {
  SECTION("it dies after Hello") {
    Tiny tiny("dies_after_hello");
    CHECK_THAT(failure_of(tiny), Contains("died or hung up") && Contains("exited with status 4") &&
                                     Contains("lost my footing"));
  }
  SECTION("it closes its output") {
    Tiny tiny("closes_output");
    tiny.options.faults_in_a_row = 1;
    tiny.options.start_limit_seconds = 0.3;
    tiny.options.ping_limit_seconds = 0.2;
    CHECK_THAT(failure_of(tiny), Contains("the server"));
  }
  SECTION("it does not react to anything") {
    Tiny tiny("deaf");
    tiny.options.faults_in_a_row = 1;
    tiny.options.start_limit_seconds = 0.2;
    tiny.options.ping_limit_seconds = 0.2;
    CHECK_THAT(failure_of(tiny), Contains("the server is stuck") && Contains("no test had started"));
  }
  SECTION("it answers garbage") {
    Tiny tiny("garbage");
    CHECK_THAT(failure_of(tiny), Contains("had not run the victim") && Contains("bytes that are no subunit"));
  }
  SECTION("it never says Done for this nonce") {
    Tiny tiny("wrong_nonce");
    tiny.options.done_limit_seconds = 0.2;
    ServerRunner runner(tiny.options);
    const ProbeResult result = run(runner, probe());
    CHECK(result.end == VictimEnd::pass);
    REQUIRE(result.remarks.size() == 1);
    CHECK_THAT(result.remarks[0], Contains("did not say Done within 0.2 seconds"));
    CHECK(runner.warm_pid() == -1);
    CHECK_FALSE(tiny.any_alive());
  }
}

TEST_CASE("a refusal, an unasked test, a missing victim: void, and after three in a row the end",
          "[server]") {
  const auto [mode, words] = GENERATE(table<std::string, std::string>(
      {{"refuses", "the server refused the run: the moon is full"},
       {"runs_extra", "the server ran 1 test that it was not asked for (the first is suite.z_pass)"},
       {"forgets_victim", "the server said Done and had not run the victim"},
       {"dies_in_run", "the server died or hung up during a run: it exited with status 3"}}));
  INFO(mode);
  Tiny tiny(mode);
  ServerRunner runner(tiny.options);
  for (int i = 0; i < 2; ++i) {
    const ProbeResult result = run(runner, probe());
    CHECK(result.end == VictimEnd::void_probe);
    CHECK_THAT(result.void_reason, Contains(words));
    CHECK_FALSE(tiny.any_alive());
  }
  CHECK_THROWS_WITH(run(runner, probe()), Contains(words) && Contains("3 times in a row"));
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("the order that ran is what counts, and a broken promise is told", "[server]") {
  Tiny tiny("reorders", "suite.a_pass suite.b_pollute suite.e_victim suite.f_sleep");
  ServerRunner runner(tiny.options);
  // Runs victim, b, a.
  const ProbeResult result = run(runner, probe({"suite.a_pass", "suite.b_pollute"}));
  CHECK(result.end == VictimEnd::pass);
  CHECK(result.ran.empty());
  REQUIRE(result.remarks.size() == 1);
  CHECK_THAT(result.remarks[0], Contains("another order"));
  // What was still to come is cancelled, and the server goes on.
  CHECK(run(runner, probe({"suite.a_pass"})).end == VictimEnd::pass);
  CHECK(runner.servers_started() == 1);
}

TEST_CASE("a test that ends its process", "[server]") {
  const std::string tests = "suite.a_pass suite.x_crash suite.e_victim";
  const std::string mode = GENERATE("good", "v1");
  INFO(mode);
  Tiny tiny(mode, tests);
  ServerRunner runner(tiny.options);
  SECTION("an earlier test: void, and no fault of the server") {
    for (int i = 0; i < 4; ++i) {
      const ProbeResult result = run(runner, probe({"suite.a_pass", "suite.x_crash"}));
      CHECK(result.end == VictimEnd::void_probe);
      CHECK_THAT(result.void_reason, Contains("while suite.x_crash ran") && Contains("signal 11"));
      CHECK(ids(result.ran) == std::vector<std::string>{"suite.a_pass", "suite.x_crash"});
    }
    CHECK(runner.servers_started() == (mode == "good" ? 1 : 4));
  }
  SECTION("the victim: a failure") {
    const ProbeResult result = run(runner, probe({"suite.a_pass"}, "suite.x_crash"));
    CHECK(result.end == VictimEnd::fail);
    CHECK_THAT(result.traceback, Contains("the process that ran the test") && Contains("signal 11"));
  }
}

TEST_CASE("a victim runs several times in one probe, until it first fails", "[server]") {
  const std::string mode = GENERATE("repeats", "repeats_in_one", "repeats_on");
  INFO(mode);
  Tiny tiny(mode,
            "suite.a_pass suite.b_pollute suite.e_victim suite.s_skip suite.v_later_fail suite.v_later_skip");
  {
    ServerRunner runner(tiny.options);
    const auto repeated = [&](const std::string& victim, std::uint32_t times) {
      ProbeRequest request = probe({"suite.a_pass"}, victim);
      request.victim_runs = times;
      const ProbeResult result = run(runner, request);
      CHECK(ids(result.ran) == std::vector<std::string>{"suite.a_pass"});
      CHECK(result.victim_started);
      CHECK(result.victim_seconds.has_value());
      CHECK(result.remarks.empty());
      return result;
    };
    const ProbeResult clean = repeated("suite.e_victim", 7);
    CHECK(clean.end == VictimEnd::pass);
    CHECK(clean.victim_runs == 7);
    CHECK(clean.traceback.empty());
    const ProbeResult once = repeated("suite.v_later_fail", 1);
    CHECK(once.end == VictimEnd::pass);
    CHECK(once.victim_runs == 1);
    const ProbeResult few = repeated("suite.v_later_fail", 2);
    CHECK(few.end == VictimEnd::pass);
    CHECK(few.victim_runs == 2);
    const ProbeResult failed = repeated("suite.v_later_fail", 10);
    CHECK(failed.end == VictimEnd::fail);
    CHECK(failed.victim_runs == 3);
    CHECK(failed.traceback == "AssertionError: always");
    const ProbeResult skipped_later = repeated("suite.v_later_skip", 10);
    CHECK(skipped_later.end == VictimEnd::pass);
    CHECK(skipped_later.victim_runs == 2);
    const ProbeResult skipped = repeated("suite.s_skip", 10);
    CHECK(skipped.end == VictimEnd::void_probe);
    CHECK(skipped.void_reason == "the victim was skipped");
    CHECK(skipped.victim_runs == 0);

    ProbeRequest polluted = probe({"suite.b_pollute"});
    polluted.victim_runs = 10;
    CHECK(run(runner, polluted).end == VictimEnd::fail);
    CHECK(run(runner, polluted).victim_runs == 1);
  }
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("the servers for unittest and pytest repeat a victim", "[server]") {
  const auto [program, prefix] = GENERATE(
      table<std::string, std::string>({{"flakebisect-unittest-server discover -t . tests", "tests.test_w.W."},
                                       {"flakebisect-pytest-server", "tests/test_w.py::W::"}}));
  INFO(program);
  const Project project;
  project.write("tests/test_w.py", R"(
import os, unittest
RUNS = []
class W(unittest.TestCase):
    def setUp(self): RUNS.append(1)
    def test_fine(self): pass
    def test_wears(self): self.assertLess(len(RUNS), 4, 'worn')
    def test_breaks(self):
        if len(RUNS) == 4: os._exit(3)
)");
  ServerRunnerOptions options;
  options.command = fmt::format("exec {} -B {}/scripts/{}", FLAKEBISECT_PYTHON, PROJECT_SOURCE, program);
  options.directory = project.path.string();
  ServerRunner runner(options);
  const auto repeated = [&](const std::string& victim) {
    ProbeRequest request = probe({prefix + "test_fine"}, prefix + victim);
    request.victim_runs = 10;
    return run(runner, request);
  };
  for (int i = 0; i < 2; ++i) {
    const ProbeResult worn = repeated("test_wears");
    CHECK(worn.end == VictimEnd::fail);
    CHECK(worn.victim_runs == 3);
    CHECK_THAT(worn.traceback, Contains("worn"));
    CHECK(ids(worn.ran) == std::vector<std::string>{prefix + "test_fine"});
    const ProbeResult broken = repeated("test_breaks");
    CHECK(broken.end == VictimEnd::fail);
    CHECK(broken.victim_runs == 3);
    CHECK_THAT(broken.traceback, Contains("exited with status 3"));
  }
  ProbeRequest fine = probe({}, prefix + "test_fine");
  fine.victim_runs = 10;
  CHECK(run(runner, fine).end == VictimEnd::pass);
  CHECK(run(runner, fine).victim_runs == 10);
  CHECK(runner.servers_started() == 2);  // four probes, and the next server
}

TEST_CASE("a server that does not repeat runs the victim once, and may stop early", "[server]") {
  const auto [mode, runs] = GENERATE(
      table<std::string, std::uint32_t>({{"good", 1}, {"plain2", 1}, {"v1", 1}, {"repeats_twice", 2}}));
  INFO(mode);
  Tiny tiny(mode);
  ServerRunner runner(tiny.options);
  ProbeRequest request = probe();
  request.victim_runs = 5;
  const ProbeResult result = run(runner, request);
  CHECK(result.end == VictimEnd::pass);
  CHECK(result.victim_runs == runs);
  CHECK(result.remarks.empty());
  request.before = {"suite.b_pollute"};
  CHECK(run(runner, request).end == VictimEnd::fail);
}

TEST_CASE("a process that dies in a later run of the victim is that run's failure", "[server]") {
  const std::string mode = GENERATE("repeats", "repeats_in_one");
  INFO(mode);
  Tiny tiny(mode, "suite.a_pass suite.v_later_crash suite.e_victim");
  ServerRunner runner(tiny.options);
  ProbeRequest request = probe({"suite.a_pass"}, "suite.v_later_crash");
  request.victim_runs = 10;
  const ProbeResult result = run(runner, request);
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.victim_runs == 3);
  CHECK_THAT(result.traceback, Contains("the process that ran the test") && Contains("signal 11"));
  CHECK(run(runner, probe()).end == VictimEnd::pass);
}

TEST_CASE("a later run of the victim that hangs is judged as the first would be", "[server]") {
  Tiny tiny("repeats", "suite.f_sleep suite.v_later_stuck suite.e_victim");
  tiny.options.ping_limit_seconds = 60;
  ServerRunner runner(tiny.options);
  ProbeRequest request = probe({}, "suite.v_later_stuck");
  request.victim_runs = 10;
  request.own_test_limits =
      std::make_shared<const TestLimits>(TestLimits{{"suite.v_later_stuck", 2}, {"suite.f_sleep", 2}});
  const ProbeResult hang = run(runner, request);
  CHECK(hang.end == VictimEnd::void_probe);
  CHECK(hang.victim_runs == 0);
  CHECK_THAT(hang.void_reason,
             Contains("suite.v_later_stuck is stuck: nothing came within the limit of 2 seconds"));
  request.hang_is_failure = true;
  const ProbeResult failure = run(runner, request);
  CHECK(failure.end == VictimEnd::fail);
  CHECK(failure.victim_runs == 3);
  CHECK_THAT(failure.traceback, Contains("the test hangs"));
  CHECK(failure.wall_seconds >= 2);

  // The limit is that of each run: all of them together take longer.
  request.victim = "suite.f_sleep";
  request.victim_runs = 45;
  const ProbeResult slow = run(runner, request);
  CHECK(slow.end == VictimEnd::pass);
  CHECK(slow.victim_runs == 45);
  CHECK(slow.wall_seconds >= 2.0);
  CHECK(slow.victim_seconds < 2.0);
}

TEST_CASE("a stuck test is told from a stuck server", "[server]") {
  const std::string tests = "suite.a_pass suite.x_stuck suite.x_freeze suite.e_victim";
  const auto request = [](bool hang_is_failure = false) {
    // Nothing before it: from its start on there is no news, however slow the machine is.
    ProbeRequest stuck = probe({}, "suite.x_stuck");
    stuck.test_limit_seconds = 0.3;
    stuck.hang_is_failure = hang_is_failure;
    return stuck;
  };
  SECTION("the server answers: the test is stuck; it is cancelled and the server lives on") {
    Tiny tiny("good", tests);
    tiny.options.ping_limit_seconds = 60;
    ServerRunner runner(tiny.options);
    const ProbeResult result = run(runner, request());
    CHECK(result.end == VictimEnd::void_probe);
    CHECK_THAT(result.void_reason,
               Contains("suite.x_stuck is stuck: nothing came within the limit of 0.3 seconds") &&
                   Contains("the server is alive"));
    CHECK(run(runner, probe()).end == VictimEnd::pass);
    CHECK(runner.servers_started() == 1);
    const ProbeResult hang = run(runner, request(true));
    CHECK(hang.end == VictimEnd::fail);
    CHECK_THAT(hang.traceback, Contains("the test hangs"));
  }
  SECTION("an in-line server cannot answer: undecided") {
    Tiny tiny("inline", tests);
    tiny.options.ping_limit_seconds = 0.3;
    ServerRunner runner(tiny.options);
    const ProbeResult result = run(runner, request());
    CHECK(result.end == VictimEnd::void_probe);
    CHECK_THAT(result.void_reason, Contains("whether the test is stuck or the server cannot be told"));
    CHECK_FALSE(tiny.any_alive());
  }
  SECTION("a deadline for the whole probe") {
    Tiny tiny("good", tests);
    tiny.options.ping_limit_seconds = 60;
    ServerRunner runner(tiny.options);
    REQUIRE(run(runner, probe()).end == VictimEnd::pass);  // the server is warm
    ProbeRequest whole = request();
    whole.test_limit_seconds = 0;
    whole.time_limit_seconds = 3;
    const ProbeResult result = run(runner, whole);
    CHECK(result.end == VictimEnd::void_probe);
    CHECK_THAT(result.void_reason, Contains("time limit of 3 seconds") && Contains("suite.x_stuck is stuck"));
  }
  SECTION("a server that answered before and is silent now is stuck itself") {
    Tiny tiny("good", tests);
    tiny.options.ping_limit_seconds = 3;
    ServerRunner runner(tiny.options);
    REQUIRE(run(runner, request()).end == VictimEnd::void_probe);  // it is seen to answer
    REQUIRE(runner.warm_pid() > 0);
    ProbeRequest freeze = request();
    freeze.victim = "suite.x_freeze";
    const ProbeResult result = run(runner, freeze);
    CHECK(result.end == VictimEnd::void_probe);
    CHECK_THAT(result.void_reason, Contains("the server is stuck") && Contains("suite.x_freeze"));
    CHECK(run(runner, probe()).end == VictimEnd::pass);
    CHECK(runner.servers_started() == 2);
  }
}

TEST_CASE("a hang at a far end counts only while the far end is heard of", "[server]") {
  Tiny tiny("inline", "suite.a_pass suite.x_stuck");
  tiny.options.ping_limit_seconds = 0.3;
  ProbeRequest stuck = probe({}, "suite.x_stuck");
  stuck.test_limit_seconds = 0.3;
  stuck.hang_is_failure = true;
  SECTION("it is alive") {
    tiny.options.launcher = Launcher{"far", "$COMMAND", "", 0};
    ServerRunner runner(tiny.options);
    const ProbeResult result = run(runner, stuck);
    CHECK(result.end == VictimEnd::fail);
    CHECK_FALSE(result.lost);
    CHECK(result.output_tail.find("is alive") == std::string::npos);
  }
  SECTION("nothing comes from it any more") {
    tiny.options.launcher = Launcher{"far", "$COMMAND 2>/dev/null", "", 0};
    ServerRunner runner(tiny.options);
    const ProbeResult result = run(runner, stuck);
    CHECK(result.end == VictimEnd::void_probe);
    CHECK(result.lost);
    CHECK_THAT(result.void_reason, Contains("far was lost") && Contains("no sign of life"));
  }
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("a launched server has its time for Hello from its start, not from the queue", "[server]") {
  Tiny tiny("good");
  tiny.options.handshake_limit_seconds = 10;
  SECTION("it waits longer than that in the queue") {
    tiny.options.launcher = Launcher{"queue", "sleep 11; exec $COMMAND", "", 0};
    ServerRunner runner(tiny.options);
    CHECK(run(runner, probe()).end == VictimEnd::pass);
  }
  SECTION("it never leaves the queue") {
    tiny.options.queue_limit_seconds = 0.2;
    tiny.options.launcher = Launcher{"queue", "exec sleep 1000; : $COMMAND", "", 0};
    ServerRunner runner(tiny.options);
    CHECK_THROWS_AS(run(runner, probe()), MachineLost);
  }
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("each test has a time limit of its own on a server too", "[server]") {
  Tiny tiny("good", "suite.a_pass suite.f_sleep suite.x_stuck suite.e_victim");
  tiny.options.ping_limit_seconds = 60;
  ServerRunner runner(tiny.options);
  const TestLimits limits = {{"suite.f_sleep", 600}, {"suite.x_stuck", 0.3}};
  ProbeRequest request = probe({"suite.a_pass", "suite.f_sleep", "suite.x_stuck"});
  request.own_test_limits = std::make_shared<const TestLimits>(limits);
  request.test_limit_seconds = 600;
  const ProbeResult hang = run(runner, request);
  CHECK(hang.end == VictimEnd::void_probe);
  CHECK_THAT(hang.void_reason,
             Contains("suite.x_stuck is stuck: nothing came within the limit of 0.3 seconds"));

  ProbeRequest slow = probe({}, "suite.f_sleep");
  slow.own_test_limits = request.own_test_limits;
  slow.test_limit_seconds = 0.001;
  CHECK(run(runner, slow).end == VictimEnd::pass);
}

TEST_CASE("cancelling ends a probe at once and leaves nothing", "[server]") {
  Tiny tiny("good", "suite.x_stuck suite.e_victim");
  ServerRunner runner(tiny.options);
  std::atomic<bool> cancel{false};
  std::thread canceller([&cancel] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel = true;
  });
  const ProbeResult result = runner.run(probe({"suite.x_stuck"}), cancel);
  canceller.join();
  CHECK(result.end == VictimEnd::void_probe);
  CHECK(result.void_reason == "cancelled");
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("no process is left by servers that will not go", "[server]") {
  const std::string mode = GENERATE("ignores_goodbye", "ignores_end", "leaves_child");
  INFO(mode);
  Tiny tiny(mode);
  tiny.options.stop_grace_seconds = 0.2;
  {
    ServerRunner runner(tiny.options);
    CHECK(run(runner, probe()).end == VictimEnd::pass);
  }
  CHECK_FALSE(tiny.any_alive());
}

TEST_CASE("the reproduction recipe works when pasted", "[server]") {
  const std::string mode = GENERATE("v1", "good");
  INFO(mode);
  Tiny tiny(mode, "suite.a_pass suite.b_pollute \"it's odd.e_victim\"");
  ServerRunner runner(tiny.options);
  (void)run(runner, probe({"suite.a_pass"}, "it's odd.e_victim"));
  const auto exit_status = [&](const std::vector<std::string>& tests) {
    const std::string recipe = runner.reproduction_command(tests);
    CHECK_THAT(recipe, !Contains("flakebisect-"));
    CHECK(recipe.find('\n') == std::string::npos);
    const auto file = std::filesystem::temp_directory_path() / fmt::format("recipe-{}", getpid());
    std::ofstream(file) << recipe << '\n';
    const int status = std::system(fmt::format("sh {} >{}.log 2>&1", file.string(), file.string()).c_str());
    std::ifstream log(file.string() + ".log");
    UNSCOPED_INFO(std::string(std::istreambuf_iterator<char>(log), {}));
    std::filesystem::remove(file);
    std::filesystem::remove(file.string() + ".log");
    return WEXITSTATUS(status);
  };
  CHECK(exit_status({"suite.a_pass", "it's odd.e_victim"}) == 0);
  CHECK(exit_status({"suite.a_pass", "suite.b_pollute", "it's odd.e_victim"}) == 1);
}

TEST_CASE("a test command's reproduction is preferred", "[server]") {
  Tiny tiny("good");
  tiny.options.reproduction = [](const std::vector<std::string>& tests) { return "run " + tests.at(0); };
  const ServerRunner runner(tiny.options);
  CHECK(runner.reproduction_command({"t"}) == "run t");
}
