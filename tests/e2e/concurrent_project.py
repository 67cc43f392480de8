"""A project whose victim fails only beside a test of another worker, and a run of it by testr with two workers.

The project's runner is a real test command. The holder, a test on one worker, keeps a lock file while it runs, and the
victim, on the other, fails where it finds one. So that a slow machine changes nothing, the two wait for each other: the
holder until the victim has looked, the victim while a process that is about to run the holder lives.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from small_project import PROGRAM, TRACEBACK

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
if VICTIM in tests and mode == "lock":
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


class ConcurrentProject(unittest.TestCase):
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
