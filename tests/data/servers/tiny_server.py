#!/usr/bin/python3 -S
"""A test server in one file that needs no library, well-behaved or broken in one way: tiny_server.py MODE [TEST...].

The tests are pretended; the id says what each does:
  ...pass      passes
  ...fail      fails
  ...pollute   passes, and makes every '...victim' after it in the same process fail
  ...victim    fails where a '...pollute' ran before it in the same process
  ...print     prints text, and bytes that look like the start of a packet
  ...stuck     never ends
  ...crash     ends the process that runs it with SIGSEGV
  ...freeze    stops the parent of the process that runs it (SIGSTOP: the server, in an isolated run), never ends
  ...sleep     takes 50 ms
  ...skip      is skipped
  ...later_X   passes twice in a process, and from then on does what ...X does
MODES holds what each mode does.
"""
import json
import os
import signal
import struct
import sys
import threading
import time
import zlib

DEFAULT_TESTS = ["suite.a_pass", "suite.b_pollute", "suite.c_pass", "suite.d_print", "suite.e_victim"]
EXISTS, INPROGRESS, SUCCESS, SKIP, FAIL, XFAIL = 1, 2, 3, 5, 6, 7
REPEAT = {"features": ["ordered", "isolated", "cancel", "repeat"]}

MODES = {
    # Well-behaved.
    "v1": {"max": 1},
    "v1_old_hello": {"max": 1, "spaced": True},
    "inline": {"max": 1, "inline": True},
    "plain2": {},
    "ordered": {"features": ["ordered"]},
    "good": {"features": ["ordered", "isolated", "cancel"]},
    "good_noisy": {"features": ["ordered", "isolated", "cancel"], "noise": True},
    "good_split": {"features": ["ordered", "isolated", "cancel"], "chunk": 7},
    "good_routed": {"features": ["ordered", "isolated", "cancel"], "route": "node7/3"},
    "good_number_nonce": {"features": ["ordered", "isolated", "cancel"], "unknown": True},
    "repeats": REPEAT,
    "repeats_in_one": {"features": ["ordered", "repeat"]},
    "slow_hello": {"features": ["ordered", "isolated", "cancel"], "hello_delay": 0.3},
    # Versions that do not meet.
    "v7": {"min": 7, "max": 7},
    # No server at all.
    "silent": {"silent": True},
    "text": {"text": "Ran 0 tests in 0.000s\n\nOK\n"},
    "endless_text": {"endless": True},
    "old_program": {"old": True},
    "dies_at_once": {"dies": "start"},
    # Broken.
    "dies_after_hello": {"features": ["ordered", "isolated"], "dies": "hello"},
    "dies_in_run": {"features": ["ordered", "isolated"], "dies": "run"},
    "closes_output": {"features": ["ordered", "isolated"], "dies": "close"},
    "deaf": {"features": ["ordered", "isolated"], "deaf": True},
    "refuses": {"features": ["ordered", "isolated"], "refuses": "the moon is full"},
    "reorders": {"features": ["ordered", "isolated", "cancel"], "reverse": True},
    "runs_extra": {"features": ["ordered", "isolated", "cancel"], "extra": ["suite.z_pass"]},
    "runs_all": {"features": ["ordered", "isolated", "cancel"], "all": True},
    "forgets_victim": {"features": ["ordered", "isolated", "cancel"], "drop_last": True},
    "garbage": {"features": ["ordered", "isolated"], "garbage": True},
    "wrong_nonce": {"features": ["ordered", "isolated"], "wrong_nonce": True},
    "no_done": {"features": ["ordered", "isolated"], "no_done": True},
    "done_twice": {"features": ["ordered", "isolated", "cancel"], "twice": True},
    "leaks_state": {"features": ["ordered", "isolated", "cancel"], "leaks": True},
    "shares_process": {"features": ["ordered", "isolated", "cancel"], "shares": True},
    "deaf_to_cancel": {"features": ["ordered", "isolated", "cancel"], "no_cancel": True},
    "drops_unknown": {"features": ["ordered", "isolated", "cancel"], "dies_on_unknown": True},
    "answers_goodbye": {"features": ["ordered", "isolated", "cancel"], "answers_goodbye": True},
    "ignores_goodbye": {"features": ["ordered", "isolated", "cancel"], "ignores_goodbye": True},
    "ignores_end": {"features": ["ordered", "isolated", "cancel"], "ignores_goodbye": True, "ignores_end": True},
    "lists_unasked": {"features": ["ordered", "isolated", "cancel"], "lists_unasked": True},
    "accepts_unknown_test": {"features": ["ordered", "isolated", "cancel"], "accepts_unknown": True},
    "stuck_in_run": {"features": ["ordered", "isolated", "cancel"], "stuck_in_run": True},
    "leaves_child": {"features": ["ordered", "isolated", "cancel"], "leaves_child": True},
    "repeats_twice": dict(REPEAT, most_repeats=2),
    "repeats_on": dict(REPEAT, repeats_on=True),
    "repeats_each": dict(REPEAT, repeats_each=True),
    "repeats_in_silence": dict(REPEAT, repeats_in_silence=True),
    "rejects_old": {"min": 2, "features": ["ordered"]},
}


def varint(value):
    if value < 0x40:
        return bytes([value])
    if value < 0x4000:
        return struct.pack(">H", value | 0x4000)
    if value < 0x400000:
        return struct.pack(">I", value | 0x800000)[1:]
    return struct.pack(">I", value | 0xC0000000)


def text(value):
    data = value.encode("utf8")
    return varint(len(data)) + data


def packet(test_id, status=0, file_name=None, content=b"", mime=None, eof=False, stamp=None, route=None):
    flags = 0x2000 | 0x0800 | status
    body = b""
    if stamp is not None:
        flags |= 0x0200
        body += struct.pack(">I", int(stamp)) + varint(int(stamp % 1 * 1e9))
    body += text(test_id)
    if status:
        flags |= 0x0100
    if mime is not None:
        flags |= 0x0020
        body += text(mime)
    if file_name is not None:
        flags |= 0x0040 | (0x0010 if eof else 0)
        body += text(file_name) + varint(len(content)) + content
    if route is not None:
        flags |= 0x0400
        body += text(route)
    length = 3 + len(body) + 4
    for size in (1, 2, 3):
        if length + size < (0x40, 0x4000, 0x400000)[size - 1]:
            break
    prefix = varint(length + size)
    if len(prefix) < size:  # the length field itself pushed it over: a non-minimal encoding is legal
        prefix = struct.pack(">H", (length + size) | 0x4000) if size == 2 else struct.pack(">I", (length + size) | 0x800000)[1:]
    data = b"\xb3" + struct.pack(">H", flags) + prefix + body
    return data + struct.pack(">I", zlib.crc32(data))


def read_packets(read):
    """Yields (test id, mime, file name, content, eof) of each packet; read() gives bytes, b'' at the end."""
    buffer = b""
    while True:
        while True:
            start = buffer.find(b"\xb3")
            buffer = b"" if start < 0 else buffer[start:]
            if len(buffer) < 6:
                break
            size = (buffer[3] >> 6) + 1
            length = int.from_bytes(bytes([buffer[3] & 0x3F]) + buffer[4:3 + size], "big")
            if len(buffer) < length:
                break
            one, buffer = buffer[:length], buffer[length:]
            yield decode(one, 3 + size)
        chunk = read()
        if not chunk:
            return
        buffer += chunk


def decode(data, at):
    flags = struct.unpack(">H", data[1:3])[0]

    def number():
        nonlocal at
        size = (data[at] >> 6) + 1
        value = int.from_bytes(bytes([data[at] & 0x3F]) + data[at + 1:at + size], "big")
        at += size
        return value

    def string():
        nonlocal at
        size = number()
        at += size
        return data[at - size:at]

    if flags & 0x0200:
        at += 4
        number()
    test_id = string().decode() if flags & 0x0800 else None
    if flags & 0x0080:
        for _ in range(number()):
            string()
    mime = string().decode() if flags & 0x0020 else None
    name, content = (string().decode(), string()) if flags & 0x0040 else (None, b"")
    return test_id, mime, name, content, bool(flags & 0x0010)


class Server:
    def __init__(self, mode, tests):
        self.mode, self.tests = MODES[mode], tests
        self.lock = threading.Lock()
        self.sending = threading.Lock()  # the packets of a message stand together
        self.polluted = False
        self.later = {}  # test -> how often it ran in this process
        self.version = 1
        self.children = {}  # nonce -> process id, 0 before it has one, None once cancelled; none has been reaped
        self.reaping = threading.Lock()  # guards children, and that none of them starts or is reaped meanwhile
        self.out = os.dup(1)

    def write(self, data):
        with self.lock:
            while data:
                data = data[os.write(self.out, data):]

    def send(self, message):
        content = json.dumps(message).encode()
        if self.mode.get("unknown"):
            message = dict(message, future={"field": [1, None]})
            content = json.dumps(message).encode()
        size = self.mode.get("chunk") or 1 << 20
        mime = "application/json; charset=utf8"
        chunks = [content[i:i + size] for i in range(0, len(content), size)]
        with self.sending:
            for index, chunk in enumerate(chunks):
                if self.mode.get("noise"):
                    self.write("between packets \u00b3 ...\n".encode("latin-1"))
                self.write(packet("testrepository-rpc", file_name="message", content=chunk,
                                  mime=mime if index == 0 else None, eof=index == len(chunks) - 1,
                                  route=self.mode.get("route")))

    def event(self, test_id, status, **more):
        self.write(packet(test_id, status, stamp=time.time(), route=self.mode.get("route"), **more))

    def run_one(self, test_id, announced=True):
        """Whether it passed."""
        if announced:
            self.event(test_id, INPROGRESS)
        status, details = SUCCESS, None
        self.later[test_id] = self.later.get(test_id, 0) + 1
        if "later_" in test_id and self.later[test_id] < 3:
            status, details = XFAIL, "AssertionError: expected, in run %d" % self.later[test_id]
        elif test_id.endswith("skip"):
            status = SKIP
        elif test_id.endswith("fail"):
            status, details = FAIL, "AssertionError: always"
        elif test_id.endswith("pollute"):
            self.polluted = True
        elif test_id.endswith("victim") and self.polluted:
            status, details = FAIL, 'File "suite.py", line 7, in victim\nAssertionError: polluted'
        elif test_id.endswith("print"):
            self.write(b"plain text, then a stray byte: \xb3\x29\x01\xff\n")
        elif test_id.endswith("sleep"):
            time.sleep(0.05)
        elif test_id.endswith(("stuck", "freeze")):
            if test_id.endswith("freeze"):
                os.kill(os.getppid(), signal.SIGSTOP)
            while True:
                time.sleep(60)
        elif test_id.endswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(60)  # another thread may be the one that takes the signal
        if details:
            self.event(test_id, 0, file_name="traceback", content=details.encode(), mime="text/plain;charset=utf8", eof=True)
        self.event(test_id, status)
        return status in (SUCCESS, XFAIL)

    def run_tests(self, wanted, repeat=1):
        mode = self.mode
        if mode.get("dies") == "run":
            self.event(wanted[0], INPROGRESS)
            sys.stderr.write("tiny server: out of cheese\n")
            sys.stderr.flush()
            os._exit(3)
        if mode.get("dies") == "close":
            os.close(self.out)
            os.close(1)
            time.sleep(600)
        if mode.get("stuck_in_run"):
            self.lock.acquire()
            time.sleep(600)
        if mode.get("garbage"):
            self.write(bytes(range(256)) * 8)
            return
        if mode.get("reverse"):
            wanted = wanted[::-1]
        if mode.get("all"):
            wanted = self.tests
        if mode.get("drop_last"):
            wanted = wanted[:-1]
        for place, test_id in enumerate(mode.get("extra", []) + wanted, 1):
            if test_id in self.tests or test_id in mode.get("extra", []):
                last = place == len(mode.get("extra", []) + wanted)
                times = min(repeat, mode.get("most_repeats", repeat)) if last or mode.get("repeats_each") else 1
                for number in range(times):
                    passed = self.run_one(test_id, number == 0 or not mode.get("repeats_in_silence"))
                    if not passed and not mode.get("repeats_on"):
                        break

    def done(self, nonce, status="ok", reason=""):
        if self.mode.get("no_done"):
            return
        message = {"msg": "Done", "nonce": "never seen" if self.mode.get("wrong_nonce") else nonce}
        if self.version > 1 and status != "ok":
            message.update(status=status, reason=reason)
        self.send(message)
        if self.mode.get("twice"):
            self.send(message)

    def run(self, message):
        nonce = message["nonce"]
        wanted = message.get("tests", self.tests)
        if self.mode.get("refuses"):
            return self.done(nonce, "refused", self.mode["refuses"])
        if self.version > 1 and not self.mode.get("accepts_unknown"):
            missing = [test for test in wanted if test not in self.tests]
            if missing:
                return self.done(nonce, "refused", "no such test: " + missing[0])
            features = self.mode.get("features", [])
            for field, feature in (("order", "ordered"), ("isolation", "isolated")):
                if field in message and feature not in features:
                    return self.done(nonce, "refused", "no " + feature + " runs here")
        repeat = message.get("repeat", 1) if "repeat" in self.mode.get("features", []) else 1
        if message.get("isolation") == "process" and self.version > 1 and not self.mode.get("shares"):
            if self.mode.get("leaks") and "suite.b_pollute" in wanted:
                self.polluted = True
            with self.reaping:  # a Cancel comes before there is a process, or finds it
                child = None
                if self.children[nonce] is not None:
                    self.lock.acquire()  # no other thread may hold it across the fork
                    child = os.fork()
                    self.lock.release()
                    self.children[nonce] = child
            if child is None:
                return self.done(nonce, "cancelled")
            if child == 0:
                if self.mode.get("leaves_child") and os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    time.sleep(600)
                try:
                    self.run_tests(wanted, repeat)
                finally:
                    os._exit(0)
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            with self.reaping:
                _, status = os.waitpid(child, 0)
                cancelled = self.children.pop(nonce) is None
            if cancelled:
                return self.done(nonce, "cancelled")
            if os.WIFSIGNALED(status) or os.WEXITSTATUS(status):
                how = "died with signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else \
                    "exited with status %d" % os.WEXITSTATUS(status)
                if os.WIFEXITED(status) and self.mode.get("dies") == "run":
                    os._exit(3)
                return self.done(nonce, "error", "the process that ran the tests " + how)
        else:
            self.run_tests(wanted, repeat)
        self.done(nonce)

    def handle_text(self, whole):
        """False: the conversation is over. What is no valid message is ignored."""
        try:
            message = json.loads(whole)
            wanted = message.get("tests") or []
        except (ValueError, AttributeError):
            return True
        needs_nonce = message.get("msg") in ("List", "Run", "Cancel")
        if needs_nonce and ("nonce" not in message or not isinstance(wanted, list)):
            return True
        return self.handle(message)

    def handle(self, message):
        kind = message.get("msg")
        if kind == "Hello":
            if self.mode.get("hello_delay"):
                time.sleep(self.mode["hello_delay"])
            low, high = self.mode.get("min", 1), self.mode.get("max", 2)
            answer = {"msg": "Hello", "max": high, "min": low}
            self.version = min(high, message["max"])
            if self.version > 1:
                answer.update(server="tiny_server 1.0", features=self.mode.get("features", []))
            self.send(answer)
            if self.mode.get("dies") == "hello":
                sys.stderr.write("tiny server: lost my footing\n")
                sys.stderr.flush()
                os._exit(4)
        elif self.mode.get("deaf"):
            pass
        elif kind == "List":
            wanted = message.get("tests")
            for test_id in self.tests:
                if wanted is None or test_id in wanted or self.mode.get("lists_unasked"):
                    self.event(test_id, EXISTS)
            self.done(message["nonce"])
        elif kind == "Run":
            with self.reaping:
                self.children[message["nonce"]] = 0
            if self.mode.get("inline"):
                self.run(message)
            else:
                threading.Thread(target=self.run, args=(message,), daemon=True).start()
        elif kind == "Cancel" and not self.mode.get("no_cancel"):
            with self.reaping:
                child = self.children.get(message["nonce"])
                if child:
                    os.kill(child, signal.SIGKILL)
                if child is not None:
                    self.children[message["nonce"]] = None
        elif kind == "Goodbye":
            if self.mode.get("answers_goodbye"):
                self.send({"msg": "Goodbye"})
            return self.mode.get("ignores_goodbye")
        elif self.mode.get("dies_on_unknown") and kind != "Cancel":
            os._exit(5)
        return True

    def serve(self):
        mode = self.mode
        if mode.get("dies") == "start":
            sys.stderr.write("tiny server: cannot find my tests\n")
            return 3
        if mode.get("silent"):
            time.sleep(600)
        if mode.get("text"):
            self.write(mode["text"].encode())
            return 0
        while mode.get("endless"):
            self.write(b"la la la\n" * 100)
            time.sleep(0.01)
        if mode.get("old"):
            for test_id in self.tests:
                self.run_one(test_id)
            return 0
        content = {}
        for test_id, mime, name, chunk, eof in read_packets(lambda: os.read(0, 65536)):
            if test_id != "testrepository-rpc":
                continue
            first_mime, so_far = content.get(name, (mime, b""))
            content[name] = first_mime, so_far + chunk
            if not eof:
                continue
            first_mime, whole = content.pop(name)
            if (first_mime or "").split(";")[0].strip() != "application/json":
                continue
            if not self.handle_text(whole):
                break
        else:
            while mode.get("ignores_end"):
                time.sleep(60)
        self.reaping.acquire()  # for good: no Run that is still to start may fork after this
        for child in self.children.values():
            if child:
                os.kill(child, signal.SIGKILL)
        return 0


if __name__ == "__main__":
    if os.environ.get("TINY_SERVER_PIDS"):
        with open(os.environ["TINY_SERVER_PIDS"], "a") as pids:
            pids.write("%d\n" % os.getpid())
    os._exit(Server(sys.argv[1], sys.argv[2:] or DEFAULT_TESTS).serve())
