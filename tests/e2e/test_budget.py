#!/usr/bin/python3
"""A search that ends before its verdict: the report is there in time, and says what more time would buy."""
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from survival_project import SurvivalProject  # noqa: E402

LONG = ("--confidence", "0.999999999999999")
# What a machine under load may add to a deadline that was kept; without it this would be a flaky test.
SLACK_SECONDS = 8


class BudgetTest(SurvivalProject):
    def limited(self, *words, **more):
        """Runs until a limit; returns the report, the text on standard output and the seconds it took."""
        began = time.monotonic()
        process = self.start("--run-id", "7", *LONG, *words, "--json", "report.json", **more)
        out, err = process.communicate(timeout=120)
        seconds = time.monotonic() - began
        self.assertIn(process.returncode, (3, 4), err)
        return json.loads((self.folder / "report.json").read_text()), out, seconds

    def test_what_more_time_would_buy(self):
        report, out, seconds = self.limited("--budget", "5s")
        self.assertLess(seconds, 5 + SLACK_SECONDS)
        forecast = report["forecast"]
        self.assertGreater(forecast["simulations"], 0)
        self.assertGreater(forecast["spent_seconds"], 0)
        self.assertIn("simulation", " ".join(out.split()))
        self.assertIn("simulation", report["verdict"]["abstains"])
        for low, high in (("low_seconds", "median_seconds"), ("median_seconds", "high_seconds")):
            if forecast[low] is not None and forecast[high] is not None:
                self.assertLessEqual(forecast[low], forecast[high])
        again = self.run_program("report", "1", "--json", "-", "-q")
        self.assertEqual(json.loads(again.stdout)["forecast"], forecast, "a stored report keeps it")

    def test_max_probes(self):
        report, _, _ = self.limited("--max-probes", "60")
        self.assertEqual(report["cost"]["probes"], 60)
        self.assertIn("forecast", report)

    def test_a_test_that_hangs_does_not_hold_the_report_up(self):
        report, _, seconds = self.limited("--budget", "4s", HANG_FROM="60")
        self.assertLess(seconds, 4 + SLACK_SECONDS)
        self.assertIn(report["verdict"]["kind"], ("inconclusive", "not-reproduced"))

    def test_a_verdict_needs_no_forecast(self):
        ran = self.run_program("--run-id", "7", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertNotIn("forecast", json.loads((self.folder / "report.json").read_text()))


if __name__ == "__main__":
    unittest.main()
