#!/usr/bin/python3
"""Reads subunit v2 from a file with Debian's python3-subunit, prints one line an event, and writes the events again
to a second file with its encoder: subunit_relay.py IN OUT."""
import sys

import subunit
import testtools


class Relay(testtools.StreamResult):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def status(self, test_id=None, test_status=None, file_name=None, file_bytes=None, eof=False, mime_type=None,
               route_code=None, runnable=True, **more):
        print(test_id, test_status, file_name, bytes(file_bytes or b"").decode(), eof, mime_type, route_code, runnable, sep="|")
        if file_name != "stdout":
            self.output.status(test_id=test_id, test_status=test_status, file_name=file_name, file_bytes=file_bytes,
                               eof=eof, mime_type=mime_type, route_code=route_code, runnable=runnable, **more)


with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
    subunit.ByteStreamToStreamResult(source, non_subunit_name="stdout").run(Relay(subunit.StreamResultToBytes(target)))
