"""How a process that runs tests hands its results to the server: whole packets down a pipe.

The pipe carries subunit packets and, between them, control frames (a 0 byte, a 32-bit length, JSON): the server
passes on the packets and keeps the frames.
"""

import json
import os
import struct
import time

from . import packets

_FRAME = struct.Struct(">BI")

TRACEBACK_TYPE = 'text/x-traceback; charset="utf8"; language="python"'
TEXT_TYPE = "text/plain; charset=utf8"
#: The results that let a test that is to be repeated run again.
PASSED = ("success", "xfail")
#: Longer output of one test is cut to its end when it is attached.
MAX_OUTPUT = 1 << 20


def clip(text):
    """Output as bytes to attach: its last MAX_OUTPUT bytes, with a word on what is missing."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_OUTPUT:
        return data
    return f"[{len(data) - MAX_OUTPUT} bytes left out]\n".encode() + data[-MAX_OUTPUT:]


class PipeEnd:
    """A descriptor of a pipe to the server, in a process that runs tests.

    A test may close every descriptor there is, so each use asks for it anew: where it is gone, or is something else by
    now, the pipe is opened again through the server's own descriptor (`path`, below /proc).
    """

    def __init__(self, descriptor, path=None, flags=os.O_WRONLY):
        self._descriptor, self._path, self._flags = descriptor, path, flags | os.O_CLOEXEC
        # Tests patch functions of os: these are kept from before.
        self._fstat, self._open, self._close = os.fstat, os.open, os.close
        self._identity = self._identify()

    def _identify(self):
        try:
            status = self._fstat(self._descriptor)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def get(self):
        """The descriptor, or None where the pipe cannot be had again."""
        if self._identify() == self._identity:
            return self._descriptor
        if self._path is None:
            return None
        try:
            self._descriptor = self._open(self._path, self._flags)
        except OSError:
            return None
        if self._identify() == self._identity:
            return self._descriptor
        self._close(self._descriptor)  # the server's descriptor is another pipe's by now
        self._descriptor = -1
        return None

    def close(self):
        if self._identify() == self._identity:
            self._close(self._descriptor)


class ResultStream:
    """Writes results to a pipe, in the process that made it only: a copy that a test forked and let run on writes
    nothing. The functions it needs are kept from the start, since tests patch them.
    """

    def __init__(self, pipe_end):
        self._pipe = pipe_end
        self._owner = os.getpid()
        self._getpid, self._write, self._now = os.getpid, os.write, time.time_ns
        self._exit, self._to_json = os._exit, json.JSONEncoder().encode

    def owned(self):
        """False in a copy of the process that a test forked."""
        return self._getpid() == self._owner

    def write(self, data):
        """Writes whole packets."""
        if not self.owned():
            return
        descriptor = self._pipe.get()
        if descriptor is None:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._write(descriptor, view):]
        except BrokenPipeError:
            self._exit(1)  # the server is gone, and with it whoever wanted to know

    def disown(self):
        """In a copy of the process that a test forked: lets the pipe go."""
        self._pipe.close()

    def control(self, fields):
        """Tells the server something that is not for the client."""
        body = self._to_json(fields).encode()
        self.write(_FRAME.pack(0, len(body)) + body)

    def started(self, test_id):
        """The test begins: what is left unfinished is where the process died."""
        self.write(packets.encode(test_id, "inprogress", self._now()))

    def finished(self, test_id, status, attachments=(), tags=()):
        """The test's result. attachments: (file name, MIME type, bytes) each."""
        now = self._now()
        parts = [packets.encode_file(name, content, mime_type, test_id=test_id, timestamp_ns=now)
                 for name, mime_type, content in attachments]
        parts.append(packets.encode(test_id, status, now, tags=tags))
        self.write(b"".join(parts))


class FrameError(ValueError):
    """The pipe holds something that is neither a packet nor a frame."""


class FrameReader:
    """The server's end of the pipe: tells packets from control frames, and remembers the test that is running."""

    def __init__(self):
        self._buffer = bytearray()
        self._running = None

    @property
    def running(self):
        """The id of the test that began and did not end, or None."""
        return packets.decode(self._running).test_id if self._running else None

    def feed(self, data):
        """(whole packets as bytes, [control fields, ...])."""
        buffer = self._buffer
        buffer += data
        at, results, controls = 0, [], []
        while at < len(buffer):
            if buffer[at] == 0:
                size = self._frame_size(at)
                if size is None:
                    break
                controls.append(json.loads(buffer[at + _FRAME.size:at + size]))
            else:
                size = packets.header(buffer, at)
                if size == 0:
                    raise FrameError(f"the pipe of the results holds something else: {bytes(buffer[at:at + 40])!r}")
                if size is None or len(buffer) - at < size:
                    break
                results.append(bytes(buffer[at:at + size]))
                self._follow(results[-1])
            at += size
        del buffer[:at]
        return b"".join(results), controls

    def _frame_size(self, at):
        if len(self._buffer) - at < _FRAME.size:
            return None
        size = _FRAME.size + _FRAME.unpack_from(self._buffer, at)[1]
        return size if len(self._buffer) - at >= size else None

    def _follow(self, packet):
        status = packet[2] & 7
        if status == 2:
            self._running = packet
        elif status > 2:
            self._running = None
