"""flakebisect check-server as a user calls it: on the shipped servers, on a broken one, on what is no server."""
import json
import os
import pathlib
import subprocess
import tempfile
import textwrap
import unittest

SOURCE = pathlib.Path(os.environ["FLAKEBISECT_SOURCE"])
TINY = f"exec /usr/bin/python3 -S {SOURCE}/tests/data/servers/tiny_server.py"


def check_server(*args, **more):
    return subprocess.run([os.environ["FLAKEBISECT"], "check-server", *args], capture_output=True, text=True, timeout=600,
                          **more)


def outcomes(output):
    """requirement -> outcome, from the lines of standard output."""
    found = {}
    for line in output.splitlines():
        for word in ("passed", "failed", "not offered", "skipped"):
            if line.startswith(word + " "):
                found[line[len(word):].split()[0]] = word
    return found


class ShippedServersTest(unittest.TestCase):
    def conforms(self, command, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (pathlib.Path(folder) / name).write_text(textwrap.dedent(text))
            result = check_server("-C", folder, command)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        found = outcomes(result.stdout)
        self.assertEqual({name for name, outcome in found.items() if outcome != "passed"} - {"run.meanwhile"},
                         {"refuse.feature"}, result.stdout)
        self.assertIn("the server conforms", result.stdout)

    def test_unittest_server(self):
        self.conforms(f"{SOURCE}/scripts/flakebisect-unittest-server discover -t . .", {"test_shop.py": """
            import unittest
            state = []
            class ShopTest(unittest.TestCase):
                def test_a_taints(self):
                    print("noise")
                    state.append(1)
                def test_b_is_clean(self):
                    self.assertEqual(state, [])
            """})

    def test_pytest_server(self):
        self.conforms(f"{SOURCE}/scripts/flakebisect-pytest-server", {"test_shop.py": """
            state = []
            def test_a_taints():
                print("noise")
                state.append(1)
            def test_b_is_clean():
                assert state == []
            """})


class OutputTest(unittest.TestCase):
    def test_a_broken_server(self):
        tests = "suite.a_pass suite.b_pollute suite.e_victim"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            result = check_server("--json", str(path), f"{TINY} leaks_state {tests}")
            report = json.loads(path.read_text())
        self.assertEqual(result.returncode, 7, result.stdout + result.stderr)
        self.assertEqual([name for name, outcome in outcomes(result.stdout).items() if outcome == "failed"],
                         ["isolated.state"])
        self.assertIn("suite.e_victim alone: success in a new server, fail after other isolated runs", result.stdout)
        self.assertRegex(result.stdout, r'sent +\{"msg":"Run","tests":\["suite.e_victim"\]')
        self.assertRegex(result.stdout, r"received +\(packet\) suite.e_victim fail")
        self.assertEqual(report["schema"], "flakebisect/check-server/1")
        self.assertFalse(report["conforms"])
        self.assertEqual(report["protocol_version"], 2)
        failed = [one for one in report["requirements"] if one["outcome"] == "failed"]
        self.assertEqual([one["id"] for one in failed], ["isolated.state"])
        self.assertTrue(failed[0]["sent"] and failed[0]["received"])

    def test_what_is_no_server(self):
        for mode, words in (("dies_at_once", "cannot find my tests"), ("v7", "versions 7 to 7"),
                            ("old_program", "no Hello came")):
            result = check_server(f"{TINY} {mode}")
            self.assertEqual(result.returncode, 6, result.stdout + result.stderr)
            self.assertIn(words, result.stdout)
            self.assertIn("this is no test server", result.stdout)
            self.assertEqual(set(outcomes(result.stdout).values()), {"failed", "skipped"})

    def test_one_requirement(self):
        result = check_server("--only", "list.all", f"{TINY} good")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(outcomes(result.stdout), {"hello.answer": "passed", "list.all": "passed"})
        result = check_server("--json", "-", "--only", "list.all", f"{TINY} good")
        self.assertTrue(json.loads(result.stdout)["conforms"])

    def test_usage(self):
        for args, words in (((), "needs the command"), (("a", "b"), "quoted as one word: check-server 'a b'"),
                            (("--only", "list.al", "x"), "did you mean 'list.all'"), (("--frob", "x"), "--frob")):
            result = check_server(*args)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(words, result.stderr)
        self.assertEqual(check_server("--help").returncode, 0)

    def test_a_full_disk(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([os.environ["FLAKEBISECT"], "check-server", "--only", "list.all", f"{TINY} good"],
                                    stdout=full, stderr=subprocess.PIPE, text=True, timeout=600)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)


if __name__ == "__main__":
    unittest.main()
