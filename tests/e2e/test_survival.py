#!/usr/bin/python3
"""Sessions survive: kill -9 at any moment, a full disk, a second process, a changed project. Real processes throughout."""
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from survival_project import POLLUTER, TESTS, VICTIM, SurvivalProject  # noqa: E402
from small_project import PROGRAM, stored_run  # noqa: E402

KILLS = 100
UNFINISHED = (3, 4)  # inconclusive, or no failure in so few probes
# So strict that the search is far from its end when the last kill comes.
LONG = ("--confidence", "0.999999999999999")


class KillTest(SurvivalProject):
    def killed_life(self, incarnation, choice, words):
        """One life of the program: ended by kill -9 at a random moment."""
        before = len(self.journal_lines())
        process = self.start(*words, incarnation=incarnation)
        # A third of the kills fall into the start; the others come while probes run, a random moment after a random
        # number of journal lines.
        lines = 0 if choice.random() < 0.33 else choice.randint(1, 9)
        delay = choice.uniform(0, 0.12 if lines == 0 else 0.03)
        while len(self.journal_lines()) < before + lines and process.poll() is None:
            time.sleep(0.002)
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            pass
        ended = process.poll() is not None
        process.kill()
        _, err = process.communicate(timeout=60)
        self.assertFalse(ended, f"life {incarnation} ended by itself, with status {process.returncode}: {err}")

    def test_a_hundred_kills_during_one_bisection(self):
        choice = random.Random(20261123)
        first = self.run_program("--run-id", "7", "--max-probes", "3", *LONG, incarnation=0)
        self.assertIn(first.returncode, UNFINISHED, first.stderr)
        kills = 0
        incarnation = 0
        while kills < KILLS:
            incarnation += 1
            self.killed_life(incarnation, choice, ("resume", "1", "-q"))
            kills += 1
        last = self.run_program("resume", "1", "--confidence", "0.95", "--json", "report.json", incarnation=incarnation + 1)
        self.assertEqual(last.returncode, 0, last.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))

        exported = self.export()
        probes = [one for one in exported["observations"] if one["source"] == 1]
        seen = self.check_evidence(probes)
        self.assertGreater(len(seen), KILLS)
        self.assertEqual(report["cost"]["probes"], len(probes))
        self.assertEqual(exported["state"], "done")
        self.assertEqual(self.run_program("sessions").stdout.count("\n"), 1, "one session, however often it was killed")
        self.assertEqual(list(self.tmp.iterdir()), [], "no temporary folder is left")

    def test_kills_while_four_probes_run(self):
        choice = random.Random(4)
        first = self.run_program("--run-id", "7", "--max-probes", "3", *LONG, incarnation=0)
        self.assertIn(first.returncode, UNFINISHED, first.stderr)
        for incarnation in range(1, 13):
            self.killed_life(incarnation, choice, ("resume", "1", "-q", "--jobs", "4"))
        # Results that were in and not yet committed when the kill came are lost: at most one a slot.
        self.check_evidence(self.probes(), jobs=4)

    def test_the_first_life_is_killed_too(self):
        for delay in (0.01, 0.03, 0.06, 0.1, 0.15):
            process = self.start("--run-id", "7", *LONG, incarnation=1)
            try:
                process.wait(timeout=delay)
            except subprocess.TimeoutExpired:
                pass
            process.kill()
            process.communicate(timeout=60)
        listed = self.run_program("sessions")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        for line in listed.stdout.splitlines():
            self.assertIn("killed", line)
        ran = self.run_program("--run-id", "7", incarnation=2)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_stored_runs_are_there_with_the_session(self):
        repository = self.folder / ".testrepository"
        for number in range(8, 108):
            (repository / str(number)).write_text(stored_run(TESTS + [VICTIM]))
        (repository / "next-stream").write_text("108\n")
        self.run_program("--run-id", "7", "--max-probes", "1")
        with contextlib.closing(sqlite3.connect(self.folder / ".flakebisect" / "sessions.sqlite")) as file:
            def count(sql):
                return file.execute(sql).fetchone()[0]
            known = count("SELECT count(*) FROM observation WHERE session = 1 AND source <> 1")
            self.assertGreater(known, 100)
            process = self.start("--run-id", "7", *LONG)
            while count("SELECT count(*) FROM session") == 1:
                self.assertIsNone(process.poll())
            process.kill()
            process.communicate(timeout=60)
            self.assertEqual(count("SELECT count(*) FROM observation WHERE session = 2 AND source <> 1"), known)


def small_disk(kilobytes):
    """Words that run a command with a file system of that size at ./disk, or None where that is not allowed here."""
    script = f'mount -t tmpfs -o size={kilobytes}k none disk && exec "$@"'
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if os.geteuid() == 0:
        words.remove("--map-root-user")
    return words


class FullDiskTest(SurvivalProject):
    def test_file_size_limit(self):
        """RLIMIT_FSIZE: writes fail beyond a size, as on a full disk. Works everywhere."""
        ran = self.run_program("--run-id", "7", *LONG, incarnation=1,
                               prefix=("/bin/sh", "-c", 'trap "" XFSZ; ulimit -f 180; exec "$@"', "sh"))
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertIn("session file", ran.stderr)
        self.assertIn("flakebisect resume", ran.stderr)
        self.go_on_and_check(".flakebisect/sessions.sqlite")

    def go_on_and_check(self, session):
        self.check_evidence(self.probes())
        ran = self.run_program("resume", "1", "--confidence", "0.95", incarnation=2)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        seen = self.check_evidence(self.probes())
        self.assertGreater(len(seen), 10)

    def test_file_system_that_is_full(self):
        """A tmpfs of 160 KiB in a mount name space of its own; the file is copied out before that goes."""
        (self.folder / "disk").mkdir()
        words = small_disk(160)
        tried = subprocess.run([*words, "true"], cwd=self.folder, capture_output=True, text=True)
        if tried.returncode != 0:
            self.skipTest("no file system can be mounted here: " + tried.stderr.strip())
        script = '"$@"; status=$?; cp -r disk copied; exit $status'
        ran = self.run_program("--run-id", "7", "--session", "disk/sessions.sqlite", *LONG, incarnation=1,
                               prefix=(*words, "sh", "-c", script, "sh"))
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertIn("full", ran.stderr)
        self.assertIn("flakebisect resume", ran.stderr)
        # What was copied with its write-ahead log is what a power loss would have left.
        shutil.copytree(self.folder / "copied", self.folder / ".flakebisect")
        self.go_on_and_check(".flakebisect/sessions.sqlite")


class SecondProcessTest(SurvivalProject):
    ONE_IN = 2

    def test_the_second_is_told_who_holds_it(self):
        # From its fifth run on it waits, so that it is not done before the others have asked.
        process = self.start("--run-id", "7", *LONG, incarnation=1, HANG_FROM="5")
        try:
            while len(self.journal_lines()) < 8:  # a start and an end each
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            for words in (["resume", "1"], ["sessions", "delete", "1"]):
                second = self.run_program(*words, incarnation=2)
                self.assertEqual(second.returncode, 5, second.stderr)
                self.assertIn(f"pid {process.pid}", second.stderr)
            listed = self.run_program("sessions")
            self.assertIn(f"running (pid {process.pid}", listed.stdout)
            # Another session in the same file is nobody's business.
            other = self.run_program("--run-id", "7", incarnation=3)
            self.assertEqual(other.returncode, 0, other.stderr)
        finally:
            process.kill()
            process.communicate(timeout=60)
        self.assertIn("killed", self.run_program("sessions", "show", "1").stdout)

    def test_many_at_once_in_one_file(self):
        processes = [self.start("--run-id", "7", "--seed", str(seed), "-q", "--json", f"{seed}.json") for seed in range(6)]
        for process in processes:
            out, err = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, out + err)
        listed = self.run_program("sessions").stdout.splitlines()
        self.assertEqual(len(listed), 6)
        numbers = [round(probe["victim_seconds"]) for session in range(1, 7) for probe in self.probes(session)]
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertEqual(len(numbers), len(self.journal()))


class ChangedProjectTest(SurvivalProject):
    ONE_IN = 2

    def setUp(self):
        super().setUp()
        ran = self.run_program("--run-id", "7", "--max-probes", "3", *LONG)
        self.assertIn(ran.returncode, UNFINISHED, ran.stderr)

    def asks_for_force(self, *said, session="1"):
        ran = self.run_program("resume", session, "--max-probes", "1", incarnation=1)
        self.assertEqual(ran.returncode, 5, ran.stderr)
        for text in ("--force", *said):
            self.assertIn(text, ran.stderr)
        forced = self.run_program("resume", session, "--max-probes", "1", "--force", "--json", "report.json", incarnation=2)
        self.assertIn(forced.returncode, UNFINISHED, forced.stderr)
        warnings = json.loads((self.folder / "report.json").read_text())["warnings"]
        self.assertTrue(any("change" in warning for warning in warnings), warnings)
        again = self.run_program("resume", session, "--max-probes", "1", incarnation=3)
        self.assertIn(again.returncode, UNFINISHED, "asked once, not for ever: " + again.stderr)

    def test_configuration(self):
        configuration = self.folder / ".testr.conf"
        configuration.write_text(configuration.read_text().replace("./runner", "env ./runner"))
        self.asks_for_force("command")

    def test_list_of_tests(self):
        names = self.folder / "names"
        names.write_text(names.read_text() + "TESTS = TESTS + ['tests.test_new.Case.test_one']\n")
        self.asks_for_force("list of tests")

    def test_git_revision(self):
        subprocess.run("git init -q && git -c user.name=n -c user.email=n@example.org commit -q --allow-empty -m one",
                       shell=True, cwd=self.folder, check=True)
        self.asks_for_force("git revision")

    def test_changes_of_a_tree_that_was_changed_before(self):
        names = self.folder / "names"
        subprocess.run("git init -q && git add names && git -c user.name=n -c user.email=n@example.org commit -q -m one",
                       shell=True, cwd=self.folder, check=True)
        names.write_text(names.read_text() + "# changed\n")
        ran = self.run_program("--run-id", "7", "--max-probes", "3", *LONG)
        self.assertIn(ran.returncode, UNFINISHED, ran.stderr)
        ran = self.run_program("resume", "2", "--max-probes", "1")
        self.assertIn(ran.returncode, UNFINISHED, "nothing has changed since: " + ran.stderr)
        names.write_text(names.read_text() + "# changed again\n")
        self.asks_for_force("git revision", session="2")

    def test_a_resume_that_fails_keeps_the_report(self):
        before = self.run_program("report", "1", "--json", "-", "-q")
        self.assertEqual(before.returncode, 0, before.stderr)
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace("wanted = set", "sys.exit(127)\nwanted = set", 1))
        ran = self.run_program("resume", "1", "--max-probes", "5", incarnation=1)
        self.assertEqual(ran.returncode, 6, ran.stderr)
        self.assertIn("failed", self.run_program("sessions").stdout)
        after = self.run_program("report", "1", "--json", "-", "-q")
        self.assertEqual((after.returncode, after.stdout), (0, before.stdout), after.stderr)


class SessionsCommandTest(SurvivalProject):
    ONE_IN = 2

    def test_list_show_export_delete(self):
        for seed in ("1", "2"):
            self.assertEqual(self.run_program("--run-id", "7", "--seed", seed).returncode, 0)
        listed = self.run_program("sessions", "list")
        self.assertEqual(listed.returncode, 0)
        self.assertEqual(len(listed.stdout.splitlines()), 2)
        self.assertIn(VICTIM, listed.stdout)
        shown = self.run_program("sessions", "show", "2")
        self.assertIn("done", shown.stdout)
        self.assertIn(POLLUTER, shown.stdout)
        exported = self.export(2)
        self.assertEqual(exported["schema"], "flakebisect/session/1")
        self.assertEqual((exported["victim"], exported["run_id"], exported["state"]), (VICTIM, "7", "done"))
        self.assertEqual(exported["problem"]["candidates"][0]["id"], TESTS[0])
        for probe in self.probes(2):
            self.assertLessEqual(
                {"asked", "ran", "outcome", "purpose", "signature", "seconds", "process", "made_at", "runner", "beside", "version"},
                set(probe))
        self.assertEqual(self.run_program("sessions", "delete", "1").returncode, 0)
        self.assertEqual(len(self.run_program("sessions").stdout.splitlines()), 1)
        gone = self.run_program("sessions", "show", "1")
        self.assertEqual(gone.returncode, 5)
        self.assertIn("no session 1", gone.stderr)


class SignalTest(SurvivalProject):
    def test_signals_stop_it_soon_with_a_report(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with self.subTest(signal=number):
                process = self.start("--run-id", "7", *LONG, "--json", "report.json", incarnation=int(number))
                lines = len(self.journal_lines())
                while len(self.journal_lines()) < lines + 12:
                    self.assertIsNone(process.poll())
                    time.sleep(0.01)
                killer = threading.Timer(60, process.kill)
                killer.start()
                process.send_signal(number)
                out, err = process.communicate()
                killer.cancel()
                self.assertEqual(process.returncode, status, err)
                report = json.loads((self.folder / "report.json").read_text())
                self.assertEqual(report["verdict"]["kind"], "inconclusive")
                self.assertIn("flakebisect resume", err)
                (self.folder / "report.json").unlink()


if __name__ == "__main__":
    unittest.main()
