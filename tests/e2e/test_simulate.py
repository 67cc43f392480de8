#!/usr/bin/python3
"""`flakebisect simulate` as a user runs it: tables, JSON, traces, the benchmark's smoke run, its plots."""

import json
import os
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

PROGRAM = os.environ["FLAKEBISECT"]
SOURCE = os.environ["FLAKEBISECT_SOURCE"]


def simulate(*args):
    return subprocess.run([PROGRAM, "simulate", *args], capture_output=True, text=True, timeout=300)


def lines_of(file):
    if not os.path.exists(file):
        return 0
    with open(file, "rb") as lines:
        return lines.read().count(b"\n")


SMALL = ["--cases", "2", "--tests", "5:30", "--q", "0.5:1", "--max-probes", "100", "--quiet"]


class Simulate(unittest.TestCase):
    def test_table_and_progress(self):
        done = simulate(*SMALL[:-1], "--kind", "self", "--policy", "testr")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 cases of each kind, seed 1, confidence 0.95", done.stdout)
        self.assertIn("testr", done.stdout)
        self.assertIn("simulated 2 of 2", done.stderr)

    def test_json_is_the_same_again(self):
        first = simulate(*SMALL, "--kind", "polluter", "--json", "-", "--threads", "1")
        again = simulate(*SMALL, "--kind", "polluter", "--json", "-", "--threads", "2")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(first.stdout, again.stdout)
        self.assertEqual(json.loads(first.stdout)["schema"], "flakebisect/simulation/1")

    def test_trace(self):
        done = simulate(*SMALL, "--kind", "self", "--trace", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("truth: self", done.stdout)
        self.assertIn("verdict: ", done.stdout)

    def test_wrong_command_lines(self):
        for args in (["--kind", "gremlin"], ["--policy", "oracle"], ["--q", "2"], ["--q", "a:b"], ["--trace", "1"],
                     ["--confidence", "1"], ["--correlation", "7"],
                     ["--kind", "self", "--trace", "1", "--store", "/nonexistent/file"]):
            with self.subTest(args):
                done = simulate("--cases", "1", "--quiet", *args)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr)

    def test_output_that_cannot_be_written(self):
        done = simulate(*SMALL, "--policy", "testr", "--json", "/nonexistent/file.json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/file.json", done.stderr)

    def test_a_killed_simulation_goes_on_from_its_store(self):
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, "cases")
            args = ["--kind", "polluter", "--policy", "ours", "--policy", "testr", "--tests", "50:300", "--q", "0.1:1",
                    "--max-probes", "2000", "--json", "-"]
            whole = simulate(*args, "--cases", "60", "--quiet")
            self.assertEqual(whole.returncode, 0, whole.stderr)
            # So many cases that it is not through before it is killed, however late that is.
            killed = subprocess.Popen([PROGRAM, "simulate", *args, "--cases", "100000", "--store", store],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and lines_of(store) < 20:
                time.sleep(0.005)
            killed.kill()
            self.assertEqual(killed.communicate()[0], b"")
            kept = lines_of(store)
            self.assertGreaterEqual(kept, 20)
            args += ["--cases", "60"]
            again = simulate(*args, "--quiet", "--store", store)
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual(again.stdout, whole.stdout)
            filled = lines_of(store)
            self.assertGreaterEqual(filled, max(kept, 121))
            self.assertEqual(simulate(*args, "--quiet", "--store", store).stdout, whole.stdout)
            self.assertEqual(lines_of(store), filled)  # nothing is run twice
            other = simulate(*args, "--quiet", "--store", store, "--seed", "2")
            self.assertEqual(other.returncode, 1)
            self.assertIn("another seed", other.stderr)

    def test_bars_and_plots(self):
        with tempfile.TemporaryDirectory() as folder:
            results = os.path.join(folder, "bars.json")
            done = simulate("--bars", "--smoke", "--quiet", "--json", results)
            self.assertEqual(done.returncode, 0, done.stderr)
            for bar in range(1, 8):
                self.assertIn(f"Bar {bar}:", done.stdout)
            subprocess.run([os.path.join(SOURCE, "scripts/plot-statistics"), results, folder], check=True,
                           capture_output=True, timeout=60)
            for name in ("calibration.svg", "cost-against-q.svg"):
                root = xml.etree.ElementTree.parse(os.path.join(folder, name)).getroot()
                self.assertTrue(root.tag.endswith("svg"))


if __name__ == "__main__":
    unittest.main()
