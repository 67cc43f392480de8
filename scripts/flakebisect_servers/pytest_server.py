"""A test server for pytest.

    python3 -m flakebisect_servers.pytest_server [SERVER OPTIONS] [PYTEST ARGUMENTS]

It starts pytest with these arguments, lets it collect once, and then serves. A run executes exactly the node ids it is
given, in that order, through pytest's own loop: fixtures of every scope are set up and torn down as in a pytest run of
that list, session fixtures included, in the process that runs them.
"""

import copy
import inspect
import os
import secrets
import shutil
import sys
import tempfile
import traceback

import pytest
from _pytest.main import pytest_runtestloop as run_items
from _pytest.outcomes import TEST_OUTCOME, Exit

from .channel import claim
from .pytest_reports import CollectionErrors, ReportStreamer, keep_in_process
from .service import Service
from .startup import SeedWatch, import_from_current_directory, leave_within_reason, split_arguments
from .stream import PASSED

PROGRAM = "flakebisect-pytest-server"


def _another(item):
    """A copy of an item for one more run: one that pytest sets up anew, with an instance of its class of its own."""
    item = copy.copy(item)
    item._report_sections = []
    made = vars(item).get("_obj")
    if inspect.ismethod(made) and isinstance(item, pytest.Function) and not inspect.isclass(made.__self__):
        # pytest makes both when they are asked for.
        vars(item).pop("_obj")
        vars(item).pop("_instance", None)
    if hasattr(item, "_initrequest"):
        item._initrequest()
    return item


class _Repetition:
    """The last item of a list, up to so many times, until it first does not pass. The list that pytest goes through is
    always one item ahead: what pytest is told comes next is another copy of the item, so that it tears down function
    fixtures and keeps those of wider scopes."""

    def __init__(self, items, times):
        self._items, self._left = items, times - 2
        self._pattern = _another(items[-1])
        items.append(_another(self._pattern))

    def after(self, item, status):
        """An item of the list has run."""
        if item is not self._items[-2]:
            return
        if status not in PASSED:
            self._items.pop()
        elif self._left:
            self._left -= 1
            self._items.append(_another(self._pattern))


class PytestBackend(CollectionErrors):
    """A pytest plugin whose test loop is the server's."""

    name = PROGRAM

    def __init__(self, channel, options):
        super().__init__()
        self._channel, self._options = channel, options
        self._streamer = ReportStreamer()
        self._seeds = SeedWatch()
        self._session = None
        self._items = {}
        self._run_before = set()
        self._repetition = None
        self.served = False

    # pytest's hooks.

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config):
        keep_in_process(config)

    def pytest_configure(self, config):
        config.pluginmanager.register(self._streamer, "flakebisect-results")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        self._seeds.stop()
        self._session = session
        for item in session.items:
            self._items.setdefault(item.nodeid, item)
        self._quieten(session.config)
        if not self._items:
            print(f"{PROGRAM}: pytest collected no tests in {os.getcwd()}", file=sys.stderr)
        self.served = True
        Service(self, self._channel, self._options.features, self._options.max_version).serve()
        return True

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        yield
        if self._repetition:
            self._repetition.after(item, self._streamer.status)

    def watch_imports(self):
        self._seeds.start()

    @staticmethod
    def _quieten(config):
        """Takes pytest's progress display off standard error, which is for what tests and pytest's failures say."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        writer = getattr(reporter, "_tw", None)
        if writer is not None:
            writer.flush()
            writer._file = open(os.devnull, "w", encoding="utf-8")
        capture = config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            # Each forked process gets files of its own: shared ones would hand it what a crashed one had printed.
            capture.stop_global_capturing()

    # What the service asks for.

    def test_ids(self):
        return tuple(self._items)

    def knows(self, test_id):
        return test_id in self._items

    def listing_errors(self):
        return self.text()

    def enter_child(self):
        self._seeds.restore()
        capture = self._session.config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            capture.start_global_capturing()
            capture.suspend_global_capture()

    def run(self, test_ids, stream):
        return self._run(self._select(test_ids), stream)

    def run_repeated(self, test_ids, times, stream):
        items = self._select(test_ids)
        self._repetition = _Repetition(items, times)
        try:
            return self._run(items, stream)
        finally:
            self._repetition = None

    def _run(self, items, stream):
        session = self._session
        self._streamer.stream = stream
        session.items = items
        session.testscollected = len(session.items)
        session.testsfailed = 0
        session.shouldstop = session.shouldfail = False
        try:
            run_items(session)
        except (session.Interrupted, session.Failed) as stop:
            return f"pytest stopped: {stop}"
        except Exit as stop:
            return f"pytest.exit was called: {stop.msg}"
        finally:
            self._tear_down_what_is_up()
        return None

    def _tear_down_what_is_up(self):
        """After the last test pytest has nothing left to tear down, unless the run stopped before its list's end."""
        try:
            self._session._setupstate.teardown_exact(None)
        except TEST_OUTCOME:
            if not self._repetition:
                raise
            # Fixtures that were kept for a next run of a test that failed: its result is told.
            traceback.print_exc()

    def _select(self, test_ids):
        """The items in order; a copy for each repetition, which pytest would otherwise not tear down between, and of
        each item that has run in this process: it has an instance and output of that run."""
        items = []
        for test_id in test_ids:
            item = self._items[test_id]
            items.append(_another(item) if test_id in self._run_before else item)
            self._run_before.add(test_id)
        return items


def main(arguments=None):
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options, rest = split_arguments(PROGRAM, arguments, __doc__.splitlines()[0])
    channel = claim()
    import_from_current_directory()
    sys.argv = [PROGRAM, *rest]

    backend = PytestBackend(channel, options)
    # What the cache plugin writes goes elsewhere: probes must not meet through the project's folder. It makes the
    # folder when it writes, so that a server that is killed seldom leaves one.
    cache = os.path.join(tempfile.gettempdir(), f"flakebisect-pytest-{secrets.token_hex(8)}")
    backend.watch_imports()
    try:
        status = pytest.main(["-o", f"cache_dir={cache}", *rest], plugins=[backend])
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    leave_within_reason()
    if not backend.served:
        # pytest has said why on standard error, where its output goes.
        sys.exit(int(status) or 1)


if __name__ == "__main__":
    main()
