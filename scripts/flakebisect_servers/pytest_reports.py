"""pytest's reports of one test (setup, call, teardown) as one subunit result."""

from .stream import TEXT_TYPE, TRACEBACK_TYPE, clip


def _skip_reason(report):
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return report.longreprtext


def verdict(reports):
    """(status, attachments) of a test's reports in order; (None, ()) without reports.

    A failed setup or teardown fails the test. Attachments: a traceback for each failure, what was captured when there
    was one, the reason of a skip or an expected failure.
    """
    if not reports:
        return None, ()
    failed = [report for report in reports if report.failed]
    if failed:
        attachments = []
        for number, report in enumerate(failed):
            name = f"traceback-{number}" if number else "traceback"
            attachments.append((name, TRACEBACK_TYPE, clip(report.longreprtext)))
        # Sections add up from report to report: the last one has them all.
        for name, text in (("stdout", reports[-1].capstdout), ("stderr", reports[-1].capstderr),
                           ("log", reports[-1].caplog)):
            if text:
                attachments.append((name, TEXT_TYPE, clip(text)))
        return "fail", attachments
    for report in reports:
        expected = getattr(report, "wasxfail", None)
        if report.skipped and expected is not None:
            return "xfail", [("reason", TEXT_TYPE, clip(str(expected))),
                             ("traceback", TRACEBACK_TYPE, clip(report.longreprtext))]
        if report.skipped:
            return "skip", [("reason", TEXT_TYPE, clip(_skip_reason(report)))]
        if expected is not None:
            return "uxsuccess", [("reason", TEXT_TYPE, clip(str(expected)))]
    return "success", ()


class ReportStreamer:
    """Hooks that write the results of the tests of this process to `stream` (a stream.ResultStream), once it is set."""

    def __init__(self):
        self.stream = None
        #: The result of the test that ended last; None while one runs, and for one that gave no report.
        self.status = None
        self._reports = {}

    def pytest_runtest_logstart(self, nodeid):
        if self.stream:
            self.status = None
            self._reports[nodeid] = []
            self.stream.started(nodeid)

    def pytest_runtest_logreport(self, report):
        if report.nodeid in self._reports:
            self._reports[report.nodeid].append(report)

    def pytest_runtest_logfinish(self, nodeid):
        self.status, attachments = verdict(self._reports.pop(nodeid, ()))
        if self.status:
            self.stream.finished(nodeid, self.status, attachments)


class CollectionErrors:
    """Hook that keeps what could not be collected, as text."""

    def __init__(self):
        self._texts = []

    def pytest_collectreport(self, report):
        if report.failed:
            self._texts.append(f"{report.nodeid}\n{report.longreprtext}")

    def text(self):
        return "\n".join(self._texts) or None


def keep_in_process(config):
    """Undoes `-n` of a configuration: a list in a given order is one process's."""
    if config.pluginmanager.hasplugin("xdist"):
        config.option.dist = "no"
        config.option.tx = []
        config.option.numprocesses = None
