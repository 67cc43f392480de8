#!/usr/bin/python3
"""A search side by side that a limit, a kill or a signal ends is taken up again, with nothing lost or counted twice."""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from concurrent_project import HOLDER, VICTIM, ConcurrentProject  # noqa: E402
from small_project import PROGRAM  # noqa: E402


class ConcurrentResumeTest(ConcurrentProject):
    def test_interrupted_by_a_limit_and_resumed(self):
        report, _ = self.explain("--max-probes", "34", status=3)
        self.assertEqual(report["verdict"]["kind"], "inconclusive")
        listed = self.program("sessions", "export", "2")
        probes = [one for one in json.loads(listed.stdout)["observations"] if one["source"] == 1]
        self.assertEqual(len(probes), 4)
        ran = self.program("resume", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]))
        exported = json.loads(self.program("sessions", "export", "2").stdout)["observations"]
        self.assertEqual([one for one in exported if one["source"] == 1][:4], probes, "nothing is lost or counted twice")

    def given(self):
        """When the runs were made that the search side by side gave to the other one."""
        observations = json.loads(self.program("sessions", "export", "1").stdout)["observations"]
        return [one["made_at"] for one in observations if one["runner"].startswith("side by side")]

    def test_killed_while_it_gives(self):
        self.mode("late")
        process = subprocess.Popen([PROGRAM, "--test", VICTIM], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        name = self.folder / ".flakebisect" / "sessions.sqlite"
        while not name.exists() or not self.count_given(name):
            self.assertIsNone(process.poll())
        process.kill()
        process.wait(timeout=60)
        first = self.given()
        ran = self.program("resume", "2")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        given = self.given()
        self.assertEqual(given[:len(first)], first)
        self.assertEqual(len(given), len(set(given)), "a run is there twice")

    @staticmethod
    def count_given(name):
        with contextlib.closing(sqlite3.connect(name)) as file:
            try:
                return file.execute("SELECT count(*) FROM observation WHERE session = 1 AND runner LIKE 'side by side%'").fetchone()[0]
            except sqlite3.OperationalError:  # the tables are not there yet
                return 0

    def test_ended_by_a_signal_and_resumed(self):
        process = subprocess.Popen([PROGRAM, "--test", VICTIM], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in process.stderr:
            if "side by side" in line:
                break
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.no_process_left()
        ran = self.program("resume", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]))
        self.assertEqual(len(self.program("sessions").stdout.splitlines()), 2, "the search was taken up, not begun anew")


if __name__ == "__main__":
    unittest.main()
