"""A repository and a test command made by hand, small and quick, for end-to-end tests of the command line.

The runner is a real test command: it prints subunit v1 as it goes, keeps its own discovery order whatever the list file
says, and behaves as the file `mode` beside it says.
"""
import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("FLAKEBISECT", "flakebisect")
TESTS = [f"tests.test_a.Case.test_{n:02}" for n in range(12)]
POLLUTER = "tests.test_a.Case.test_04"
VICTIM = "tests.test_b.Case.test_victim"
BEHIND = "tests.test_c.Case.test_behind"
TRACEBACK = """Traceback (most recent call last):
  File "/src/tests/test_b.py", line 7, in test_victim
    self.assertEqual(shop.currency, "EUR")
AssertionError: 'CHF' != 'EUR'
"""

RUNNER = r'''#!/usr/bin/python3 -IS
import os, signal, sys
here = os.path.dirname(os.path.abspath(__file__))
exec(open(os.path.join(here, "names")).read())
mode = open(os.path.join(here, "mode")).read().split()
if "--list" in sys.argv:
    for test in TESTS + [VICTIM, BEHIND]:
        # A v2 packet by hand: status exists, a test id, runnable.
        import zlib
        name = test.encode()
        body = len(name).to_bytes(1, "big") + name
        packet = b"\xb3\x29\x01" + (3 + 1 + len(body) + 4).to_bytes(1, "big") + body
        sys.stdout.buffer.write(packet + zlib.crc32(packet).to_bytes(4, "big"))
    sys.exit(0)
wanted = set(TESTS + [VICTIM, BEHIND])
if "--load-list" in sys.argv:
    wanted = set(open(sys.argv[sys.argv.index("--load-list") + 1]).read().split("\n"))
probe = 0
try:
    with open(os.path.join(here, "probes")) as file:
        probe = len(file.read())
except FileNotFoundError:
    pass
with open(os.path.join(here, "probes"), "a") as file:
    file.write("x")

def die():
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

if mode[0] == "always-die" or (mode[0] == "die-once" and probe == 1):
    die()
if mode[0] == "block" and probe >= int(mode[1]):
    with open(mode[2], "w") as fifo:  # tells the test that this probe is running
        fifo.write(f"{os.getpid()}\n")
    signal.pause()
ran = []
for test in TESTS + [VICTIM, BEHIND]:
    if test not in wanted:
        continue
    print("test:", test)
    bad = test == VICTIM and mode[0] != "never" and (POLLUTER in ran or mode[0] == "self")
    print(f"failure: {test} [\n{TRACEBACK}]" if bad else f"success: {test}", flush=True)
    ran.append(test)
'''


def failure(test, traceback=TRACEBACK):
    return f"failure: {test} [\n{traceback}]\n"


def stored_run(tests, failed=(), worker="worker-0", seconds=0.01, start=0):
    """A run file as testr writes it."""
    text = ""
    for number, test in enumerate(tests):
        at = start + number * seconds
        outcome = failure(test) if test in failed else f"success: {test}\n"
        text += f"time: 2026-11-20 10:00:{at:09.6f}Z\n"
        text += f"tags: {worker}\ntest: {test}\ntime: 2026-11-20 10:00:{at + seconds:09.6f}Z\n{outcome}tags: -{worker}\n"
    return text


class SmallProject(unittest.TestCase):
    """Makes self.folder with a repository of two runs: 6 passed, 7 failed after the polluter."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flakebisect-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "it's a project"
        self.folder.mkdir()
        everything = TESTS + [VICTIM, BEHIND]
        self.repository({"6": stored_run(everything), "7": stored_run(everything, failed=[VICTIM])})
        (self.folder / "names").write_text(
            "".join(f"{name} = {value!r}\n" for name, value in
                    (("TESTS", TESTS), ("POLLUTER", POLLUTER), ("VICTIM", VICTIM), ("BEHIND", BEHIND), ("TRACEBACK", TRACEBACK)))
        )
        runner = self.folder / "runner"
        runner.write_text(RUNNER)
        runner.chmod(0o755)
        self.mode("polluted")
        self.configure("./runner $LISTOPT $IDOPTION")

    def repository(self, runs, name=".testrepository"):
        path = self.folder / name
        path.mkdir(exist_ok=True)
        for old in path.iterdir():
            old.unlink()
        (path / "format").write_text("1\n")
        (path / "next-stream").write_text(f"{max(map(int, runs), default=-1) + 1}\n")
        for number, content in runs.items():
            (path / number).write_bytes(content if isinstance(content, bytes) else content.encode())

    def configure(self, command):
        (self.folder / ".testr.conf").write_text(
            f"[DEFAULT]\ntest_command={command}\ntest_id_option=--load-list $IDFILE\ntest_list_option=--list\n"
        )

    def mode(self, *words):
        (self.folder / "mode").write_text(" ".join(words))

    def run_program(self, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, cwd=None):
        """Runs flakebisect in the project with nothing to read; 120 is never its status."""
        ran = subprocess.run(
            [PROGRAM, *words], cwd=cwd or self.folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True,
            timeout=timeout, env={**os.environ, "NO_COLOR": "1"},
        )
        self.assertNotEqual(ran.returncode, 120)
        return ran

    def shell(self, command, **options):
        return subprocess.run(
            ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **options
        )

    def program_quoted(self):
        return shlex.quote(PROGRAM)
