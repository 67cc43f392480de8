#!/usr/bin/python3
"""--launcher: probes and servers that run elsewhere, and machines that are lost. The far ends are real processes on this
machine, reached through stand-ins for ssh and kubectl that treat their arguments as the real ones do."""
import datetime
import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import subunit  # noqa: E402
from survival_project import POLLUTER, TESTS, VICTIM, SurvivalProject  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
# sshd gives the words, joined by blanks, to the user's shell. The host `dead` cannot be reached; `dying` is lost in its third
# connection, in the middle of a probe; from `silent` nothing comes any more once the victim has started there.
SSH = r'''#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  case $1 in -o) shift ;; esac
  shift
done
host=$1
shift
echo "$host" >>"$LOG"
if [ "$host" = dead ]; then echo "ssh: connect to host dead port 22: No route to host" >&2; exit 255; fi
if [ "$host" = dying ] && [ "$(grep -c dying "$LOG")" -ge 3 ]; then
  cat >/dev/null
  echo "test: tests.test_a.Case.test_00"
  echo "client_loop: send disconnect: Broken pipe" >&2
  exit 255
fi
if [ "$host" = silent ]; then
  cat >/dev/null
  echo "test: tests.test_b.Case.test_victim"
  exec sleep 1000
fi
exec sh -c "$*"
'''
KUBECTL = r'''#!/bin/sh
[ "$1 $2" = "exec -i" ] || exit 9
echo "$3 $4 $5" >>"$LOG"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
'''


class LauncherCase(SurvivalProject):
    def setUp(self):
        super().setUp()
        programs = self.folder.parent / "bin"
        programs.mkdir()
        for name, text in (("ssh", SSH), ("kubectl", KUBECTL)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.log = self.folder.parent / "log"
        self.log.write_text("")
        self.path = f"{programs}:{os.environ['PATH']}"

    def explain(self, *words, status=0):
        ran = self.run_program("--run-id", "7", *words, "--json", "report.json", PATH=self.path, LOG=str(self.log), ONE_IN="1")
        self.assertEqual(ran.returncode, status, ran.stderr)
        if status == 0:
            report = json.loads((self.folder / "report.json").read_text())
            self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        return ran

    def reached(self):
        return set(self.log.read_text().splitlines())


class CommandTest(LauncherCase):
    def test_shell_text(self):
        self.explain("--launcher", "env VIA=launcher $COMMAND")
        self.assertEqual({probe["runner"] for probe in self.probes()}, {"command launcher"})
        self.check_evidence(self.probes())

    def test_shell_text_of_several_commands(self):
        for number, text in enumerate(("$COMMAND || exit $?", "true; $COMMAND; exit $?"), 1):
            self.explain("--launcher", text)
            for probe in self.probes(number):
                self.assertEqual(len(probe["ran"]), len(probe["asked"]), probe)

    def test_ssh_on_two_hosts(self):
        self.explain("--launcher", "ssh:one,two")
        self.assertEqual(self.reached(), {"one", "two"})
        self.assertEqual({probe["runner"] for probe in self.probes()}, {"command ssh:one", "command ssh:two"})

    def test_a_dead_host(self):
        ran = self.explain("--launcher", "ssh:one,dead")
        self.assertIn("dead", ran.stderr)
        self.assertIn("No route to host", ran.stderr)
        void = [probe for probe in self.probes() if probe["outcome"] == 4]
        self.assertEqual({probe["runner"] for probe in void}, {"command ssh:dead"})

    def test_a_host_that_is_lost_in_the_middle_of_a_probe(self):
        self.explain("--launcher", "ssh:one,dying")
        void = [probe for probe in self.probes() if probe["outcome"] == 4]
        self.assertGreaterEqual(len(void), 1)
        for probe in void:
            self.assertEqual(probe["runner"], "command ssh:dying")
            self.assertIn("lost", probe["void_reason"])

    def test_a_host_that_falls_silent_while_a_hang_is_searched_for(self):
        self.record_hang()
        # On the other host every run hangs.
        ran = self.run_program("--run-id", "7", "--test", VICTIM, "--launcher", "ssh:one,silent", "--max-probes", "4",
                               "--test-timeout", "3s", PATH=self.path, LOG=str(self.log), HANG_FROM="1")
        self.assertNotIn("is alive", ran.stdout + ran.stderr + json.dumps(self.export()))
        outcomes = {(probe["runner"], probe["outcome"]) for probe in self.probes()}
        self.assertEqual(outcomes, {("command ssh:one", 2), ("command ssh:silent", 4)})
        for probe in self.probes():
            if probe["outcome"] == 4:
                self.assertIn("ssh:silent was lost: it gave no sign of life", probe["void_reason"])
        self.assertIn("ssh:silent was lost", ran.stderr)

    def record_hang(self):
        """Stores run 7 anew, as one in which the victim started and never ended."""
        now = datetime.datetime(2026, 11, 20, 10, tzinfo=datetime.timezone.utc)
        with open(self.folder / ".testrepository" / "7", "wb") as file:
            stream = subunit.StreamResultToBytes(file)
            for test, statuses in [(test, ("inprogress", "success")) for test in TESTS] + [(VICTIM, ("inprogress",))]:
                for status in statuses:
                    stream.status(test_id=test, test_status=status, timestamp=now, test_tags={"worker-0"})
                    now += datetime.timedelta(milliseconds=5)

    def test_a_dead_host_is_the_first(self):
        ran = self.explain("--launcher", "ssh:dead,one")
        self.assertIn("No route to host", ran.stderr)

    def test_no_host_at_all(self):
        ran = self.explain("--launcher", "ssh:dead", status=6)
        self.assertIn("No route to host", ran.stderr)

    def test_kubectl(self):
        self.explain("--launcher", "kubectl:ci/pod-1,pod-2", "--jobs", "2")
        self.assertEqual(self.reached(), {"pod-1 -n ci", "pod-2 -- /bin/sh"})

    def test_another_directory(self):
        moved = self.folder.parent / "elsewhere"
        moved.symlink_to(self.folder)
        self.explain("--launcher", "ssh:one", "--launcher-directory", str(moved))
        ran = self.explain("--launcher", "ssh:one", "--launcher-directory", "/no/such/place", status=6)
        self.assertIn("/no/such/place", ran.stderr)

    def test_a_launcher_that_is_none(self):
        for words in (["--launcher", "slurn"], ["--launcher", "ssh:"], ["--launcher-directory", "/x"]):
            ran = self.explain(*words, status=2)
            self.assertIn("launcher", ran.stderr)

    def test_testr_instances(self):
        configuration = self.folder / ".testr.conf"
        configuration.write_text(
            configuration.read_text() +
            "instance_provision=echo provision $INSTANCE_COUNT >> $LOG; seq -f i-%%g $INSTANCE_COUNT\n"
            "instance_execute=for f in $FILES; do test -e $f || exit 9; done; INSTANCE=$INSTANCE_ID $COMMAND\n"
            "instance_dispose=echo dispose $INSTANCE_IDS >> $LOG\n")
        self.explain("--launcher", "testr", "--jobs", "3")
        self.assertEqual(self.log.read_text(), "provision 3\ndispose i-1 i-2 i-3\n")
        self.assertEqual({probe["runner"] for probe in self.probes()} - {f"command instance:i-{n}" for n in (1, 2, 3)}, set())

    def test_files_in_a_folder_with_a_blank(self):
        blank = self.folder.parent / "t m p"
        blank.mkdir()
        self.tmp = blank
        self.explain("--launcher", "for f in $FILES; do test -e \"$f\" || exit 9; done; $COMMAND")

    def test_testr_instances_that_take_too_long(self):
        configuration = self.folder / ".testr.conf"
        configuration.write_text(
            configuration.read_text() + "instance_provision=echo i-1; echo waiting >> $LOG; exec sleep 1000\n"
            "instance_execute=$COMMAND\ninstance_dispose=echo dispose $INSTANCE_IDS >> $LOG\n")
        words = ("--run-id", "7", "--launcher", "testr")
        ran = self.run_program(*words, "--budget", "2s", PATH=self.path, LOG=str(self.log))
        self.assertEqual(ran.returncode, 6, ran.stderr)
        self.assertIn("did not end within 2 seconds", ran.stderr)
        self.assertEqual(self.log.read_text(), "waiting\ndispose i-1\n")
        self.log.write_text("")
        program = self.start(*words, PATH=self.path, LOG=str(self.log))
        while not self.log.read_text():
            self.assertIsNone(program.poll())
            time.sleep(0.02)
        program.terminate()
        program.communicate(timeout=120)
        self.assertEqual(program.returncode, 128 + signal.SIGTERM)
        self.assertEqual(self.log.read_text(), "waiting\ndispose i-1\n")

    def test_testr_instances_that_cannot_be_had(self):
        ran = self.explain("--launcher", "testr", status=5)
        self.assertIn("instance_provision", ran.stderr)
        configuration = self.folder / ".testr.conf"
        configuration.write_text(configuration.read_text() + "instance_provision=echo i-1; echo no quota >&2; exit 1\n"
                                 "instance_execute=$COMMAND\ninstance_dispose=echo dispose $INSTANCE_IDS >> $LOG\n")
        ran = self.explain("--launcher", "testr", status=6)
        self.assertIn("no quota", ran.stderr)
        self.assertEqual(self.log.read_text(), "dispose i-1\n")


class ServerTest(LauncherCase):
    def setUp(self):
        super().setUp()
        make_unittest_project(self.folder)

    def test_servers_through_ssh(self):
        ran = self.run_program("--run-id", "7", "--launcher", "ssh:one,two", "--json", "report.json", PATH=self.path,
                               LOG=str(self.log))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        self.assertEqual(self.reached(), {"one", "two"})
        runners = {probe["runner"] for probe in self.probes()}
        self.assertLessEqual(runners, {"server ssh:one", "server ssh:two"})

    def test_a_server_whose_host_is_lost(self):
        ran = self.run_program("--run-id", "7", "--launcher", "ssh:one,dead", "--json", "report.json", PATH=self.path,
                               LOG=str(self.log))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("No route to host", ran.stderr)

    def test_a_server_whose_first_host_is_dead(self):
        ran = self.run_program("--run-id", "7", "--launcher", "ssh:dead,one", PATH=self.path, LOG=str(self.log))
        self.assertEqual(ran.returncode, 0, ran.stderr)


def make_unittest_project(folder):
    """Real unittest tests with the ids of SurvivalProject, and a test server for them."""
    tests = folder / "tests"
    tests.mkdir()
    (tests / "__init__.py").write_text("state = []\n")
    methods = "".join(f"    def test_{n:02}(self): {'tests.state.append(1)' if f'test_{n:02}' in POLLUTER else 'pass'}\n"
                      for n in range(30))
    (tests / "test_a.py").write_text("import unittest\nimport tests\nclass Case(unittest.TestCase):\n" + methods)
    (tests / "test_b.py").write_text(
        "import time, unittest\nimport tests\nclass Case(unittest.TestCase):\n    def test_victim(self):\n"
        "        time.sleep(0.02)\n        self.assertEqual(tests.state, [])\n")
    (folder / ".testr.conf").write_text(
        "[DEFAULT]\ntest_command=/usr/bin/python3 -m subunit.run discover -t . tests $LISTOPT $IDOPTION\n"
        "test_id_option=--load-list $IDFILE\ntest_list_option=--list\n"
        f"test_server_command={SOURCE}/scripts/flakebisect-unittest-server discover -t . tests\n")
    repository = folder / ".testrepository" / "7"
    text = repository.read_text().replace("self.assertEqual(shop.currency, \"EUR\")", "self.assertEqual(tests.state, [])")
    text = text.replace("/src/tests/test_b.py\", line 7", f"{folder}/tests/test_b.py\", line 6")
    repository.write_text(text.replace("AssertionError: 'CHF' != 'EUR'", "AssertionError: Lists differ: [1] != []"))


if __name__ == "__main__":
    unittest.main()
