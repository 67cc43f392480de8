"""A test_command for pytest projects: runs or lists node ids, and prints a subunit v2 stream.

    python3 -m flakebisect_servers.pytest_run [--list] [--load-list FILE] [PYTEST ARGUMENTS]

In .testr.conf:

    test_command = /usr/bin/python3 -m flakebisect_servers.pytest_run $LISTOPT $IDOPTION tests
    test_id_option = --load-list $IDFILE
    test_list_option = --list

The tests of a list run exactly in its order. Standard output holds nothing but the stream. As with subunit.run, a
failed test is said by the stream and not by the exit status, which testr would count as one more failure.
"""

import argparse
import sys

import pytest

from . import packets
from .channel import divert_standard_streams, high_descriptor
from .pytest_reports import CollectionErrors, ReportStreamer, keep_in_process
from .startup import import_from_current_directory
from .stream import PipeEnd, ResultStream

PROGRAM = "flakebisect-pytest-run"
#: The exit status when a listed test does not exist, or a listing is not whole.
INCOMPLETE = 2


class Runner(CollectionErrors):
    """The pytest plugin behind this command."""

    def __init__(self, output, wanted, listing):
        super().__init__()
        self._output, self._wanted, self._listing = output, wanted, listing
        self._streamer = ReportStreamer()
        self._streamer.stream = output
        #: Ids of the list that were not collected.
        self.missing = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config):
        keep_in_process(config)

    def pytest_configure(self, config):
        config.pluginmanager.register(self._streamer, "flakebisect-results")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items, config):
        yield  # first every plugin that drops or reorders
        if self._wanted is None:
            return
        collected = {item.nodeid: item for item in items}
        chosen = dict.fromkeys(test_id for test_id in self._wanted if test_id in collected)
        self.missing = [test_id for test_id in self._wanted if test_id not in collected]
        dropped = [item for item in items if item.nodeid not in chosen]
        items[:] = [collected[test_id] for test_id in chosen]
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        if self._listing:
            self._output.write(b"".join(packets.encode(item.nodeid, "exists") for item in session.items))
            if self.text():
                self._output.write(packets.encode_file("import errors", self.text().encode("utf-8", "backslashreplace"),
                                                       "text/plain;charset=utf8", runnable=False))
            return True
        if self._wanted is not None:
            # A module that cannot be imported must not keep a list from running that does not need it.
            session.testsfailed = 0
        return None


def read_list(path):
    """The ids of a list file, in order; `-` is standard input."""
    if path == "-":
        text = sys.stdin.read()
    else:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    return [line for line in text.split("\n") if line.strip()]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False,
                                     epilog="All other arguments are pytest's.")
    parser.add_argument("--list", action="store_true", help="list the tests instead of running them")
    parser.add_argument("--load-list", metavar="FILE", help="run the tests of this file, in its order")
    options, rest = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    wanted = read_list(options.load_list) if options.load_list is not None else None
    import_from_current_directory()
    output = ResultStream(PipeEnd(high_descriptor(1)))
    divert_standard_streams()
    runner = Runner(output, wanted, options.list)
    sys.argv = [PROGRAM, *rest]
    status = int(pytest.main([*(["-q"] if options.list else []), *rest], plugins=[runner]))
    if runner.missing:
        print(f"{PROGRAM}: {len(runner.missing)} of the listed tests do not exist, the first is {runner.missing[0]!r}",
              file=sys.stderr)
        status = INCOMPLETE
    elif options.list and status == pytest.ExitCode.TESTS_FAILED:
        status = INCOMPLETE
    elif status in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        status = 0  # the stream says what failed; an empty list is a list
    sys.stdout.flush()
    sys.exit(status)


if __name__ == "__main__":
    main()
