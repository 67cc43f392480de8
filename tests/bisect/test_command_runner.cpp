#include <sys/wait.h>

#include "command_project.h"

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

using Ids = std::vector<std::string>;

const char* const plain_tests = R"(
import unittest, state
class A(unittest.TestCase):
    def test_1(self): pass
    def test_2(self): state.dirty = True
    def test_3(self): self.assertFalse(state.dirty, 'polluted')
    @unittest.skip('not today')
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_xfail(self): self.fail()
    @unittest.expectedFailure
    def test_ux(self): pass
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError('no database')
    def test_b(self): pass
class C(unittest.TestCase):
    @classmethod
    def tearDownClass(cls): open('torn_down', 'w').close()
    def test_c(self): pass
)";

struct PlainProject : Project {
  PlainProject() {
    write("state.py", "dirty = False\n");
    write("tests/test_a.py", plain_tests);
  }
};

const std::string a = "tests.test_a.A.test_";

}  // namespace

TEST_CASE("a probe tells how the victim ended, why, and what ran before it") {
  const PlainProject project;
  CommandRunner runner(project.options());
  auto result = run(runner, {a + "1"}, a + "3");
  CHECK(result.end == VictimEnd::pass);
  CHECK(ids_of(result) == Ids{a + "1"});
  CHECK(result.ran[0].status == "success");
  CHECK(result.ran[0].seconds.value_or(-1) >= 0);
  CHECK(result.victim_seconds.value_or(-1) >= 0);
  CHECK(result.traceback.empty());
  CHECK(result.startup_seconds > 0);
  CHECK(result.wall_seconds >= result.startup_seconds);
  CHECK(result.wait_status == 0);
  CHECK(result.remarks.empty());

  result = run(runner, {a + "1", a + "2"}, a + "3");
  CHECK(result.end == VictimEnd::fail);
  CHECK(ids_of(result) == Ids{a + "1", a + "2"});
  CHECK_THAT(result.traceback,
             StartsWith("Traceback") && Contains("AssertionError: True is not false : polluted"));
}

TEST_CASE("a command runs the victim once, however often it is asked to") {
  const PlainProject project;
  CommandRunner runner(project.options());
  ProbeRequest request;
  request.before = {a + "1"};
  request.victim = a + "3";
  request.victim_runs = 5;
  const std::atomic<bool> cancel{false};
  CHECK(runner.run(request, cancel).victim_runs == 1);
  request.before = {a + "1", a + "2"};
  const auto failed = runner.run(request, cancel);
  CHECK(failed.end == VictimEnd::fail);
  CHECK(failed.victim_runs == 1);
  request.victim = a + "skip";
  CHECK(runner.run(request, cancel).victim_runs == 0);
}

TEST_CASE("skipped is void, an expected failure passes, an unexpected success as asked") {
  const PlainProject project;
  auto options = project.options();
  auto result = run(options, {}, a + "skip");
  CHECK(result.end == VictimEnd::void_probe);
  CHECK(result.void_reason == "the victim was skipped: not today");
  CHECK(run(options, {}, a + "xfail").end == VictimEnd::pass);
  CHECK(run(options, {}, a + "ux").end == VictimEnd::pass);
  options.unexpected_success_fails = true;
  result = run(options, {}, a + "ux");
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.traceback == "unexpected success");
}

TEST_CASE("a victim that did not run makes the probe void, with the reason") {
  const PlainProject project;
  CHECK(run(project.options(), {}, "tests.test_a.B.test_b").void_reason ==
        "the victim did not run: setUpClass (tests.test_a.B) failed: RuntimeError: no database");
  auto result = run(project.options(), {}, "tests.gone.X.test");
  CHECK(result.end == VictimEnd::void_probe);
  CHECK_THAT(result.void_reason, Contains("ran no test") && Contains("still there"));
  result = run(project.options(), {a + "1"}, "tests.gone.X.test");
  CHECK_THAT(result.void_reason, Contains("the victim did not run"));
  CHECK(ids_of(result) == Ids{a + "1"});
  auto by_name = project.options();
  by_name.command.command = FLAKEBISECT_PYTHON " -B -m subunit.run $IDLIST";
  CHECK_THAT(run(by_name, {}, "tests.gone.X.test").void_reason, Contains("could not be imported"));
}

TEST_CASE("class teardown still runs after the victim's result") {
  const PlainProject project;
  CHECK(run(project.options(), {a + "1"}, "tests.test_a.C.test_c").end == VictimEnd::pass);
  CHECK(fs::exists(project.path / "torn_down"));
}

TEST_CASE("what ran is read from the results, and another order than asked for is said") {
  const PlainProject project;
  auto result = run(project.options(), {a + "3", a + "2"}, a + "1");
  CHECK(result.end == VictimEnd::pass);
  CHECK(ids_of(result).empty());  // discovery runs test_1 first
  REQUIRE(result.remarks.size() == 1);
  CHECK_THAT(result.remarks[0], Contains("in the order asked for"));
}

TEST_CASE("once the tests are listed, an order that discovery lacks is had by arguments") {
  const PlainProject project;
  const std::atomic<bool> cancel{false};
  CommandRunner runner(project.options());
  CHECK_FALSE(runner.order_warning({a + "3", a + "1"}));
  const auto listed = runner.list_tests(cancel);
  REQUIRE(listed);
  CHECK(*listed == Ids{a + "1", a + "2", a + "3", a + "skip", a + "ux", a + "xfail", "tests.test_a.B.test_b",
                       "tests.test_a.C.test_c"});
  CHECK_THAT(runner.describe_command({a + "1", a + "3"}), Contains("--load-list ID_FILE"));
  CHECK_THAT(runner.describe_command({a + "3", a + "1"}), Contains("subunit.run " + a + "3 " + a + "1"));
  CHECK_FALSE(runner.order_warning({a + "3", a + "1"}));
  auto result = run(runner, {a + "2", "tests.test_a.C.test_c", a + "3"}, a + "1");
  CHECK(result.end == VictimEnd::pass);
  CHECK(ids_of(result) == Ids{a + "2", "tests.test_a.C.test_c", a + "3"});
  CHECK(result.ran[2].status == "fail");
  CHECK(result.remarks.empty());

  auto fixed = project.options();
  fixed.order = OrderPolicy::as_written;
  fixed.discovered = listed;
  const CommandRunner as_written(fixed);
  const auto warning = as_written.order_warning({a + "3", a + "1"});
  REQUIRE(warning);
  CHECK_THAT(*warning, Contains("filter"));
  CHECK_FALSE(as_written.order_warning({a + "1", a + "3"}));
  auto always = project.options();
  always.order = OrderPolicy::as_arguments;
  CHECK_THAT(CommandRunner(always).describe_command({a + "1"}), Contains("subunit.run " + a + "1"));
}

TEST_CASE("tests that no name leads to are run by the list, though in its order") {
  const Project project;
  project.write("tests/test_made.py", R"(
import unittest
class T(unittest.TestCase):
    def __init__(self, name): super().__init__('check'); self.name = name
    def id(self): return 'made ' + self.name
    def check(self): self.assertNotEqual(self.name, 'b')
def load_tests(loader, tests, pattern): return unittest.TestSuite([T('a'), T('b'), T('c')])
)");
  const std::atomic<bool> cancel{false};
  CommandRunner runner(project.options());
  CHECK(runner.list_tests(cancel) == Ids{"made a", "made b", "made c"});
  const auto result = run(runner, {"made c", "made a"}, "made b");
  CHECK(result.end == VictimEnd::fail);
  CHECK(ids_of(result) == Ids{"made a"});
  CHECK(result.remarks.size() == 1);
  const auto warning = runner.order_warning({"made c", "made a"});
  REQUIRE(warning);
  CHECK_THAT(*warning, Contains("by their names"));
}

TEST_CASE("listing fails with the command's own words") {
  const Project project;
  const std::atomic<bool> cancel{false};
  project.write("tests/test_broken.py", "import not_there\n");
  CHECK_THROWS_WITH(CommandRunner(project.options()).list_tests(cancel),
                    Contains("exit status 2") && Contains("No module named 'not_there'"));
  auto options = project.shell("no-such-program-here $LISTOPT $IDFILE");
  options.command.list_option = "-l";
  CHECK_THROWS_WITH(CommandRunner(options).list_tests(cancel), Contains("127") && Contains("not found"));
  options.command.command = "echo warning >&2; sleep 1000 $LISTOPT # $IDFILE";
  options.command.list_option = " ";
  CHECK_THROWS_WITH(CommandRunner(options).list_tests(cancel, 0.3), Contains("0.3 seconds"));
  options.command.command = "printf 'a.b\\n  c.d \\n\\n' $LISTOPT # $IDFILE";
  CHECK(CommandRunner(options).list_tests(cancel) == Ids{"a.b", "c.d"});
  CHECK_FALSE(CommandRunner(project.shell("x $IDLIST")).list_tests(cancel));
  const std::atomic<bool> cancelled{true};
  CHECK_FALSE(CommandRunner(options).list_tests(cancelled));
}

TEST_CASE("a command that cannot run is told at once") {
  const Project project;
  CHECK_THROWS_WITH(CommandRunner(project.shell("make check")),
                    Contains("$IDFILE") && Contains("'make check'"));
  auto options = project.shell("${PYTHON_THAT_IS_NOT:-no-such-python} -m subunit.run $IDLIST");
  CHECK_THROWS_WITH(run(options, {}, "x"), Contains("exit status 127") && Contains("PYTHON"));
  options.directory = (project.path / "gone").string();
  CHECK_THROWS_AS(run(options, {}, "x"), CannotRun);
}

TEST_CASE("without subunit the exit status speaks") {
  const Project project;
  auto result = run(project.shell("grep -q b $IDFILE && exit 0"), {"a"}, "b");
  CHECK(result.end == VictimEnd::pass);
  CHECK(ids_of(result) == Ids{"a"});
  result = run(project.shell("echo said; echo wrong >&2; exit 7 # $IDFILE"), {}, "b");
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.traceback == "said\nwrong\n");
  CHECK(run(project.shell("exit 124 # $IDFILE"), {}, "b").end == VictimEnd::fail);
  result = run(project.shell("exit 125 # $IDFILE"), {}, "b");
  CHECK(result.end == VictimEnd::void_probe);
  CHECK_THAT(result.void_reason, Contains("125"));
  CHECK_THROWS_WITH(run(project.shell("exit 126 # $IDFILE"), {}, "b"), Contains("126"));
  CHECK_THROWS_WITH(run(project.shell("not-a-program $IDFILE"), {}, "b"), Contains("not found"));
  CHECK_THROWS_WITH(run(project.shell("kill -9 $$ # $IDFILE"), {}, "b"), Contains("signal 9"));
  // Lines that look like subunit v1, of another test runner, are no results.
  CHECK(run(project.shell("echo 'test tests::b ... ok'; exit 1 # $IDFILE"), {}, "b").end == VictimEnd::fail);
  // A configuration's command must speak subunit.
  auto options = project.shell("exit 1 # $IDFILE");
  options.output = OutputKind::subunit;
  CHECK(run(options, {}, "b").end == VictimEnd::void_probe);
}

TEST_CASE("a command that only mentions subunit is judged by its exit status when no subunit comes") {
  const Project project;
  CommandRunner runner(project.shell(": /src/python-subunit/run; ! grep -qx polluter $IDFILE"));
  auto result = run(runner, {"polluter"}, "v");
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.by_exit_status);
  CHECK(ids_of(result) == std::vector<std::string>{"polluter"});
  CHECK(run(runner, {}, "v").end == VictimEnd::pass);

  CommandRunner speaks(project.shell(": python-subunit; cat said; exit 1 # $IDFILE"));
  project.write("said", "test: v\nsuccess: v\n");
  CHECK(run(speaks, {}, "v").end == VictimEnd::pass);
  project.write("said", "");
  CHECK(run(speaks, {}, "v").end == VictimEnd::void_probe);

  // Python without subunit ends with status 1: no failure of the victim's.
  result = run(project.shell("/no/python3 -m subunit.run 2>/dev/null || exit 1 # $IDFILE"), {}, "v");
  CHECK(result.end == VictimEnd::void_probe);
}

TEST_CASE("subunit v1 is understood as it comes") {
  const Project project;
  const std::string v1 =
      "printf 'test: a\\ntime: 2020-01-01 00:00:00Z\\nsuccess: a\\ntest: b\\nfailure: b [\\nValueError: "
      "x\\n]\\n';";
  auto result = run(project.shell(v1 + " exit 0 # $IDFILE"), {"a"}, "b");
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.traceback == "ValueError: x\n");
  CHECK(ids_of(result) == Ids{"a"});
  result = run(project.shell("printf 'test: a\\nsuccess: a\\ntest: b\\n'; exit 3 # $IDFILE"), {"a"}, "b");
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.traceback == "process ended with exit status 3 while the test ran");
}

TEST_CASE("a long list of arguments goes through a file, and what is too long goes by the list") {
  const Project project;
  Ids many;
  for (int i = 0; i < 5000; ++i)
    many.push_back("package.module.Class.test_with_a_long_name number " + std::to_string(i));
  CHECK(run(project.shell(FLAKEBISECT_PYTHON " -c 'import sys; sys.exit(len(sys.argv) != 5002)' $IDLIST"),
            many, "v")
            .end == VictimEnd::pass);
  auto options = project.options();
  options.order = OrderPolicy::as_arguments;
  options.discovered = Ids{"b", "a"};
  const CommandRunner runner(options);
  CHECK_FALSE(runner.order_warning({"a", "b"}));
  many = {"a", "b"};
  for (int i = 0; i < 50; ++i) many.emplace_back(100 << 10, 'x');
  REQUIRE(runner.order_warning(many));
  CHECK_THAT(*runner.order_warning(many), Contains("too long"));
}
