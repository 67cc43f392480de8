#include <sys/wait.h>

#include "command_project.h"

using Catch::Matchers::Contains;
using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

using Ids = std::vector<std::string>;

/// Tests whose ids hold what shells trip over, in the order that testtools sorts them into; the last one
/// fails after all the others.
const char* const nasty_tests = R"py(
import unittest
NAMES = ["!bang", "#x", "$(id)", "$HOME", "%s", "*", "`id`", "a b", "a;b", "back\\slash", "café ☃", "it's", 'say "hi"']
ran = []
class T(unittest.TestCase):
    def __init__(self, name): super().__init__('check'); self.name = name
    def id(self): return 'tests.' + self.name
    def check(self):
        ran.append(self.name)
        self.assertEqual(len(ran) >= len(NAMES) and self.name == NAMES[-1], False, 'all ran')
def load_tests(loader, tests, pattern): return unittest.TestSuite([T(name) for name in NAMES])
)py";

const Ids nasty_ids = {"tests.!bang",
                       "tests.#x",
                       "tests.$(id)",
                       "tests.$HOME",
                       "tests.%s",
                       "tests.*",
                       "tests.`id`",
                       "tests.a b",
                       "tests.a;b",
                       "tests.back\\slash",
                       "tests.caf\xC3\xA9 \xE2\x98\x83",
                       "tests.it's",
                       "tests.say \"hi\""};

/// Runs what a user pastes: in another directory, through the given shell's standard input.
int paste(const std::string& shell, const std::string& text, std::string& output) {
  const Project elsewhere;
  elsewhere.write("pasted", text + "\n");
  const std::string quoted = shell_quote(elsewhere.path.string());
  const int status =
      std::system(("cd " + quoted + " && TMPDIR=$PWD/tmp " + shell + " < pasted > output 2>&1").c_str());
  output = elsewhere.read("output");
  CHECK(fs::is_empty(elsewhere.path / "tmp"));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("the reproduction works when pasted, whatever the ids hold") {
  const Project project;
  project.write("tests/test_nasty.py", nasty_tests);
  CommandRunner runner(project.options());
  const Ids before(nasty_ids.begin(), nasty_ids.end() - 1);
  const auto result = run(runner, before, nasty_ids.back());
  CHECK(result.end == VictimEnd::fail);
  CHECK(ids_of(result) == before);

  for (const std::string shell : {"sh", "bash", "bash --posix"}) {
    CAPTURE(shell);
    std::string output;
    const auto command = runner.reproduction_command(nasty_ids);
    CAPTURE(command);
    CHECK(paste(shell, command, output) == 1);
    CHECK_THAT(output, Contains("Ran 13 tests") && Contains("all ran"));
    CHECK(paste(shell, runner.reproduction_command({nasty_ids[0], nasty_ids[10]}), output) == 0);
    CHECK_THAT(output, Contains("Ran 2 tests"));
  }
}

TEST_CASE("the reproduction keeps an order that discovery lacks") {
  const Project project;
  project.write("tests/test_o.py", R"(
import unittest
ran = []
class T(unittest.TestCase):
    def test_1(self): self.assertEqual(ran, [], 'out of order')
    def test_2(self): ran.append(2)
)");
  auto options = project.options();
  options.discovered = Ids{"tests.test_o.T.test_1", "tests.test_o.T.test_2"};
  const CommandRunner runner(options);
  std::string output;
  CHECK(paste("sh", runner.reproduction_command({"tests.test_o.T.test_2", "tests.test_o.T.test_1"}),
              output) == 1);
  CHECK_THAT(output, Contains("out of order"));
  CHECK(paste("sh", runner.reproduction_command({"tests.test_o.T.test_1", "tests.test_o.T.test_2"}),
              output) == 0);
}

TEST_CASE("a top-level directory elsewhere is found by the arguments' form") {
  const Project project;
  fs::create_directories(project.path / "lib/pkg");
  project.write("lib/pkg/__init__.py", "");
  project.write("lib/pkg/test_p.py",
                "import unittest\nclass T(unittest.TestCase):\n    def test_1(self): pass\n    def "
                "test_2(self): pass\n");
  auto options = project.options();
  options.command.command =
      FLAKEBISECT_PYTHON " -B -m subunit.run discover -t 'lib' lib/pkg $LISTOPT $IDOPTION";
  const std::atomic<bool> cancel{false};
  CommandRunner runner(options);
  REQUIRE(runner.list_tests(cancel) == Ids{"pkg.test_p.T.test_1", "pkg.test_p.T.test_2"});
  const auto result = run(runner, {"pkg.test_p.T.test_2"}, "pkg.test_p.T.test_1");
  CHECK(result.end == VictimEnd::pass);
  CHECK(ids_of(result) == Ids{"pkg.test_p.T.test_2"});
  std::string output;
  CHECK(paste("sh", runner.reproduction_command({"pkg.test_p.T.test_2", "pkg.test_p.T.test_1"}), output) ==
        0);
  CHECK_THAT(output, Contains("Ran 2 tests"));
}

TEST_CASE("variables that the command mentions come along, and exit statuses too") {
  const Project project;
  setenv("FLAKEBISECT_TEST_VALUE", "it's here", 1);
  const CommandRunner runner(
      project.shell("printf '<%s>' \"${FLAKEBISECT_TEST_VALUE:-none}\" $IDLIST; pwd; exit 7"));
  const auto command = runner.reproduction_command({"a b"});
  unsetenv("FLAKEBISECT_TEST_VALUE");
  std::string output;
  CHECK(paste("sh", command, output) == 7);
  CHECK(output == "<it's here><a b>" + project.path.string() + "\n");
  const CommandRunner by_file(project.shell("cat \"$IDFILE\" '$IDFILE' $IDFILE # and more"));
  CHECK(paste("bash", by_file.reproduction_command({"a b", "c"}), output) == 0);
  CHECK(output == "a b\nc\na b\nc\na b\nc\n");
}
