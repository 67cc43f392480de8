#include "bisect/child_process.h"
#include "command_project.h"
#include "repo_reader/config.h"

using Catch::Matchers::Contains;
using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;
using flakebisect::repo_reader::ConfigFamily;

namespace {

using Ids = std::vector<std::string>;

CommandRunnerOptions configured(const Project& project, ConfigFamily family) {
  const auto config = flakebisect::repo_reader::read_config(project.path, family);
  REQUIRE(config);
  CommandRunnerOptions options;
  options.command.command = flakebisect::repo_reader::require_test_command(*config);
  options.command.id_option = config->test_id_option.value_or("");
  options.command.list_option = config->test_list_option.value_or("");
  options.command.id_list_default = config->test_id_list_default;
  options.directory = project.path.string();
  options.output = OutputKind::subunit;
  return options;
}

/// Standard output of a command in the project's directory.
std::string output_of(const Project& project, const std::string& command) {
  ChildOptions options;
  options.command = command;
  options.directory = project.path.string();
  ChildProcess child(options);
  std::string out;
  std::string err;
  while (child.out_open() || !child.exited()) child.wait(60, out, err);
  return out;
}

const char* const tests_of_both = R"(
import unittest
seen = []
class T(unittest.TestCase):
    def test_1(self): self.assertEqual(seen, [], 'not first')
    def test_2(self): seen.append(2)
    def test_3(self): pass
)";

const std::string t = "tests.test_t.T.test_";

void check_runs(const CommandRunnerOptions& options) {
  const std::atomic<bool> cancel{false};
  CommandRunner runner(options);
  CHECK(runner.list_tests(cancel) == Ids{t + "1", t + "2", t + "3"});
  auto result = run(runner, {t + "1"}, t + "3");
  CHECK(result.end == VictimEnd::pass);
  CHECK(ids_of(result) == Ids{t + "1"});
  result = run(runner, {t + "3", t + "2"}, t + "1");
  CHECK(result.end == VictimEnd::fail);
  CHECK_THAT(result.traceback, Contains("not first"));
  CHECK(ids_of(result) == Ids{t + "3", t + "2"});
}

}  // namespace

TEST_CASE("testr's configuration runs as testr runs it") {
  const Project project;
  project.write("tests/test_t.py", tests_of_both);
  project.write(".testr.conf",
                "[DEFAULT]\ntest_command=PYTHONDONTWRITEBYTECODE=1 \\\n"
                "    ${PYTHON:-/usr/bin/python3} -m subunit.run discover -t ./ ./tests $LISTOPT $IDOPTION\n"
                "test_id_option=--load-list $IDFILE\ntest_list_option=--list\n");
  check_runs(configured(project, ConfigFamily::testr));
  const auto listed = output_of(project, "testr init >&2; testr list-tests");
  CHECK_THAT(listed, Contains(t + "1\n" + t + "2\n" + t + "3\n"));
}

TEST_CASE("stestr's configuration runs as stestr runs it, serially") {
  unsetenv("PYTHON");  // it would choose the interpreter
  const Project project;
  project.write("tests/test_t.py", tests_of_both);
  project.write(".stestr.conf", "[DEFAULT]\ntest_path=./tests\n");
  check_runs(configured(project, ConfigFamily::stestr));
  CHECK(output_of(project, "stestr init >&2; stestr list") == t + "1\n" + t + "2\n" + t + "3\n");
  fs::remove(project.path / ".stestr.conf");
  project.write("pyproject.toml", "[tool.stestr]\ntest_path = \"./tests\"\n");
  CHECK(CommandRunner(configured(project, ConfigFamily::stestr)).describe_command({"x"}) ==
        "/usr/bin/python3 -m stestr.subunit_runner.run discover -t \"./\" \"./tests\"  --load-list ID_FILE");
}
