#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bisect/child_process.h"
#include "bisect/runner.h"
#include "command_project.h"

using flakebisect::bisect::CannotRun;
using flakebisect::bisect::ChildOptions;
using flakebisect::bisect::ChildProcess;
using flakebisect::bisect::describe_wait_status;
using flakebisect::bisect::testing::lives;
using flakebisect::bisect::testing::open_descriptors;

namespace {

/// Longer than anything here takes, and short enough to end a broken test.
constexpr double patience_seconds = 60;

ChildOptions shell(const std::string& command) {
  ChildOptions options;
  options.command = command;
  return options;
}

/// Reads until the condition holds; fails the test when it never does.
template <class Condition>
void read_until(ChildProcess& child, std::string& out, std::string& err, Condition condition) {
  while (!condition()) REQUIRE(child.wait(patience_seconds, out, err));
}

std::string output_of(const std::string& command) {
  ChildProcess child(shell(command));
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return !child.out_open() && child.exited(); });
  return out;
}

}  // namespace

TEST_CASE("output, errors and status come through") {
  ChildProcess child(shell("echo out; echo err >&2; exit 3"));
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return !child.out_open() && !child.err_open() && child.exited(); });
  CHECK(out == "out\n");
  CHECK(err == "err\n");
  CHECK(WEXITSTATUS(child.wait_status()) == 3);
  CHECK(describe_wait_status(child.wait_status()) == "exited with status 3");
  CHECK(child.terminate(0));
}

TEST_CASE("a command that kills itself is told by its signal") {
  ChildProcess child(shell("kill -9 $$"));
  std::string out;
  read_until(child, out, out, [&] { return child.exited(); });
  CHECK(describe_wait_status(child.wait_status()).find("signal 9") != std::string::npos);
}

TEST_CASE("standard input is /dev/null, or a pipe that carries more than a pipe holds") {
  CHECK(output_of("cat; echo end") == "end\n");
  auto options = shell("wc -c");
  options.with_input = true;
  ChildProcess child(options);
  child.send(std::string(1'000'000, 'x'));
  child.close_input();
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return !child.out_open(); });
  CHECK(out == "1000000\n");
}

TEST_CASE("input to a command that does not read it is dropped, not fatal") {
  std::signal(SIGPIPE, SIG_IGN);
  auto options = shell("exec <&-; echo closed; sleep 1000");
  options.with_input = true;
  ChildProcess child(options);
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return out == "closed\n"; });
  child.send("x");
  CHECK(child.input_broken());
}

TEST_CASE("the environment is ours with additions, the directory as asked") {
  auto options = shell("echo \"$ADDED $HOME\"; pwd");
  options.environment = {{"ADDED", "a b"}, {"HOME", "/replaced"}};
  options.directory = "/usr";
  ChildProcess child(options);
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return !child.out_open(); });
  CHECK(out == "a b /replaced\n/usr\n");
}

TEST_CASE("a directory that is not there is an error with a reason") {
  auto options = shell("true");
  options.directory = "/nonexistent/directory";
  std::string out;
  const auto attempt = [&] {
    ChildProcess child(options);
    while (!child.exited()) child.wait(patience_seconds, out, out);
  };
  CHECK_THROWS_AS(attempt(), CannotRun);
}

TEST_CASE("SIGPIPE and blocked signals are not handed down") {
  std::signal(SIGPIPE, SIG_IGN);
  // Bit 12 (value 0x1000) of SigIgn is SIGPIPE.
  const auto text = output_of("grep SigIgn /proc/self/status");
  const auto mask = std::stoull(text.substr(text.find('\t') + 1), nullptr, 16);
  CHECK((mask & 0x1000U) == 0);
}

TEST_CASE("nothing is left of a command, whatever it did") {
  const std::string command = GENERATE(
      as<std::string>{},
      // an ordinary child
      "sleep 1000 & echo $!; wait",
      // ignores SIGTERM
      "trap '' TERM; sh -c \"trap '' TERM; echo \\$\\$; sleep 1000; sleep 1000\"; sleep 1000",
      // a daemon: its own session, its parent gone, output kept open
      "setsid sh -c 'echo $$; sleep 1000' & sleep 1000",
      "(setsid setsid sh -c 'echo $$; exec sleep 1000' &) ; sleep 1000",
      // a daemon with a clean environment and closed output, its parent gone
      "(setsid env -i sh -c 'echo $$; exec >/dev/null 2>&1 </dev/null; sleep 1000; :' &) ; sleep 1000",
      // the command itself has ended
      "(setsid sh -c 'echo $$; sleep 1000; :' &)");
  ChildProcess child(shell(command));
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return out.find('\n') != std::string::npos; });
  const auto pid = static_cast<pid_t>(std::stol(out));
  CHECK(child.terminate(0.05));
  CHECK_FALSE(lives(pid));
}

TEST_CASE("a command that keeps forking is caught") {
  ChildProcess child(shell("f() { (setsid sh -c 'sleep 0.001' &); }; echo go; while :; do f; done"));
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return !out.empty(); });
  CHECK(child.terminate(0));
}

TEST_CASE("a full pipe nobody reads does not keep a command alive, and endless output can be read in part") {
  ChildProcess child(shell("exec yes"));
  std::string out;
  std::string err;
  while (out.size() < 10'000'000) {
    REQUIRE(child.wait(patience_seconds, out, err));
    out.resize(out.size());
  }
  CHECK(child.terminate(5));
  CHECK(WIFSIGNALED(child.wait_status()));
  CHECK(WTERMSIG(child.wait_status()) == SIGTERM);
}

TEST_CASE("descriptors and processes stay even over many commands") {
  output_of("true");
  const auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) output_of("echo x; (setsid true &)");
  CHECK(open_descriptors() == before);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);  // no child, zombies included
}

TEST_CASE("commands see no descriptor of ours but the standard ones") {
  ChildProcess other(shell("sleep 1000"));
  const int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(output_of("exec ls /proc/self/fd") == "0\n1\n2\n3\n");  // 3: the folder that ls itself reads
  close(kept);
}

TEST_CASE("when the supervisor is killed its command dies too, and that is said") {
  ChildProcess child(shell("echo $PPID; sh -c 'echo $$; sleep 1000; :'; :"));
  std::string out;
  std::string err;
  read_until(child, out, err, [&] { return std::count(out.begin(), out.end(), '\n') == 2; });
  const auto supervisor = static_cast<pid_t>(std::stol(out));
  const auto grandchild = static_cast<pid_t>(std::stol(out.substr(out.find('\n'))));
  REQUIRE(kill(supervisor, SIGKILL) == 0);
  read_until(child, out, err, [&] { return child.exited(); });
  CHECK(child.wait_status() == -1);
  CHECK_FALSE(child.terminate(0));
  for (int i = 0; i < 6000 && lives(grandchild); ++i) usleep(10'000);
  CHECK_FALSE(lives(grandchild));
}

TEST_CASE("when the program is killed its commands die too") {
  std::string name = (std::filesystem::temp_directory_path() / "flakebisect-test-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  const std::string file = name + "/pid";
  const pid_t program = fork();
  REQUIRE(program >= 0);
  if (program == 0) {
    ChildProcess child(shell("setsid sh -c 'echo $$ > " + file + ".new; mv " + file + ".new " + file +
                             "; echo done; sleep 1000; :'"));
    std::string out;
    while (out.empty()) child.wait(patience_seconds, out, out);
    raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(program, &status, 0) == program);
  pid_t pid = 0;
  REQUIRE(std::ifstream(file) >> pid);
  for (int i = 0; i < 6000 && lives(pid); ++i) usleep(10'000);
  CHECK_FALSE(lives(pid));
  std::filesystem::remove_all(name);
}
