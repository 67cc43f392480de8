#!/usr/bin/python3
"""Session files of schema 1, 2 and 3, with a search that was interrupted: shown and resumed by the present program.

A file is made with the tables of the program that wrote its schema, and holds what that stored. Schema 1: no time limits among the
candidates, no company of probes, no versions. Schema 2: no campaigns. Schema 3: the victim ran once in each probe.
"""
import json
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from survival_project import POLLUTER, VICTIM, SurvivalProject  # noqa: E402

SCHEMA_1 = """
  PRAGMA application_id = 1178757491;
  PRAGMA user_version = 1;
  CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created REAL NOT NULL, updated REAL NOT NULL, state TEXT NOT NULL,
    directory TEXT NOT NULL, run_id TEXT NOT NULL, worker TEXT NOT NULL, victim TEXT NOT NULL,
    options TEXT NOT NULL, problem TEXT NOT NULL, context TEXT NOT NULL, report TEXT NOT NULL DEFAULT '');
  CREATE TABLE observation (
    session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    source INTEGER NOT NULL, purpose INTEGER NOT NULL, outcome INTEGER NOT NULL,
    weight REAL NOT NULL, asked TEXT NOT NULL, ran TEXT NOT NULL,
    seconds REAL NOT NULL, startup_seconds REAL NOT NULL, victim_seconds REAL NOT NULL,
    process INTEGER NOT NULL, signature TEXT NOT NULL, void_reason TEXT NOT NULL,
    made_at REAL NOT NULL, runner TEXT NOT NULL,
    PRIMARY KEY (session, sequence)) WITHOUT ROWID;
  CREATE TABLE failure (
    session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,
    signature TEXT NOT NULL, traceback TEXT NOT NULL,
    PRIMARY KEY (session, signature)) WITHOUT ROWID;
"""
FROM_1_TO_2 = """
  ALTER TABLE session ADD COLUMN one_at_a_time INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE observation ADD COLUMN beside INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE observation ADD COLUMN version TEXT NOT NULL DEFAULT '';
  PRAGMA user_version = 2;
"""
FROM_2_TO_3 = """
  CREATE TABLE campaign (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, directory TEXT NOT NULL,
    options TEXT NOT NULL, victims TEXT NOT NULL, all_tried INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE shared_run (
    campaign INTEGER NOT NULL REFERENCES campaign(id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    victim TEXT NOT NULL, ran TEXT NOT NULL, outcome INTEGER NOT NULL, traceback TEXT NOT NULL,
    beside INTEGER NOT NULL,
    PRIMARY KEY (campaign, sequence)) WITHOUT ROWID;
  ALTER TABLE session ADD COLUMN campaign INTEGER REFERENCES campaign(id) ON DELETE SET NULL;
  ALTER TABLE session ADD COLUMN campaign_victim INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE observation ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
  PRAGMA user_version = 3;
"""
STEPS = (SCHEMA_1, FROM_1_TO_2, FROM_2_TO_3)
NEW_OF_CASE = ("other_workers", "side_by_side")
PROBES = 6  # fewer than any verdict takes
NEW_OF_OPTIONS = ("jobs_given", "launcher", "launcher_directory")


class MigrationTest(SurvivalProject):
    def old_file(self, schema):
        """What the interrupted search has stored, written as a file of that schema."""
        ran = self.run_program("--run-id", "7", "--max-probes", str(PROBES), ONE_IN="1")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        exported = self.export()
        file = self.folder / ".flakebisect" / "sessions.sqlite"
        present = sqlite3.connect(file)
        old = sqlite3.connect(self.folder / "old.sqlite")
        old.executescript("".join(STEPS[:schema]))
        for table in ("session", "observation", "failure"):
            columns = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
            for row in present.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall():
                row = dict(zip(columns, row))
                if table == "session":
                    row["state"] = "running"  # it was killed
                    row["report"] = ""
                if table == "session":
                    problem = json.loads(row["problem"])
                    options = json.loads(row["options"])
                    problem.pop("most_victim_runs")
                    options.pop("victim_runs")
                    if schema == 1:
                        for name in NEW_OF_CASE:
                            problem.pop(name, None)
                        for candidate in problem["candidates"]:
                            candidate.pop("longest_seconds", None)
                        for name in NEW_OF_OPTIONS:
                            options.pop(name, None)
                    row["problem"] = json.dumps(problem)
                    row["options"] = json.dumps(options)
                old.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                            list(row.values()))
        old.commit()
        for connection in (present, old):
            connection.close()
        for left in file.parent.iterdir():
            left.unlink()
        (self.folder / "old.sqlite").rename(file)
        return file, exported

    def test_schema_1(self):
        self.shown_and_resumed(1)

    def test_schema_2(self):
        self.shown_and_resumed(2)

    def test_schema_3(self):
        self.shown_and_resumed(3)

    def shown_and_resumed(self, schema):
        file, before = self.old_file(schema)
        listed = self.run_program("sessions")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn(VICTIM, listed.stdout)
        self.assertIn(f"{PROBES} probes", listed.stdout)
        shown = self.run_program("sessions", "show", "1")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertEqual(sqlite3.connect(file).execute("PRAGMA user_version").fetchone()[0], 4)
        after = self.export()
        self.assertFalse(after["one_at_a_time"])
        self.assertIsNone(after["campaign"])
        self.assertEqual(len(after["observations"]), len(before["observations"]))
        for one, other in zip(after["observations"], before["observations"]):
            self.assertEqual((one["beside"], one["version"]), (0, "" if schema == 1 else other["version"]))
            self.assertEqual((one["victim_runs"], one["victim_runs_asked"]), (1, 1))
            for name in ("source", "purpose", "outcome", "asked", "ran", "seconds", "made_at", "signature"):
                self.assertEqual(one[name], other[name], name)

        ran = self.run_program("resume", "--json", "report.json", ONE_IN="1")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        resumed = self.export()["observations"]
        self.assertEqual(resumed[: len(after["observations"])], after["observations"])
        self.assertGreater(len(resumed), len(after["observations"]))
        self.assertTrue(resumed[-1]["version"])


if __name__ == "__main__":
    unittest.main()
