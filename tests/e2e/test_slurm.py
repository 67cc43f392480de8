#!/usr/bin/python3
"""A bisection over a real Slurm (scripts/slurm-local): test servers in steps on two nodes, one of which is lost in mid-probe."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from survival_project import POLLUTER, SurvivalProject  # noqa: E402
from test_launchers import make_unittest_project  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
MISSING = [program for program in ("slurmctld", "slurmd", "srun", "munged") if not shutil.which(program, path="/usr/sbin:/usr/bin")]


@unittest.skipIf(MISSING, f"Slurm is not installed (apt-get install slurm-wlm munge): there is no {', '.join(MISSING)}")
@unittest.skipIf(os.geteuid() != 0, "slurmd needs root")
class SlurmTest(SurvivalProject):
    def setUp(self):
        super().setUp()
        self.slurm = self.folder.parent / "slurm"
        os.chmod(self.folder.parent, 0o755)
        started = self.slurm_local("start", "2")
        self.addCleanup(self.slurm_local, "stop")
        self.assertEqual(started.returncode, 0, started.stderr)
        make_unittest_project(self.folder)
        # The first probe on node 0 says that it runs, and waits there; every node has its own SLURMD_NODENAME.
        (self.folder / "tests" / "test_b.py").write_text(
            "import os, time, unittest\nimport tests\nclass Case(unittest.TestCase):\n    def test_victim(self):\n"
            "        node = os.environ['SLURMD_NODENAME']\n"
            "        open('ran-' + node, 'a').write('x')\n"
            "        while node == 'node0' and os.path.exists('hold'): time.sleep(0.05)\n"
            "        self.assertEqual(tests.state, [])\n")

    def slurm_local(self, *words):
        action, *rest = words
        return subprocess.run([SOURCE / "scripts/slurm-local", action, self.slurm, *rest], capture_output=True, text=True,
                              timeout=180)

    def test_servers_in_steps_and_a_node_that_is_lost(self):
        (self.folder / "hold").write_text("")
        process = self.start("--run-id", "7", "--launcher", "slurm", "--jobs", "2", "--confidence", "0.99", "--json",
                             "report.json", SLURM_CONF=str(self.slurm / "slurm.conf"))
        deadline = time.monotonic() + 120
        while not (self.folder / "ran-node0").exists():
            self.assertIsNone(process.poll(), process.poll() is not None and process.communicate()[1])
            self.assertLess(time.monotonic(), deadline, "no probe reached node 0")
            time.sleep(0.05)
        lost = self.slurm_local("lose", "0")
        self.assertEqual(lost.returncode, 0, lost.stderr)
        (self.folder / "hold").unlink()
        out, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, err)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        self.assertTrue((self.folder / "ran-node1").exists(), "the other node went on")
        probes = self.probes()
        self.assertEqual({probe["runner"] for probe in probes}, {"server slurm"})
        # The lost probe is void and no failure. It is there: the verdict's last check waits until nothing else runs.
        self.assertGreaterEqual(len([probe for probe in probes if probe["outcome"] == 4]), 1)
        for probe in probes:
            if probe["outcome"] == 2:
                self.assertIn(17, probe["ran"])
            if probe["outcome"] == 4:
                self.assertIn("lost", probe["void_reason"])


if __name__ == "__main__":
    unittest.main()
