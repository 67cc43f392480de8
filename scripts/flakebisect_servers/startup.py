"""What both servers do at their start and at their end."""

import argparse
import os
import random
import signal
import sys

from . import rpc
from .service import FEATURES

#: How long exit functions of imported modules may take once the conversation is over.
_EXIT_SECONDS = 10


def split_arguments(program, arguments, description, add_options=None):
    """(options of the server, arguments of the test framework): the server's come first, up to one it does not know."""
    parser = argparse.ArgumentParser(prog=program, description=description, add_help=False, allow_abbrev=False)
    parser.add_argument("--server-help", action="help", help="this text")
    parser.add_argument("--max-version", type=int, choices=range(rpc.MIN_VERSION, rpc.MAX_VERSION + 1),
                        default=rpc.MAX_VERSION, help="the highest version of the protocol to speak")
    parser.add_argument("--without", action="append", default=[], choices=FEATURES, metavar="FEATURE",
                        help=f"do not offer this feature ({', '.join(FEATURES)}); may be repeated")
    if add_options:
        add_options(parser)
    own = {option: action.nargs != 0 for action in parser._actions for option in action.option_strings}
    end = 0
    while end < len(arguments) and arguments[end].partition("=")[0] in own:
        name, equals, _ = arguments[end].partition("=")
        end += 2 if own[name] and not equals else 1
    options = parser.parse_args(arguments[:end])
    options.features = tuple(feature for feature in FEATURES if feature not in options.without)
    rest = arguments[end:]
    return options, rest[1:] if rest[:1] == ["--"] else rest


def import_from_current_directory():
    """Puts the current directory where `python3 -m` has it, in place of the folder of a start script."""
    scripts = os.path.dirname(os.path.realpath(sys.argv[0])) if sys.argv[0] else None
    if sys.path and sys.path[0] and os.path.realpath(sys.path[0]) == scripts:
        del sys.path[0]
    current = os.getcwd()
    if not sys.path or sys.path[0] not in ("", current):
        sys.path.insert(0, current)


class SeedWatch:
    """Keeps a seed that imports set. Python seeds `random` anew in a forked process: where a test module said
    random.seed(1) when it was imported, a new process would have that, so a fork must."""

    def __init__(self):
        self._seed, self._seeded, self._state = random.seed, False, None

    def start(self):
        random.seed = self._watched

    def _watched(self, a=None, version=2):
        self._seeded = a is not None
        return self._seed(a, version)

    def stop(self):
        """After the imports."""
        if random.seed == self._watched:
            random.seed = self._seed
        self._state = random.getstate() if self._seeded else None

    def restore(self):
        """In the forked process."""
        if self._state is not None:
            random.setstate(self._state)


def leave_within_reason():
    """Called last: exit functions run as they would, but cannot keep a server that nobody talks to alive."""

    def give_up(_number, _frame):
        os._exit(0)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_EXIT_SECONDS)
