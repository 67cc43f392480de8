#!/usr/bin/python3
"""Campaigns: many victims in one job, with a report each, a summary and a shared budget."""
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import BEHIND, POLLUTER, PROGRAM, TESTS, VICTIM, SmallProject, stored_run  # noqa: E402

ALONE = TESTS[2]


class CampaignTest(SmallProject):
    def setUp(self):
        super().setUp()
        everything = TESTS + [VICTIM, BEHIND]
        self.repository({
            "5": stored_run(everything, failed=[ALONE]), "6": stored_run(everything),
            "7": stored_run(everything, failed=[ALONE, VICTIM]),
        })
        runner = self.folder / "runner"
        # ALONE fails whatever runs before it.
        runner.write_text(runner.read_text().replace("bad = test == VICTIM", f"bad = test == {ALONE!r} or test == VICTIM"))

    def campaign(self, *words, status=0):
        ran = self.run_program(*words, "--json", "reports.json", "--markdown", "reports.md")
        self.assertEqual(ran.returncode, status, ran.stderr)
        return json.loads((self.folder / "reports.json").read_text()), ran

    def check_both(self, summary):
        found = {one["victim"]: one["report"]["verdict"] for one in summary["victims"]}
        self.assertEqual(set(found), {ALONE, VICTIM})
        self.assertEqual(found[ALONE]["kind"], "self")
        self.assertEqual((found[VICTIM]["kind"], found[VICTIM]["tests"]), ("polluter", [POLLUTER]))

    def test_all_failures_of_a_run(self):
        summary, ran = self.campaign("--all-failures", "--run-id", "7")
        self.assertEqual(summary["schema"], "flakebisect/campaign/1")
        self.check_both(summary)
        # The victim whose list is short comes first.
        self.assertEqual([one["victim"] for one in summary["victims"]], [ALONE, VICTIM])
        for number in (1, 2):
            report = json.loads((self.folder / f"reports-{number}.json").read_text())
            self.assertEqual(report["victim"], summary["victims"][number - 1]["victim"])
            self.assertIn(report["victim"].rsplit(".", 1)[1].replace("_", ""),
                          (self.folder / f"reports-{number}.md").read_text().replace("_", "").replace("\\", ""))
        self.assertIn("Summary of 2 victims", ran.stdout)
        self.assertEqual(len(self.run_program("sessions").stdout.splitlines()), 2)

    def test_summary_on_standard_output_is_alone_there(self):
        for words in (["--all-failures"], ["--flaky", "-q"],
                      # A second turn goes on with the sessions.
                      ["--all-failures", "--budget", "200s", "--max-probes", "20", "--confidence", "0.9999"]):
            with self.subTest(words=words):
                ran = self.run_program(*words, "--json", "-")
                self.check_both(json.loads(ran.stdout))
                self.assertEqual("fails on its own" in ran.stderr, "-q" not in words, ran.stderr)

    def test_only_failures_that_match(self):
        run = stored_run(TESTS + [VICTIM, BEHIND], failed=[VICTIM]).replace(
            f"success: {ALONE}\n", f"failure: {ALONE} [\nKeyError: 'x'\n]\n")
        self.repository({"7": run})
        summary, _ = self.campaign("--all-failures", "--match", "'CHF'")
        self.assertEqual([one["victim"] for one in summary["victims"]], [VICTIM])
        ran = self.run_program("--all-failures", "--match", "OSError")
        self.assertEqual(ran.returncode, 5, ran.stderr)
        self.assertIn("--match", ran.stderr)

    def test_unexpected_success_is_a_failure_for_stestr_alone(self):
        runner = self.folder / "runner"
        passed = 'f"success: {test}", flush'
        runner.write_text(runner.read_text().replace(f"test == {ALONE!r} or ", "").replace(
            passed, f'f"uxsuccess: {{test}}" if test == {ALONE!r} else {passed}'))
        run = stored_run(TESTS + [VICTIM, BEHIND]).replace(f"success: {ALONE}\n", f"uxsuccess: {ALONE}\n")
        self.repository({"7": run})
        for words in ([], ["--all-failures"], ["list"]):
            self.assertEqual(self.run_program(*words).returncode, 5)
        (self.folder / ".testrepository").rename(self.folder / ".stestr")
        (self.folder / ".testr.conf").rename(self.folder / ".stestr.conf")
        self.assertIn(ALONE, self.run_program("list").stdout)
        ran = self.run_program("--json", "report.json", "--command", "./runner --load-list $IDFILE")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["victim"], report["verdict"]["kind"]), (ALONE, "self"))
        summary, _ = self.campaign("--all-failures", "--command", "./runner --load-list $IDFILE")
        self.assertEqual([one["victim"] for one in summary["victims"]], [ALONE])
        # Expected to fail, it passed as it should where it did.
        self.repository({"6": run.replace(f"uxsuccess: {ALONE}\n", f"xfail: {ALONE}\n"), "7": run}, name=".stestr")
        summary, _ = self.campaign("--flaky", "--command", "./runner --load-list $IDFILE")
        self.assertEqual([one["victim"] for one in summary["victims"]], [ALONE])

    def test_flaky_tests_of_the_repository(self):
        summary, _ = self.campaign("--flaky")
        self.check_both(summary)
        self.assertEqual({one["run_id"] for one in summary["victims"]}, {"7"})

    def test_a_budget_is_shared(self):
        summary, _ = self.campaign("--all-failures", "--budget", "200s")
        self.check_both(summary)

    def test_sessions_can_be_resumed(self):
        ran = self.run_program("--all-failures", "--max-probes", "6", "--confidence", "0.999999", "--json", "reports.json")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        summary = json.loads((self.folder / "reports.json").read_text())
        self.assertEqual(len(summary["victims"]), 2)
        for one in summary["victims"]:
            self.assertIn(one["status"], (3, 4))
            resumed = self.run_program("resume", str(one["session"]), "--confidence", "0.95")
            self.assertEqual(resumed.returncode, 0, resumed.stderr)

    def test_time_left_over_goes_to_those_without_a_verdict(self):
        # The first turn ends after twenty probes; the second turn has no such limit.
        ran = self.run_program("--all-failures", "--budget", "200s", "--max-probes", "20", "--confidence", "0.999999",
                               "--json", "reports.json")
        self.assertIn(ran.returncode, (0, 4), ran.stderr)
        summary = json.loads((self.folder / "reports.json").read_text())
        self.assertNotIn(3, [one["status"] for one in summary["victims"]])

    def second_turn(self, change):
        """A campaign whose first turns are too short; each run of the tests does `change` before it begins."""
        subprocess.run("git init -q && echo a > tracked && git add tracked && "
                       "git -c user.name=n -c user.email=n@example.org commit -q -m one",
                       shell=True, cwd=self.folder, check=True)
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace("ran = []", change + "\nran = []", 1))
        ran = self.run_program("--all-failures", "--run-id", "7", "--budget", "100s", "--max-probes", "1",
                               "--confidence", "0.999", "--json", "reports.json")
        self.assertIn("again, with what is left", ran.stderr)
        return json.loads((self.folder / "reports.json").read_text())["victims"], ran

    def test_tests_that_change_a_tracked_file_get_their_second_turn(self):
        victims, ran = self.second_turn('open(os.path.join(here, "tracked"), "a").write("x")')
        self.assertIn(ran.returncode, (0, 4), ran.stderr)
        self.assertNotIn("--force", ran.stderr)
        self.assertEqual((victims[0]["status"], victims[0]["report"]["verdict"]["kind"]), (0, "self"))
        self.assertEqual([one["error"] for one in victims], [None, None])

    def test_a_second_turn_that_fails_keeps_the_first_ones_result(self):
        # The configuration goes once both have had their first turn.
        victims, ran = self.second_turn(
            'if probe == 1: os.unlink(os.path.join(here, ".testr.conf"))')
        self.assertEqual(ran.returncode, 3, ran.stderr)
        self.assertIn(".testr.conf", ran.stderr)
        first = victims[0]
        self.assertEqual((first["status"], first["error"]), (3, None))
        self.assertEqual((first["report"]["verdict"]["kind"], first["report"]["cost"]["probes"]), ("inconclusive", 1))

    def test_a_victim_that_cannot_be_tried_does_not_end_it(self):
        gone = "tests.test_a.Case.test_removed"
        self.repository({"7": stored_run([gone, *TESTS, VICTIM], failed=[gone, VICTIM])})
        summary, ran = self.campaign("--all-failures", status=5)
        found = {one["victim"]: one for one in summary["victims"]}
        self.assertIn("removed", found[gone]["error"])
        self.assertEqual(found[VICTIM]["report"]["verdict"]["tests"], [POLLUTER])

    def at_the_second_listing(self, change):
        """The runner does this where the tests are listed for the second victim."""
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace(
            'if "--list" in sys.argv:',
            f'if "--list" in sys.argv and os.path.exists(os.path.join(here, "probes")):\n    {change}\nif "--list" in sys.argv:', 1))

    def test_a_signal_while_tests_are_listed_leaves_the_summary(self):
        self.at_the_second_listing('open(os.path.join(here, "listing"), "w").close(); signal.pause()')
        process = subprocess.Popen([PROGRAM, "--all-failures", "--run-id", "7", "--json", "reports.json"], cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (self.folder / "listing").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.terminate()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143, err)
        self.assertIn("Summary of 2 victims", out)
        first, second = json.loads((self.folder / "reports.json").read_text())["victims"]
        self.assertEqual((first["status"], first["report"]["verdict"]["kind"]), (0, "self"))
        self.assertEqual((second["status"], second["session"]), (143, None))
        self.assertIn("signal", second["error"])

    def test_a_session_file_that_breaks_leaves_the_summary(self):
        self.at_the_second_listing('[open(os.path.join(here, ".flakebisect", "sessions.sqlite" + end), "w").write("x" * 9000) for end in ("", "-wal")]')
        summary, ran = self.campaign("--all-failures", "--run-id", "7", status=1)
        first, second = summary["victims"]
        self.assertEqual((first["status"], first["report"]["verdict"]["kind"]), (0, "self"))
        self.assertEqual(second["status"], 1)
        self.assertIn("session file", second["error"])
        self.assertIn("Summary of 2 victims", ran.stdout)

    def test_a_report_that_cannot_be_written_leaves_the_summary(self):
        ran = self.run_program("--all-failures", "--run-id", "7", "--markdown", "no/such/report.md", "--json", "reports.json")
        self.assertEqual(ran.returncode, 1, ran.stderr)
        summary = json.loads((self.folder / "reports.json").read_text())
        self.check_both(summary)
        for one in summary["victims"]:
            self.assertEqual(one["status"], 1)
            self.assertIn("no/such/report", one["error"])

    def test_what_does_not_go_together(self):
        for words in (["--flaky", "--test", "x"], ["--flaky", "--all-failures"], ["--flaky", "--run-id", "7"],
                      ["--all-failures", "--html", "-"]):
            ran = self.run_program(*words)
            self.assertEqual(ran.returncode, 2, ran.stderr)

    def test_nothing_to_explain(self):
        self.repository({"6": stored_run(TESTS)})
        for words in (["--flaky"], ["--all-failures", "--run-id", "6"]):
            ran = self.run_program(*words)
            self.assertEqual(ran.returncode, 5, ran.stderr)


# Whether another run of the tests is under way; waits for one a while.
COMPANY = r"""
def company():
    import time
    folder = os.path.join(here, "running")
    os.makedirs(folder, exist_ok=True)
    mine = os.path.join(folder, str(os.getpid()))
    open(mine, "w").close()
    try:
        for _ in range(20):
            if any(os.path.exists("/proc/" + name) for name in os.listdir(folder) if name != str(os.getpid())):
                time.sleep(0.1)  # so that the other one sees this one, too
                return True
            time.sleep(0.01)
        return False
    finally:
        os.unlink(mine)
clash = company()
"""


class SharedProbesTest(SmallProject):
    """Three victims of one worker with one polluter: what one search runs tells the next ones something."""

    VICTIMS = [TESTS[8], VICTIM, BEHIND]

    def setUp(self):
        super().setUp()
        everything = TESTS + [VICTIM, BEHIND]
        self.repository({"6": stored_run(everything), "7": stored_run(everything, failed=self.VICTIMS)})
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace(
            'bad = test == VICTIM and', f'bad = test in {self.VICTIMS!r} and'))

    def runs(self):
        """How often the test command really ran tests since the last call."""
        file = self.folder / "probes"
        number = len(file.read_text())
        file.unlink()
        return number

    def test_fewer_runs_than_separately(self):
        separately = 0
        for victim in self.VICTIMS:
            ran = self.run_program("--run-id", "7", "--test", victim, "--json", "one.json")
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(json.loads((self.folder / "one.json").read_text())["verdict"]["tests"], [POLLUTER])
            separately += self.runs()
        ran = self.run_program("--all-failures", "--run-id", "7", "--session", "shared.sqlite", "--json", "all.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        together = self.runs()
        summary = json.loads((self.folder / "all.json").read_text())
        for one in summary["victims"]:
            self.assertEqual((one["report"]["verdict"]["kind"], one["report"]["verdict"]["tests"]), ("polluter", [POLLUTER]))
        print(f"runs of the test command: {separately} separately, {together} together", file=sys.stderr)
        self.assertLess(together, separately)
        # The second victim knows each probe of the first one, with what ran before itself in it.
        first, second = (json.loads(self.run_program("sessions", "export", str(one["session"]), "--session", "shared.sqlite").stdout)
                         for one in summary["victims"][:2])
        probes = [one for one in first["observations"] if one["source"] == 1]
        shared = [one for one in second["observations"] if one["runner"] == "probe for another victim"]
        self.assertEqual(len(shared), len(probes))
        names = [candidate["id"] for candidate in second["problem"]["candidates"]]
        for probe, seen in zip(probes, shared):
            before = [first["problem"]["candidates"][index]["id"] for index in probe["ran"]] + [self.VICTIMS[0]]
            self.assertEqual([names[index] for index in seen["ran"]], before)
            self.assertEqual(seen["outcome"], 2 if POLLUTER in before else 1)
        cost = sum(one["report"]["cost"]["probes"] for one in summary["victims"])
        self.assertEqual(cost, together, "a shared run is counted once")

    def test_what_disturbed_probes_saw_is_no_evidence_of_others(self):
        # Every victim fails where another run of the tests is under way, and after the polluter.
        runner = self.folder / "runner"
        text = runner.read_text().replace("ran = []", COMPANY + "ran = []", 1)
        runner.write_text(text.replace("(POLLUTER in ran", "(clash or POLLUTER in ran", 1))
        self.assertIn("(clash or", runner.read_text())
        ran = self.run_program("--all-failures", "--run-id", "7", "--jobs", "4", "--json", "all.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("disturb each other", ran.stderr)
        self.assertEqual(ran.stderr.count("warning: probes that run at the same time"), 1, "found once for all of them")
        for one in json.loads((self.folder / "all.json").read_text())["victims"]:
            self.assertEqual((one["report"]["verdict"]["kind"], one["report"]["verdict"]["tests"]), ("polluter", [POLLUTER]))
            exported = json.loads(self.run_program("sessions", "export", str(one["session"])).stdout)
            self.assertTrue(exported["one_at_a_time"])
            if one["victim"] == self.VICTIMS[0]:
                continue
            self.assertEqual({seen["beside"] for seen in exported["observations"]}, {0})


if __name__ == "__main__":
    unittest.main()
