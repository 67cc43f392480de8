#!/usr/bin/python3
"""Probes at once: the right answer, recorded company, and tests that cannot stand each other."""
import contextlib
import json
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from survival_project import POLLUTER, SurvivalProject  # noqa: E402

# The victim takes a port for itself, and waits until others want it too: every run beside another one clashes. `port` is
# a file made with O_EXCL, which fails as bind() does.
SHARED_PORT = r'''
def meet():
    """Until somebody else runs, or nobody has come for a while."""
    seen = os.path.join(here, "running")
    os.makedirs(seen, exist_ok=True)
    mine = os.path.join(seen, str(os.getpid()))
    open(mine, "w").close()
    for _ in range(15):
        if len(os.listdir(seen)) > 1: break
        time.sleep(0.01)
    try:
        port = os.open(os.path.join(here, "port"), os.O_CREAT | os.O_EXCL)
        time.sleep(0.05)
        os.close(port)
        os.unlink(os.path.join(here, "port"))
        return False
    except FileExistsError:
        return True
    finally:
        os.unlink(mine)
import time
clash = meet()
'''


class ParallelTest(SurvivalProject):
    def shared_port(self, outcome):
        """Gives the runner a shared port; `outcome` is what becomes of a victim that cannot have it."""
        runner = self.folder / "runner"
        text = runner.read_text()
        at = text.index("bad = ")
        text = text[:at] + SHARED_PORT + text[at:]
        runner.write_text(text.replace("def stamp", outcome + "\ndef stamp", 1))

    def explain(self, *words):
        ran = self.run_program("--run-id", "7", *words, "--json", "report.json", ONE_IN="1")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads((self.folder / "report.json").read_text()), ran.stderr

    def test_several_slots_find_the_same(self):
        report, err = self.explain("--jobs", "4")
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        probes = self.probes()
        self.check_evidence(probes, jobs=4)
        self.assertTrue(any(probe["beside"] > 0 for probe in probes))
        self.assertTrue(any(probe["beside"] == 0 and probe["outcome"] == 2 for probe in probes), "it failed alone once")
        self.assertNotIn("disturb", err)

    def test_a_shared_port_that_looks_like_the_failure(self):
        self.shared_port("bad = bad or clash")
        report, err = self.explain("--jobs", "4")
        self.assertIn("disturb each other", err)
        self.assertIn("Fisher", err)
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        self.assertTrue(any("disturb each other" in warning for warning in report["warnings"]))
        self.assertTrue(self.export()["one_at_a_time"])

    def test_a_shared_port_with_a_failure_of_its_own(self):
        self.shared_port('if clash: bad, TRACEBACK = True, TRACEBACK.replace("AssertionError", "OSError")')
        report, err = self.explain("--jobs", "4")
        self.assertIn("disturb each other", err)
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))

    def test_a_resumed_session_remembers(self):
        self.shared_port("bad = bad or clash")
        self.explain("--jobs", "4")
        self.assertTrue(self.export()["one_at_a_time"])
        before = len(self.probes())
        ran = self.run_program("resume", "1", "--confidence", "0.9999", "--json", "report.json", ONE_IN="1")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        later = self.probes()[before:]
        self.assertGreater(len(later), 0)
        self.assertEqual({probe["beside"] for probe in later}, {0})
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(report["verdict"]["tests"], [POLLUTER])
        self.assertTrue(any("disturb" in warning for warning in report["warnings"]))

    def test_one_slot_does_not_take_the_word_of_several(self):
        # In its first life the victim fails each time, as beside others; in the second, with nothing beside it, never.
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace("def stamp", 'bad = os.environ["INCARNATION"] == "1"\ndef stamp', 1))
        ran = self.run_program("--run-id", "7", "--max-probes", "12", "--confidence", "0.999999999999999", incarnation=1)
        self.assertEqual(ran.returncode, 3, ran.stderr)
        with contextlib.closing(sqlite3.connect(self.folder / ".flakebisect" / "sessions.sqlite")) as file:
            file.execute("UPDATE observation SET beside = 3")
            file.commit()
            file.execute("VACUUM INTO ?", (str(self.folder / "copy.sqlite"),))
        words = ("resume", "1", "--jobs", "1", "--confidence", "0.95", "--max-probes", "40", "--json", "report.json")
        ran = self.run_program(*words, incarnation=2)
        self.assertIn(ran.returncode, (3, 4), ran.stdout)
        self.assertIn("disturb each other", ran.stderr)
        verdict = json.loads((self.folder / "report.json").read_text())["verdict"]
        self.assertIn(verdict["kind"], ("inconclusive", "not-reproduced"))
        self.assertFalse(verdict["confirmed"])
        self.assertTrue(self.export()["one_at_a_time"])
        # Quiet, only the report tells why evidence was thrown away.
        ran = self.run_program(*words, "-q", "--session", "copy.sqlite", incarnation=3)
        self.assertIn(ran.returncode, (3, 4), ran.stdout)
        self.assertNotIn("warning", ran.stderr)
        warnings = json.loads((self.folder / "report.json").read_text())["warnings"]
        self.assertTrue(any("disturb each other" in warning for warning in warnings), warnings)


if __name__ == "__main__":
    unittest.main()
