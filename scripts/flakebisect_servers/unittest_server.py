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
        suite = unittest.TestSuite()
        for test_id in test_ids:
            suite.addTests(self._fresh(test_id, case) for case in self._cases[test_id])
        result = StreamingResult(stream, self._output)
        suite.run(result)
        return "the tests asked to stop" if result.shouldStop else None

    def _fresh(self, test_id, case):
        """The test for its first run here, a copy of it for any other: attributes set by a run must not be seen by
        the next."""
        if test_id not in self._run_before:
            self._run_before.add(test_id)
            self._cases[test_id] = [copy.copy(c) for c in self._cases[test_id]]
            return case
        return copy.copy(case)


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
