"""The test-server protocol, both ends, versions 1 and 2. Pure: bytes in, events and bytes out; no I/O, no clock.

An end is an object with feed(bytes) -> list of events. The client's methods and the server's return the bytes to send.
docs/protocol.md says what each message means.
"""

import json

from . import packets

RPC_ID = "testrepository-rpc"
MIME_TYPE = "application/json"
MIN_VERSION, MAX_VERSION = 1, 2
#: What a Done of version 2 may say. A version 1 Done says nothing, which reads as ok.
DONE_STATUSES = ("ok", "cancelled", "refused", "error")
#: A message that grows beyond this without an end is given up, so that a broken peer cannot eat the memory.
MAX_MESSAGE = 256 << 20


def encode_message(fields, route_code=None, chunk=packets.CHUNK):
    """One message as bytes: as many packets as its length asks for."""
    text = json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return packets.encode_file("rpc", text, MIME_TYPE, chunk, test_id=RPC_ID, runnable=False, route_code=route_code)


class Message:
    """A whole RPC message: a dict with a text 'msg', and the route it came by."""

    __slots__ = ("fields", "route_code")

    def __init__(self, fields, route_code=None):
        self.fields = fields
        self.route_code = route_code

    @property
    def name(self):
        return self.fields["msg"]


class BadMessage:
    """A file of the RPC's test id that is no message. It is ignored; `reason` is for the log."""

    __slots__ = ("reason",)

    def __init__(self, reason):
        self.reason = reason


class MessageReader:
    """Joins the packets of the RPC's test id into messages."""

    def __init__(self):
        self._open = {}  # (route code, file name) -> [MIME type, pieces, bytes so far]

    def feed(self, packet):
        """None while a message is not whole, else a Message or a BadMessage."""
        if packet.file_name is None:
            return BadMessage("a packet without a file")
        key = (packet.route_code, packet.file_name)
        entry = self._open.setdefault(key, [packet.mime_type, [], 0])
        entry[1].append(packet.file_bytes)
        entry[2] += len(packet.file_bytes)
        if entry[2] > MAX_MESSAGE:
            del self._open[key]
            return BadMessage(f"a message of more than {MAX_MESSAGE} bytes")
        if not packet.eof:
            return None
        del self._open[key]
        mime_type = (entry[0] or "").split(";")[0].strip().lower()
        if mime_type != MIME_TYPE:
            return BadMessage(f"a file of type {entry[0]!r}, not {MIME_TYPE}")
        try:
            fields = json.loads(b"".join(entry[1]).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            return BadMessage(f"not JSON in UTF-8: {error}")
        if not isinstance(fields, dict) or not isinstance(fields.get("msg"), str):
            return BadMessage("not a JSON object with a text 'msg'")
        return Message(fields, packet.route_code)


def common_version(our_min, our_max, their_min, their_max):
    """The highest version that both speak, or None."""
    version = min(our_max, their_max)
    return version if version >= max(our_min, their_min) else None


def _version_range(fields):
    """(min, max) of a Hello, or None where it does not say them as whole numbers."""
    low, high = fields.get("min"), fields.get("max")
    if any(isinstance(v, bool) or not isinstance(v, int) for v in (low, high)):
        return None
    return low, high


class Event:
    """What feed() reports. Subclasses name their fields; two events are equal when type and fields are."""

    __slots__ = ()

    def __init__(self, *values):
        for name, value in zip(self.__slots__, values):
            setattr(self, name, value)

    def __eq__(self, other):
        return type(self) is type(other) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


# Events of either end.
class Stray(Event):
    """Bytes that are not subunit."""
    __slots__ = ("data",)


class Ignored(Event):
    """A message that is unknown, malformed, or out of place. `reason` is for the log."""
    __slots__ = ("reason",)


class NoCommonVersion(Event):
    """No version is spoken by both. Each range is (min, max). Nothing more can be said on this channel."""
    __slots__ = ("ours", "theirs")

    def __str__(self):
        return (f"no common protocol version: this end speaks {self.ours[0]} to {self.ours[1]}, "
                f"the other {self.theirs[0]} to {self.theirs[1]}")


# Events of the client.
class Ready(Event):
    """The server's Hello. `server` is a text for the log or None; `features` a frozenset, empty in version 1."""
    __slots__ = ("version", "server", "features")


class Result(Event):
    """A packet of results or of a listing."""
    __slots__ = ("packet",)


class Done(Event):
    """The end of a request of ours. status is one of DONE_STATUSES, or what the server said."""
    __slots__ = ("nonce", "status", "reason", "route_code")


# Events of the server.
class Greeted(Event):
    """The client's Hello; the answer is in the bytes of hello()."""
    __slots__ = ("version",)


class ListRequest(Event):
    """tests is None for all."""
    __slots__ = ("nonce", "tests")


class RunRequest(Event):
    """tests is None for all. ordered, isolated and repeat are what was asked for, never so in version 1. repeat: the
    most runs of the last test, until it first does not pass."""
    __slots__ = ("nonce", "tests", "ordered", "isolated", "repeat")

    def __init__(self, nonce, tests, ordered, isolated, repeat=1):
        super().__init__(nonce, tests, ordered, isolated, repeat)


class BadRequest(Event):
    """A request with a nonce that cannot be served: answer Done `refused` with `reason`."""
    __slots__ = ("nonce", "reason")


class CancelRequest(Event):
    __slots__ = ("nonce",)


class GoodbyeRequest(Event):
    __slots__ = ()


class _End:
    def __init__(self, min_version, max_version):
        self.min_version, self.max_version = min_version, max_version
        #: The version agreed upon, None before the Hello of the other end.
        self.version = None
        self._packets = packets.PacketReader()
        self._messages = MessageReader()

    def feed(self, data):
        """The events that these bytes complete, in order."""
        events = []
        for item in self._packets.feed(data):
            if isinstance(item, packets.Noise):
                events.append(Stray(item.data))
            elif item.test_id != RPC_ID:
                events.append(self._on_packet(item))
            else:
                message = self._messages.feed(item)
                if isinstance(message, BadMessage):
                    events.append(Ignored(message.reason))
                elif message is not None:
                    events.append(self._on_message(message))
        return events

    def _on_hello(self, fields):
        """None when a version was agreed upon, else the event that says why not."""
        theirs = _version_range(fields)
        if theirs is None:
            return Ignored(f"Hello without whole numbers in min and max: {fields!r}")
        self.version = common_version(self.min_version, self.max_version, *theirs)
        return None if self.version else NoCommonVersion((self.min_version, self.max_version), theirs)


class Client(_End):
    """The end that asks. Nonces are `prefix` and a counter."""

    def __init__(self, min_version=MIN_VERSION, max_version=MAX_VERSION, prefix="q"):
        super().__init__(min_version, max_version)
        self.features = frozenset()
        self._prefix, self._count, self._waiting = prefix, 0, set()

    @property
    def waiting(self):
        """The nonces whose Done has not come."""
        return frozenset(self._waiting)

    def hello(self):
        """Sent first, and alone until Ready."""
        return encode_message({"msg": "Hello", "max": self.max_version, "min": self.min_version})

    def list(self, tests=None):
        """(nonce, bytes) of a List request. `tests` empty asks only for a sign of life."""
        return self._request({"msg": "List"}, tests)

    def run(self, tests=None, ordered=False, isolated=False, repeat=1):
        """(nonce, bytes) of a Run request. ValueError where the server did not offer what is asked for. repeat: most
        runs of the last test, until it first does not pass; more than 1 only with `ordered`."""
        fields = {"msg": "Run"}
        for wanted, feature, key, value in ((ordered, "ordered", "order", "given"),
                                            (isolated, "isolated", "isolation", "process")):
            if wanted:
                self._need(feature)
                fields[key] = value
        if repeat > 1:
            self._need("repeat")
            if not ordered:
                raise ValueError("'repeat' is for a given order only")
            fields["repeat"] = repeat
        return self._request(fields, tests)

    def cancel(self, nonce):
        """Stops the request of this nonce; its Done still comes."""
        self._need("cancel")
        return encode_message({"msg": "Cancel", "nonce": nonce})

    def goodbye(self):
        """The last message. The server answers nothing and exits."""
        return encode_message({"msg": "Goodbye"})

    def _need(self, feature):
        if feature not in self.features:
            raise ValueError(f"the server does not offer '{feature}'")

    def _request(self, fields, tests):
        if self.version is None:
            raise ValueError("nothing may be sent before the server's Hello")
        self._count += 1
        nonce = f"{self._prefix}{self._count}"
        self._waiting.add(nonce)
        fields["nonce"] = nonce
        if tests is not None:
            fields["tests"] = list(tests)
        return nonce, encode_message(fields)

    def _on_packet(self, packet):
        return Result(packet)

    def _on_message(self, message):
        fields = message.fields
        if message.name == "Hello":
            return self._on_ready(fields)
        if message.name != "Done":
            return Ignored(f"a message the client does not know: {message.name!r}")
        nonce = fields.get("nonce")
        if not isinstance(nonce, str) or nonce not in self._waiting:
            return Ignored(f"Done for a nonce that was never sent or is done already: {nonce!r}")
        self._waiting.discard(nonce)
        return Done(nonce, fields.get("status", "ok"), fields.get("reason"), message.route_code)

    def _on_ready(self, fields):
        if self.version is not None:
            return Ignored("a second Hello")
        failure = self._on_hello(fields)
        if failure:
            return failure
        offered = fields.get("features", ()) if self.version >= 2 else ()
        if isinstance(offered, (list, tuple)):
            self.features = frozenset(f for f in offered if isinstance(f, str))
        server = fields.get("server")
        return Ready(self.version, server if isinstance(server, str) else None, self.features)


class Server(_End):
    """The end that serves. `features` is what it offers to a version 2 client."""

    def __init__(self, min_version=MIN_VERSION, max_version=MAX_VERSION, name=None, features=()):
        super().__init__(min_version, max_version)
        self.name, self.features = name, tuple(features)

    def hello(self):
        """The answer to Greeted and to NoCommonVersion."""
        fields = {"msg": "Hello", "max": self.max_version, "min": self.min_version}
        if self.max_version >= 2:
            if self.name:
                fields["server"] = self.name
            fields["features"] = list(self.features)
        return encode_message(fields)

    def done(self, nonce, status="ok", reason=None):
        """The end of a request. A version 1 client is told no more than that it ended."""
        fields = {"msg": "Done", "nonce": nonce}
        if self.version != 1:
            if status != "ok":
                fields["status"] = status
            if reason:
                fields["reason"] = reason
        return encode_message(fields)

    def _on_packet(self, packet):
        return Ignored(f"a packet of results from the client: {packet.test_id!r}")

    def _on_message(self, message):
        fields, name = message.fields, message.name
        if name == "Hello":
            if self.version is not None:
                return Ignored("a second Hello")
            return self._on_hello(fields) or Greeted(self.version)
        if name == "Goodbye":
            return GoodbyeRequest()
        if name not in ("List", "Run", "Cancel"):
            return Ignored(f"a message the server does not know: {name!r}")
        if name == "Cancel" and (self.version == 1 or "cancel" not in self.features):
            return Ignored("Cancel, which this server does not offer")
        if "nonce" not in fields:
            return Ignored(f"{name} without a nonce")
        nonce = fields["nonce"]
        if name == "Cancel":
            return CancelRequest(nonce)
        if self.version is None:
            return BadRequest(nonce, f"{name} before Hello")
        tests = fields.get("tests")
        if tests is not None and not (isinstance(tests, list) and all(isinstance(test, str) for test in tests)):
            return BadRequest(nonce, "'tests' is not a list of texts")
        return ListRequest(nonce, tests) if name == "List" else self._run_request(nonce, tests, fields)

    def _run_request(self, nonce, tests, fields):
        if self.version == 1:
            return RunRequest(nonce, tests, False, False)
        asked = {}
        for key, feature, value in (("order", "ordered", "given"), ("isolation", "isolated", "process")):
            wanted = fields.get(key)
            if wanted is None:
                continue
            if wanted != value:
                return BadRequest(nonce, f"'{key}' may be '{value}', not {wanted!r}")
            if feature not in self.features:
                return BadRequest(nonce, f"this server does not offer '{feature}'")
            asked[key] = True
        repeat = fields.get("repeat")
        if repeat is not None:
            if "repeat" not in self.features:
                return BadRequest(nonce, "this server does not offer 'repeat'")
            if "order" not in asked:
                return BadRequest(nonce, "'repeat' is for a given order only")
            if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 2:
                return BadRequest(nonce, f"'repeat' is a number of runs from 2 on, not {repeat!r}")
        return RunRequest(nonce, tests, "order" in asked, "isolation" in asked, repeat or 1)
