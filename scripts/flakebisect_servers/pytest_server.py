"""A test server for pytest.

    python3 -m flakebisect_servers.pytest_server [SERVER OPTIONS] [PYTEST ARGUMENTS]

It starts pytest with these arguments, lets it collect once, and then serves. A run executes exactly the node ids it is
given, in that order, through pytest's own loop: fixtures of every scope are set up and torn down as in a pytest run of
that list, session fixtures included, in the process that runs them.
"""

import copy
import os
import secrets
import shutil
import sys
import tempfile

import pytest
from _pytest.main import pytest_runtestloop as run_items
from _pytest.outcomes import Exit

from .channel import claim
from .pytest_reports import CollectionErrors, ReportStreamer, keep_in_process
from .service import Service
from .startup import SeedWatch, import_from_current_directory, leave_within_reason, split_arguments

PROGRAM = "flakebisect-pytest-server"


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
        session = self._session
        self._streamer.stream = stream
        session.items = self._select(test_ids)
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
            session._setupstate.teardown_exact(None)
        return None

    def _select(self, test_ids):
        """The items in order; a copy for each repetition, which pytest would otherwise not tear down between."""
        items, seen = [], set()
        for test_id in test_ids:
            item = self._items[test_id]
            if test_id in seen:
                item = copy.copy(item)
                if hasattr(item, "_initrequest"):
                    item._initrequest()
            seen.add(test_id)
            items.append(item)
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
