#!/usr/bin/python3
"""A test of another worker as the cause: found side by side in a run that testr really ran with two workers."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from concurrent_project import HOLDER, OWN, VICTIM, ConcurrentProject  # noqa: E402


class ConcurrentTest(ConcurrentProject):
    def test_the_other_workers_test_is_found(self):
        report, ran = self.explain()
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]), ran.stderr)
        self.assertTrue(report["verdict"]["confirmed"])
        self.assertGreaterEqual(report["verdict"]["probability"], 0.95)
        arms = {arm["name"]: arm for arm in report["arms"]}
        self.assertGreater(arms["beside culprits"]["failures"], 0)
        self.assertEqual(arms["own worker only"]["failures"], 0)
        self.assertEqual(report["reproduce"]["beside"], [HOLDER])
        self.assertEqual(report["reproduce"]["tests"], OWN + [VICTIM])
        self.assertIn("ran on another worker at the same time", ran.words)
        for name in ("report.md", "report.html", "report.jira", "report.dot"):
            self.assertIn("test_03", (self.folder / name).read_text(), name)
        self.no_process_left()
        # What the reproduction says: pasted into a shell it fails as the victim's worker does, and leaves nothing behind.
        command = report["reproduce"]["command"]
        self.assertTrue(any(self.reproduces(command) for _ in range(5)), command)
        # One finding, told by the session it began with too.
        shown = self.program("sessions").stdout
        self.assertEqual(shown.count("=> concurrent"), 2, shown)
        again = self.program("report", "1", "--text", "-")
        self.assertIn("ran on another worker at the same time", " ".join(again.stdout.split()))
        self.assertEqual(self.program("resume").returncode, 5)

    def reproduces(self, command):
        before = len((self.folder / "journal").read_text().splitlines())
        subprocess.run(["/bin/sh", "-c", command], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.no_process_left()
        lines = (self.folder / "journal").read_text().splitlines()[before:]
        self.assertIn("test_00 test_01 test_victim", lines)
        self.assertIn("test_03", lines)
        return True

    def test_nothing_comes_back(self):
        self.mode("never")
        report, ran = self.explain("--max-probes", "45", status=4)
        self.assertEqual(report["verdict"]["kind"], "not-reproduced")
        self.check_cost(report, 45)
        self.assertIn("beside the other workers", ran.words)
        self.no_process_left()

    def check_cost(self, report, probes):
        """Each probe of both searches once, and at least the time that they took one after the other."""
        seconds = [one["seconds"] for session in ("1", "2")
                   for one in json.loads(self.program("sessions", "export", session).stdout)["observations"]
                   if one["source"] == 1 and (session == "2" or not one["runner"].startswith("side by side"))]
        self.assertEqual((report["cost"]["probes"], len(seconds)), (probes, probes))
        self.assertAlmostEqual(report["cost"]["test_seconds"], sum(seconds), 3)
        self.assertGreaterEqual(report["cost"]["wall_seconds"], 0.99 * sum(seconds))

    def test_a_limit_where_a_turn_ends(self):
        self.mode("never")
        for limit, sessions in ((30, 1), (40, 2)):
            report, _ = self.explain("--max-probes", str(limit), "--session", f"{limit}.sqlite", status=4)
            self.assertEqual(report["cost"]["probes"], limit)
            self.assertEqual(len(self.program("sessions", "--session", f"{limit}.sqlite").stdout.splitlines()), sessions)

    def test_a_failure_that_needs_no_other_worker_goes_back_to_one_worker(self):
        self.mode("late")
        report, ran = self.explain()
        self.assertIn("side by side", ran.stderr)
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("self", []), ran.stderr)
        self.assertIn("no other worker is needed", ran.words)
        self.assertNotIn("side_by_side", report)
        # What the search side by side saw of the worker alone is evidence of the other search.
        given = [one for one in json.loads(self.program("sessions", "export", "1").stdout)["observations"]
                 if one["runner"].startswith("side by side")]
        self.assertGreater(len(given), 0)
        self.assertEqual({tuple(one["ran"]) for one in given}, {(0, 1)})
        self.check_cost(report, report["cost"]["probes"])

    def test_a_failure_of_its_own_needs_no_other_worker(self):
        self.mode("alone")
        report, ran = self.explain()
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("self", []), ran.stderr)
        self.assertNotIn("side by side", ran.stderr)


if __name__ == "__main__":
    unittest.main()
