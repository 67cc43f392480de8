"""A project whose runner keeps a journal of its own: what flakebisect has stored is compared with what really ran.

Every run of the tests has a number. The runner writes `start` and `end` lines to the journal, and tells its number in
the victim's duration (number seconds, by the stream's own timestamps), so that each stored observation can be matched
with the run it came from.
"""
import collections
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import PROGRAM, TRACEBACK, stored_run  # noqa: E402

TESTS = [f"tests.test_a.Case.test_{n:02}" for n in range(30)]
POLLUTER = TESTS[17]
VICTIM = "tests.test_b.Case.test_victim"
OUTCOMES = {1: "pass", 2: "fail"}

# Appends to the journal are single writes below PIPE_BUF to a file opened for appending: lines never mix. The number
# comes from a lock-protected counter.
RUNNER = r'''#!/usr/bin/python3 -IS
import fcntl, os, signal, sys
here = os.path.dirname(os.path.abspath(__file__))
exec(open(os.path.join(here, "names")).read())
if "--list" in sys.argv:
    print("\n".join(TESTS + [VICTIM]))
    sys.exit(0)
wanted = set(open(sys.argv[sys.argv.index("--load-list") + 1]).read().split("\n"))
counter = os.open(os.path.join(here, "counter"), os.O_RDWR | os.O_CREAT)
fcntl.flock(counter, fcntl.LOCK_EX)
number = int(os.pread(counter, 8, 0) or b"0") + 1
os.pwrite(counter, b"%08d" % number, 0)  # one write: a kill leaves the old number or the new one
os.close(counter)
journal = os.open(os.path.join(here, "journal"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(*words):
    os.write(journal, (" ".join(map(str, words)) + "\n").encode())
if number >= int(os.environ.get("HANG_FROM", 1 << 40)):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, f"test: {VICTIM}\n".encode())
    while True: signal.pause()
ran = [test for test in TESTS if test in wanted]
indices = ",".join(str(TESTS.index(test)) for test in ran) or "-"
note("start", number, os.environ.get("INCARNATION", "0"), indices)
# Deterministic, and irregular: the polluter makes the victim fail in about 1 of 4 runs, or of ONE_IN.
bad = POLLUTER in ran and (number * 2654435761 >> 9) % int(os.environ.get("ONE_IN", 4)) == 0
def stamp(seconds):
    return "time: 2026-11-20 %02d:%02d:%02d.000000Z\n" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
text = "".join(f"test: {test}\nsuccess: {test}\n" for test in ran)
text += stamp(0) + f"test: {VICTIM}\n" + stamp(number)
text += f"failure: {VICTIM} [\n{TRACEBACK}]\n" if bad else f"success: {VICTIM}\n"
note("end", number, "fail" if bad else "pass")
sys.stdout.write(text)
sys.stdout.flush()
'''

Run = collections.namedtuple("Run", "number incarnation ran outcome")


class SurvivalProject(unittest.TestCase):
    maxDiff = None
    ONE_IN = 4  # so often the polluter bites; where the search is not the matter, more often

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flakebisect-survival-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "project"
        self.folder.mkdir()
        self.tmp = pathlib.Path(folder.name) / "tmp"
        self.tmp.mkdir()
        repository = self.folder / ".testrepository"
        repository.mkdir()
        (repository / "format").write_text("1\n")
        (repository / "next-stream").write_text("8\n")
        (repository / "7").write_text(stored_run(TESTS + [VICTIM], failed=[VICTIM]))
        (self.folder / "names").write_text(
            "".join(f"{name} = {value!r}\n" for name, value in
                    (("TESTS", TESTS), ("POLLUTER", POLLUTER), ("VICTIM", VICTIM), ("TRACEBACK", TRACEBACK))))
        runner = self.folder / "runner"
        runner.write_text(RUNNER)
        runner.chmod(0o755)
        (self.folder / ".testr.conf").write_text(
            "[DEFAULT]\ntest_command=./runner $LISTOPT $IDOPTION\ntest_id_option=--load-list $IDFILE\n"
            "test_list_option=--list\n")

    def environment(self, incarnation=0, **more):
        return {**os.environ, "NO_COLOR": "1", "TMPDIR": str(self.tmp), "INCARNATION": str(incarnation),
                "ONE_IN": str(self.ONE_IN), **more}

    def start(self, *words, incarnation=0, prefix=(), **more):
        return subprocess.Popen([*prefix, PROGRAM, *words], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(incarnation, **more))

    def run_program(self, *words, incarnation=0, prefix=(), timeout=300, **more):
        return subprocess.run([*prefix, PROGRAM, *words], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, env=self.environment(incarnation, **more), timeout=timeout)

    def journal_lines(self):
        try:
            return (self.folder / "journal").read_text().splitlines()
        except FileNotFoundError:
            return []

    def journal(self):
        """What really ran, by number; the outcome is None where the run was ended before the victim's result."""
        runs = {}
        for line in self.journal_lines():
            word, number, *rest = line.split()
            if word == "start":
                ran = [] if rest[1] == "-" else [int(index) for index in rest[1].split(",")]
                runs[int(number)] = Run(int(number), int(rest[0]), ran, None)
            else:
                runs[int(number)] = runs[int(number)]._replace(outcome=rest[0])
        return runs

    def export(self, session=1):
        exported = self.run_program("sessions", "export", str(session))
        self.assertEqual(exported.returncode, 0, exported.stderr)
        return json.loads(exported.stdout)

    def probes(self, session=1):
        return [one for one in self.export(session)["observations"] if one["source"] == 1]

    def check_evidence(self, probes, jobs=1):
        """Each stored probe is a run that happened, just as it happened, and is there once; and in each life of the
        program all runs but the last `jobs` that it started are stored."""
        runs = self.journal()
        seen = set()
        for probe in probes:
            if probe["outcome"] == 4:
                self.assertNotIn("victim_seconds", [key for key, value in probe.items() if key == "victim_seconds" and value])
                continue
            number = round(probe["victim_seconds"])
            self.assertNotIn(number, seen, "an observation is there twice")
            seen.add(number)
            run = runs[number]
            self.assertEqual((probe["ran"], OUTCOMES[probe["outcome"]]), (run.ran, run.outcome), f"run {number}")
        lives = collections.defaultdict(list)
        for run in runs.values():
            lives[run.incarnation].append(run.number)
        for numbers in lives.values():
            lost = [number for number in sorted(numbers)[:-jobs] if number not in seen]
            self.assertEqual(lost, [], "a run before the last one was lost")
        return seen

    def quoted(self, *words):
        return " ".join(shlex.quote(str(word)) for word in words)
