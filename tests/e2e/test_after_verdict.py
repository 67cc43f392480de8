#!/usr/bin/python3
"""bisect --all and --cleaners end to end: what is found after the verdict is in the report."""
import json
import unittest

import small_project
from small_project import TESTS, SmallProject

# Test 2 pollutes for good; what test 4 does is undone by test 8.
RULE = """(TESTS[2] in ran or TESTS[4] in ran and TESTS[8] not in ran)"""


class AfterTheVerdict(SmallProject):
    def setUp(self):
        super().setUp()
        text = small_project.RUNNER.replace("(POLLUTER in ran or mode[0] == \"self\")", RULE)
        self.assertIn(RULE, text)
        (self.folder / "runner").write_text(text)

    def explain(self, *words):
        ran = self.run_program("--run-id", "7", "--json", "report.json", *words)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads((self.folder / "report.json").read_text())["verdict"], ran.stdout

    def test_all_names_the_other_polluter(self):
        verdict, text = self.explain("--all")
        named = verdict["tests"] + [test for tests in verdict.get("further_polluters", []) for test in tests]
        # Test 8 always runs with the full list, so there only test 2 is enough; alone either is.
        self.assertIn(TESTS[2], named)
        self.assertLessEqual(set(named), {TESTS[2], TESTS[4]})
        for test in named:
            self.assertIn(test, text)

    def test_cleaners_are_named_where_the_polluter_has_one(self):
        verdict, text = self.explain("--cleaners")
        expected = [TESTS[8]] if verdict["tests"] == [TESTS[4]] else []
        self.assertEqual(verdict.get("cleaners", []), expected)

    def test_without_the_options_nothing_more_is_run(self):
        verdict, _ = self.explain()
        self.assertNotIn("further_polluters", verdict)
        self.assertNotIn("cleaners", verdict)


class Cleaned(AfterTheVerdict):
    """The same where only the test that can be cleaned pollutes, and the run to explain did not have the cleaner."""

    def setUp(self):
        super().setUp()
        text = small_project.RUNNER.replace(
            "(POLLUTER in ran or mode[0] == \"self\")", "(TESTS[4] in ran and TESTS[8] not in ran)")
        (self.folder / "runner").write_text(text)
        listed = [test for test in TESTS if test != TESTS[8]] + [small_project.VICTIM, small_project.BEHIND]
        self.repository({
            "6": small_project.stored_run(TESTS + [small_project.VICTIM, small_project.BEHIND]),
            "7": small_project.stored_run(listed, failed=[small_project.VICTIM]),
        })

    def test_all_names_the_other_polluter(self):
        verdict, text = self.explain("--all")
        self.assertEqual(verdict["tests"], [TESTS[4]])
        self.assertNotIn("further_polluters", verdict)

    def test_cleaners_are_named_where_the_polluter_has_one(self):
        verdict, text = self.explain("--cleaners")
        self.assertEqual(verdict["tests"], [TESTS[4]])
        self.assertEqual(verdict["cleaners"], [TESTS[8]])
        self.assertIn(TESTS[8], text)


if __name__ == "__main__":
    unittest.main()
