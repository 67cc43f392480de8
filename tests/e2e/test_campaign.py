#!/usr/bin/python3
"""Campaigns: many victims in one job, with a report each, a summary and a shared budget."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import BEHIND, POLLUTER, TESTS, VICTIM, SmallProject, stored_run  # noqa: E402

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

    def test_a_victim_that_cannot_be_tried_does_not_end_it(self):
        gone = "tests.test_a.Case.test_removed"
        self.repository({"7": stored_run([gone, *TESTS, VICTIM], failed=[gone, VICTIM])})
        summary, ran = self.campaign("--all-failures", status=5)
        found = {one["victim"]: one for one in summary["victims"]}
        self.assertIn("removed", found[gone]["error"])
        self.assertEqual(found[VICTIM]["report"]["verdict"]["tests"], [POLLUTER])

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


if __name__ == "__main__":
    unittest.main()
