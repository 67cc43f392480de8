#!/usr/bin/python3
"""A victim that runs several times in one probe, on the shipped test servers: what is found, what it costs, and what a
session keeps of it.

Behind its polluter the victim fails in one run of ten. What it needs is set up once for each process, and that takes
far longer than its runs.
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import unittest

from rpc_harness import PYTEST, UNITTEST, environment, write_project

PROGRAM = os.environ.get("FLAKEBISECT", "flakebisect")
HARMLESS = 7
SETUP_SECONDS = 0.1

# Which runs fail follows from a number that each run takes: irregular, and the same in each run of this test. Each run
# is noted with its process and its outcome.
SHOP = f'''
import os, time, zlib
HERE = os.path.dirname(os.path.abspath(__file__))
STATE = {{"polluted": False}}

class Till:
    """What the victim needs: dear, and shared by all its runs in a process."""
    def __init__(self):
        time.sleep(float(os.environ.get("SETUP_SECONDS", {SETUP_SECONDS})))
        self.number = time.time_ns()

    def runs(self):
        with open(os.path.join(HERE, "dice"), "ab") as dice:
            dice.write(b"x")
            dice.flush()
            bites = STATE["polluted"] and zlib.crc32(b"%d" % dice.tell()) % int(os.environ.get("ONE_IN", 10)) == 0
        with open(os.path.join(HERE, "journal"), "a") as journal:
            journal.write(f"{{self.number}} {{2 if bites else 1}}\\n")
        return not bites
'''
CASES = "".join(f"    def test_{n}(self): pass\n" for n in range(HARMLESS))
UNITTEST_FILES = {
    "shop.py": SHOP,
    "test_a.py": "import shop, unittest\nclass A(unittest.TestCase):\n" + CASES +
                 "    def test_pollutes(self): shop.STATE['polluted'] = True\n",
    "test_b.py": "import shop, unittest\nclass B(unittest.TestCase):\n"
                 "    @classmethod\n    def setUpClass(cls): cls.till = shop.Till()\n"
                 "    def test_victim(self): self.assertTrue(self.till.runs())\n",
}
PYTEST_FILES = {
    "shop.py": SHOP,
    "test_a.py": "import pytest, shop\n"
                 f"@pytest.mark.parametrize('n', range({HARMLESS}))\ndef test_harmless(n): pass\n"
                 "def test_pollutes(): shop.STATE['polluted'] = True\n",
    "test_b.py": "import pytest, shop\n@pytest.fixture(scope='module')\ndef till(): return shop.Till()\n"
                 "def test_victim(till): assert till.runs()\n",
}


class RepeatsTest(unittest.TestCase):
    maxDiff = None

    def project(self, files, tests, server):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flakebisect-repeats-"))
        self.addCleanup(shutil.rmtree, self.folder)
        write_project(self.folder, files)
        self.tests = tests
        (self.folder / "list").write_text("\n".join(tests) + "\n")
        self.words = ["--load-list", "list", "--test", tests[-1], "--server", shlex.join(server), "--session", "s.sqlite",
                      "--seed", "1"]

    def with_unittest(self):
        self.project(UNITTEST_FILES,
                     [f"test_a.A.test_{n}" for n in range(HARMLESS)] + ["test_a.A.test_pollutes", "test_b.B.test_victim"],
                     [*UNITTEST, "test_a", "test_b"])

    def with_pytest(self):
        self.project(PYTEST_FILES,
                     [f"test_a.py::test_harmless[{n}]" for n in range(HARMLESS)]
                     + ["test_a.py::test_pollutes", "test_b.py::test_victim"],
                     [*PYTEST, "-p", "no:cacheprovider", "."])

    def run_program(self, *words, status=0, **more):
        ran = subprocess.run([PROGRAM, *words], cwd=self.folder, env=environment(NO_COLOR="1", **more),
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        self.assertIn(ran.returncode, status if isinstance(status, tuple) else (status,), ran.stdout + ran.stderr)
        return ran

    def bisect(self, *options, **more):
        """The JSON report of a bisection, and what it said."""
        # What is asked for with this confidence must not be wrong one time in twenty.
        ran = self.run_program(*self.words, "--json", "report.json", "--confidence", "0.999", *options, **more)
        report = json.loads((self.folder / "report.json").read_text())
        self.check_verdict(report)
        cost = report["cost"]
        print(f"\n{self.id().rsplit('.', 1)[1]} {' '.join(options)} {more}: {cost['probes']} probes, "
              f"{cost['probes'] - cost['void'] + cost.get('repeats', 0)} runs of the victim, {cost['wall_seconds']:.1f} s")
        return report, ran

    def check_verdict(self, report):
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [self.tests[-2]]),
                         json.dumps(report["verdict"], indent=1))
        self.assertTrue(report["verdict"]["confirmed"])
        self.assertEqual(report["reproduce"]["tests"], self.tests[-2:])

    def journal(self):
        """What really ran: (runs, outcome of the last one) of each process, in their order."""
        processes = {}
        for line in (self.folder / "journal").read_text().splitlines():
            number, outcome = line.split()
            processes.setdefault(number, []).append(int(outcome))
        for outcomes in processes.values():
            self.assertNotIn(2, outcomes[:-1], "a run after one that failed")
        return [(len(outcomes), outcomes[-1]) for outcomes in processes.values()]

    def check_report(self, report, ran):
        """Every probe is a process of the journal, and the arms count the runs of the victim."""
        self.assertEqual([(probe.get("victim_runs", 1), {"pass": 1, "fail": 2}[probe["outcome"]])
                          for probe in report["probes"]], self.journal())
        repeats = sum(runs - 1 for runs, _ in self.journal())
        self.assertEqual(report["cost"]["repeats"], repeats)
        self.assertGreater(repeats, 0)
        self.assertIn("times in one process", " ".join(report["verdict"]["remarks"]))
        self.assertRegex(ran.stderr, r"FAILED \(run [0-9]+\), ")
        self.assertRegex(ran.stderr, r"passed \([0-9]+ runs\), ")
        self.assertRegex(ran.stdout, r"probes with [0-9]+ runs of the victim in ")
        # A reproduction takes the dear set-up and one run. Its rate is that of one run, one in ten, and not that of a
        # process in which it runs until it fails.
        self.assertGreater(report["reproduce"]["seconds_per_run"], SETUP_SECONDS)
        self.assertTrue(0.02 < report["reproduce"]["rate"] < 0.5, report["reproduce"])

    def test_unittest(self):
        self.with_unittest()
        report, ran = self.bisect("--verbose")
        self.check_report(report, ran)
        for left in ("dice", "journal"):
            (self.folder / left).unlink()
        # Once in each probe takes hundreds of them, so this one fails more often; it takes more probes nevertheless.
        once, ran = self.bisect("--verbose", "--victim-runs", "1", ONE_IN="4", SETUP_SECONDS="0.02")
        self.assertEqual({runs for runs, _ in self.journal()}, {1})
        self.assertNotIn("repeats", once["cost"])
        self.assertNotIn("in one process", " ".join(once["verdict"]["remarks"]))
        self.assertIsNone(re.search(r"\(run [0-9]|[0-9] runs\)", ran.stderr), ran.stderr)
        self.assertLess(report["cost"]["probes"], once["cost"]["probes"])

    def test_pytest(self):
        self.with_pytest()
        self.check_report(*self.bisect("--verbose"))

    def test_a_server_that_cannot_repeat(self):
        self.with_unittest()
        self.words[self.words.index("--server") + 1] = shlex.join([UNITTEST[0], "--without", "repeat", "test_a", "test_b"])
        ran = self.run_program(*self.words, "--max-probes", "8", "--verbose", status=(3, 4))
        self.assertEqual({runs for runs, _ in self.journal()}, {1})
        self.assertNotIn(" runs)", ran.stderr)
        exported = json.loads(self.run_program("sessions", "export", "1", "--session", "s.sqlite").stdout)
        asked = [one["victim_runs_asked"] for one in exported["observations"] if one["source"] == 1]
        self.assertEqual({one["victim_runs"] for one in exported["observations"]}, {1})
        self.assertEqual(sum(number > 1 for number in asked), 1, "asked for once, in vain")

    def test_kills_and_resume(self):
        self.with_unittest()
        strict = ("--confidence", "0.999999999999")
        self.run_program(*self.words, "--max-probes", "3", *strict, status=(3, 4))
        kills = 4
        for kill in range(kills):
            before = len((self.folder / "journal").read_text())
            process = subprocess.Popen([PROGRAM, "resume", "1", "--session", "s.sqlite", "-q"], cwd=self.folder,
                                       env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)
            # In the middle of a probe's runs, or between two probes.
            while len((self.folder / "journal").read_text()) < before + 22 * (1 + 4 * kill) and process.poll() is None:
                time.sleep(0.002)
            ended = process.poll() is not None
            process.kill()
            _, err = process.communicate(timeout=60)
            self.assertFalse(ended, f"life {kill} ended by itself, with status {process.returncode}: {err}")
        self.run_program("resume", "1", "--session", "s.sqlite", "--confidence", "0.95", "--json", "report.json")
        report = json.loads((self.folder / "report.json").read_text())
        self.check_verdict(report)
        exported = json.loads(self.run_program("sessions", "export", "1", "--session", "s.sqlite").stdout)
        stored = [(one["victim_runs"], one["outcome"]) for one in exported["observations"] if one["source"] == 1]
        self.assertTrue(any(runs > 1 for runs, _ in stored))
        for one in exported["observations"]:
            self.assertLessEqual(one["victim_runs"], one["victim_runs_asked"])
        # What is stored is what ran, in its order; each kill lost one probe at the most.
        ran = self.journal()
        lost = 0
        for probe in stored:
            while ran and ran[0] != probe:
                ran.pop(0)
                lost += 1
            self.assertTrue(ran, f"{probe} never ran")
            ran.pop(0)
        self.assertLessEqual(lost + len(ran), kills)


if __name__ == "__main__":
    unittest.main()
