#!/usr/bin/python3
"""Campaigns that were ended: killed, by a signal or by their budget. `resume` goes on with all of their victims."""
import json
import os
import random
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import BEHIND, POLLUTER, PROGRAM, TESTS, VICTIM, SmallProject, stored_run  # noqa: E402

VICTIMS = [TESTS[8], VICTIM, BEHIND]
CAMPAIGN = ("--all-failures", "--run-id", "7", "-q")


class CampaignResumeTest(SmallProject):
    """Three victims of one worker with one polluter."""

    def setUp(self):
        super().setUp()
        everything = TESTS + [VICTIM, BEHIND]
        self.repository({"6": stored_run(everything), "7": stored_run(everything, failed=VICTIMS)})
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace('bad = test == VICTIM and', f'bad = test in {VICTIMS!r} and'))

    def at_listing(self, number, change):
        """The runner does this when the tests are listed for that time, one listing for each victim."""
        runner = self.folder / "runner"
        counted = ('counter = os.path.join(here, "listings")\n    open(counter, "a").write("x")\n'
                   f'    if os.path.getsize(counter) == {number}: {change}\n')
        runner.write_text(runner.read_text().replace(
            'if "--list" in sys.argv:\n', f'if "--list" in sys.argv:\n    {counted}', 1))

    def life(self, *words):
        return subprocess.Popen([PROGRAM, *words], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})

    def summary(self):
        return json.loads((self.folder / "all.json").read_text())["victims"]

    def check_all(self, summary):
        self.assertEqual([one["victim"] for one in summary], VICTIMS)
        for one in summary:
            self.assertEqual((one["status"], one["error"]), (0, None))
            self.assertEqual((one["report"]["verdict"]["kind"], one["report"]["verdict"]["tests"]), ("polluter", [POLLUTER]))

    def observations(self, session):
        return json.loads(self.run_program("sessions", "export", str(session)).stdout)["observations"]

    def test_killed_at_any_moment(self):
        chance = random.Random(4)
        process = self.life(*CAMPAIGN)
        for _ in range(12):
            try:
                process.wait(timeout=chance.uniform(0.05, 1.2))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
            process = self.life("resume", "-q") if self.made() else self.life(*CAMPAIGN)
        process.communicate(timeout=100)
        # Where the last life found nothing to go on with, an earlier one had written no summary before it was killed.
        last = self.run_program("resume", "--campaign", "1", "-q", "--json", "all.json", timeout=200)
        self.assertEqual(last.returncode, 0, last.stderr)
        self.check_all(self.summary())
        with sqlite3.connect(self.folder / ".flakebisect" / "sessions.sqlite") as database:
            self.assertEqual(database.execute("SELECT count(*) FROM campaign").fetchone(), (1,))
            self.assertEqual(database.execute("SELECT campaign_victim, count(*) FROM session GROUP BY 1 ORDER BY 1").fetchall(),
                             [(1, 1), (2, 1), (3, 1)])
        # What the first search ran after it had begun tells the second one, whichever life made it.
        first, second = (self.observations(one["session"]) for one in self.summary()[:2])
        shared = [one for one in second if one["runner"] == "probe for another victim"]
        self.assertEqual(len(shared), len([one for one in first if one["source"] == 1]))

    def made(self):
        """The file has the campaign."""
        file = self.folder / ".flakebisect" / "sessions.sqlite"
        if not file.exists():
            return False
        with sqlite3.connect(file) as database:
            try:
                return database.execute("SELECT count(*) FROM campaign").fetchone() == (1,)
            except sqlite3.OperationalError:
                return False  # no tables yet

    def test_a_signal_names_the_command_that_goes_on(self):
        self.at_listing(2, 'open(os.path.join(here, "listing"), "w").close(); signal.pause()')
        process = self.life(*CAMPAIGN, "--json", "all.json")
        while not (self.folder / "listing").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143, err)
        self.assertEqual([one["status"] for one in self.summary()], [0, 143, 1])
        command = next(line.partition(": ")[2] for line in out.splitlines() if line.startswith("Go on with all"))
        self.assertTrue(command.startswith("flakebisect resume"), out)
        # From anywhere.
        elsewhere = self.folder.parent / "elsewhere"
        elsewhere.mkdir()
        session = shlex.split(command)[3]
        words = [*shlex.split(command)[1:], "--json", str(self.folder / "all.json")]
        if not os.path.isabs(session):
            words[words.index(session)] = str(self.folder / session)
        first = self.summary()[0]["session"]
        before = self.observations(first)
        ran = self.run_program(*words, cwd=elsewhere)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("2 of 3 victims have no verdict", ran.stderr)
        self.assertNotIn("--- victim 1 of 3", ran.stderr)
        self.check_all(self.summary())
        self.assertEqual(self.observations(first), before)

    def test_victims_that_had_no_turn(self):
        # The shares of the first two are too short to try anything in.
        ran = self.run_program(*CAMPAIGN, "--budget", "4s", "--confidence", "0.9999999999", "--json", "all.json")
        self.assertEqual(ran.returncode, 3, ran.stderr)
        self.assertIn("before its turn", ran.stdout)
        self.assertIn(None, [one["session"] for one in self.summary()])
        ran = self.run_program("resume", "--confidence", "0.95", "--json", "all.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.check_all(self.summary())
        # Now there is nothing left; one session can still be named, and the campaign tells what it has found.
        ran = self.run_program("resume")
        self.assertEqual(ran.returncode, 5, ran.stderr)
        ran = self.run_program("resume", "--campaign", "1", "--json", "-")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.check_all(json.loads(ran.stdout)["victims"])

    def test_one_process_at_a_time(self):
        self.mode("block", "3", "fifo")
        os.mkfifo(self.folder / "fifo")
        process = self.life(*CAMPAIGN)
        with open(self.folder / "fifo", encoding="utf8") as fifo:
            fifo.read()
        ran = self.run_program("resume", "--campaign", "1")
        self.assertEqual(ran.returncode, 5, ran.stderr)
        self.assertIn(f"campaign 1 is being worked on by pid {process.pid}", ran.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_a_session_by_its_number_goes_on_alone(self):
        ran = self.run_program(*CAMPAIGN, "--max-probes", "3", "--json", "all.json")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        session = self.summary()[1]["session"]
        ran = self.run_program("resume", str(session), "-q", "--json", "one.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads((self.folder / "one.json").read_text())["victim"], VICTIMS[1])
        # The campaign knows its verdict.
        ran = self.run_program("resume", "--json", "all.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("2 of 3 victims have no verdict", ran.stderr)
        self.check_all(self.summary())

    def test_what_changed_since_needs_force(self):
        ran = self.run_program(*CAMPAIGN, "--max-probes", "3", "--json", "all.json")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        self.configure("env X=1 ./runner $LISTOPT $IDOPTION")
        ran = self.run_program("resume", "-q", "--json", "all.json")
        self.assertEqual(ran.returncode, 5, ran.stderr)
        self.assertIn("--force", ran.stderr)
        ran = self.run_program("resume", "-q", "--force", "--json", "all.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.check_all(self.summary())

    def test_what_cannot_be_resumed(self):
        self.assertEqual(self.run_program(*CAMPAIGN).returncode, 0)
        for words, status, part in ((["--campaign", "2"], 5, "no campaign 2"), (["1", "--campaign", "1"], 2, "not both"),
                                    (["--campaign", "x"], 2, "campaign")):
            ran = self.run_program("resume", *words)
            self.assertEqual(ran.returncode, status, ran.stderr)
            self.assertIn(part, ran.stderr)

    def test_the_last_session_takes_the_campaign_along(self):
        self.assertEqual(self.run_program(*CAMPAIGN).returncode, 0)
        for session in ("1", "2", "3"):
            self.assertEqual(self.run_program("sessions", "delete", session).returncode, 0)
        ran = self.run_program("resume", "--campaign", "1")
        self.assertEqual(ran.returncode, 5, ran.stderr)


if __name__ == "__main__":
    unittest.main()
