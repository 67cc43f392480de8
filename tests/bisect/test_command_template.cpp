#include <catch2/catch.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "bisect/command_template.h"

using namespace flakebisect::bisect;

namespace {

using Ids = std::vector<std::string>;

CommandTemplate typical(const std::string& prefix = "${PYTHON:-python}") {
  CommandTemplate command;
  command.command = prefix + " -m subunit.run discover -t ./ ./tests $LISTOPT $IDOPTION";
  command.id_option = "--load-list $IDFILE";
  command.list_option = "--list";
  return command;
}

CommandTemplate only(const std::string& text) {
  CommandTemplate command;
  command.command = text;
  return command;
}

std::string run_in_shell(const std::string& text) {
  FILE* pipe = popen(text.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (const std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
  REQUIRE(pclose(pipe) == 0);
  return output;
}

/// Ids that break careless quoting.
const Ids nasty = {"a b", "it's", "say \"hi\"", "$HOME",        "`id`",      "$(id)",       "a;b",
                   "*",   "~",    "back\\sl",   "\\$X",         "tab\there", "caf\xC3\xA9", "!x",
                   "#c",  "-m",   "a=b",        "(x)",          "[1-2]",     "a&&b|c",      "%s",
                   "'",   "\"",   "\\",         "\xE6\x97\xA5", "",          "x>y"};

}  // namespace

TEST_CASE("variables are replaced as testr replaces them") {
  auto command = typical("python");
  CHECK(run_text(command, {"a", "b"}, "/tmp/f") ==
        "python -m subunit.run discover -t ./ ./tests  --load-list /tmp/f");
  CHECK(list_text(command) == "python -m subunit.run discover -t ./ ./tests --list ");
  command.command = "x $IDFILEX ${IDFILE} $IDLIST_ $$IDFILE \\$IDFILE";
  CHECK(run_text(command, {"a", "b"}, "/f") == "x /fX ${IDFILE} a b_ $/f \\/f");
  command.command = "x $IDOPTION";
  command.id_option = "[$IDFILE|$IDLIST|$LISTOPT|$IDOPTION]";
  CHECK(run_text(command, {"a"}, "/f") == "x [/f|a||]");
  // What was put in is not looked at again.
  CHECK(run_text(only("x $IDLIST"), {"$IDFILE"}, "/f") == "x '$IDFILE'");
  command = only("x $LISTOPT $IDLIST $IDOPTION.");
  command.list_option = "-l $IDFILE";
  command.id_list_default = "all of them";
  command.id_option = "never";
  CHECK(list_text(command) == "x -l $IDFILE all of them .");
}

TEST_CASE("the shell sees every id as it is, in whatever quotes the variable stands") {
  std::string words;
  std::string joined;
  for (const auto& id : nasty) {
    words += "<" + id + ">";
    joined += (joined.empty() ? "" : " ") + id;
  }
  CHECK(run_in_shell(run_text(only("printf '<%s>' $IDLIST"), nasty, "/f")) == words);
  CHECK(run_in_shell(run_text(only("printf '<%s>' \"$IDLIST\""), nasty, "/f")) == "<" + joined + ">");
  CHECK(run_in_shell(run_text(only("printf '<%s>' '$IDLIST'"), nasty, "/f")) == "<" + joined + ">");
  CHECK(run_in_shell(run_text(only("printf '<%s>' don\\'t \"'\" $IDLIST"), {"a b"}, "/f")) ==
        "<don't><'><a b>");
  CHECK(run_in_shell(run_text(only("echo $IDFILE"), {}, "/tmp/my $file")) == "/tmp/my $file\n");
}

TEST_CASE("plain words are left without quotes") {
  CHECK(shell_quote("tests.test_a.A.test_1") == "tests.test_a.A.test_1");
  CHECK(shell_quote("a/b.py::t-1@x") == "a/b.py::t-1@x");
  CHECK(shell_quote("a b") == "'a b'");
  CHECK(shell_quote("") == "''");
}

TEST_CASE("it is known how ids reach a command") {
  CHECK(passes_ids(typical()));
  CHECK_FALSE(passes_ids_as_arguments(typical()));
  CHECK(passes_ids_as_arguments(only("x $IDLIST")));
  CHECK_FALSE(passes_ids(only("make check")));
  CHECK_FALSE(passes_ids(only("x $IDOPTION")));
  CHECK(can_list(typical()));
  CHECK_FALSE(can_list(only("x $LISTOPT")));
  CHECK_FALSE(can_list(only("x $IDLIST")));
  const auto written_out = only("python3 -m subunit.run discover . --load-list $IDFILE -t .");
  CHECK(can_list(written_out));
  CHECK(list_text(written_out) == "python3 -m subunit.run discover . --list -t .");
}

TEST_CASE("discovery turns into arguments, which keep their order") {
  const auto arguments_of = [](const CommandTemplate& command) {
    const auto changed = with_ids_as_arguments(command);
    return changed ? changed->command : "";
  };
  CHECK(arguments_of(typical()) == "${PYTHON:-python} -m subunit.run $IDLIST");
  CHECK(arguments_of(typical("A=${A:-1} \\\n  B='x y' ${PYTHON:-python}")) ==
        "A=${A:-1} \\\n  B='x y' ${PYTHON:-python} -m subunit.run $IDLIST");
  CHECK(arguments_of(typical("cd x && python")) == "cd x && python -m subunit.run $IDLIST");
  CHECK(arguments_of(
            only("python -m stestr.subunit_runner.run discover -t \"./\" \"./t\" $LISTOPT $IDOPTION")) ==
        "python -m stestr.subunit_runner.run $IDLIST");
  const std::string lib = "PYTHONPATH=\"lib\"${PYTHONPATH:+:$PYTHONPATH}; export PYTHONPATH; ";
  CHECK(arguments_of(only("python -m subunit.run discover -t \"lib\" lib/tests $IDOPTION")) ==
        lib + "python -m subunit.run $IDLIST");
  CHECK(arguments_of(only("python -m subunit.run discover \"lib\" $IDOPTION")) ==
        lib + "python -m subunit.run $IDLIST");
  CHECK(arguments_of(only("python -m subunit.run discover -b -s tests -p '*_t.py' -t . $IDOPTION")) ==
        "python -m subunit.run -b $IDLIST");
  CHECK(arguments_of(only("python -m testtools.run discover -t . t --load-list $IDFILE")) ==
        "python -m testtools.run $IDLIST");
  CHECK(arguments_of(only("python -m subunit.run discover --top-level-directory=. t $IDOPTION")) ==
        "python -m subunit.run $IDLIST");
  // More than discovery, or something unknown.
  CHECK(arguments_of(only("python -m subunit.run discover . $IDOPTION | filter")).empty());
  CHECK(arguments_of(only("python -m subunit.run discover . $IDOPTION; echo")).empty());
  CHECK(arguments_of(only("python -m subunit.run discover . $IDOPTION\necho")).empty());
  CHECK(arguments_of(only("python -m subunit.run discover . --odd $IDOPTION")).empty());
  CHECK(arguments_of(only("PYTHONPATH=x python -m subunit.run discover lib $IDOPTION")).empty());
  CHECK(arguments_of(only("python -m subunit.run mod.suite $IDOPTION")).empty());
  CHECK(arguments_of(only("pytest $IDLIST")).empty());
}

TEST_CASE("output for people where that can be had") {
  CHECK(for_people(typical("python"))->command ==
        "python -m testtools.run discover -t ./ ./tests $LISTOPT $IDOPTION");
  CHECK(for_people(*with_ids_as_arguments(only("python -m subunit.run discover lib $IDOPTION"))));
  CHECK_FALSE(for_people(only("python -m subunit.run discover . $IDOPTION | tee x")));
  CHECK_FALSE(for_people(only("pytest $IDLIST")));
  CHECK_FALSE(for_people(only("make subunit.run")));
}

TEST_CASE("the list file is UTF-8, one id a line") {
  CHECK(id_file_text({"a", "caf\xC3\xA9"}) == "a\ncaf\xC3\xA9\n");
  CHECK(id_file_text({}).empty());
}
