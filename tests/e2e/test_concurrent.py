#!/usr/bin/python3
"""A test of another worker as the cause: found side by side in a run that testr really ran with two workers.

The project's runner is a real test command. The holder, a test on one worker, keeps a lock file while it runs, and the
victim, on the other, fails where it finds one. So that a slow machine changes nothing, the two wait for each other: the
holder until the victim has looked, the victim while a process that is about to run the holder lives.
"""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import PROGRAM, TRACEBACK  # noqa: E402

OWN = ["tests.test_own.Case.test_00", "tests.test_own.Case.test_01"]
VICTIM = "tests.test_own.Case.test_victim"
OTHER = [f"tests.test_other.Case.test_{n:02}" for n in range(6)]
HOLDER = OTHER[3]

RUNNER = r'''#!/usr/bin/python3 -IS
import os, sys, time, zlib
here = os.path.dirname(os.path.abspath(__file__))
exec(open(os.path.join(here, "names")).read())
mode = open(os.path.join(here, "mode")).read()
tests = OWN + [VICTIM] + OTHER
EXISTS, INPROGRESS, SUCCESS, FAIL = 1, 2, 3, 6

def number(value):
    """A length in subunit v2: the two upper bits of the first byte say how many follow."""
    for extra in range(4):
        if value < 1 << (6 + 8 * extra): return ((extra << (6 + 8 * extra)) | value).to_bytes(1 + extra, "big")

def text(value):
    return number(len(value)) + value

def tell(test, status, details=None):
    """A packet of subunit v2, which testr wants, with the time."""
    now = time.time_ns()
    flags = 0x2000 | 0x0800 | 0x0200 | 0x0100 | (0x0060 if details else 0) | status
    body = (now // 10**9).to_bytes(4, "big") + number(now % 10**9) + text(test.encode())
    if details: body += text(b"text/plain;charset=utf8") + text(b"traceback") + text(details.encode())
    length = 3 + len(body) + 4
    length += next(extra for extra in (1, 2, 3) if len(number(length + extra)) == extra)
    packet = b"\xb3" + flags.to_bytes(2, "big") + number(length) + body
    sys.stdout.buffer.write(packet + zlib.crc32(packet).to_bytes(4, "big"))
    sys.stdout.buffer.flush()

if "--list" in sys.argv:
    for test in tests: tell(test, EXISTS)
    sys.exit(0)
if "--load-list" in sys.argv:
    wanted = open(sys.argv[sys.argv.index("--load-list") + 1]).read().split("\n")
    tests = [test for test in tests if test in wanted]
with open(os.path.join(here, "journal"), "a") as journal:
    journal.write(" ".join(test.rsplit(".", 1)[1] for test in tests) + "\n")
lock = os.path.join(here, f"lock.{os.getpid()}")
coming = os.path.join(here, f"coming.{os.getpid()}")
looked = os.path.join(here, "looked")
recording = os.path.exists(os.path.join(here, "recording"))  # this run must fail, however slow the machine is

def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end: time.sleep(0.005)
    return condition()

def alive(name):
    try:
        os.kill(int(name.split(".")[1]), 0)
        return True
    except (ProcessLookupError, ValueError):
        return False

def any_alive(kind):
    """A file of a process that lives: one that was ended leaves its files behind."""
    return any(alive(name) for name in os.listdir(here) if name.startswith(kind))

def remove(name):
    try: os.unlink(name)
    except FileNotFoundError: pass

def hold():
    """Takes the lock until the victim has looked."""
    begin = time.time()
    with open(lock, "w"): pass
    try: until(lambda: os.path.exists(looked) and os.stat(looked).st_mtime >= begin, 60 if recording else 1.5)
    finally: remove(lock)

def victim():
    """Fails where the lock is held; gives a process that is going to take it the time."""
    if mode == "alone": return sum(1 for _ in open(os.path.join(here, "journal"))) % 3 == 0
    if mode == "never": return False
    if mode == "late":  # alone too, but not in the first runs
        runs = sum(1 for line in open(os.path.join(here, "journal")) if "victim" in line)
        return runs > 30 and zlib.crc32(b"%d" % runs) % 2 == 0  # not by turns, as the lists may be
    until(lambda: any_alive("lock.") or not any_alive("coming."), 60 if recording else 5)
    held = any_alive("lock.")
    with open(looked, "w"): pass
    return held

if HOLDER in tests and mode == "lock":
    with open(coming, "w"): pass
# The other worker, if there is one, has the time to say that it is coming.
if VICTIM in tests:
    if recording: until(lambda: any_alive("coming."), 60)
    else: time.sleep(0.15)
try:
    for test in tests:
        tell(test, INPROGRESS)
        bad = False
        if test == HOLDER and mode == "lock": hold()
        if test == VICTIM: bad = victim()
        tell(test, FAIL if bad else SUCCESS, TRACEBACK if bad else None)
finally: remove(coming)
'''


class ConcurrentTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flakebisect-concurrent-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "it's a project"
        self.folder.mkdir()
        (self.folder / "names").write_text(
            "".join(f"{name} = {value!r}\n" for name, value in
                    (("OWN", OWN), ("OTHER", OTHER), ("VICTIM", VICTIM), ("HOLDER", HOLDER), ("TRACEBACK", TRACEBACK))))
        runner = self.folder / "runner"
        runner.write_text(RUNNER)
        runner.chmod(0o755)
        self.mode("lock")
        (self.folder / ".testr.conf").write_text(
            "[DEFAULT]\ntest_command=./runner $LISTOPT $IDOPTION\ntest_id_option=--load-list $IDFILE\n"
            "test_list_option=--list\ngroup_regex=([^\\.]+\\.)+\n")
        self.record()

    def mode(self, word):
        (self.folder / "mode").write_text(word)

    def record(self):
        """A run by testr itself, two workers at once; groups keep a class together."""
        self.command("testr", "init")
        recording = self.folder / "recording"
        recording.touch()
        self.command("testr", "run", "--parallel", "--concurrency", "2")
        recording.unlink()
        listed = self.program("list", "--run-id", "0")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        failed = self.command("testr", "failing", "--list").stdout
        self.assertIn(VICTIM, failed, "the recorded run must fail")
        workers = json.loads(self.program("list", "--run-id", "0", "--json", "-").stdout)
        self.assertIn(HOLDER, json.dumps(workers))
        (self.folder / "journal").unlink()

    def command(self, *words):
        return subprocess.run(words, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def program(self, *words):
        ran = subprocess.run([PROGRAM, *words], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=300, env={**os.environ, "NO_COLOR": "1"})
        self.assertNotEqual(ran.returncode, 120)
        return ran

    def explain(self, *words, status=0):
        ran = self.program("--test", VICTIM, *words, "--json", "report.json", "--markdown", "report.md", "--text", "-",
                           "--html", "report.html", "--jira", "report.jira", "--dot", "report.dot")
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        ran.words = " ".join(ran.stdout.split())
        return json.loads((self.folder / "report.json").read_text()), ran

    def no_process_left(self):
        left = [name for name in os.listdir(self.folder) if name.startswith("coming.")]
        for name in left:
            with self.assertRaises(ProcessLookupError):
                os.kill(int(name.split(".")[1]), 0)

    def test_the_other_workers_test_is_found(self):
        report, ran = self.explain()
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]), ran.stderr)
        self.assertTrue(report["verdict"]["confirmed"])
        self.assertGreaterEqual(report["verdict"]["probability"], 0.95)
        arms = {arm["name"]: arm for arm in report["arms"]}
        self.assertGreater(arms["beside culprits"]["failures"], 0)
        self.assertEqual(arms["own worker only"]["failures"], 0)
        self.assertEqual(report["reproduce"]["beside"], [HOLDER])
        self.assertEqual(report["reproduce"]["tests"], OWN + [VICTIM])
        self.assertIn("ran on another worker at the same time", ran.words)
        for name in ("report.md", "report.html", "report.jira", "report.dot"):
            self.assertIn("test_03", (self.folder / name).read_text(), name)
        self.no_process_left()
        # What the reproduction says: pasted into a shell it fails as the victim's worker does, and leaves nothing behind.
        command = report["reproduce"]["command"]
        self.assertTrue(any(self.reproduces(command) for _ in range(5)), command)
        # One finding, told by the session it began with too.
        shown = self.program("sessions").stdout
        self.assertEqual(shown.count("=> concurrent"), 2, shown)
        again = self.program("report", "1", "--text", "-")
        self.assertIn("ran on another worker at the same time", " ".join(again.stdout.split()))
        self.assertEqual(self.program("resume").returncode, 5)

    def reproduces(self, command):
        before = len((self.folder / "journal").read_text().splitlines())
        subprocess.run(["/bin/sh", "-c", command], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.no_process_left()
        lines = (self.folder / "journal").read_text().splitlines()[before:]
        self.assertIn("test_00 test_01 test_victim", lines)
        self.assertIn("test_03", lines)
        return True

    def test_interrupted_by_a_limit_and_resumed(self):
        report, _ = self.explain("--max-probes", "34", status=3)
        self.assertEqual(report["verdict"]["kind"], "inconclusive")
        listed = self.program("sessions", "export", "2")
        probes = [one for one in json.loads(listed.stdout)["observations"] if one["source"] == 1]
        self.assertEqual(len(probes), 4)
        ran = self.program("resume", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]))
        exported = json.loads(self.program("sessions", "export", "2").stdout)["observations"]
        self.assertEqual([one for one in exported if one["source"] == 1][:4], probes, "nothing is lost or counted twice")

    def test_nothing_comes_back(self):
        self.mode("never")
        report, ran = self.explain("--max-probes", "45", status=4)
        self.assertEqual(report["verdict"]["kind"], "not-reproduced")
        self.check_cost(report, 45)
        self.assertIn("beside the other workers", ran.words)
        self.no_process_left()

    def check_cost(self, report, probes):
        """Each probe of both searches once, and at least the time that they took one after the other."""
        seconds = [one["seconds"] for session in ("1", "2")
                   for one in json.loads(self.program("sessions", "export", session).stdout)["observations"]
                   if one["source"] == 1 and (session == "2" or not one["runner"].startswith("side by side"))]
        self.assertEqual((report["cost"]["probes"], len(seconds)), (probes, probes))
        self.assertAlmostEqual(report["cost"]["test_seconds"], sum(seconds), 3)
        self.assertGreaterEqual(report["cost"]["wall_seconds"], 0.99 * sum(seconds))

    def test_a_limit_where_a_turn_ends(self):
        self.mode("never")
        for limit, sessions in ((30, 1), (40, 2)):
            report, _ = self.explain("--max-probes", str(limit), "--session", f"{limit}.sqlite", status=4)
            self.assertEqual(report["cost"]["probes"], limit)
            self.assertEqual(len(self.program("sessions", "--session", f"{limit}.sqlite").stdout.splitlines()), sessions)

    def test_a_failure_that_needs_no_other_worker_goes_back_to_one_worker(self):
        self.mode("late")
        report, ran = self.explain()
        self.assertIn("side by side", ran.stderr)
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("self", []), ran.stderr)
        self.assertIn("no other worker is needed", ran.words)
        self.assertNotIn("side_by_side", report)
        # What the search side by side saw of the worker alone is evidence of the other search.
        given = [one for one in json.loads(self.program("sessions", "export", "1").stdout)["observations"]
                 if one["runner"].startswith("side by side")]
        self.assertGreater(len(given), 0)
        self.assertEqual({tuple(one["ran"]) for one in given}, {(0, 1)})
        self.check_cost(report, report["cost"]["probes"])

    def given(self):
        """When the runs were made that the search side by side gave to the other one."""
        observations = json.loads(self.program("sessions", "export", "1").stdout)["observations"]
        return [one["made_at"] for one in observations if one["runner"].startswith("side by side")]

    def test_killed_while_it_gives(self):
        self.mode("late")
        process = subprocess.Popen([PROGRAM, "--test", VICTIM], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        name = self.folder / ".flakebisect" / "sessions.sqlite"
        while not name.exists() or not self.count_given(name):
            self.assertIsNone(process.poll())
        process.kill()
        process.wait(timeout=60)
        first = self.given()
        ran = self.program("resume", "2")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        given = self.given()
        self.assertEqual(given[:len(first)], first)
        self.assertEqual(len(given), len(set(given)), "a run is there twice")

    @staticmethod
    def count_given(name):
        with contextlib.closing(sqlite3.connect(name)) as file:
            try:
                return file.execute("SELECT count(*) FROM observation WHERE session = 1 AND runner LIKE 'side by side%'").fetchone()[0]
            except sqlite3.OperationalError:  # the tables are not there yet
                return 0

    def test_ended_by_a_signal_and_resumed(self):
        process = subprocess.Popen([PROGRAM, "--test", VICTIM], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in process.stderr:
            if "side by side" in line:
                break
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.no_process_left()
        ran = self.program("resume", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("concurrent", [HOLDER]))
        self.assertEqual(len(self.program("sessions").stdout.splitlines()), 2, "the search was taken up, not begun anew")

    def test_a_failure_of_its_own_needs_no_other_worker(self):
        self.mode("alone")
        report, ran = self.explain()
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("self", []), ran.stderr)
        self.assertNotIn("side by side", ran.stderr)


if __name__ == "__main__":
    unittest.main()
