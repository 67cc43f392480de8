#!/usr/bin/python3
"""`flakebisect report`: reports of stored sessions and of JSON reports, written again."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["FLAKEBISECT"]
SOURCE = pathlib.Path(os.environ["FLAKEBISECT_SOURCE"])
REPORTS = SOURCE / "tests" / "data" / "reports"

GOLDEN = {"json": "json", "text": "txt", "markdown": "md", "jira": "jira", "dot": "dot", "github": "github",
          "junit": "junit.xml", "sarif": "sarif", "html": "html"}


class ReportCommand(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *args):
        return subprocess.run([PROGRAM, *args], cwd=self.folder, capture_output=True, text=True, timeout=300)

    def report(self, *args):
        done = self.run_program("report", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_json_report_is_rendered_in_each_format(self):
        source = str(REPORTS / "polluter.json")
        for name, ending in GOLDEN.items():
            golden = (REPORTS / f"polluter.{ending}").read_text()
            self.report(source, f"--{name}", "out")
            self.assertEqual((self.folder / "out").read_text(), golden, name)
            self.assertEqual(self.report(source, f"--{name}", "-"), golden, name)

    def test_the_words_are_the_default(self):
        self.assertEqual(self.report(str(REPORTS / "polluter.json")), (REPORTS / "polluter.txt").read_text())

    def test_the_fingerprint_alone(self):
        expected = json.loads((REPORTS / "polluter.json").read_text())["fingerprint"]
        self.assertEqual(self.report(str(REPORTS / "polluter.json"), "--fingerprint"), expected + "\n")

    def test_a_session_s_report(self):
        # A search that ends at once: the command always fails, whatever it runs.
        (self.folder / "list").write_text("a\nb\nv\n")
        done = self.run_program("--load-list", "list", "--test", "v", "--command", "exit 3 # $IDFILE", "--json", "made.json",
                                "--seed", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        again = json.loads(self.report("--json", "-"))
        self.assertEqual(again, json.loads((self.folder / "made.json").read_text()))
        self.assertEqual(again["verdict"]["kind"], "self")
        # Reports name the session as FILE#NUMBER; the number alone is enough beside the file.
        self.assertIn("v fails on its own", self.report(again["session"]))
        self.assertIn("v fails on its own", self.report(again["session"].rsplit("#", 1)[1]))

    def test_what_is_wrong_is_said(self):
        (self.folder / "other.json").write_text('{"schema": "flakebisect/report/9"}')
        for args, status, words in (
                (["7"], 5, "no session file"),
                (["absent.json"], 5, "absent.json"),
                (["other.json"], 5, "flakebisect/report/9"),
                ([str(REPORTS / "polluter.txt")], 5, "not JSON"),
                ([str(REPORTS / "polluter.json"), "--html", "no/such/folder/x"], 1, "no/such/folder/x"),
                ([str(REPORTS / "polluter.json"), "--html", "-", "--text", "-"], 2, "only one"),
                (["--htm", "x"], 2, "--html")):
            done = self.run_program("report", *args)
            self.assertEqual(done.returncode, status, (args, done.stderr))
            self.assertIn(words, done.stderr)

    def test_full_disks_are_noticed(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, "report", str(REPORTS / "polluter.json")], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
