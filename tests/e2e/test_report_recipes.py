#!/usr/bin/python3
"""The recipes of docs/reports.md, run as they stand there against stand-ins of the trackers' clients.

The stand-ins record how they were called and answer as the real ones are documented to. Each recipe must file a
finding once and update it the next time, and pass hostile text on as text.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).parents[2]))
REPORTS = SOURCE / "tests" / "data" / "reports"

# Records its arguments and standard input, then prints the answer to the first word that is among them.
CLIENT = """#!/usr/bin/python3
import json, os, sys
body = sys.stdin.read() if "@-" in sys.argv else ""
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(sys.argv + [body]) + "\\n")
for word, answer in json.loads(os.environ["ANSWERS"]):
    if any(word in each for each in sys.argv):
        print(answer)
        break
"""


def blocks(heading, language):
    """The code of that language below the heading."""
    text = (SOURCE / "docs" / "reports.md").read_text()
    section = text.split(heading, 1)[1].split("\n### ", 1)[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.S)


class Recipes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.use("polluter")
        for name in ("gh", "curl"):
            (self.folder / name).write_text(CLIENT)
            (self.folder / name).chmod(0o755)
        # The report itself is there already: the first recipe line need not run the tests.
        (self.folder / "flakebisect").write_text("#!/bin/sh\n")
        (self.folder / "flakebisect").chmod(0o755)

    def use(self, sample):
        for name, source in (("finding.json", "json"), ("finding.md", "md"), ("finding.jira", "jira"), ("finding.txt", "txt")):
            (self.folder / name).write_bytes((REPORTS / f"{sample}.{source}").read_bytes())
        self.report = json.loads((self.folder / "finding.json").read_text())

    def shell(self, heading, answers):
        calls = self.folder / "calls"
        calls.write_text("")
        script = "set -eu\n" + blocks("## Fingerprints", "sh")[0] + blocks(heading, "sh")[0]
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "CALLS": str(calls), "ANSWERS": json.dumps(answers),
                       "CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_ID": "7", "TOKEN": "t",
                       "JIRA_URL": "https://jira.example", "JIRA_USER": "u", "JIRA_TOKEN": "t"}
        done = subprocess.run(["/bin/sh", "-c", script], cwd=self.folder, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in calls.read_text().splitlines()]

    def test_github(self):
        search, create = self.shell("### GitHub", [["list", ""]])
        self.assertIn(f'"{self.report["fingerprint"]}" in:body', search)
        self.assertEqual(create[1:3], ["issue", "create"])
        self.assertIn("Flaky test: " + self.report["victim"], create)
        _, edit = self.shell("### GitHub", [["list", "42"]])
        self.assertEqual(edit[1:4], ["issue", "edit", "42"])
        self.assertIn("finding.md", edit)

    def test_gitlab(self):
        search, create = self.shell("### GitLab", [["search=", "[]"]])
        self.assertTrue(any(self.report["fingerprint"] in word for word in search))
        self.assertIn("description@finding.md", create)
        _, update = self.shell("### GitLab", [["search=", '[{"iid": 5}]']])
        self.assertIn("PUT", update)
        self.assertIn("https://gitlab.example/api/v4/projects/7/issues/5", update)

    def test_jira(self):
        search, create = self.shell("### Jira", [["jql=", '{"issues": []}']])
        self.assertTrue(any(f"flaky-{self.report['fingerprint']}" in word for word in search))
        self.assertIn("https://jira.example/rest/api/2/issue", create)
        issue = json.loads((self.folder / "issue.json").read_text())
        self.assertEqual(issue["fields"]["description"], (self.folder / "finding.jira").read_text())
        _, update = self.shell("### Jira", [["jql=", '{"issues": [{"key": "KEY-9"}]}']])
        self.assertIn("https://jira.example/rest/api/2/issue/KEY-9", update)
        self.assertEqual(list(json.loads(update[-1])["fields"]), ["description"])

    def test_launchpad(self):
        (self.folder / "launchpadlib").mkdir()
        (self.folder / "launchpadlib" / "launchpad.py").write_text(
            "import json, os\n"
            "class Bug:\n"
            "    def newMessage(self, content): print('message', len(content) > 0)\n"
            "class Task: bug = Bug()\n"
            "class Project:\n"
            "    def searchTasks(self, tags): print('search', *tags); return [Task()] if os.environ['KNOWN'] else []\n"
            "class Bugs:\n"
            "    def createBug(self, target, title, description, tags): print('create', title, *tags)\n"
            "class Launchpad:\n"
            "    projects, bugs = {'PROJECT': Project()}, Bugs()\n"
            "    @classmethod\n"
            "    def login_with(cls, application, service, version): return cls()\n")
        script = blocks("### Launchpad", "python")[0]
        for known, expected in (("", "create Flaky test: " + self.report["victim"]), ("1", "message True")):
            done = subprocess.run([sys.executable, "-B", "-c", script], cwd=self.folder, capture_output=True, text=True,
                                  env={"KNOWN": known, "PYTHONPATH": str(self.folder)})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("search flaky-" + self.report["fingerprint"], done.stdout)
            self.assertIn(expected, done.stdout)

    def test_hostile_text_stays_text(self):
        self.use("hostile")
        for heading, answers in (("### GitHub", [["list", ""]]), ("### GitLab", [["search=", "[]"]]),
                                 ("### Jira", [["jql=", '{"issues": []}']])):
            calls = self.shell(heading, answers)
            self.assertEqual(len(calls), 2)
            for word in (each for call in calls for each in call):
                self.assertNotIn("\x1b", word)
        self.assertIn("${HOME}", json.loads((self.folder / "issue.json").read_text())["fields"]["summary"])


if __name__ == "__main__":
    unittest.main()
