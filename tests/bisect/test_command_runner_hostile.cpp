#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "bisect/child_process.h"
#include "bisect/temporary_folder.h"
#include "command_project.h"

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

const char* const hostile_tests = R"(
import os, signal, subprocess, sys, time, unittest

def daemon():
    """A process in a session of its own whose parents are gone; it keeps our descriptors and ignores SIGTERM."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open('daemon_pid', 'w') as file: file.write(str(os.getpid()))
            os.write(write_end, b'x')
            while True: signal.pause()
        os._exit(0)
    os.read(read_end, 1)
    os.close(read_end); os.close(write_end)

class H(unittest.TestCase):
    def test_0(self): pass
    def test_close(self): os.close(1)
    def test_daemon(self): daemon()
    def test_exit(self): os._exit(3)
    def test_exit_0(self): os._exit(0)
    def test_hang(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        daemon()
        while True: signal.pause()
    def test_kill(self): os.kill(os.getpid(), signal.SIGKILL)
    def test_loud(self):
        for _ in range(100): os.write(1, b'x' * (1 << 20)); os.write(2, b'y' * (1 << 18))
    def test_segv(self): os.kill(os.getpid(), signal.SIGSEGV)
    def test_slow(self): time.sleep(0.2)
    def test_stop(self): os.kill(os.getpid(), signal.SIGSTOP)
    def test_term_group(self): os.killpg(0, signal.SIGTERM)
    def test_victim(self): self.fail('as always')
)";

const std::string h = "tests.test_h.H.test_";

struct HostileProject : Project {
  HostileProject() { write("tests/test_h.py", hostile_tests); }
  /// 0 before the daemon runs.
  pid_t daemon_pid() const { return static_cast<pid_t>(std::atol(read("daemon_pid").c_str())); }
};

}  // namespace

TEST_CASE("a victim that takes its process with it failed") {
  const HostileProject project;
  const auto traceback = [&](const std::string& name) {
    const auto result = run(project.options(), {h + "0"}, h + name);
    CHECK(result.end == VictimEnd::fail);
    CHECK(ids_of(result) == std::vector<std::string>{h + "0"});
    return result.traceback;
  };
  CHECK(traceback("kill") == "process died with signal 9 (Killed) while the test ran");
  CHECK(traceback("segv") == "process died with signal 11 (Segmentation fault) while the test ran");
  CHECK(traceback("exit") == "process ended with exit status 3 while the test ran");
  CHECK(traceback("exit_0") == "process ended with exit status 0 while the test ran");
  CHECK(traceback("term_group") == "process died with signal 15 (Terminated) while the test ran");
}

TEST_CASE("an earlier test that takes the process with it makes the probe void") {
  const HostileProject project;
  const auto result = run(project.options(), {h + "kill"}, h + "victim");
  CHECK(result.end == VictimEnd::void_probe);
  CHECK(result.void_reason ==
        "process died with signal 9 (Killed) while " + h + "kill ran, before the victim");
}

TEST_CASE("noise, closed output and daemons do not disturb a probe, and nothing of it is left") {
  const HostileProject project;
  const auto descriptors = open_descriptors();
  auto result = run(project.options(), {h + "loud"}, h + "victim");
  CHECK(result.end == VictimEnd::fail);
  CHECK_THAT(result.traceback, Contains("as always"));
  CHECK(result.output_tail.size() < 10000);

  result = run(project.options(), {h + "daemon"}, h + "victim");
  CHECK(result.end == VictimEnd::fail);
  REQUIRE(project.daemon_pid() > 0);
  CHECK_FALSE(lives(project.daemon_pid()));

  result = run(project.options(), {h + "close"}, h + "victim");
  CHECK(result.end == VictimEnd::void_probe);
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("a test that hangs is ended with all that it started") {
  const HostileProject project;
  const std::atomic<bool> cancel{false};
  CommandRunner runner(project.options());
  ProbeRequest request;
  request.victim = h + "hang";
  request.test_limit_seconds = 0.3;
  auto result = runner.run(request, cancel);
  CHECK(result.end == VictimEnd::void_probe);
  CHECK(result.void_reason ==
        "time limit: " + h + "hang (the victim) did not end within the 0.3 seconds it may take");
  REQUIRE(project.daemon_pid() > 0);
  CHECK_FALSE(lives(project.daemon_pid()));
  CHECK(result.wait_status == -1);

  request.hang_is_failure = true;
  result = runner.run(request, cancel);
  CHECK(result.end == VictimEnd::fail);
  CHECK_THAT(result.traceback, Contains("time limit"));

  request.before = {h + "hang"};
  request.victim = h + "victim";
  result = runner.run(request, cancel);
  CHECK(result.end == VictimEnd::void_probe);
  CHECK_THAT(result.void_reason, Contains(h + "hang did not end"));

  request.before = {};
  request.victim = h + "stop";
  request.hang_is_failure = false;
  result = runner.run(request, cancel);
  CHECK_THAT(result.void_reason, Contains("time limit"));
}

TEST_CASE("each test has a time limit of its own") {
  const HostileProject project;
  const std::atomic<bool> cancel{false};
  CommandRunner runner(project.options());
  ProbeRequest request;
  request.own_test_limits =
      std::make_shared<const TestLimits>(TestLimits{{h + "slow", 600}, {h + "hang", 0.3}});
  SECTION("a test that hangs is ended by its own, however long others may take") {
    request.test_limit_seconds = 600;
    request.before = {h + "0", h + "hang", h + "slow"};
    request.victim = h + "victim";
    const auto result = runner.run(request, cancel);
    CHECK(result.end == VictimEnd::void_probe);
    CHECK(result.void_reason == "time limit: " + h + "hang did not end within the 0.3 seconds it may take");
    CHECK_FALSE(lives(project.daemon_pid()));
  }
  SECTION("a slow test has the time that it has always taken") {
    request.test_limit_seconds = 0.01;
    request.victim = h + "slow";
    CHECK(runner.run(request, cancel).end == VictimEnd::pass);
    request.own_test_limits = nullptr;
    CHECK(runner.run(request, cancel).void_reason ==
          "time limit: " + h + "slow (the victim) did not end within the 0.01 seconds it may take");
  }
}

TEST_CASE("limits hold before the first test too") {
  const Project project;
  auto options = project.shell("exec sleep 1000 # $IDFILE");
  options.output = OutputKind::subunit;
  options.start_limit_seconds = 0.2;
  CHECK(run(options, {}, "v").void_reason == "time limit: no test started within 0.2 seconds");
  const std::atomic<bool> cancel{false};
  ProbeRequest request;
  request.victim = "v";
  request.time_limit_seconds = 0.2;
  CommandRunner runner(project.shell("trap '' TERM; while :; do sleep 1; done # $IDFILE"));
  CHECK(runner.run(request, cancel).void_reason == "time limit: the probe did not end within 0.2 seconds");
}

TEST_CASE("a probe is cancelled while it runs") {
  const HostileProject project;
  std::atomic<bool> cancel{false};
  CommandRunner runner(project.options());
  ProbeRequest request;
  request.victim = h + "hang";
  std::thread canceller([&] {
    // The daemon's file says that the test is running.
    while (project.daemon_pid() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    cancel = true;
  });
  const auto result = runner.run(request, cancel);
  canceller.join();
  CHECK(result.end == VictimEnd::void_probe);
  CHECK(result.void_reason == "cancelled");
  CHECK_FALSE(lives(project.daemon_pid()));
}

TEST_CASE("temporary files are gone after each probe") {
  const HostileProject project;
  const char* before = getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", (project.path / "tmp").c_str(), 1);
  const auto result = run(project.options(), {h + "0"}, h + "victim");
  run(project.options(), {}, h + "kill");
  CHECK(fs::is_empty(project.path / "tmp"));
  setenv("TMPDIR", (project.path / "nowhere").c_str(), 1);
  const auto without = run(project.shell("exit 0 # $IDFILE"), {}, "v");
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", kept.c_str(), 1);
  }
  CHECK(result.end == VictimEnd::fail);
  CHECK(without.end == VictimEnd::pass);  // /tmp is taken where TMPDIR is no directory
}

TEST_CASE("folders that a killed process left are removed, those in use are not") {
  const HostileProject project;
  const auto parent = project.path / "tmp";
  const auto in_use = parent / "flakebisect-probe-inuse";
  const auto stale = parent / "flakebisect-probe-stale";
  const auto other = parent / "flakebisect-e2e-other";
  for (const auto& folder : {in_use, stale, other}) fs::create_directory(folder);
  std::ofstream(stale / "ids") << "tests.a\n";
  const int held = open(in_use.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(held >= 0);
  REQUIRE(flock(held, LOCK_EX) == 0);
  remove_stale_folders(parent);
  CHECK(fs::exists(in_use));
  CHECK_FALSE(fs::exists(stale));
  CHECK(fs::exists(other));
  close(held);
  remove_stale_folders(parent);
  CHECK_FALSE(fs::exists(in_use));
}

TEST_CASE("the supervisor removes the folder of a process that was killed") {
  const HostileProject project;
  const auto scratch = project.path / "tmp" / "flakebisect-probe-killed";
  fs::create_directory(scratch);
  std::ofstream(scratch / "ids") << "tests.a\n";
  int started[2];
  REQUIRE(pipe(started) == 0);
  const pid_t user = fork();
  REQUIRE(user >= 0);
  if (user == 0) {
    ChildOptions options;
    options.command = "sleep 1000";
    options.scratch = scratch;
    const ChildProcess child(options);
    const pid_t pid = child.pid();
    (void)!write(started[1], &pid, sizeof pid);
    pause();
    _exit(1);
  }
  close(started[1]);
  pid_t command = 0;
  REQUIRE(read(started[0], &command, sizeof command) == sizeof command);
  kill(user, SIGKILL);
  REQUIRE(waitpid(user, nullptr, 0) == user);
  // The pipe's other end is in the supervisor's hands no more; the command's end is what can be waited for.
  for (int tries = 0; tries < 3000 && (lives(command) || fs::exists(scratch)); ++tries) usleep(10'000);
  CHECK_FALSE(lives(command));
  CHECK_FALSE(fs::exists(scratch));
  close(started[0]);
}

TEST_CASE("a daemon that writes for ever does not keep a plain command's probe") {
  const Project project;
  const auto result =
      run(project.shell("(setsid sh -c 'echo $$ > daemon_pid; while :; do echo noise; done' &) ; "
                        "while [ ! -s daemon_pid ]; do :; done; exit 1 # $IDFILE"),
          {}, "v");
  CHECK(result.end == VictimEnd::fail);
  CHECK_FALSE(lives(static_cast<pid_t>(std::stol(project.read("daemon_pid")))));
}
