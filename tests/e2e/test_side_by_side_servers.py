#!/usr/bin/python3
"""A test of another worker as the cause, in a project of unittest that stestr ran with two workers: found side by side with a
test server for each worker, with stestr's own command, and through a launcher."""
import json
import shlex
import unittest

from rpc_harness import UNITTEST
from test_main_job_servers import PROGRAM, MainJobCase, until

HOLDER, VICTIM = "tests.test_other.Other.test_d", "tests.test_own.Own.test_victim"
# Who holds the lock is written in it: a holder that was ended leaves it behind, and nobody holds it then.
SHOP = '''
import os, time
LOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lock")
def hold(seconds):
    with open(f"{LOCK}.{os.getpid()}", "w") as file: file.write(str(os.getpid()))
    os.replace(f"{LOCK}.{os.getpid()}", LOCK)
    time.sleep(seconds)
    os.unlink(LOCK)
def held():
    try:
        with open(LOCK) as file: os.kill(int(file.read()), 0)
        return True
    except (FileNotFoundError, ProcessLookupError):
        return False
def seen_held(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if held(): return True
        time.sleep(0.005)
    return False
'''


class SideBySide(MainJobCase):
    FILES = {
        "tests/__init__.py": "",
        "tests/shop.py": SHOP,
        "tests/test_own.py": '''
            import os, unittest
            from tests import shop
            class Own(unittest.TestCase):
                def test_a(self): pass
                def test_victim(self): self.assertFalse(shop.seen_held(float(os.environ.get("PATIENCE", "0.25"))))
            ''',
        "tests/test_other.py": '''
            import unittest
            from tests import shop
            class Other(unittest.TestCase):
                def test_a(self): pass
                def test_b(self): pass
                def test_c(self): pass
                def test_d(self): shop.hold(0.6)  # long, so that the two meet on a busy machine as well
                def test_e(self): pass
            ''',
        # Each class is a worker's.
        ".stestr.conf": "[DEFAULT]\ntest_path=./tests\ntop_dir=./\ngroup_regex=([^\\.]+\\.)+\n",
    }

    def setUp(self):
        super().setUp()
        self.run_command("stestr", "init")
        # The recorded run waits for the holder however late its worker comes.
        until(lambda: self.run_command("env", "PATIENCE=5", "stestr", "run", "--concurrency", "2").returncode == 1)

    def explain(self, *words):
        report = self.bisect("--test", VICTIM, *words)
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]),
                         json.dumps(report["verdict"], indent=1))
        self.assertTrue(report["verdict"]["confirmed"])
        self.assertEqual(report["reproduce"]["beside"], [HOLDER])
        # The side-by-side search is the second session.
        exported = json.loads(self.run_command(PROGRAM, "sessions", "export", "2", "--session", "sessions.sqlite").stdout)
        return {probe["runner"] for probe in exported["observations"] if probe["source"] == 1}

    def test_a_server_for_each_worker(self):
        runners = self.explain("--server", f"{shlex.join(UNITTEST)} discover -t ./ ./tests")
        self.assertTrue(all("server" in one for one in runners), runners)

    def test_the_projects_own_command_through_a_launcher(self):
        runners = self.explain("--launcher", "env VIA=launcher $COMMAND")
        self.assertTrue(all("launcher" in one for one in runners), runners)


if __name__ == "__main__":
    unittest.main()
