#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "bisect/launcher.h"
#include "command_project.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

/// Runs shell text with its standard error in the file "err"; returns its status.
int shell(const Project& project, const std::string& text) {
  project.write("run", text);
  const auto command = "cd '" + project.path.string() + "' && sh run > out 2> err";
  return WEXITSTATUS(std::system(command.c_str()));  // NOLINT: one thread
}

/// Standard error as people see it.
std::string errors(const Project& project) {
  SignsOfLife signs;
  const auto text = signs.take(project.read("err"));
  return text + signs.rest();
}

const char* const awkward = "printf '%s|' \"a b\" '$COMMAND' 'it'\"'\"'s' \"$HOME_OF_NOBODY\"; exit 7";

}  // namespace

TEST_CASE("a launched command's words survive, and so does its status") {
  const Project project;
  std::string script;
  for (const char* text : {
           "env A=1 $COMMAND",                // hands the words on
           "sh -c $QUOTED_COMMAND",           // joins and parses again, as ssh does
           "sh -c 'exec \"$@\"' sh $COMMAND"  // a wrapper of the user's
       }) {
    const Launcher launcher{"launcher", text, project.path.string(), 0};
    CHECK(shell(project, launcher.wrap(awkward, {}, "", script)) == 7);
    CHECK(script.empty());
    CHECK(project.read("out") == "a b|$COMMAND|it's||");
    CHECK(launched_exit(project.read("err")) == 7);
    CHECK(without_exit_mark(errors(project)).empty());
  }
}

TEST_CASE("a list of ids goes through standard input to a file of the far end") {
  const Project project;
  project.write("local_ids", "tests.a\ntests.b c\n");
  const std::string how = GENERATE("sh -c $QUOTED_COMMAND", "exec $COMMAND", "$COMMAND || exit $?",
                                   "$COMMAND; exit $? # the end", "true && $COMMAND");
  const Launcher launcher{"launcher", how, "/", 0};
  const auto text =
      launcher.wrap_with_list("cat \"$ids\"; echo \"$ids\"; false", (project.path / "local_ids").string());
  CHECK(shell(project, text) == 1);
  const auto out = project.read("out");
  CHECK(out.starts_with("tests.a\ntests.b c\n/"));
  const auto remote = out.substr(out.find('/'));
  CHECK_FALSE(fs::exists(remote.substr(0, remote.find('\n'))));
  CHECK(launched_exit(project.read("err")) == 1);
}

TEST_CASE("a launcher that brings files gets the script as one") {
  const Project project;
  const auto launcher = instance_launcher("echo $FILES; env INSTANCE=$INSTANCE_ID $COMMAND", "i-7");
  CHECK(launcher.brings_files());
  std::string script;
  const auto file = (project.path / "tmp/script").string();
  // testr puts $COMMAND in as it is, whatever parses it then: so it must be plain words.
  fs::create_directories("/tmp/flakebisect-test-launcher");
  const std::string plain = "/tmp/flakebisect-test-launcher/script";
  const auto text = launcher.wrap("echo $INSTANCE; exit 3", {"/tmp/ids"}, plain, script);
  REQUIRE_FALSE(script.empty());
  std::ofstream(plain) << script;
  CHECK(shell(project, text) == 3);
  CHECK(project.read("out") == plain + " /tmp/ids\ni-7\n");
  fs::remove_all("/tmp/flakebisect-test-launcher");
  // A name that is no plain word (the project's has a blank) is quoted.
  REQUIRE(file.find(' ') != std::string::npos);
  const auto quoted = launcher.wrap("echo $INSTANCE; exit 3", {file + " ids"}, file, script);
  std::ofstream(file) << script;
  CHECK(shell(project, quoted) == 3);
  CHECK(project.read("out") == file + " " + file + " ids\ni-7\n");
}

TEST_CASE("a far end that is lost says nothing") {
  const Project project;
  std::string script;
  const Launcher launcher{"launcher", "timeout -s KILL 0.2 $COMMAND; echo 'Connection closed' >&2; exit 255",
                          "/", 0};
  CHECK(shell(project, launcher.wrap("sleep 100", {}, "", script)) == 255);
  CHECK_FALSE(launched_exit(project.read("err")));
  CHECK(launcher_last_words(errors(project)).find("losed") != std::string::npos);
  const Launcher nowhere{"launcher", "$COMMAND", "/no/such/directory", 0};
  shell(project, nowhere.wrap("true", {}, "", script));
  CHECK_FALSE(launched_exit(project.read("err")));
}

TEST_CASE("the far end gives signs of life, and nothing of them is left behind") {
  const Project project;
  std::string script;
  const Launcher launcher{"launcher", "$COMMAND", project.path.string(), 0};
  // The far end's standard error is the file that it waits for.
  const auto text =
      launcher.wrap("until [ $(grep -c 'is alive' err) -ge 3 ]; do sleep 0.1; done; echo words >&2; exit 4",
                    {}, "", script);
  // Whatever lives on holds the pipe open, and `cat` waits for it.
  CHECK(shell(project, "{ { " + text + "\n} 3>&1; echo $? > status; } | cat") == 0);
  CHECK(project.read("status") == "4\n");
  CHECK(without_exit_mark(errors(project)) == "words\n");
  CHECK(launched_exit(project.read("err")) == 4);
  // Where the far end is killed, its signs of life end too.
  const Launcher killed{"launcher", "timeout -s KILL 0.2 $COMMAND", project.path.string(), 0};
  CHECK(shell(project, "{ { " + killed.wrap("exec sleep 1", {}, "", script) + "\n} 3>&1; } | cat") == 0);
}

TEST_CASE("signs of life are taken out of standard error, however it is cut") {
  const std::string sign = "flakebisect: the far end is alive\n";
  const std::string stream = sign + "half a" + sign + " line\nflakebisect: the far" + sign + sign + " end\nf";
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    SignsOfLife signs;
    std::string text;
    for (std::size_t at = 0; at < stream.size(); at += size) text += signs.take(stream.substr(at, size));
    CHECK(signs.count() == 4);
    CHECK(text + signs.rest() == "half a line\nflakebisect: the far end\nf");
  }
}

TEST_CASE("a list that is too long for an argument reaches the far end all the same") {
  const Project project;
  project.write("runner",
                "if [ \"$1\" = --file ]; then\n  list=$2\n  shift 2\n"
                "  [ \"$(grep -c x \"$list\")\" -eq $# ] || exit 9\nfi\n"
                "for test; do printf 'test: %s\\nsuccess: %s\\n' \"$test\" \"$test\"; done\n");
  ProbeRequest request;
  for (int i = 0; i < 1900; ++i)
    request.before.push_back("a_module_with_some_long_name.CaseWithALongName.test_" + std::to_string(i) +
                             "[x]");
  request.victim = "a.victim[x]";
  const std::string words = GENERATE("$IDLIST", "--file $IDFILE $IDLIST");
  for (const char* text : {"env A=1 $COMMAND", "sh -c $QUOTED_COMMAND", "sh -c 'exec \"$@\"' sh $COMMAND"}) {
    auto options = project.options();
    options.command = {"sh ./runner " + words, "", "", std::nullopt};
    options.launcher = Launcher{"launcher", text, project.path.string(), 0};
    CommandRunner runner(std::move(options));
    const std::atomic<bool> never{false};
    const auto result = runner.run(request, never);
    CHECK(result.void_reason.empty());
    CHECK(result.end == VictimEnd::pass);
    CHECK(result.ran.size() == request.before.size());
  }
}

TEST_CASE("presets, and what is refused") {
  const auto hosts = parse_launchers("ssh:one,user@two", "/src");
  REQUIRE(hosts.size() == 2);
  CHECK(hosts[1].name == "ssh:user@two");
  CHECK(hosts[1].text.find("user@two $QUOTED_COMMAND") != std::string::npos);
  CHECK(parse_launchers("kubectl:ci/pod-1", "/src")[0].text.find("pod-1 -n ci -- $COMMAND") !=
        std::string::npos);
  CHECK(parse_launchers("slurm:--partition=x", "/src")[0].text.find("--partition=x $COMMAND") !=
        std::string::npos);
  CHECK(parse_launchers("nice $COMMAND", "/src")[0].text == "nice $COMMAND");
  for (const char* wrong : {"ssh:", "ssh:-oProxyCommand=x", "ssh:a b", "kubectl:;x", "nice", "slurn"})
    CHECK_THROWS_AS(parse_launchers(wrong, "/src"), LauncherError);
}
