"""The processes that run the tests: forked from the server, watched, stopped, swept up.

The server itself never runs a test: it imports them, and forks. A process for one isolated run dies with it, and the
next one is forked ahead of time; the process for runs that did not ask for isolation (the worker) stays, so that what
its tests leave behind is seen by the next. Either way the server stays responsive, and a test can only take its own
process down.
"""

import atexit
import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
import weakref

from .channel import high_descriptor
from .stream import FrameReader, PipeEnd, ResultStream

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)
#: How long a process that has reported all its results may take to exit.
EXIT_GRACE_SECONDS = 5.0
#: How long the sweep waits for killed processes to be gone.
_SWEEP_SECONDS = 2.0


def become_subreaper():
    """Daemons that tests start become children of this process when their parents are gone, so it can stop them."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class ProcessTable:
    """Finds the children of this process, daemons that became its children included.

    Where the kernel does not list them it reads /proc, but each stranger only once: what was not started from here
    never becomes a child of this process.
    """

    def __init__(self):
        self._listing = f"/proc/self/task/{threading.get_native_id()}/children"
        if not os.path.exists(self._listing):
            self._listing = None
        self._strangers = set()

    def children(self):
        """The ids of the children, dead ones included until they are reaped."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return set()
        if self._listing:
            with open(self._listing, encoding="ascii") as file:
                return set(map(int, file.read().split()))
        return self._scan()

    def _scan(self):
        me = os.getpid()
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._strangers &= present
        parents = {}
        for pid in present - self._strangers:
            try:
                with open(f"/proc/{pid}/stat", "rb") as file:
                    parents[pid] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue  # gone by now
        for pid in parents:
            ancestor = pid
            while ancestor in parents and ancestor != me:
                ancestor = parents[ancestor]
            if ancestor != me:
                self._strangers.add(pid)
        return {pid for pid, parent in parents.items() if parent == me}


def sweep(table, spared):
    """Kills and reaps the children that are not in `spared`, and those that they leave. Returns how many."""
    killed, deadline = set(), time.monotonic() + _SWEEP_SECONDS
    while True:
        strangers = table.children() - spared
        if not strangers or time.monotonic() > deadline:
            return len(killed)
        for pid in strangers:
            _kill(os.kill, pid)
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        if strangers <= killed:
            time.sleep(0.001)
        killed |= strangers


def _kill(function, pid):
    try:
        function(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def describe_exit(status):
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"was killed by signal {number} ({signal.Signals(number).name})"
        except ValueError:
            return f"was killed by signal {number}"
    return f"exited with status {os.WEXITSTATUS(status)}"


class Child:
    """A process that runs tests, seen from the server."""

    def __init__(self, pid, results, keep_open, requests):
        self.pid = pid
        #: The server's end of the result pipe; not blocking.
        self.results = results
        self.frames = FrameReader()
        self._keep_open = keep_open
        self._requests = requests  # not blocking
        self._unsent, self._last = None, False
        self._status = None
        try:
            self.watch = os.pidfd_open(pid)
        except (AttributeError, OSError):
            self.watch = None  # an old kernel: the loop looks from time to time

    def request(self, test_ids, times, last):
        """Hands the process its next run, and with `last` lets it exit after that. send() does the rest. `times`: most
        runs of the last test."""
        self._unsent = memoryview(json.dumps([test_ids, times]).encode() + b"\n")
        self._last = last
        self.send()

    @property
    def waits_to_send(self):
        """The descriptor to watch for room while a request is not all handed over, else None."""
        return self._requests if self._unsent else None

    def send(self):
        """Hands over what the pipe takes now: a process that does not read must not stop the server."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._requests, self._unsent):]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = None  # the end of the process is noticed like any other
        if self._last:
            self.finish_requests()

    def read(self):
        """What has come down the pipe; empty when there is nothing more for now."""
        try:
            return os.read(self.results, 1 << 18)
        except BlockingIOError:
            return b""

    def kill(self):
        """Ends the process and its process group at once."""
        if self._status is None:
            _kill(os.killpg, self.pid)
            _kill(os.kill, self.pid)

    def finish_requests(self):
        """Lets the process exit once it has done what it was handed."""
        if self._requests is not None:
            os.close(self._requests)
            self._requests = self._unsent = None

    def ended(self):
        """The wait status once the process is dead, else None. What is left of its process group dies with it."""
        if self._status is None:
            # Look first and reap second: until it is reaped nobody else can be given its id, or its group's.
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            _kill(os.killpg, self.pid)
            self._status = os.waitpid(self.pid, 0)[1]
        return self._status

    def wait(self, seconds):
        """As ended(), but waits so long."""
        deadline = time.monotonic() + seconds
        while self.ended() is None and time.monotonic() < deadline:
            if self.watch is not None:
                select.select([self.watch], [], [], max(0.0, deadline - time.monotonic()))
            else:
                time.sleep(0.005)
        return self.ended()

    def close(self):
        self.finish_requests()
        for descriptor in (self.results, self._keep_open, self.watch):
            if descriptor is not None:
                os.close(descriptor)
        self.results = self._keep_open = self.watch = None


def fork_child(backend, leave):
    """A process that runs what Child.request() hands it, until there is no more. `leave` is called in it first, to
    drop what is the server's."""
    requests, feed = _pipe()
    results, sink = _pipe()
    for descriptor in (results, feed):
        os.set_blocking(descriptor, False)
    sys.stdout.flush()
    sys.stderr.flush()
    server = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        for descriptor in (requests, feed, results, sink):
            os.close(descriptor)
        raise
    if pid == 0:
        code = 1
        try:
            _settle(server)
            leave()
            os.close(feed)
            os.close(results)
            exits = _OwnExitFunctions()
            # Any end of a pipe opens the pipe: the server keeps its end of the one and a copy of this end of the other.
            asked = PipeEnd(requests, f"/proc/{server}/fd/{feed}", os.O_RDONLY)
            stream = ResultStream(PipeEnd(sink, f"/proc/{server}/fd/{sink}"))
            os.register_at_fork(after_in_child=stream.disown)
            os.register_at_fork(after_in_child=asked.close)
            backend.enter_child()
            _serve_runs(backend, asked, stream)
            if stream.owned():
                exits.run()
            code = 0
        except SystemExit:
            pass
        except BaseException:
            _complain()
        finally:
            _leave_at_once(code)
    os.close(requests)
    try:
        os.setpgid(pid, pid)  # both sides say so: whoever comes first
    except (PermissionError, ProcessLookupError):
        pass
    return Child(pid, results, sink, feed)


def _pipe():
    """A pipe with both ends out of the way of tests."""
    ends = os.pipe()
    moved = tuple(map(high_descriptor, ends))
    for end in ends:
        os.close(end)
    return moved


def _settle(server):
    """The forked process becomes one of its own: a group to be stopped as one, gone when the server is gone."""
    os.setpgid(0, 0)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _serve_runs(backend, asked, stream, _read=os.read):
    """Runs one list after another, a line of JSON each, until the server closes the pipe."""
    pending = b""
    while (descriptor := asked.get()) is not None and (data := _read(descriptor, 1 << 20)):
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            _run_once(backend, *json.loads(line), asked, stream)


def _run_once(backend, test_ids, times, asked, stream):
    try:
        if times > 1 and test_ids:
            reason = backend.run_repeated(test_ids, times, stream)
        else:
            reason = backend.run(test_ids, stream)
    except BaseException as error:
        # An exception that no test framework keeps to itself: SystemExit, KeyboardInterrupt, or a defect of ours.
        _complain()
        reason = f"{type(error).__name__} ended the run: {error}"
        stream.control({"status": "error", "reason": reason, "leaving": True})
        raise
    if not stream.owned():
        sys.exit()  # a copy that a test forked, which came back from the test: it has no business with the server
    asked.get()  # open again what a test closed, before the server may write to it
    stream.control({"status": "error" if reason else "ok", "reason": reason, "leaving": False})


def _complain():
    """The current exception to standard error, if a test left one to write to."""
    try:
        traceback.print_exc()
    except Exception:
        pass


def _leave_at_once(code, _exit=os._exit):
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except Exception:
            pass  # closed by a test, perhaps
    _exit(code)


class _OwnExitFunctions:
    """Runs, at the end of a forked process, the exit functions that were registered in it, and no others.

    What the server's imports registered is the server's to run: a temporary folder made by a test module must outlive
    the first probe.
    """

    def __init__(self):
        atexit._clear()
        finalize = weakref.finalize
        for info in finalize._registry.values():
            info.atexit = False
        finalize._registered_with_atexit = False

    def run(self, _run=atexit._run_exitfuncs):
        _run()
