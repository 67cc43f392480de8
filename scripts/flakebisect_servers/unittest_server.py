"""A test server for unittest and testtools: what `python3 -m subunit.run ARGUMENTS` or stestr would run.

    python3 -m flakebisect_servers.unittest_server [SERVER OPTIONS] [discover [-t TOP] [-s] PATH | MODULE...]

It imports the tests once. A run executes exactly the tests it is given, in that order, with module and class fixtures
as unittest has them for a suite of that order.
"""

import copy
import os
import sys
import unittest

from .channel import claim
from .service import Service
from .startup import SeedWatch, import_from_current_directory, leave_within_reason, split_arguments
from .stream import PASSED
from .unittest_result import CapturedOutput, StreamingResult

PROGRAM = "flakebisect-unittest-server"


def _cases(suite):
    """Every test of nested suites, in order."""
    try:
        inner = iter(suite)
    except TypeError:
        yield suite
        return
    for test in inner:
        yield from _cases(test)


class _Loader(unittest.TestProgram):
    """unittest's own command line, up to the point where it would run the tests."""

    def runTests(self):
        pass

    def usageExit(self, msg=None):
        print(msg or "", file=sys.stderr)
        sys.exit(2)


class _RepeatingSuite(unittest.TestSuite):
    """A suite whose last test, an id, runs up to so many times, until it first does not pass. Class and module fixtures
    stay up meanwhile, since nothing of another class comes in between."""

    def __init__(self, tests, repeated, times, fresh, result):
        super().__init__(tests)
        self._repeated, self._times, self._fresh = repeated, times, fresh
        self._result = result
        result.watched = repeated

    def __iter__(self):
        # The suite forgets a test that has run, by its place in this list.
        for place in range(len(self._tests)):
            yield self._tests[place]
        for _ in range(self._times):
            self._result.statuses.clear()
            for case in self._fresh(self._repeated):
                self._tests.append(case)
                yield case
            # None at all: a fixture of its class or module failed.
            if not self._result.statuses or not all(status in PASSED for status in self._result.statuses):
                return


class UnittestBackend:
    name = PROGRAM

    def __init__(self, arguments, attach_output=False):
        self._attach_output = attach_output
        self._output = None
        self._run_before = set()
        self._seeds = SeedWatch()
        self._seeds.start()
        loader = unittest.TestLoader()
        suite = _Loader(module=None, argv=[PROGRAM, *arguments], testLoader=loader, exit=False).test
        self._seeds.stop()
        cases = list(_cases(suite))
        if arguments[:1] in ([], ["discover"]):
            cases.sort(key=lambda case: case.id())  # as subunit.run does with what it discovered
        self._cases = {}
        for case in cases:
            self._cases.setdefault(case.id(), []).append(case)
        self._ids = tuple(self._cases)
        self._errors = "\n".join(loader.errors) or None

    def test_ids(self):
        return self._ids

    def knows(self, test_id):
        return test_id in self._cases

    def listing_errors(self):
        return self._errors

    def enter_child(self):
        self._seeds.restore()
        if self._attach_output:
            self._output = CapturedOutput()

    def run(self, test_ids, stream):
        return self._run(unittest.TestSuite(self._cases_of(test_ids)), StreamingResult(stream, self._output))

    def run_repeated(self, test_ids, times, stream):
        *before, repeated = test_ids
        result = StreamingResult(stream, self._output)
        return self._run(_RepeatingSuite(self._cases_of(before), repeated, times, self._fresh, result), result)

    @staticmethod
    def _run(suite, result):
        suite.run(result)
        return "the tests asked to stop" if result.shouldStop else None

    def _cases_of(self, test_ids):
        return [case for test_id in test_ids for case in self._fresh(test_id)]

    def _fresh(self, test_id):
        """The tests of this id for their first run here, copies of them for any other: attributes set by a run must not
        be seen by the next."""
        cases = self._cases[test_id]
        copies = [copy.copy(case) for case in cases]
        if test_id in self._run_before:
            return copies
        self._run_before.add(test_id)
        self._cases[test_id] = copies
        return cases


def main(arguments=None):
    arguments = list(sys.argv[1:] if arguments is None else arguments)

    def add_options(parser):
        parser.add_argument("--attach-stdout", action="store_true",
                            help="attach what each test prints to its result, instead of passing it to standard error")

    options, rest = split_arguments(PROGRAM, arguments, __doc__.splitlines()[0], add_options)
    channel = claim()
    import_from_current_directory()
    sys.argv = [PROGRAM, *rest]
    backend = UnittestBackend(rest, options.attach_stdout)
    if not backend.test_ids():
        print(f"{PROGRAM}: no tests found by {' '.join(rest) or 'discovery here'} in {os.getcwd()}", file=sys.stderr)
    Service(backend, channel, options.features, options.max_version).serve()
    leave_within_reason()


if __name__ == "__main__":
    main()
