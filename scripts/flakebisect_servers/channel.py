"""The two file descriptors that carry the conversation, kept out of the tests' reach.

The client talks to standard input and output. A server that ran tests with these in place would have its stream torn
by the first print, so claim() moves them away before any test module is imported: to high numbers that no test opens
by chance and no program started by a test inherits. Descriptor 0 becomes /dev/null, descriptor 1 becomes standard
error.
"""

import fcntl
import os
import resource
import select
import socket
import stat
import sys
import time

#: Where the moved descriptors go: above what a test opens, below the usual limit of 1,024 and what
#: select() can watch.
FLOOR = 200
#: A pipe that polls as writable takes this much without blocking (PIPE_BUF on Linux).
_PIPE_PIECE = 4096


def high_descriptor(descriptor):
    """A close-on-exec copy of the descriptor, numbered FLOOR or more where the limit allows."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    floor = FLOOR if soft == resource.RLIM_INFINITY or soft > FLOOR + 56 else max(3, soft // 2)
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, floor)


class Channel:
    """Reads requests, and writes answers without ever blocking: what the client does not read yet is kept."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self._pending = bytearray()
        mode = os.fstat(sink).st_mode
        self._socket = socket.socket(fileno=os.dup(sink)) if stat.S_ISSOCK(mode) else None
        self._piece = _PIPE_PIECE if stat.S_ISFIFO(mode) else 1 << 16
        self._writable = select.poll()
        self._writable.register(sink, select.POLLOUT)

    @property
    def pending(self):
        """How many bytes the client has yet to take."""
        return len(self._pending)

    def read(self):
        """What has come, empty at the end of the stream. Blocks when nothing has: poll `source` first."""
        try:
            return os.read(self.source, 1 << 16)
        except ConnectionError:
            return b""

    def write(self, data):
        self._pending += data
        self.flush()

    def flush(self):
        """Hands over what the client can take now. BrokenPipeError when it is gone."""
        sent = 0
        with memoryview(self._pending) as view:
            while sent < len(view) and self._writable.poll(0):
                piece = view[sent:sent + self._piece]
                try:
                    # O_NONBLOCK would be simpler, but belongs to the open file, which may be somebody else's terminal.
                    if self._socket:
                        sent += self._socket.send(piece, socket.MSG_DONTWAIT)
                    else:
                        sent += os.write(self.sink, piece)
                except BlockingIOError:
                    break
                finally:
                    piece.release()
        del self._pending[:sent]

    def drain(self, seconds):
        """Waits until the client has taken everything, but not for ever."""
        deadline = time.monotonic() + seconds
        while self._pending and (left := deadline - time.monotonic()) > 0:
            self._writable.poll(left * 1000)
            self.flush()

    def close(self):
        """In a process that runs tests: the channel is the server's alone."""
        if self._socket:
            self._socket.close()
        for descriptor in (self.source, self.sink):
            try:
                os.close(descriptor)
            except OSError:
                pass


def claim():
    """Moves standard input and output away and returns the Channel. SystemExit when there is no client."""
    if os.isatty(0):
        sys.exit(f"{os.path.basename(sys.argv[0])}: this is a test server: it talks to flakebisect "
                 "(flakebisect --server 'COMMAND', or test_server_command in .testr.conf), not to a terminal")
    try:
        channel = Channel(high_descriptor(0), high_descriptor(1))
    except OSError as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: standard input and output must be open: {error}")
    divert_standard_streams()
    return channel


def divert_standard_streams():
    """Descriptor 0 reads nothing, descriptor 1 is standard error, here and in all that is started from here."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        os.fstat(2)
    except OSError:
        os.dup2(null, 2)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if null > 2:
        os.close(null)
    # It was made while descriptor 1 was a pipe: without this, prints would sit in its buffer and be forked with it.
    sys.stdout.reconfigure(line_buffering=True)
