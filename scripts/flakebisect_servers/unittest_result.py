"""A unittest result that writes subunit packets, as subunit.run does but without the layers between."""

import os
import sys
import traceback
import unittest

from .stream import MAX_OUTPUT, TEXT_TYPE, TRACEBACK_TYPE, clip


class StreamingResult:
    """What suites and test cases call. testtools' details are attached by their names; an exception as `traceback`.

    There is no addSubTest on purpose: subunit.run has none either, so that a failing subtest fails its test.
    """

    def __init__(self, stream, output=None):
        self._stream, self._output = stream, output
        self._tags, self._outer_tags = set(), []
        self._formatter = unittest.TestResult()
        self.shouldStop = False
        self.failfast = False
        self.buffer = False
        self.testsRun = 0
        #: The results of each test with this id, in order; for whoever wants to know how it ended.
        self.watched, self.statuses = None, []
        # What unittest's suites keep here.
        self._testRunEntered = False
        self._moduleSetUpFailed = False
        self._previousTestClass = None
        self._successful = True

    def startTest(self, test):
        self.testsRun += 1
        self._outer_tags.append(set(self._tags))
        self._stream.started(test.id())

    def stopTest(self, _test):
        self._tags = self._outer_tags.pop()

    def addSuccess(self, test, details=None):
        self._finish(test, "success", details=details)

    def addError(self, test, err=None, details=None):
        self._successful = False
        self._finish(test, "fail", err, details)

    addFailure = addError

    def addSkip(self, test, reason=None, details=None):
        self._finish(test, "skip", details=details, reason=reason)

    def addExpectedFailure(self, test, err=None, details=None):
        self._finish(test, "xfail", err, details)

    def addUnexpectedSuccess(self, test, details=None):
        self._successful = False
        self._finish(test, "uxsuccess", details=details)

    def tags(self, new_tags, gone_tags):
        self._tags = (self._tags | set(new_tags)) - set(gone_tags)

    @property
    def current_tags(self):
        return frozenset(self._tags)

    def stop(self):
        self.shouldStop = True

    def wasSuccessful(self):
        return self._successful

    def startTestRun(self):
        pass

    def stopTestRun(self):
        pass

    def addDuration(self, test, elapsed):
        pass

    def time(self, a_datetime):
        """Times are those of the clock."""

    def progress(self, offset, whence):
        pass

    def done(self):
        pass

    def _finish(self, test, status, err=None, details=None, reason=None):
        if self.watched is not None and test.id() == self.watched:
            self.statuses.append(status)
        attachments = []
        for name, content in (details or {}).items():
            attachments.append((name, repr(content.content_type), b"".join(content.iter_bytes())))
        if err is not None:
            attachments.append(("traceback", TRACEBACK_TYPE, self._format(err, test)))
        if reason is not None:
            attachments.append(("reason", TEXT_TYPE, clip(str(reason))))
        printed = self._output.take() if self._output else b""
        if printed:
            attachments.append(("stdout", TEXT_TYPE, printed))
        self._stream.finished(test.id(), status, attachments, self._tags)

    def _format(self, err, test):
        try:
            text = self._formatter._exc_info_to_string(err, test)
        except Exception:  # an exception that cannot be shown, or a test that is no TestCase
            try:
                text = "".join(traceback.format_exception(*err))
            except Exception as error:
                text = f"{err[0].__name__}, and its traceback cannot be shown: {type(error).__name__}\n"
        return clip(text)


class CapturedOutput:
    """What tests print to standard output, held in memory to be attached to their results."""

    def __init__(self):
        self._memory = os.memfd_create("stdout", os.MFD_CLOEXEC)
        os.dup2(self._memory, 1)

    def take(self):
        """What was printed since the last call."""
        try:
            sys.stdout.flush()
            size = os.fstat(self._memory).st_size
            if not size:
                return b""
            start = max(0, size - 2 * MAX_OUTPUT)
            data = b"\0" * start + os.pread(self._memory, size - start, start)
            os.ftruncate(self._memory, 0)
            os.lseek(self._memory, 0, os.SEEK_SET)
        except (OSError, ValueError):
            return b""  # closed by a test
        return clip(data)
