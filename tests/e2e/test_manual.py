#!/usr/bin/python3
"""The documentation keeps step: every option and command is in the manual, every page and script that is named exists."""
import os
import pathlib
import re
import subprocess
import unittest

PROGRAM = os.environ.get("FLAKEBISECT", "flakebisect")
SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


def help_of(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout


class ManualTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.manual = (SOURCE / "docs" / "flakebisect.1").read_text().replace("\\-", "-")

    def test_every_option_of_the_main_commands(self):
        for command, known in (("bisect", "--run-id"), ("list", "--run-id"), ("analyze", "--since")):
            options = set(re.findall(r"(?m)^  (?:-\w \[ )?(--[a-z][a-z-]+)", help_of(command, "--help")))
            self.assertIn(known, options)
            for option in sorted(options):
                with self.subTest(command=command, option=option):
                    self.assertRegex(self.manual, re.escape(option) + r"\b")

    def test_every_command(self):
        commands = re.findall(r"^  ([a-z][a-z-]+)  +\S", help_of("help"), re.MULTILINE)
        self.assertIn("bisect", commands)
        for command in commands:
            with self.subTest(command=command):
                self.assertRegex(self.manual, rf"(?m)^\.B {re.escape(command)}$")


class PagesTest(unittest.TestCase):
    def test_links_lead_somewhere(self):
        pages = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", *(SOURCE / "docs").glob("*.md")]
        for page in pages:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
                with self.subTest(page=page.name, target=target):
                    self.assertTrue((page.parent / target).exists())

    def test_scripts_named_in_the_pages_exist(self):
        for page in (SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", SOURCE / "docs" / "development.md"):
            for script in re.findall(r"\bscripts/[\w.-]+", page.read_text()):
                with self.subTest(page=page.name, script=script):
                    self.assertTrue((SOURCE / script.rstrip(".")).exists())


if __name__ == "__main__":
    unittest.main()
