"""subunit v2 packets: encoding and incremental parsing. Pure: no I/O, no clock.

A packet (all numbers big endian):

    0xB3 | flags u16 | length varint | fields | crc32 u32

The length counts every byte of the packet. Fields come in this order, each only with its flag: timestamp, test id,
tags, MIME type, file name and content, route code.
"""

import struct
import zlib

SIGNATURE = 0xB3
#: The greatest total size of a packet: its length must fit a varint of three bytes.
MAX_PACKET = (1 << 22) - 1
#: Attachments longer than this are spread over several packets. Well under the limit, so that names never matter.
CHUNK = 1 << 20

STATUSES = (None, "exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail")
_STATUS_NUMBER = {name: number for number, name in enumerate(STATUSES)}

_VERSION_2 = 0x2000
_TEST_ID, _ROUTE, _TIME, _RUNNABLE = 0x0800, 0x0400, 0x0200, 0x0100
_TAGS, _FILE, _MIME, _EOF = 0x0080, 0x0040, 0x0020, 0x0010

_crc32 = zlib.crc32
_u16 = struct.Struct(">H").pack
_u32 = struct.Struct(">I").pack


def _varint(value):
    if value < 1 << 6:
        return bytes((value,))
    if value < 1 << 14:
        return _u16(value | 0x4000)
    if value < 1 << 22:
        return _u32(value | 0x800000)[1:]
    if value < 1 << 30:
        return _u32(value | 0xC0000000)
    raise ValueError(f"{value} is too large for subunit's variable-length numbers")


def _string(text):
    # A lone surrogate (an undecodable file name in a parametrised id, say) is not UTF-8, and NUL is forbidden.
    data = text.encode("utf-8", "backslashreplace").replace(b"\0", b"\\x00")
    return _varint(len(data)) + data


def encode(test_id=None, status=None, timestamp_ns=None, runnable=True, tags=(), mime_type=None, file_name=None,
           file_bytes=b"", eof=False, route_code=None):
    """One packet as bytes. timestamp_ns counts from 1970 UTC. ValueError if it would be longer than MAX_PACKET."""
    flags = _VERSION_2 | _STATUS_NUMBER[status]
    fields = []
    if timestamp_ns is not None:
        flags |= _TIME
        seconds, nanoseconds = divmod(timestamp_ns, 1_000_000_000)
        fields.append(_u32(seconds) + _varint(nanoseconds))
    if test_id is not None:
        flags |= _TEST_ID
        fields.append(_string(test_id))
    if tags:
        flags |= _TAGS
        fields.append(_varint(len(tags)))
        fields.extend(map(_string, sorted(tags)))
    if runnable:
        flags |= _RUNNABLE
    if mime_type:
        flags |= _MIME
        fields.append(_string(mime_type))
    if file_name is not None:
        flags |= _FILE
        fields.append(_string(file_name) + _varint(len(file_bytes)))
        fields.append(file_bytes)
    if eof:
        flags |= _EOF
    if route_code is not None:
        flags |= _ROUTE
        fields.append(_string(route_code))
    body = b"".join(fields)
    # The length counts itself: one byte where the whole stays below 64, and so on.
    total = 1 + 2 + len(body) + 4
    total += 1 if total + 1 < 1 << 6 else 2 if total + 2 < 1 << 14 else 3
    if total > MAX_PACKET:
        raise ValueError(f"a packet of {total} bytes: subunit allows {MAX_PACKET}")
    data = b"\xb3" + _u16(flags) + _varint(total) + body
    return data + _u32(_crc32(data))


def encode_file(file_name, content, mime_type, chunk=CHUNK, **fields):
    """A whole attachment as bytes: as many packets as its size asks for, EOF on the last."""
    pieces = [content[at:at + chunk] for at in range(0, len(content), chunk)] or [b""]
    last = len(pieces) - 1
    return b"".join(encode(file_name=file_name, file_bytes=piece, mime_type=mime_type, eof=number == last, **fields)
                    for number, piece in enumerate(pieces))


class Packet:
    """One decoded packet. Absent fields are None; tags is None when absent, else a frozenset."""

    __slots__ = ("test_id", "status", "timestamp_ns", "runnable", "tags", "mime_type", "file_name", "file_bytes",
                 "eof", "route_code")

    def __init__(self, test_id=None, status=None, timestamp_ns=None, runnable=False, tags=None, mime_type=None,
                 file_name=None, file_bytes=None, eof=False, route_code=None):
        self.test_id = test_id
        self.status = status
        self.timestamp_ns = timestamp_ns
        self.runnable = runnable
        self.tags = tags
        self.mime_type = mime_type
        self.file_name = file_name
        self.file_bytes = file_bytes
        self.eof = eof
        self.route_code = route_code

    def __eq__(self, other):
        return isinstance(other, Packet) and all(getattr(self, n) == getattr(other, n) for n in Packet.__slots__)

    __hash__ = None

    def __repr__(self):
        shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in Packet.__slots__ if getattr(self, n) not in (None, False))
        return f"Packet({shown})"


class Noise:
    """Bytes between packets that are not subunit: a test that prints. Neighbours may come as several events."""

    __slots__ = ("data",)

    def __init__(self, data):
        self.data = data

    def __repr__(self):
        return f"Noise({self.data!r})"


class PacketError(ValueError):
    """A packet whose checksum holds and whose fields do not make sense."""


def _read_varint(data, at, end):
    if at >= end:
        raise PacketError("a number is missing")
    first = data[at]
    size = (first >> 6) + 1
    if at + size > end:
        raise PacketError("a number is cut short")
    return int.from_bytes(data[at:at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def _read_bytes(data, at, end):
    size, at = _read_varint(data, at, end)
    if at + size > end:
        raise PacketError(f"a field of {size} bytes, and {end - at} are left")
    return data[at:at + size], at + size


def _read_string(data, at, end):
    raw, at = _read_bytes(data, at, end)
    if b"\0" in raw:
        raise PacketError("a string holds a NUL")
    try:
        return raw.decode("utf-8"), at
    except UnicodeDecodeError as error:
        raise PacketError(f"a string is not UTF-8: {error}") from None


def decode(data):
    """The Packet of exactly these bytes. PacketError says what is wrong with them. The checksum is checked."""
    if header(data, 0) != len(data):
        raise PacketError("not one whole packet")
    if _crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise PacketError("the checksum does not hold")
    flags = (data[1] << 8) | data[2]
    at, end = 3 + (data[3] >> 6) + 1, len(data) - 4
    packet = Packet(status=STATUSES[flags & 7], runnable=bool(flags & _RUNNABLE), eof=bool(flags & _EOF))
    if flags & _TIME:
        if at + 4 > end:
            raise PacketError("the time is cut short")
        nanoseconds, after = _read_varint(data, at + 4, end)
        packet.timestamp_ns = int.from_bytes(data[at:at + 4], "big") * 1_000_000_000 + nanoseconds
        at = after
    if flags & _TEST_ID:
        packet.test_id, at = _read_string(data, at, end)
    if flags & _TAGS:
        count, at = _read_varint(data, at, end)
        tags = set()
        for _ in range(count):
            tag, at = _read_string(data, at, end)
            tags.add(tag)
        packet.tags = frozenset(tags)
    if flags & _MIME:
        packet.mime_type, at = _read_string(data, at, end)
    if flags & _FILE:
        packet.file_name, at = _read_string(data, at, end)
        packet.file_bytes, at = _read_bytes(data, at, end)
    if flags & _ROUTE:
        packet.route_code, at = _read_string(data, at, end)
    return packet


def header(data, at):
    """The size in bytes of the packet that begins at `at`; None: more bytes are needed; 0: no packet begins there."""
    have = len(data) - at
    if have < 1:
        return None
    if data[at] != SIGNATURE:
        return 0
    if have >= 2 and data[at + 1] & 0xF0 != 0x20:
        return 0
    if have >= 3 and data[at + 2] & 0x08:
        return 0
    if have < 4:
        return None
    size = (data[at + 3] >> 6) + 1
    if size == 4:
        return 0
    if have < 3 + size:
        return None
    total = int.from_bytes(data[at + 3:at + 3 + size], "big") & ((1 << (8 * size - 2)) - 1)
    return total if total >= 7 + size else 0


class PacketReader:
    """Cuts a byte stream into Packet and Noise events, however it is split.

    Right after a packet (and at the start) a plausible header is trusted and awaited. Amid noise it is not: there the
    first byte sequence that is a packet by its checksum ends the noise, so that a stray 0xB3 in printed text cannot
    swallow the packets behind it. Only bytes that may still become a packet are kept back.
    """

    def __init__(self):
        self._buffer = bytearray()
        self._in_step = True

    def feed(self, data):
        """The events that these bytes complete, in order."""
        self._buffer += data
        events = []
        while self._buffer:
            size = self._packet_at(0) if self._in_step else 0
            if size is None:
                break
            if size:
                self._take_packet(size, events)
            elif not self._skip_noise(events):
                break
        return events

    def close(self):
        """What is left at the end of the stream, as events: a cut packet is noise, whole ones behind it are not."""
        events = []
        while self._buffer:
            size = self._packet_at(0)
            if size:
                self._take_packet(size, events)
            elif not self._skip_noise(events) and self._buffer:
                events.append(Noise(bytes(self._buffer)))
                self._buffer.clear()
        return events

    def _packet_at(self, at):
        """As header(), but 0 also where the checksum fails, and None until all bytes of the packet are there."""
        size = header(self._buffer, at)
        if not size:
            return size
        if len(self._buffer) - at < size:
            return None
        view = memoryview(self._buffer)
        try:
            good = _crc32(view[at:at + size - 4]) == int.from_bytes(view[at + size - 4:at + size], "big")
        finally:
            view.release()
        return size if good else 0

    def _take_packet(self, size, events):
        raw = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._in_step = True
        try:
            events.append(decode(raw))
        except PacketError:
            events.append(Noise(raw))

    def _skip_noise(self, events):
        """Moves past noise to the next packet. False when more bytes are needed."""
        keep_from = None  # the first place that may still turn out to be a packet
        at = self._buffer.find(SIGNATURE)
        found = None
        while at != -1:
            size = self._packet_at(at)
            if size:
                found = at
                break
            if size is None and keep_from is None:
                keep_from = at
            at = self._buffer.find(SIGNATURE, at + 1)
        cut = found if found is not None else keep_from if keep_from is not None else len(self._buffer)
        if cut:
            events.append(Noise(bytes(self._buffer[:cut])))
            del self._buffer[:cut]
        self._in_step = found is not None
        return found is not None
