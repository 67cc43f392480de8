"""The loop of a test server: answers requests, whatever the test framework.

A backend is an object with
    name                        for Hello, and the log
    test_ids()                  every id, in the order of a run of them all
    knows(test_id)
    listing_errors()            a text on modules that could not be imported, or None
    enter_child()               called once in each forked process, before run()
    run(test_ids, stream)       runs them, in this order, in a forked process; returns None, or why it stopped early
and, where it can,
    run_repeated(test_ids, times, stream)
                                likewise, but the last test up to so many times, until it first does not pass. Without
                                this method `repeat` is not offered.
"""

import collections
import gc
import select
import signal
import sys
import time

from . import __version__, packets, rpc
from .channel import Channel
from .children import EXIT_GRACE_SECONDS, ProcessTable, become_subreaper, describe_exit, fork_child, sweep
from .stream import FrameError

FEATURES = ("ordered", "isolated", "cancel", "repeat")
#: When the client leaves so much unread, results wait in the pipes of the processes that make them.
_MAX_PENDING = 8 << 20
#: How long the end waits for the client to take what it has not read.
_DRAIN_SECONDS = 2.0


class _Terminated(Exception):
    """SIGTERM came."""


class _Active:
    """The run that is being served."""

    def __init__(self, request, test_ids, child, spared):
        self.request, self.test_ids, self.child, self.spared = request, test_ids, child, spared
        self.outcome = None  # the control frame that ends a run
        self.cancelled = False
        self.fault = None
        self.deadline = None

    @property
    def leaving(self):
        """True when the run is over only with the end of its process."""
        return self.request.isolated or self.cancelled or bool(self.outcome and self.outcome["leaving"])


class Service:
    """Serves one client until it says Goodbye or goes away. One run at a time, in the order they came."""

    def __init__(self, backend, channel: Channel, features=FEATURES, max_version=rpc.MAX_VERSION):
        self._backend, self._channel = backend, channel
        if "ordered" not in features or not hasattr(backend, "run_repeated"):
            features = [feature for feature in features if feature != "repeat"]
        self._protocol = rpc.Server(max_version=max_version, name=f"{backend.name} flakebisect-servers/{__version__}",
                                    features=features)
        self._queue = collections.deque()
        self._active = None
        self._worker = None  # runs what did not ask for isolation
        self._spare = None  # has imported, has run nothing, and waits for the next isolated run
        self._table = ProcessTable()
        self._open = True
        self._clock = time.monotonic
        self._imports = frozenset()

    def serve(self):
        """Returns when the conversation is over and every process of it is gone."""
        become_subreaper()
        self._imports = self._table.children()
        gc.collect()
        gc.freeze()  # forked copies share these pages for as long as no collection touches them
        previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            while self._open:
                self._step()
            self._channel.drain(_DRAIN_SECONDS)
        except (BrokenPipeError, _Terminated, KeyboardInterrupt):
            pass
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._stop_everything()
            signal.signal(signal.SIGTERM, previous)

    @staticmethod
    def _on_sigterm(_number, _frame):
        raise _Terminated

    # The loop.

    def _step(self):
        poll = select.poll()
        poll.register(self._channel.source, select.POLLIN)
        if self._channel.pending:
            poll.register(self._channel.sink, select.POLLOUT)
        active, timeout = self._active, None
        if active:
            if self._channel.pending < _MAX_PENDING:
                poll.register(active.child.results, select.POLLIN)
            unsent = active.child.waits_to_send
            if unsent is not None:
                poll.register(unsent, select.POLLOUT)
            if active.child.watch is None:
                timeout = 5
            else:
                poll.register(active.child.watch, select.POLLIN)
            if active.deadline is not None:
                timeout = min(timeout or 1000, max(1, int((active.deadline - self._clock()) * 1000)))
        ready = {descriptor for descriptor, _ in poll.poll(timeout)}
        if self._channel.sink in ready:
            self._channel.flush()
        if active:
            self._attend(active, ready)
        if self._channel.source in ready:
            data = self._channel.read()
            if not data:
                self._open = False
            for event in self._protocol.feed(data):
                self._on_event(event)
        self._start_next()

    def _on_event(self, event):
        if isinstance(event, rpc.Greeted):
            self._channel.write(self._protocol.hello())
        elif isinstance(event, rpc.NoCommonVersion):
            self._log(str(event))
            self._channel.write(self._protocol.hello())
        elif isinstance(event, rpc.ListRequest):
            self._list(event)
        elif isinstance(event, rpc.RunRequest):
            self._queue.append(event)
        elif isinstance(event, rpc.BadRequest):
            self._done(event, "refused", event.reason)
        elif isinstance(event, rpc.CancelRequest):
            self._cancel(event.nonce)
        elif isinstance(event, rpc.GoodbyeRequest):
            self._open = False
        elif isinstance(event, rpc.Stray):
            self._log(f"not subunit, ignored: {event.data[:60]!r}")
        else:
            self._log(f"ignored: {event.reason}")

    def _log(self, text):
        print(f"{self._backend.name}: {text}", file=sys.stderr, flush=True)

    def _done(self, request, status="ok", reason=None):
        self._channel.write(self._protocol.done(request.nonce, status, reason))

    # Requests.

    def _list(self, request):
        backend = self._backend
        ids = backend.test_ids() if request.tests is None else filter(backend.knows, dict.fromkeys(request.tests))
        out = [packets.encode(test_id, "exists") for test_id in ids]
        errors, reason = None, None
        if request.tests is None:
            errors = backend.listing_errors()
        if errors:
            # As subunit.run reports them: a file of no test.
            out.append(packets.encode_file("import errors", errors.encode("utf-8", "backslashreplace"),
                                           "text/plain;charset=utf8", runnable=False))
            reason = "some test modules could not be imported: see 'import errors'"
        out.append(self._protocol.done(request.nonce, "ok", reason))
        self._channel.write(b"".join(out))

    def _cancel(self, nonce):
        for request in self._queue:
            if request.nonce == nonce:
                self._queue.remove(request)
                self._done(request, "cancelled")
                return
        if self._active and self._active.request.nonce == nonce:
            self._active.cancelled = True
            self._active.child.kill()

    def _start_next(self):
        while self._open and self._queue and not self._active:
            request = self._queue.popleft()
            test_ids = self._backend.test_ids() if request.tests is None else request.tests
            unknown = [test_id for test_id in test_ids if not self._backend.knows(test_id)]
            if unknown and self._protocol.version > 1:
                self._done(request, "refused", self._explain_unknown(unknown))
                continue
            test_ids = [test_id for test_id in test_ids if self._backend.knows(test_id)] if unknown else list(test_ids)
            try:
                self._start(request, test_ids)
            except OSError as error:
                self._done(request, "error", f"the process for the tests could not be started: {error}")

    def _explain_unknown(self, unknown):
        reason = f"{len(unknown)} of the tests are not known here, the first is {unknown[0]!r}"
        errors = self._backend.listing_errors()
        if errors:
            reason += "; some modules could not be imported: " + errors.strip().splitlines()[-1]
        return reason

    def _start(self, request, test_ids):
        spared = None
        if request.isolated:
            if self._imports or self._worker:
                spared = self._imports | self._table.children()
            else:
                spared = self._imports
            child, self._spare = self._usable(self._spare), None
        else:
            child = self._worker = self._usable(self._worker)
        self._active = _Active(request, test_ids, child, spared)
        child.request(test_ids, request.repeat, last=request.isolated)
        if request.isolated:
            try:
                self._spare = fork_child(self._backend, self._leave)
            except OSError:
                pass  # tried again, and reported, when it is needed

    def _usable(self, child):
        """This process if it lives, else a new one."""
        if child and child.ended() is not None:
            child.close()
            child = None
        return child or fork_child(self._backend, self._leave)

    def _leave(self):
        """In a forked process: nothing of the server's may be within reach of a test."""
        self._channel.close()
        for child in {self._worker, self._spare, self._active and self._active.child} - {None}:
            child.close()

    # The run that is being served.

    def _attend(self, active, ready):
        child = active.child
        if child.waits_to_send in ready:
            child.send()
        if child.results in ready:
            self._pass_on(active, child.read())
        ended = child.ended() if child.watch is None or child.watch in ready else None
        if ended is not None:
            while data := child.read():
                self._pass_on(active, data)
            self._on_death(active, ended)
        elif active.outcome and not active.leaving:
            self._active = None
            self._done(active.request, active.outcome["status"], active.outcome["reason"])
        elif active.deadline is not None and self._clock() > active.deadline:
            child.kill()

    def _pass_on(self, active, data):
        if active.fault:
            return
        try:
            results, controls = active.child.frames.feed(data)
        except FrameError as error:
            active.fault = str(error)
            active.child.kill()
            return
        for active.outcome in controls:
            if active.leaving:
                active.deadline = self._clock() + EXIT_GRACE_SECONDS
        if results:
            self._channel.write(results)

    def _on_death(self, active, exit_status):
        child, outcome = active.child, active.outcome
        self._active = None
        if active.spared is None:
            self._worker = None
        else:
            sweep(self._table, active.spared | {c.pid for c in (self._worker, self._spare) if c})
        running = child.frames.running
        child.close()
        if outcome and not active.fault:
            reason = outcome["reason"]
            if exit_status and outcome["status"] == "ok":
                reason = f"all tests ran; afterwards their process {describe_exit(exit_status)}"
            self._done(active.request, outcome["status"], reason)
        elif active.cancelled:
            self._done(active.request, "cancelled", f"during {running}" if running else None)
        else:
            what = active.fault or f"the process that ran the tests {describe_exit(exit_status)}"
            self._done(active.request, "error", f"{what}, during {running}" if running else what)

    def _stop_everything(self):
        children = {self._worker, self._spare, self._active and self._active.child} - {None}
        for child in children:
            # The worker may end of its own accord, with its exit functions, unless a test is running in it.
            if child is self._worker and not (self._active and self._active.child is child):
                child.finish_requests()
            else:
                child.kill()
        for child in children:
            if child.wait(EXIT_GRACE_SECONDS) is None:
                child.kill()
                child.wait(EXIT_GRACE_SECONDS)
            child.close()
        self._active = self._worker = self._spare = None
        sweep(self._table, self._imports)
