#!/usr/bin/python3
"""The demo's project is what the demo says: 506 tests, the victims' places, and two faults that are really there.

Where a fault bites is decided by fresh random numbers (uuid4); here they are set, so that each outcome is certain.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PROJECT = SOURCE / "scripts" / "demo_project"
RACE_VICTIM = "tests.test_ledger.TwoTillsTest.test_both_sales_are_counted"
POLLUTED_VICTIM = "tests.test_orders.ConfirmationTest.test_confirmation_is_in_euros"
POLLUTER = "tests.test_affiliates.PartnerExportTest.test_export_for_a_visiting_partner"

# Runs the tests named behind the list of numbers that uuid4 will give; the exit status says whether all passed.
RUN_WITH_NUMBERS = """
import sys, unittest, uuid
numbers = iter([int(word) for word in sys.argv[1].split(",")])
uuid.uuid4 = lambda: uuid.UUID(int=next(numbers))
from bookshop import ledger
ledger.Ledger.__init__.__defaults__ = (1, float(sys.argv[2]))  # the window of the race
suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[3:])
sys.exit(not unittest.TextTestRunner(stream=sys.stdout).run(suite).wasSuccessful())
"""


class ProjectTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flakebisect-smoke-")
        self.addCleanup(folder.cleanup)
        self.checkout = pathlib.Path(folder.name) / "checkout"
        shutil.copytree(PROJECT, self.checkout, ignore=shutil.ignore_patterns("stories", "__pycache__"))

    def python(self, *words):
        return subprocess.run(
            ["/usr/bin/python3", "-B", *words], cwd=self.checkout, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def tell(self, story):
        shutil.copytree(PROJECT / "stories" / story, self.checkout, dirs_exist_ok=True)

    def passes(self, numbers, *tests, window_seconds=30):
        ran = self.python("-c", RUN_WITH_NUMBERS, ",".join(map(str, numbers)), str(window_seconds), *tests)
        self.assertIn(f"Ran {len(tests)} test", ran.stdout, ran.stderr)
        self.assertIn("OK" if ran.returncode == 0 else "FAILED (failures=1)", ran.stdout)
        return ran.returncode == 0

    def test_506_tests_and_the_places_of_the_three(self):
        listed = subprocess.run(
            "/usr/bin/python3 -B -m subunit.run discover -t . ./tests --list | subunit-ls --exists",
            shell=True, cwd=self.checkout, capture_output=True, text=True, check=True,
        ).stdout.split()
        self.assertEqual(len(listed), 506)
        self.assertEqual(len(set(listed)), 506)
        self.assertEqual([listed.index(test) for test in (POLLUTER, RACE_VICTIM, POLLUTED_VICTIM)], [42, 300, 332])

    def test_without_a_story_everything_passes(self):
        ran = self.python("-m", "unittest", "discover", "-q", "-t", ".", "tests")
        self.assertIn("Ran 506 tests", ran.stderr)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_a_story_replaces_files_of_the_shop_only(self):
        for story, files in (("race", ["bookshop/ledger.py"]), ("pollution", ["bookshop/sessions.py"])):
            folder = PROJECT / "stories" / story
            found = [str(p.relative_to(folder)) for p in folder.rglob("*.py")]
            self.assertEqual(found, files)
            self.assertNotEqual((folder / files[0]).read_text(), (PROJECT / files[0]).read_text())

    def test_race_loses_a_sale_in_one_shard_of_thirty(self):
        self.assertTrue(self.passes([7, 37], RACE_VICTIM, window_seconds=0.1), "the lock of the good file holds")
        self.tell("race")
        self.assertFalse(self.passes([7, 37], RACE_VICTIM))
        self.assertTrue(self.passes([7, 38], RACE_VICTIM))

    def test_pollution_bites_in_one_session_of_four(self):
        outcomes = [self.passes([guest, 99], POLLUTER, POLLUTED_VICTIM) for guest in range(8)]
        self.assertEqual(outcomes, [True] * 8, "the good file resets its session")
        self.tell("pollution")
        outcomes = [self.passes([guest, 99], POLLUTER, POLLUTED_VICTIM) for guest in range(8)]
        self.assertEqual(outcomes.count(False), 2)
        self.assertTrue(self.passes([99], POLLUTED_VICTIM))


if __name__ == "__main__":
    unittest.main()
