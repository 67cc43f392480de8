"""A pytest plugin that writes the results of a run as a subunit v2 stream, pytest-xdist's workers told apart.

    pytest -p flakebisect_servers.pytest_subunit --subunit-stream=FILE [-n 4]

Each test carries the tag worker-N of the xdist process that ran it (worker-0 without xdist), as testr and stestr tag
their runs, so the file can be loaded into their repositories or cut into lists by flakebisect_servers.xdist_lists.
Within one worker the order of the stream is the order in which the tests ran.
"""

import os
import re
import time

import pytest

from . import packets
from .pytest_reports import verdict

_PLUGIN = "flakebisect-subunit-stream"


def pytest_addoption(parser):
    parser.getgroup("flakebisect").addoption(
        "--subunit-stream", metavar="FILE", default=None,
        help="write the results to FILE as a subunit v2 stream with worker tags")


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(_WorkerClock(), _PLUGIN)
    elif config.getoption("subunit_stream"):
        path = os.path.join(str(config.invocation_params.dir), config.getoption("subunit_stream"))
        config.pluginmanager.register(_StreamWriter(path), _PLUGIN)


class _WorkerClock:
    """In an xdist worker: notes on the reports when the test began and ended, which only the worker knows exactly."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call):
        outcome = yield
        report = outcome.get_result()
        report.flakebisect_start_ns = int(call.start * 1e9)
        report.flakebisect_stop_ns = int(call.stop * 1e9)


class _StreamWriter:
    """In the process that sees all reports."""

    def __init__(self, path):
        self._file = open(path, "wb", buffering=0)
        self._tests = {}  # node id -> [time it was seen to begin, reports]

    def pytest_runtest_logstart(self, nodeid):
        self._tests[nodeid] = [time.time_ns(), []]

    def pytest_runtest_logreport(self, report):
        begun, reports = self._tests.setdefault(report.nodeid, [time.time_ns(), []])
        reports.append(report)
        if report.when == "???":  # xdist's own report of a worker that died: nothing more comes
            self._write(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid):
        if nodeid in self._tests:
            self._write(nodeid)

    def pytest_sessionfinish(self):
        """What began and never ended stays unfinished in the stream too."""
        for nodeid, (begun, reports) in self._tests.items():
            self._file.write(packets.encode(nodeid, "inprogress", begun, tags=_worker_tags(reports)))
        self._tests.clear()

    def pytest_unconfigure(self):
        self._file.close()

    def _write(self, nodeid):
        begun, reports = self._tests.pop(nodeid)
        status, attachments = verdict(reports)
        tags = _worker_tags(reports)
        begun = getattr(reports[0], "flakebisect_start_ns", begun) if reports else begun
        parts = [packets.encode(nodeid, "inprogress", begun, tags=tags)]
        if status:
            ended = getattr(reports[-1], "flakebisect_stop_ns", None) or time.time_ns()
            parts += [packets.encode_file(name, content, mime_type, test_id=nodeid, timestamp_ns=ended, tags=tags)
                      for name, mime_type, content in attachments]
            parts.append(packets.encode(nodeid, status, ended, tags=tags))
        self._file.write(b"".join(parts))


def _worker_tags(reports):
    """worker-N for xdist's gwN."""
    for report in reports:
        gateway = getattr(getattr(report, "node", None), "gateway", None)
        if gateway is not None:
            return (f"worker-{int(re.sub('[^0-9]', '', gateway.id) or 0)}",)
    return ("worker-0",)
