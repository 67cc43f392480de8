"""A test server as a child process, with a client at the other end. For the end-to-end tests."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

SOURCE = os.environ.get("FLAKEBISECT_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SCRIPTS = os.path.join(SOURCE, "scripts")
PYTHON = "/usr/bin/python3"
sys.path.insert(0, SCRIPTS)

from flakebisect_servers import packets, rpc  # noqa: E402,F401

UNITTEST = [os.path.join(SCRIPTS, "flakebisect-unittest-server")]
PYTEST = [os.path.join(SCRIPTS, "flakebisect-pytest-server")]
#: No answer is waited for longer than this: a hang fails the test instead of the whole suite.
LIMIT_SECONDS = 60
FINAL = ("success", "fail", "skip", "xfail", "uxsuccess")


def write_project(folder, files):
    """Files of a small project, their texts dedented."""
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


class Outcome:
    """What a run gave: the packets, the order and the results, and its Done."""

    def __init__(self):
        self.packets, self.done = [], None

    @property
    def started(self):
        return [p.test_id for p in self.packets if p.status == "inprogress"]

    @property
    def results(self):
        return [(p.test_id, p.status) for p in self.packets if p.status in FINAL]

    @property
    def order(self):
        return [test_id for test_id, _ in self.results]

    @property
    def unfinished(self):
        return [t for t in self.started if t not in self.order]

    @property
    def existing(self):
        return [p.test_id for p in self.packets if p.status == "exists"]

    def files(self, test_id=None):
        found = {}
        for packet in self.packets:
            if packet.test_id == test_id and packet.file_name is not None:
                found[packet.file_name] = found.get(packet.file_name, b"") + packet.file_bytes
        return {name: data.decode() for name, data in found.items()}


class ServerProcess:
    def __init__(self, command, cwd, max_version=2, hello=True, **env):
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr, bufsize=0, env=environment(**env))
        self.client = rpc.Client(max_version=max_version)
        self.events = []
        self.stray = b""
        if hello:
            self.send(self.client.hello())
            self.ready = self.wait_for(lambda e: isinstance(e, rpc.Ready))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()  # the end of its input is the end of a server
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.stderr.close()

    @property
    def pid(self):
        return self.process.pid

    def errors(self):
        self.stderr.seek(0)
        lines = self.stderr.read().decode("utf-8", "replace").splitlines()
        return "\n".join(line[:200] for line in lines if not line.startswith("xxxx"))

    def send(self, data):
        self.process.stdin.write(data)

    def pump(self, seconds):
        """Reads once; False at the end of the stream or when nothing came in time."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        for event in self.client.feed(data):
            if isinstance(event, rpc.Stray):
                self.stray += event.data
            self.events.append(event)
        return bool(data)

    def wait_for(self, wanted):
        """Takes events up to and including the first wanted one, which is returned; the others stay in `events`."""
        deadline = time.monotonic() + LIMIT_SECONDS
        seen = 0
        while True:
            for number in range(seen, len(self.events)):
                if wanted(self.events[number]):
                    return self.events.pop(number)
            seen = len(self.events)
            if not self.pump(max(0.0, deadline - time.monotonic())):
                raise AssertionError(f"no answer; {self.events[-3:]!r}; stderr: {self.errors()[-3000:]}")

    def collect(self, nonce):
        """The Outcome of a request, all results seen by now included."""
        outcome = Outcome()
        outcome.done = self.wait_for(lambda e: isinstance(e, rpc.Done) and e.nonce == nonce)
        outcome.packets = [e.packet for e in self.events if isinstance(e, rpc.Result)]
        self.events = [e for e in self.events if not isinstance(e, rpc.Result)]
        return outcome

    def list(self, tests=None):
        nonce, data = self.client.list(tests)
        self.send(data)
        return self.collect(nonce)

    def start(self, tests=None, ordered=True, isolated=True, repeat=1):
        nonce, data = self.client.run(tests, ordered and "ordered" in self.client.features,
                                      isolated and "isolated" in self.client.features, repeat)
        self.send(data)
        return nonce

    def run(self, tests=None, ordered=True, isolated=True, repeat=1):
        return self.collect(self.start(tests, ordered, isolated, repeat))

    def wait_started(self, test_id):
        """Until the test's inprogress packet has come."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not any(isinstance(e, rpc.Result) and e.packet.test_id == test_id and e.packet.status == "inprogress"
                      for e in self.events):
            if not self.pump(max(0.0, deadline - time.monotonic())):
                raise AssertionError(f"{test_id} never began; stderr: {self.errors()[-3000:]}")

    def goodbye(self):
        """Says Goodbye and returns (exit status, what came after it)."""
        self.send(self.client.goodbye())
        rest = b""
        while select.select([self.process.stdout], [], [], LIMIT_SECONDS)[0]:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                break
            rest += data
        return self.process.wait(LIMIT_SECONDS), rest


def alive(pid):
    """True while the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def until(condition, what):
    """Waits for a condition that must come true; fails when it does not."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
