#!/usr/bin/python3
"""What is seen while probes run: a live view on a real terminal (a pseudo-terminal), quiet lines in a log, sections in CI."""
import json
import os
import pty
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import POLLUTER, PROGRAM, SmallProject  # noqa: E402


class WatchingTest(SmallProject):
    def run_in(self, *words, **variables):
        return subprocess.run([PROGRAM, "--run-id", "7", *words], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, env={**os.environ, **variables})

    def test_a_terminal(self):
        main, far = pty.openpty()
        # So sure that it confirms for longer than the view stands between two pictures.
        process = subprocess.Popen([PROGRAM, "--run-id", "7", "--jobs", "2", "--confidence", "0.999999999999"],
                                   cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=far,
                                   env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "COLUMNS": "80"})
        os.close(far)
        shown = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        os.close(main)
        self.assertEqual(process.wait(timeout=60), 0)
        text = shown.decode()
        self.assertIn("slot 1", text)
        self.assertIn("\u2588", text)
        self.assertIn(POLLUTER.rsplit(".", 1)[1], text)
        # All of the live view is taken back in the end.
        blocks = text.count("\x1b[J")
        self.assertGreater(blocks, 0)
        self.assertNotIn("slot 1", text[text.rindex("\x1b[J"):])

    def test_a_dumb_terminal_and_a_log_get_lines(self):
        ran = self.run_in()
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertNotIn("\x1b", ran.stderr)
        lines = [line for line in ran.stderr.splitlines() if " probe" in line]
        self.assertLessEqual(len(lines), 8, "news and a line a minute, no more: " + ran.stderr)
        self.assertEqual(self.run_in("-q").stderr, "")

    def test_github(self):
        summary = self.folder / "summary.md"
        ran = self.run_in(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertLess(ran.stderr.index("::group::flakebisect"), ran.stderr.index("::endgroup::"))
        self.assertIn(POLLUTER.rsplit(".", 1)[1], summary.read_text().replace("\\", ""))
        first = summary.read_text()
        self.run_in(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
        self.assertTrue(summary.read_text().startswith(first), "a summary is added to what is there")
        unwritable = self.run_in(GITHUB_STEP_SUMMARY="/no/such/folder/summary.md")
        self.assertEqual(unwritable.returncode, 0)
        self.assertIn("/no/such/folder", unwritable.stderr)

    def test_gitlab(self):
        ran = self.run_in(GITLAB_CI="true")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stderr, r"\x1b\[0Ksection_start:\d+:flakebisect_search\[collapsed=true\][\r\n]\x1b\[0K")
        self.assertRegex(ran.stderr, r"\x1b\[0Ksection_end:\d+:flakebisect_search[\r\n]\x1b\[0K")
        # The finding stands open behind it.
        self.assertRegex(ran.stderr, r"section_start:\d+:flakebisect_finding[\r\n]\x1b\[0Kflakebisect: tests.*after .*")
        self.assertGreater(ran.stderr.index("flakebisect_finding"), ran.stderr.index("section_end"))

    def test_gitlab_annotations(self):
        links = self.folder / "links.json"
        gitlab = {"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/p/-/jobs/7", "CI_PROJECT_DIR": str(self.folder),
                  "FLAKEBISECT_GITLAB_ANNOTATIONS": str(links)}
        (self.folder / "out").mkdir()
        ran = self.run_in("--html", "out/page.html", **gitlab)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        first = json.loads(links.read_text())["flakebisect"]
        self.assertEqual(len(first), 1)
        self.assertEqual(first[0]["external_link"]["url"], "https://gitlab.example/p/-/jobs/7/artifacts/file/out/page.html")
        self.assertIn(POLLUTER, first[0]["external_link"]["label"])
        self.run_in("--html", str(self.folder.parent / "elsewhere.html"), **gitlab)
        second = json.loads(links.read_text())["flakebisect"]
        self.assertEqual(second[0], first[0], "links are added to those that are there")
        self.assertEqual(second[1]["external_link"]["url"], "https://gitlab.example/p/-/jobs/7")
        unwritable = self.run_in(**{**gitlab, "FLAKEBISECT_GITLAB_ANNOTATIONS": "/no/such/folder/links.json"})
        self.assertEqual(unwritable.returncode, 0)
        self.assertIn("/no/such/folder", unwritable.stderr)


if __name__ == "__main__":
    unittest.main()
