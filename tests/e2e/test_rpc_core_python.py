#!/usr/bin/python3
"""The Python protocol core: packets against python-subunit, and both ends of the conversation against each other."""

import datetime
import io
import itertools
import json
import os
import random
import re
import unittest

import subunit
from subunit.v2 import StreamResultToBytes
from testtools import StreamResult

from rpc_harness import SOURCE, packets, rpc

UTC = datetime.timezone.utc


def reference_bytes(**fields):
    """What python-subunit writes for one packet."""
    output = io.BytesIO()
    StreamResultToBytes(output).status(**fields)
    return output.getvalue()


def reference_events(data):
    """What python-subunit reads, absent fields left out."""
    events = []

    class Keep(StreamResult):
        def status(self, **fields):
            fields = {name: value for name, value in fields.items() if value not in (None, False)}
            if "file_bytes" in fields:
                fields["file_bytes"] = bytes(fields["file_bytes"])
            events.append(fields)

    subunit.ByteStreamToStreamResult(io.BytesIO(data), non_subunit_name="stdout").run(Keep())
    return events


def feed_all(end, pieces):
    """The events of these pieces; neighbouring noise joined, since its cuts mean nothing."""
    events = []
    for piece in pieces:
        for event in end.feed(piece):
            kind = type(event)
            if kind in (packets.Noise, rpc.Stray) and events and type(events[-1]) is kind:
                event = kind(events.pop().data + event.data)
            events.append(event)
    return events


def every_split(data):
    """The data in two pieces at every byte, and in single bytes."""
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]
    yield [data[at:at + 1] for at in range(len(data))]


def plain(events):
    return [("noise", e.data) if isinstance(e, packets.Noise) else e for e in events]


class Encoding(unittest.TestCase):
    def test_same_bytes_as_python_subunit(self):
        moment = datetime.datetime(2026, 11, 22, 23, 5, 7, 123456, UTC)
        nanoseconds = int(moment.timestamp()) * 10**9 + 123456000
        ids = [None, "a", "pkg.mod.Case.test é", "x" * 61, "x" * 20000]
        files = [None, ("f", b""), ("traceback", b"T" * 63), ("stdout", b"\xb3\x00" * 9000)]
        count = 0
        for test_id, status, file, time, tags, mime, route, runnable, eof in itertools.product(
                ids, packets.STATUSES, files, (None, moment), ((), ("worker-0",)), (None, "text/plain;charset=utf8"),
                (None, "0/3"), (False, True), (False, True)):
            common = dict(test_id=test_id, runnable=runnable, mime_type=mime, eof=eof, route_code=route)
            if file:
                common.update(file_name=file[0], file_bytes=file[1])
            expected = reference_bytes(test_status=status, test_tags=list(tags), timestamp=time, **common)
            ours = packets.encode(status=status, tags=tags, timestamp_ns=nanoseconds if time else None, **common)
            self.assertEqual(expected, ours)
            count += 1
        self.assertEqual(5 * 8 * 4 * 2 * 2 * 2 * 2 * 2 * 2, count)

    def test_length_at_each_boundary(self):
        for size in [*range(30, 80), *range(16360, 16400)]:
            self.assertEqual(reference_bytes(test_id="i" * size, test_status="exists"),
                             packets.encode("i" * size, "exists"))

    def test_longest_packet(self):
        room = packets.MAX_PACKET - len(packets.encode(file_name="f", file_bytes=b"." * 70000, runnable=False)) + 70000
        longest = packets.encode(file_name="f", file_bytes=b"." * room, runnable=False)
        self.assertEqual(packets.MAX_PACKET, len(longest))
        self.assertEqual(room, len(packets.decode(longest).file_bytes))
        with self.assertRaisesRegex(ValueError, "4194303"):
            packets.encode(file_name="f", file_bytes=b"." * (room + 1), runnable=False)

    def test_long_attachment_takes_several_packets(self):
        content = bytes(range(256)) * 20000
        data = packets.encode_file("stdout", content, "text/plain", test_id="t", timestamp_ns=5)
        events = reference_events(data)
        self.assertEqual(5, len(events))
        self.assertEqual(content, b"".join(event["file_bytes"] for event in events))
        self.assertEqual([False] * 4 + [True], [event.get("eof", False) for event in events])

    def test_python_subunit_reads_ours(self):
        data = packets.encode("t", "fail", 10**9 + 1500, tags={"b", "a"}, mime_type="text/plain", file_name="f",
                              file_bytes=b"x", eof=True, route_code="7")
        self.assertEqual([{"test_id": "t", "test_status": "fail", "test_tags": {"a", "b"}, "runnable": True,
                           "file_name": "f", "file_bytes": b"x", "mime_type": "text/plain", "eof": True,
                           "route_code": "7",
                           "timestamp": datetime.datetime(1970, 1, 1, 0, 0, 1, 2, UTC)}], reference_events(data))

    def test_text_that_utf8_or_subunit_cannot_hold(self):
        read = packets.decode(packets.encode("a\0b\udcff", "success"))
        self.assertEqual("a\\x00b\\udcff", read.test_id)


class Decoding(unittest.TestCase):
    def test_reads_what_python_subunit_writes(self):
        moment = datetime.datetime(2026, 11, 22, 23, 5, 7, 123456, UTC)
        data = reference_bytes(test_id="é", test_status="xfail", test_tags={"worker-1"}, runnable=True, file_name="f",
                               file_bytes=b"\xb3", eof=True, mime_type="a/b", route_code="1", timestamp=moment)
        packet = packets.decode(data)
        self.assertEqual(packets.Packet("é", "xfail", int(moment.timestamp()) * 10**9 + 123456000, True,
                                        frozenset({"worker-1"}), "a/b", "f", b"\xb3", True, "1"), packet)

    def test_each_way_to_be_wrong(self):
        def resealed(body):
            import zlib
            return body + zlib.crc32(body).to_bytes(4, "big")

        good = packets.encode("abc", "success")
        for change, complaint in ((lambda b: b[:4] + b"\x3f" + b[5:], "bytes, and"),
                                  (lambda b: b[:5] + b"\0" + b[6:], "NUL"),
                                  (lambda b: b[:5] + b"\xff" + b[6:], "UTF-8"),
                                  (lambda b: b[:1] + b"\x2a" + b[2:], "number is missing|cut|are left")):
            with self.assertRaisesRegex(packets.PacketError, complaint):
                packets.decode(resealed(change(good[:-4])))
        with self.assertRaisesRegex(packets.PacketError, "checksum"):
            packets.decode(good[:-1] + bytes([good[-1] ^ 1]))
        with self.assertRaisesRegex(packets.PacketError, "whole"):
            packets.decode(good[:-1])


class Reading(unittest.TestCase):
    PACKETS = [packets.encode("t", "inprogress", 10**18), packets.encode("t", "success", 10**18 + 1)]

    def read(self, pieces):
        reader = packets.PacketReader()
        events = feed_all(reader, pieces)
        for event in reader.close():
            if isinstance(event, packets.Noise) and events and isinstance(events[-1], packets.Noise):
                event = packets.Noise(events.pop().data + event.data)
            events.append(event)
        return plain(events)

    def test_noise_between_packets_split_at_every_byte(self):
        for noise in (b"plain text\n", "grüße m³ of ³".encode(), "m³ in Latin-1: ³ #".encode("latin-1"), b"\xb3",
                      b"\xb3\x29\x05", b"\xb3\x2b\x40", b"\xb3\xb3\xb3", b"cut character \xc3", bytes(range(256))):
            data = noise + self.PACKETS[0] + noise + self.PACKETS[1] + noise
            expected = [("noise", noise), packets.decode(self.PACKETS[0]), ("noise", noise),
                        packets.decode(self.PACKETS[1]), ("noise", noise)]
            for pieces in every_split(data):
                self.assertEqual(expected, self.read(pieces))

    def test_a_stray_signature_in_noise_does_not_swallow_what_follows(self):
        # Read as a header it announces two million bytes; the packets behind it must come at once.
        for noise in (b"n\xb3\x29\x05\xa0\x00\x00", "cost in £³: ³  ".encode("latin-1")):
            reader = packets.PacketReader()
            events = feed_all(reader, [noise + self.PACKETS[0]])
            self.assertEqual([("noise", noise), packets.decode(self.PACKETS[0])], plain(events))

    def test_packet_inside_an_attachment_is_content(self):
        inner = b"".join(self.PACKETS)
        data = packets.encode("t", file_name="stream", file_bytes=inner) + self.PACKETS[1]
        for pieces in every_split(data):
            events = self.read(pieces)
            self.assertEqual([inner, None], [e.file_bytes for e in events])

    def test_damage_at_every_byte_leaves_the_next_packets(self):
        data = b"".join(self.PACKETS)
        first = len(self.PACKETS[0])
        tail = packets.encode("after", "success")
        for at in range(first):
            for flip in (0x01, 0x80, 0xFF):
                broken = bytearray(data + tail + tail)
                broken[at] ^= flip
                events = self.read([bytes(broken), b"." * (packets.MAX_PACKET + 1)])
                ids = [e.test_id for e in events if isinstance(e, packets.Packet)]
                self.assertEqual(["t", "after", "after"], ids[-3:], (at, flip))
                self.assertLessEqual(len(ids), 3)

    def test_cut_at_every_length_loses_only_the_tail(self):
        data = self.PACKETS[0] + b"text" + self.PACKETS[1]
        whole = self.read([data])
        for length in range(len(data)):
            events = self.read([data[:length]])
            for seen, expected in zip(events[:-1], whole):
                self.assertEqual(expected, seen)

    def test_agrees_with_python_subunit_on_a_clean_stream(self):
        chooser = random.Random(7)
        data = b""
        for number in range(300):
            data += packets.encode(f"t{number}", chooser.choice(packets.STATUSES), chooser.randrange(2**32) * 10**9, tags=["x"] * (number % 2), file_name="f" if number % 3 else None,
                                   file_bytes=chooser.randbytes(chooser.randrange(300)), route_code=None)
        ours = [e for e in self.read([data])]
        theirs = reference_events(data)
        self.assertEqual([(e["test_id"], e.get("test_status"), e.get("file_bytes")) for e in theirs],
                         [(e.test_id, e.status, e.file_bytes) for e in ours])

    def test_random_bytes_never_raise(self):
        chooser = random.Random(11)
        for _ in range(300):
            end = chooser.choice((rpc.Client, rpc.Server))()
            data = bytearray(chooser.randbytes(chooser.randrange(400)))
            for _ in range(chooser.randrange(4)):
                at = chooser.randrange(len(data) + 1)
                data[at:at] = chooser.choice((b"\xb3", self.PACKETS[0], rpc.encode_message({"msg": "List"})))
            for at in range(0, len(data), 37):
                end.feed(bytes(data[at:at + 37]))


class Messages(unittest.TestCase):
    def messages(self, pieces):
        packet_reader, message_reader, found = packets.PacketReader(), rpc.MessageReader(), []
        for event in feed_all(packet_reader, pieces):
            if isinstance(event, packets.Packet) and event.test_id == rpc.RPC_ID:
                message = message_reader.feed(event)
                if message is not None:
                    found.append(message)
        return found

    def one(self, content, mime_type="application/json", **fields):
        message, = self.messages([packets.encode_file("m", content, mime_type, test_id=rpc.RPC_ID, **fields)])
        return message

    def test_bytes_of_the_hello(self):
        self.assertEqual(
            "b32870405612746573747265706f7369746f72792d727063106170706c69636174696f6e2f6a736f6e037270"
            "63247b226d7367223a202248656c6c6f222c20226d6178223a20322c20226d696e223a20317d",
            rpc.Client().hello()[:-4].hex())
        self.assertEqual(reference_bytes(test_id=rpc.RPC_ID, runnable=False, mime_type=rpc.MIME_TYPE, file_name="rpc",
                                         file_bytes=b'{"msg": "Hello", "max": 2, "min": 1}', eof=True),
                         rpc.Client().hello())

    def test_spread_over_packets_split_at_every_byte(self):
        fields = {"msg": "Run", "nonce": "n", "tests": ["é", "x" * 40]}
        data = rpc.encode_message(fields, chunk=9)
        self.assertGreater(len(reference_events(data)), 8)
        for pieces in every_split(data):
            message, = self.messages(pieces)
            self.assertEqual(fields, message.fields)

    def test_two_routes_and_results_in_between(self):
        one = [packets.encode(rpc.RPC_ID, file_name="m", file_bytes=piece, mime_type="application/json", eof=last,
                              route_code="1") for piece, last in ((b'{"msg": "Li', False), (b'st", "a": 1}', True))]
        two = [packets.encode(rpc.RPC_ID, file_name="m", file_bytes=piece, mime_type="application/json", eof=last,
                              route_code="0/2") for piece, last in ((b'{"msg"', False), (b': "Run"}', True))]
        found = self.messages([one[0], two[0], packets.encode("t", "success"), b"print\n", two[1], one[1]])
        self.assertEqual([("Run", "0/2"), ("List", "1")], [(m.name, m.route_code) for m in found])

    def test_type_with_parameters(self):
        for mime_type in ("application/json; charset=utf8", "Application/JSON;x=y", "application/json"):
            self.assertEqual("Hi", self.one(b'{"msg": "Hi"}', mime_type).name)

    def test_made_by_python_subunit(self):
        data = reference_bytes(test_id=rpc.RPC_ID, file_name="request", file_bytes=b'{"msg": "Goodbye"}', eof=True,
                               mime_type="application/json; charset=utf8", runnable=False)
        self.assertEqual("Goodbye", self.messages([data])[0].name)

    def test_no_message(self):
        for content, mime_type, reason in ((b"{", "application/json", "not JSON"), (b"[1]", "application/json", "'msg'"),
                                           (b'{"msg": 1}', "application/json", "'msg'"),
                                           (b"\xff", "application/json", "not JSON"),
                                           (b'{"msg": "a"}', "text/plain", "text/plain"),
                                           (b'{"msg": "a"}', None, "None"),
                                           (b"[" * 100000, "application/json", "not JSON")):
            message = self.one(content, mime_type)
            self.assertIsInstance(message, rpc.BadMessage)
            self.assertIn(reason, message.reason)
        self.assertIsInstance(self.messages([packets.encode(rpc.RPC_ID, "success")])[0], rpc.BadMessage)


class WorkedExample(unittest.TestCase):
    """The bytes that docs/protocol.md prints are what this core reads."""

    def test_each_block(self):
        with open(os.path.join(SOURCE, "docs", "protocol.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```hex (client|server) (.*)\n([0-9a-f\s]+)```", file.read(), re.M)
        self.assertGreaterEqual(len(blocks), 6)
        for _, what, digits in blocks:
            packet, = packets.PacketReader().feed(bytes.fromhex(digits))
            if what.startswith("{"):
                self.assertEqual(json.loads(what), rpc.MessageReader().feed(packet).fields)
            else:
                self.assertEqual(what.split(), [packet.test_id, packet.status])
                self.assertIsNotNone(packet.timestamp_ns)

    def test_as_a_conversation(self):
        with open(os.path.join(SOURCE, "docs", "protocol.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```hex (client|server) .*\n([0-9a-f\s]+)```", file.read(), re.M)
        server, client, seen = rpc.Server(features=("ordered", "isolated")), rpc.Client(prefix="n"), []
        for side, digits in blocks:
            events = (server if side == "client" else client).feed(bytes.fromhex(digits))
            seen += [type(event) for event in events]
            if seen[-1] is rpc.RunRequest:
                self.assertEqual(("n1", ["s.a"], True, True), (events[0].nonce, events[0].tests, events[0].ordered,
                                                               events[0].isolated))
                client.run(["s.a"], True, True)
        self.assertEqual([rpc.Greeted, rpc.Ready, rpc.RunRequest, rpc.Result, rpc.Result, rpc.Done,
                          rpc.GoodbyeRequest], seen)


    def test_request_to_repeat(self):
        with open(os.path.join(SOURCE, "docs", "protocol.md"), encoding="utf-8") as file:
            message, = re.findall(r"^ *```json client\n +(.*)\n", file.read(), re.M)
        server = rpc.Server(features=("ordered", "isolated", "repeat"))
        server.feed(rpc.Client().hello())
        self.assertEqual([rpc.RunRequest("n2", ["s.b", "s.a"], True, True, 3)],
                         server.feed(rpc.encode_message(json.loads(message))))


class Conversation(unittest.TestCase):
    def pair(self, client=(1, 2), server=(1, 2), features=("ordered", "isolated", "cancel")):
        client, server = rpc.Client(*client), rpc.Server(*server, name="s", features=features)
        greeted = server.feed(client.hello())
        ready = client.feed(server.hello())
        return client, server, greeted, ready

    def test_version_matrix(self):
        ranges = [(low, high) for low in range(1, 8) for high in range(low, 8)]
        for ours, theirs in itertools.product(ranges, ranges):
            client, server, greeted, ready = self.pair(ours, theirs)
            common = set(range(ours[0], ours[1] + 1)) & set(range(theirs[0], theirs[1] + 1))
            if common:
                self.assertEqual([rpc.Greeted(max(common))], greeted)
                self.assertEqual(max(common), ready[0].version)
            else:
                self.assertEqual([rpc.NoCommonVersion(theirs, ours)], greeted)
                self.assertEqual([rpc.NoCommonVersion(ours, theirs)], ready)
                self.assertIsNone(client.version)
                with self.assertRaises(ValueError):
                    client.list()

    def test_ranges_are_named(self):
        self.assertEqual("no common protocol version: this end speaks 1 to 2, the other 7 to 7",
                         str(self.pair(server=(7, 7))[3][0]))

    def test_hello_that_makes_no_sense(self):
        for fields in ({"msg": "Hello"}, {"msg": "Hello", "min": 1}, {"msg": "Hello", "min": "1", "max": 2},
                       {"msg": "Hello", "min": True, "max": 2}):
            for end in (rpc.Client(), rpc.Server()):
                event, = end.feed(rpc.encode_message(fields))
                self.assertIsInstance(event, rpc.Ignored)
                self.assertIsNone(end.version)

    def test_features_only_in_version_2(self):
        self.assertEqual({"ordered", "isolated", "cancel"}, self.pair()[0].features)
        client = self.pair(client=(1, 1))[0]
        self.assertEqual(frozenset(), client.features)
        for ask in (lambda: client.run(["a"], ordered=True), lambda: client.run(["a"], isolated=True),
                    lambda: client.cancel("q1")):
            with self.assertRaisesRegex(ValueError, "does not offer"):
                ask()

    def test_a_whole_conversation_split_at_every_byte(self):
        probe, _, _, _ = self.pair()
        nonces = [probe.list()[0], probe.run()[0], probe.list()[0]]
        result = packets.encode("t", "success", 5)
        filler = rpc.Server(name="s", features=("cancel",))
        filler.version = 2
        from_server = (b"warming up\n" + filler.hello() + result + filler.done(nonces[2]) + b"printed" + result +
                       rpc.encode_message({"msg": "Weather", "nonce": nonces[0]}) +
                       filler.done("never sent") + filler.done(nonces[1], "error", "boom") + filler.done(nonces[0]) +
                       filler.done(nonces[0]))
        expected = [rpc.Stray, rpc.Ready, rpc.Result, rpc.Done, rpc.Stray, rpc.Result, rpc.Ignored, rpc.Ignored,
                    rpc.Done, rpc.Done, rpc.Ignored]
        for pieces in every_split(from_server):
            client = rpc.Client()
            # The requests are made once the Hello is in: it is the second event.
            client.version = 2
            for tests in (None, None, None):
                client.list(tests)
            client.version = None
            events = feed_all(client, pieces)
            self.assertEqual(expected, [type(e) for e in events])
            self.assertEqual([nonces[2], nonces[1], nonces[0]], [e.nonce for e in events if isinstance(e, rpc.Done)])
            self.assertEqual(("error", "boom"), (events[8].status, events[8].reason))
            self.assertEqual(frozenset(), client.waiting)

    def test_requests_split_at_every_byte(self):
        client, _, _, _ = self.pair()
        stream = (client.list()[1] + client.list([])[1] + client.run(["b", "a"], True, True)[1] + client.run()[1] +
                  client.cancel("q3") + rpc.encode_message({"msg": "Dance"}) +
                  rpc.encode_message({"msg": "List", "nonce": {"any": ["thing"]}, "colour": "red"}) +
                  packets.encode("t", "success") + client.goodbye())
        for pieces in every_split(stream):
            server = rpc.Server(features=("ordered", "isolated", "cancel"))
            server.feed(client.hello())
            events = feed_all(server, pieces)
            self.assertEqual([rpc.ListRequest("q1", None), rpc.ListRequest("q2", []),
                              rpc.RunRequest("q3", ["b", "a"], True, True), rpc.RunRequest("q4", None, False, False),
                              rpc.CancelRequest("q3")], events[:5])
            self.assertEqual([rpc.Ignored, rpc.ListRequest, rpc.Ignored, rpc.GoodbyeRequest],
                             [type(e) for e in events[5:]])
            self.assertEqual({"any": ["thing"]}, events[6].nonce)

    def ask(self, server, **fields):
        event, = server.feed(rpc.encode_message(fields))
        return event

    def test_requests_that_are_refused(self):
        _, server, _, _ = self.pair(features=("ordered",))
        for fields, reason in (({"tests": "a"}, "list of texts"), ({"tests": [1]}, "list of texts"),
                               ({"tests": ["a"], "isolation": "process"}, "isolated"),
                               ({"tests": ["a"], "order": "random"}, "may be 'given'")):
            event = self.ask(server, msg="Run", nonce="n", **fields)
            self.assertIsInstance(event, rpc.BadRequest)
            self.assertIn(reason, event.reason)
        self.assertIsInstance(self.ask(server, msg="Cancel", nonce="n"), rpc.Ignored)
        self.assertIsInstance(self.ask(server, msg="Run"), rpc.Ignored)
        self.assertIsInstance(self.ask(rpc.Server(), msg="List", nonce="n"), rpc.BadRequest)

    def test_repetition(self):
        features = ("ordered", "isolated", "cancel", "repeat")
        client, server, _, _ = self.pair(features=features)
        data = client.run(["b", "a"], True, True, 20)[1]
        self.assertEqual({"msg": "Run", "nonce": "q1", "tests": ["b", "a"], "order": "given", "isolation": "process",
                          "repeat": 20}, self.sent(data))
        self.assertEqual([rpc.RunRequest("q1", ["b", "a"], True, True, 20)], server.feed(data))
        self.assertEqual([rpc.RunRequest("q2", ["a"], True, False)], server.feed(client.run(["a"], True)[1]))
        with self.assertRaisesRegex(ValueError, "given order"):
            client.run(["a"], False, True, 2)
        with self.assertRaisesRegex(ValueError, "does not offer 'repeat'"):
            self.pair()[0].run(["a"], True, False, 2)
        for fields, reason in (({"repeat": 2}, "given order"), ({"order": "given", "repeat": 1}, "not 1"),
                               ({"order": "given", "repeat": True}, "not True"),
                               ({"order": "given", "repeat": "2"}, "not '2'"),
                               ({"order": "given", "repeat": 2.5}, "not 2.5")):
            event = self.ask(server, msg="Run", nonce="n", tests=["a"], **fields)
            self.assertIsInstance(event, rpc.BadRequest)
            self.assertIn(reason, event.reason)
        event = self.ask(self.pair()[1], msg="Run", nonce="n", tests=["a"], order="given", repeat=2)
        self.assertEqual(rpc.BadRequest("n", "this server does not offer 'repeat'"), event)
        _, old, _, _ = self.pair(client=(1, 1), features=features)
        self.assertEqual(rpc.RunRequest("n", ["a"], False, False),
                         self.ask(old, msg="Run", nonce="n", tests=["a"], order="given", repeat=2))

    def test_version_1_server_ignores_the_fields_of_version_2(self):
        _, server, _, _ = self.pair(client=(1, 1))
        self.assertEqual(rpc.RunRequest("n", ["a"], False, False),
                         self.ask(server, msg="Run", nonce="n", tests=["a"], order="given", isolation="process"))
        self.assertEqual({"msg": "Done", "nonce": "n"}, self.sent(server.done("n", "error", "why")))

    def sent(self, data):
        return json.loads(reference_events(data)[0]["file_bytes"])

    def test_what_is_sent(self):
        client, server, _, _ = self.pair()
        self.assertEqual({"msg": "Hello", "max": 1, "min": 1}, self.sent(rpc.Client(1, 1).hello()))
        self.assertEqual({"msg": "Hello", "max": 1, "min": 1}, self.sent(rpc.Server(1, 1, "s", ["x"]).hello()))
        self.assertEqual({"msg": "Run", "nonce": "q1", "tests": ["a"], "order": "given", "isolation": "process"},
                         self.sent(client.run(["a"], True, True)[1]))
        self.assertEqual({"msg": "Done", "nonce": "q1", "status": "refused", "reason": "r"},
                         self.sent(server.done("q1", "refused", "r")))
        self.assertEqual({"msg": "Cancel", "nonce": "q1"}, self.sent(client.cancel("q1")))
        event, = reference_events(client.goodbye())
        self.assertEqual((rpc.RPC_ID, "application/json", True), (event["test_id"], event["mime_type"], event["eof"]))
        self.assertNotIn("test_status", event)

    def test_a_second_hello_is_ignored(self):
        client, server, _, _ = self.pair()
        self.assertIsInstance(server.feed(client.hello())[0], rpc.Ignored)
        self.assertIsInstance(client.feed(server.hello())[0], rpc.Ignored)

    def test_route_code_is_kept_and_not_matched(self):
        client, _, _, _ = self.pair()
        nonce, _ = client.list()
        event, = client.feed(rpc.encode_message({"msg": "Done", "nonce": nonce}, route_code="0/3"))
        self.assertEqual(rpc.Done(nonce, "ok", None, "0/3"), event)


if __name__ == "__main__":
    unittest.main()
