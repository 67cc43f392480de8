#!/usr/bin/python3
"""The servers as an installed package, and the words of docs/servers.md."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from rpc_harness import PYTHON, SCRIPTS, SOURCE, ServerProcess, environment, write_project

COMMANDS = ("flakebisect-pytest-run", "flakebisect-pytest-server", "flakebisect-unittest-server",
            "flakebisect-xdist-lists")


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = os.path.realpath(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        source = os.path.join(cls.folder, "source")  # a build leaves folders behind, so it gets a copy
        os.mkdir(source)
        shutil.copy(os.path.join(SCRIPTS, "pyproject.toml"), source)
        shutil.copytree(os.path.join(SCRIPTS, "flakebisect_servers"), os.path.join(source, "flakebisect_servers"))
        cls.target = os.path.join(cls.folder, "installed")
        # Nothing is fetched: the build tools are Debian's, and the package depends on nothing.
        subprocess.run([PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-index",
                        "--no-deps", "--no-build-isolation", "--target", cls.target, source],
                       check=True, env=environment(PIP_ROOT_USER_ACTION="ignore"), timeout=300)
        cls.project = os.path.join(cls.folder, "project")
        write_project(cls.project, {"test_x.py": """
            import unittest
            class Case(unittest.TestCase):
                def test_a(self): pass
            """})

    def command(self, name):
        return os.path.join(self.target, "bin", name)

    def test_commands(self):
        self.assertEqual(list(COMMANDS), sorted(os.listdir(os.path.join(self.target, "bin"))))

    def test_servers_run(self):
        for name, test_id in (("flakebisect-unittest-server", "test_x.Case.test_a"),
                              ("flakebisect-pytest-server", "test_x.py::Case::test_a")):
            with ServerProcess([self.command(name)], self.project, PYTHONPATH=self.target) as server:
                self.assertEqual([(test_id, "success")], server.run([test_id]).results)
                self.assertEqual((0, b""), server.goodbye())

    def test_help(self):
        for name, option in zip(COMMANDS, ("--help", "--server-help", "--server-help", "--help")):
            done = subprocess.run([self.command(name), option], cwd=self.project, capture_output=True, text=True,
                                  env=environment(PYTHONPATH=self.target), timeout=60)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertIn(f"usage: {name}", done.stdout)


class Manual(unittest.TestCase):
    """Names in docs/servers.md are those of the code."""

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "docs", "servers.md"), encoding="utf-8") as file:
            cls.text = file.read()

    def test_options(self):
        table = set(re.findall(r"^\| `(--[a-z-]+)", self.text, re.M))
        done = subprocess.run([os.path.join(SCRIPTS, "flakebisect-unittest-server"), "--server-help"],
                              capture_output=True, text=True, env=environment(), timeout=60)
        self.assertEqual(set(re.findall(r"^ +(--[a-z-]+)", done.stdout, re.M)), table)

    def test_modules(self):
        for name in set(re.findall(r"flakebisect_servers\.(\w+)", self.text)):
            self.assertTrue(os.path.exists(os.path.join(SCRIPTS, "flakebisect_servers", f"{name}.py")), name)

    def test_example_of_the_core(self):
        from flakebisect_servers import rpc
        code = re.search(r"```python\n(.*?)```", self.text, re.S)[1]
        client, sent = rpc.Client(), []
        scope = {"data": client.hello(), "send": sent.append}
        exec(compile(code, "docs/servers.md", "exec"), scope)
        ready, = client.feed(sent[0])
        self.assertEqual((2, "mine 1.0", frozenset({"ordered"})), (ready.version, ready.server, ready.features))


if __name__ == "__main__":
    unittest.main()
