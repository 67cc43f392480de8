"""Histories with planted causes: a suite of real tests, run by the real runner (testtools through subunit), each run with
an order and with luck of its own, stored by the real code of testr and stestr.

All runs are made in this process, with the suite's state set back between them: a hundred runs take seconds.
"""
import io
import pathlib
import random
import sys
import unittest
import warnings

import subunit
import testtools
from subunit.v2 import StreamResultToBytes

TESTS = '''
import os
import random
import time
import unittest

STATE = {"run": int(os.environ.get("RUN", "0"))}


def lucky(name, rate):
    """False in this share of the runs, independently for each name."""
    return random.Random("%s %s" % (STATE["run"], name)).random() >= rate


class TestPlain(unittest.TestCase):
    pass


for number in range(20):
    setattr(TestPlain, "test_%02d" % number, lambda self: None)


class TestSelf(unittest.TestCase):
    def test_fails_alone(self):
        self.assertTrue(lucky("self", 0.25), "address 0x%x" % random.getrandbits(48))


class TestPollution(unittest.TestCase):
    def test_polluter(self):
        STATE["currency"] = "CHF"

    def test_victim(self):
        if not lucky("victim", 0.7):
            self.assertEqual("EUR", STATE.get("currency", "EUR"))


class TestBrittle(unittest.TestCase):
    def test_setter(self):
        STATE["opened"] = True

    def test_needs_setter(self):
        if "opened" not in STATE:
            raise KeyError("opened")


class TestSlow(unittest.TestCase):
    def test_waits(self):
        if not lucky("slow", 0.12):
            time.sleep(0.15)
            raise TimeoutError("no answer within 0.15 s")


class TestService(unittest.TestCase):
    def call(self):
        if not lucky("service", 0.12):
            raise ConnectionRefusedError("service on port %d" % random.randrange(1024, 65536))


for name in "abcdef":
    setattr(TestService, "test_" + name, lambda self: self.call())


class TestRecent(unittest.TestCase):
    def test_since_run_40(self):
        if STATE["run"] >= 40:
            self.assertTrue(lucky("recent", 0.4))
'''

PREFIX = "planted.test_all."
SELF = PREFIX + "TestSelf.test_fails_alone"
POLLUTER = PREFIX + "TestPollution.test_polluter"
VICTIM = PREFIX + "TestPollution.test_victim"
SETTER = PREFIX + "TestBrittle.test_setter"
BRITTLE = PREFIX + "TestBrittle.test_needs_setter"
SLOW = PREFIX + "TestSlow.test_waits"
SERVICE = [PREFIX + "TestService.test_" + name for name in "abcdef"]
RECENT = PREFIX + "TestRecent.test_since_run_40"
BEGAN = 40


def write_suite(folder):
    package = pathlib.Path(folder, "planted")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "test_all.py").write_text(TESTS)


class Suite:
    """The suite of a folder, for many runs in one process."""

    def __init__(self, folder):
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(folder))
        try:
            for name in [name for name in sys.modules if name.split(".")[0] == "planted"]:
                del sys.modules[name]
            from planted import test_all
        finally:
            sys.path.remove(str(folder))
        self.module = test_all
        loaded = unittest.defaultTestLoader.loadTestsFromModule(test_all)
        self.tests = {test.id(): test for test in testtools.iterate_tests(loaded)}

    def stream(self, run):
        """The subunit v2 stream of one run, its tests in an order that follows from its number."""
        self.module.STATE.clear()
        self.module.STATE["run"] = run
        order = sorted(self.tests)
        random.Random(run).shuffle(order)
        out = io.BytesIO()
        result = testtools.ExtendedToStreamDecorator(StreamResultToBytes(out))
        result.startTestRun()
        for test in order:
            self.tests[test].run(result)
        result.stopTestRun()
        return out.getvalue()


def open_repository(tool, folder):
    """A new repository of testr or stestr, by its own code."""
    if tool == "testr":
        from testrepository.repository import file
    else:
        from stestr.repository import file
    return file.RepositoryFactory().initialise(str(folder))


def load(repository, stream, worker="worker-0"):
    """Stores a stream as `testr run` and `stestr run` do: through the repository's inserter, with a worker tag."""
    inserter = repository.get_inserter()
    inserter.startTestRun()
    case = subunit.ByteStreamToStreamResult(io.BytesIO(stream), non_subunit_name="stdout")
    case.run(testtools.StreamTagger([inserter], add=[worker]))
    inserter.stopTestRun()
    return inserter


def make_history(folder, tool, runs):
    """A repository in `folder` with this many runs of the planted suite."""
    write_suite(folder)
    suite = Suite(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # testr leaves files open
        repository = open_repository(tool, folder)
        for run in range(runs):
            load(repository, suite.stream(run))
