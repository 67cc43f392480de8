#!/usr/bin/python3
"""The main job on projects of pytest, stestr and unittest, with their real test runners and with test servers."""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import unittest

from rpc_harness import PYTEST, PYTHON, SCRIPTS, SOURCE, UNITTEST, environment, write_project

PROGRAM = os.environ.get("FLAKEBISECT", "flakebisect")

# A polluter that bites about one time in four, by the digest of a number that each run takes: irregular, and the same
# in each run of this test.
DICE = '''
import fcntl, os, zlib
STATE = {"currency": "EUR"}
def bites():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "dice"), "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("x")
        file.flush()
        return zlib.crc32(b"%d" % file.tell()) % 4 == 0
'''
HARMLESS = 40


def until(fails, most=40):
    """Calls fails() until it says so."""
    for number in range(most):
        if fails():
            return number + 1
    raise AssertionError(f"no failure in {most} runs")


class MainJobCase(unittest.TestCase):
    maxDiff = None
    FILES = {}

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flakebisect-main-job-"))
        self.addCleanup(shutil.rmtree, self.folder)
        write_project(self.folder, self.FILES)

    def run_command(self, *command, statuses=(0, 1)):
        ran = subprocess.run(command, cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300, check=False)
        self.assertIn(ran.returncode, statuses, ran.stdout)
        return ran

    def bisect(self, *options, expect=0):
        """The JSON report of a bisection of the last run with a failure."""
        self.run_command(PROGRAM, "bisect", "--seed", "1", "--session", "sessions.sqlite", "--json",
                         "report.json", *options, statuses=(expect,))
        return json.loads((self.folder / "report.json").read_text())

    def check_polluter(self, report, polluter, victim):
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [polluter]),
                         json.dumps(report["verdict"], indent=1))
        self.assertEqual(report["victim"], victim)
        self.assertTrue(report["verdict"]["confirmed"])
        self.assertEqual(report["reproduce"]["tests"], [polluter, victim])
        # The command that is to be pasted shows the failure, in about one run of four.
        until(lambda: "AssertionError" in
              self.run_command("sh", "-c", report["reproduce"]["command"], statuses=range(256)).stdout)


class PytestProject(MainJobCase):
    FILES = {
        "shop.py": DICE,
        "test_many.py": f'''
            import pytest, shop
            @pytest.mark.parametrize("n", range({HARMLESS}))
            def test_harmless(n): assert n == int(str(n))
            def test_visiting_partner():
                if shop.bites(): shop.STATE["currency"] = "CHF"
            ''',
        "test_orders.py": '''
            import pytest, shop
            @pytest.mark.parametrize("n", range(10))
            def test_in_between(n): assert n == int(str(n))
            def test_currency(): assert shop.STATE["currency"] == "EUR"
            def test_after(): pass
            ''',
        ".testr.conf": f'''
            [DEFAULT]
            test_command = PYTHONPATH={shlex.quote(SCRIPTS)} {PYTHON} -m flakebisect_servers.pytest_run -p no:cacheprovider $LISTOPT $IDOPTION .
            test_id_option = --load-list $IDFILE
            test_list_option = --list
            ''',
    }
    POLLUTER, VICTIM = "test_many.py::test_visiting_partner", "test_orders.py::test_currency"

    def setUp(self):
        super().setUp()
        self.run_command("testr", "init")
        until(lambda: self.run_command("testr", "run").returncode == 1)

    def test_polluter(self):
        with (self.folder / ".testr.conf").open("a") as file:
            file.write(f"test_server_command = {shlex.join(PYTEST)} -p no:cacheprovider .\n")
        self.check_polluter(self.bisect(), self.POLLUTER, self.VICTIM)


def unittest_case(name, count, last):
    """A test class of `count` harmless tests and one more that comes last."""
    tests = "\n".join(f"    def test_{n:02}(self): self.assertEqual({n}, int('{n}'))" for n in range(count))
    return f"import unittest\nfrom tests import shop\nclass {name}(unittest.TestCase):\n{tests}\n    def test_last(self):\n{last}\n"


class StestrProject(MainJobCase):
    FILES = {
        "tests/__init__.py": "",
        "tests/shop.py": DICE,
        "tests/test_many.py": unittest_case(
            "Many", 20, '        if shop.bites(): shop.STATE["currency"] = "CHF"'),
        "tests/test_orders.py": unittest_case(
            "Orders", 10, '        self.assertEqual(shop.STATE["currency"], "EUR")'),
        ".stestr.conf": "[DEFAULT]\ntest_path=./tests\ntop_dir=./\n",
    }
    POLLUTER, VICTIM = "tests.test_many.Many.test_last", "tests.test_orders.Orders.test_last"

    def setUp(self):
        super().setUp()
        self.run_command("stestr", "init")
        until(lambda: self.run_command("stestr", "run", "--serial").returncode == 1)

    def test_polluter(self):
        with self.subTest("a new process for each probe"):
            self.check_polluter(self.bisect(), self.POLLUTER, self.VICTIM)
        with self.subTest("a test server"):
            report = self.bisect("--server", f"{shlex.join(UNITTEST)} discover -t ./ ./tests")
            self.check_polluter(report, self.POLLUTER, self.VICTIM)


class HashSeedProject(MainJobCase):
    """A failure that depends on the hash seed of the process alone, under warm servers that fork."""

    VICTIM = "test_settings.MergeTest.test_last_layer_wins"

    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(SOURCE, "tests", "data", "hashseed_suite", "test_settings.py"), self.folder)
        # Each server process gets the next seed: a sequence of its own for each run of this test, always the same.
        (self.folder / "server").write_text(f'''#!/bin/sh
echo >> seeds
PYTHONHASHSEED=$(wc -l < seeds) exec {shlex.join(UNITTEST)} discover -t . .
''')
        (self.folder / "server").chmod(0o755)
        listed = self.run_command("env", f"PYTHONPATH={SCRIPTS}", PYTHON, "-m", "subunit.run", "discover", "--list", ".")
        self.assertIn(self.VICTIM, listed.stdout)
        tests = [f"test_settings.NeighbourTest.test_{n:02}" for n in range(20)]
        (self.folder / "list").write_text("\n".join(tests + [self.VICTIM]) + "\n")

    def test_varies_by_process(self):
        report = self.bisect("--load-list", "list", "--test", self.VICTIM, "--server", "./server", "--max-probes", "1500")
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("self", []),
                         json.dumps(report["verdict"], indent=1))
        remarks = " ".join(report["verdict"]["remarks"])
        self.assertIn("varies by process", remarks)
        self.assertIn("PYTHONHASHSEED", remarks)


if __name__ == "__main__":
    unittest.main()
