"""Ordered lists for flakebisect out of a subunit v2 stream with worker tags, such as pytest_subunit writes.

    python3 -m flakebisect_servers.xdist_lists FILE                    the workers and how many tests each ran
    python3 -m flakebisect_servers.xdist_lists FILE --worker 2         the tests of worker 2, in the order they ran
    python3 -m flakebisect_servers.xdist_lists FILE --test ID          what ran before ID in its worker, and ID

The lists are what `flakebisect --load-list` takes.
"""

import argparse
import re
import sys

from . import packets

PROGRAM = "flakebisect-xdist-lists"
_WORKER = re.compile(r"worker-(\d+)\Z")
_CHUNK = 1 << 20


def worker_lists(file):
    """{worker number: [test id, ...] in the order they began} of a binary stream."""
    reader, lists, begun = packets.PacketReader(), {}, set()
    while data := file.read(_CHUNK):
        for packet in reader.feed(data):
            if not isinstance(packet, packets.Packet) or packet.test_id is None or packet.status in (None, "exists"):
                continue
            for match in filter(None, map(_WORKER.match, packet.tags or ())):
                key = int(match[1]), packet.test_id
                if packet.status == "inprogress":
                    begun.add(key)
                elif key in begun:
                    begun.discard(key)
                    continue  # its beginning put it in the list
                lists.setdefault(key[0], []).append(packet.test_id)
    return lists


def main(arguments=None):
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.splitlines()[0])
    parser.add_argument("stream", metavar="FILE", help="a subunit v2 stream; - is standard input")
    parser.add_argument("--worker", type=int, metavar="N", help="print the list of this worker")
    parser.add_argument("--test", metavar="ID", help="print the list of the worker that ran this test, up to the test")
    options = parser.parse_args(arguments)
    if options.stream == "-":
        lists = worker_lists(sys.stdin.buffer)
    else:
        try:
            with open(options.stream, "rb") as file:
                lists = worker_lists(file)
        except OSError as error:
            sys.exit(f"{PROGRAM}: {error}")
    if not lists:
        sys.exit(f"{PROGRAM}: {options.stream} holds no tests with worker tags; "
                 "was it written by pytest -p flakebisect_servers.pytest_subunit --subunit-stream=FILE?")
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if options.test is not None:
        holders = [number for number in sorted(lists) if options.test in lists[number]]
        if options.worker is not None:
            holders = [number for number in holders if number == options.worker]
        if not holders:
            sys.exit(f"{PROGRAM}: {options.test!r} did not run in this stream")
        chosen = lists[holders[0]]
        print("\n".join(chosen[:chosen.index(options.test) + 1]))
    elif options.worker is not None:
        if options.worker not in lists:
            sys.exit(f"{PROGRAM}: there is no worker {options.worker}; there are {', '.join(map(str, sorted(lists)))}")
        print("\n".join(lists[options.worker]))
    else:
        for number in sorted(lists):
            print(f"worker-{number}: {len(lists[number])} tests")


if __name__ == "__main__":
    main()
