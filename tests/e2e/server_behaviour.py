"""What the unittest and the pytest server do the same, as tests to be mixed into a case for each."""

import io
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import subunit
from testtools import StreamResult

from rpc_harness import ServerProcess, alive, environment, kill_quietly, packets, rpc, until, write_project

#: How many probes the memory and descriptor test makes. FLAKEBISECT_LONG=1 makes it thousands.
PROBES = 3000 if os.environ.get("FLAKEBISECT_LONG") else 150

# Tests that do what tests should not. Written for unittest, which pytest collects too.
NASTY = {"test_nasty.py": """
    import atexit, ctypes, os, shutil, signal, subprocess, sys, tempfile, time, unittest
    from unittest import mock

    STATE = []
    FOLDER = tempfile.mkdtemp()  # gone when the process ends that made it
    atexit.register(shutil.rmtree, FOLDER)
    HERE = os.environ["HERE"]

    def note(name, text):
        with open(os.path.join(HERE, name), "a") as file:
            file.write(f"{text}\\n")

    class Nasty(unittest.TestCase):
        def test_ok(self): pass
        def test_ok2(self): pass
        def test_fail(self): self.assertEqual("expected", "found")
        def test_skip(self): self.skipTest("no reason")
        def test_pollute(self): STATE.append(1)
        def test_victim(self): self.assertEqual([], STATE)
        def test_wears(self):
            STATE.append("wears")
            self.assertLess(STATE.count("wears"), 3, f"run {STATE.count('wears')}")
        def test_skips_later(self):
            STATE.append("skips")
            if STATE.count("skips") == 3: self.skipTest("enough")
        def test_exits_later(self):
            STATE.append("exits")
            if STATE.count("exits") == 3: os._exit(3)
        def test_fresh(self):
            self.assertFalse(hasattr(self, "used"))
            self.used = True
        def test_prints(self):
            print("sys.stdout"); print("sys.stderr", file=sys.stderr)
            sys.__stdout__.write("sys.__stdout__")
            os.write(1, b"descriptor 1 \\xb3\\x29\\x01"); os.write(2, b"descriptor 2")
            subprocess.run(["/bin/sh", "-c", "echo from a child; echo and its errors >&2"])
        def test_prints_10_mb(self):
            line = b"x" * 999 + b"\\n"
            for _ in range(10_000): os.write(1, line)
        def test_closes_1(self): os.close(1)
        def test_closes_all(self): os.closerange(3, 4096)
        def test_closes_stdout(self): sys.stdout.close()
        def test_reads_stdin(self): self.assertEqual("", sys.stdin.read())
        def test_forks_and_goes_on(self):
            # The copy returns into the test framework and runs the rest of the list as well.
            if os.fork(): os.wait()
        def test_exits(self): os._exit(3)
        def test_exits_0(self): os._exit(0)
        def test_segfault(self): ctypes.string_at(0)
        def test_killed(self): os.kill(os.getpid(), signal.SIGKILL)
        def test_system_exit(self): sys.exit("out")
        def test_interrupt(self): raise KeyboardInterrupt
        def test_hangs(self):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(["sleep", "1000"])
            note("pids", child.pid); note("pids", os.getpid())
            time.sleep(1000)
        def test_daemon(self):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    note("daemon", os.getpid())
                    time.sleep(1000)
                os._exit(0)
            os.wait()
            # Opening makes the file, closing writes it: an empty one is not yet a note.
            path = os.path.join(HERE, "daemon")
            while not (os.path.exists(path) and os.path.getsize(path)): time.sleep(0.001)
        def test_leaves_a_child(self): note("left", subprocess.Popen(["sleep", "1000"]).pid)
        def test_patches(self):
            for name in ("os.write", "os.getpid", "os.fstat", "time.time_ns", "zlib.crc32", "json.dumps"):
                patch = mock.patch(name, side_effect=AssertionError(name)); patch.start()
        def test_folder(self): self.assertTrue(os.path.isdir(FOLDER))
        def test_registers(self): atexit.register(note, "exits", "mine")
        def test_group(self): note("group", f"{os.getpid()} {os.getpgrp()}")
        def test_channel_is_out_of_reach(self):
            kinds = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                     if os.path.exists(f"/proc/self/fd/{n}")]
            note("descriptors", kinds)
            shown = subprocess.run(["ls", "-l", "/proc/self/fd"], stdout=subprocess.PIPE, text=True).stdout
            note("inherited", len([line for line in shown.splitlines() if "pipe" in line]))
"""}

def packets_of(data):
    """python-subunit's reading of a stream: [(id, status), ...] of the tests, and the names of their files."""
    results, files = [], {}

    class Keep(StreamResult):
        def status(self, test_id=None, test_status=None, file_name=None, **_):
            if test_status not in (None, "inprogress"):
                results.append((test_id, test_status))
            if file_name is not None and test_id is not None:
                files.setdefault(test_id, set()).add(file_name)

    subunit.ByteStreamToStreamResult(io.BytesIO(data), non_subunit_name="stdout").run(Keep())
    return results, files


class ProjectCase(unittest.TestCase):
    FILES = {}

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.project = os.path.join(self.folder, "project")
        self.here = os.path.join(self.folder, "here")
        os.mkdir(self.here)
        write_project(self.project, self.FILES)

    def serve(self, command, **more):
        server = ServerProcess(command, self.project, HERE=self.here, LOG=self.log, **more)
        self.addCleanup(server.__exit__)
        return server

    @property
    def log(self):
        return os.path.join(self.here, "log")

    def noted(self, name):
        try:
            with open(os.path.join(self.here, name), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def take_log(self):
        lines = self.noted("log")
        if lines:
            os.remove(self.log)
        return lines

    def plain_run(self, command, **more):
        """Runs a program to its end; its standard output as bytes."""
        done = subprocess.run(command, cwd=self.project, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              env=environment(HERE=self.here, LOG=self.log, **more))
        self.last_status, self.last_errors = done.returncode, done.stderr.decode(errors="replace")
        return done.stdout


class Behaviour:
    """What both servers do the same. COMMAND starts the server, ID makes an id of a test's name."""

    FILES = NASTY
    #: Tests that pass although they do what they should not.
    UNHARMED = ("prints", "prints_10_mb", "closes_1", "forks_and_goes_on", "patches")
    NAMES = re.findall(r"def (test_\w+)", NASTY["test_nasty.py"])

    def id(self, name=None):
        return super().id() if name is None else self.ID.format(name)

    def ids(self, *names):
        return [self.id(f"test_{name}") for name in names]

    def start_server(self, *options, **more):
        return self.serve([*self.COMMAND, *options, *self.ARGUMENTS], **more)

    def assertClean(self, server):
        """The channel carried subunit alone, and the server still serves."""
        outcome = server.run(self.ids("ok"))
        self.assertEqual([(self.id("test_ok"), "success")], outcome.results)
        self.assertEqual(b"", server.stray)
        self.assertEqual([], [e for e in server.events if isinstance(e, rpc.Ignored)])

    def test_hello_list_run_goodbye(self):
        server = self.start_server()
        self.assertEqual(2, server.ready.version)
        self.assertEqual({"ordered", "isolated", "cancel", "repeat"}, server.ready.features)
        self.assertIn("flakebisect-servers", server.ready.server)
        listing = server.list()
        self.assertEqual(sorted(map(self.id, self.NAMES)), sorted(listing.existing))
        self.assertEqual(("ok", None), (listing.done.status, listing.done.reason))
        some = server.list([self.id("test_ok"), "no such test", self.id("test_fail")])
        self.assertEqual(self.ids("ok", "fail"), some.existing)
        self.assertEqual([], server.list([]).existing)
        wanted = self.ids("skip", "ok", "fail", "ok2")
        outcome = server.run(wanted)
        self.assertEqual(list(zip(wanted, ("skip", "success", "fail", "success"))), outcome.results)
        self.assertEqual(wanted, outcome.started)
        self.assertEqual("no reason", outcome.files(wanted[0])["reason"].removeprefix("Skipped: "))
        self.assertIn("expected", outcome.files(wanted[2])["traceback"])
        times = [p.timestamp_ns for p in outcome.packets]
        self.assertEqual(sorted(times), times)
        self.assertEqual((0, b""), server.goodbye())

    def test_any_order_and_repetition(self):
        server = self.start_server()
        for isolated in (True, False):
            for wanted in (self.ids("ok2", "victim", "ok", "fail"), self.ids("ok", "fail", "ok2", "victim"),
                           self.ids("ok", "ok", "fail", "ok", "fail", "fail"), []):
                outcome = server.run(wanted, isolated=isolated)
                self.assertEqual((wanted, "ok"), (outcome.order, outcome.done.status))

    def test_the_last_test_is_repeated_until_it_does_not_pass(self):
        server = self.start_server()
        def run(*names, times=10, isolated=True):
            outcome = server.run(self.ids(*names), isolated=isolated, repeat=times)
            self.assertEqual([test_id for test_id, _ in outcome.results],
                             [test_id for test_id in outcome.started if test_id not in outcome.unfinished])
            self.assertTrue(all(p.timestamp_ns for p in outcome.packets))
            return outcome
        for isolated in (True, False):
            outcome = run("ok2", "fail", "ok", times=5, isolated=isolated)
            once = [(self.id("test_ok2"), "success"), (self.id("test_fail"), "fail")]
            self.assertEqual(once + [(self.id("test_ok"), "success")] * 5, outcome.results)
            self.assertEqual(("ok", None), (outcome.done.status, outcome.done.reason))
            for name, statuses in (("fail", ["fail"]), ("skip", ["skip"]), ("fresh", ["success"] * 10),
                                   ("skips_later", ["success", "success", "skip"]),
                                   ("wears", ["success", "success", "fail"])):
                outcome = run("ok", name, isolated=isolated)
                self.assertEqual([(self.id("test_ok"), "success")] +
                                 [(self.id(f"test_{name}"), status) for status in statuses], outcome.results)
                self.assertEqual("ok", outcome.done.status)
            tracebacks = [p for p in outcome.packets if p.file_name == "traceback"]
            self.assertEqual(1, len(tracebacks))
            self.assertIn(b"run 3", tracebacks[0].file_bytes)
        # Of a run of its own the next isolated one sees nothing; those that share a process see each other.
        self.assertEqual(["success"], [s for _, s in run("wears", times=1).results])
        self.assertEqual(["success"] * 2, [s for _, s in run("wears", times=2).results])
        self.assertEqual(["fail"], [s for _, s in run("wears", isolated=False).results])
        self.assertEqual(["success", "success", "success", "fail"],
                         [s for _, s in run("wears", "ok", "wears").results])
        self.assertEqual(["fail", "success", "success", "success"],
                         [s for _, s in run("fail", "ok", "ok2", times=2).results])
        self.assertEqual(("ok", []), (run().done.status, run().packets))
        self.assertClean(server)

    def test_a_process_that_dies_in_a_later_run(self):
        server = self.start_server()
        for isolated in (True, False):
            outcome = server.run(self.ids("ok", "exits_later"), isolated=isolated, repeat=10)
            self.assertEqual([(i, "success") for i in self.ids("ok", "exits_later", "exits_later")], outcome.results)
            self.assertEqual(self.ids("ok", *["exits_later"] * 3), outcome.started)
            self.assertEqual("error", outcome.done.status)
            self.assertIn("exited with status 3", outcome.done.reason)
            self.assertIn(self.id("test_exits_later"), outcome.done.reason)
        self.assertClean(server)

    def test_repetition_goes_with_a_given_order_only(self):
        server = self.start_server()
        def ask(server, **fields):
            server.client._waiting.add("mine")
            server.send(rpc.encode_message({"msg": "Run", "nonce": "mine", "tests": self.ids("ok"), **fields}))
            return server.collect("mine")
        for fields, reason in (({"repeat": 3}, "given order"), ({"repeat": 1, "order": "given"}, "from 2 on"),
                               ({"repeat": "often", "order": "given"}, "from 2 on")):
            outcome = ask(server, **fields)
            self.assertEqual(("refused", []), (outcome.done.status, outcome.packets))
            self.assertIn(reason, outcome.done.reason)
        for options in (("--without", "repeat"), ("--without", "ordered")):
            less = self.start_server(*options)
            self.assertNotIn("repeat", less.ready.features)
            outcome = ask(less, repeat=3)
            self.assertEqual(("refused", []), (outcome.done.status, outcome.packets))
            self.assertIn("'repeat'", outcome.done.reason)
            self.assertEqual(self.ids("ok2"), less.run(self.ids("ok2")).order)
        self.assertClean(server)

    def test_isolated_runs_share_nothing(self):
        server = self.start_server()
        def victim(isolated):
            return server.run(self.ids("victim"), isolated=isolated).results[0][1]
        self.assertEqual(["success", "fail"], [s for _, s in server.run(self.ids("pollute", "victim")).results])
        self.assertEqual("success", victim(True))
        server.run(self.ids("pollute"), isolated=False)
        self.assertEqual(("fail", "success", "fail"), (victim(False), victim(True), victim(False)))

    def test_refuses_what_it_cannot_do(self):
        server = self.start_server()
        outcome = server.run([self.id("test_pollute"), "no such test"], isolated=False)
        self.assertEqual(("refused", []), (outcome.done.status, outcome.packets))
        self.assertIn("'no such test'", outcome.done.reason)
        self.assertEqual("success", server.run(self.ids("victim"), isolated=False).results[0][1])
        less = self.start_server("--without", "isolated", "--without=cancel", "--without", "repeat")
        self.assertEqual({"ordered"}, less.ready.features)
        less.client.features = frozenset({"isolated"})
        outcome = less.run(self.ids("ok"))
        self.assertEqual("refused", outcome.done.status)
        self.assertIn("isolated", outcome.done.reason)

    def test_version_1_client(self):
        server = self.start_server(max_version=1)
        self.assertEqual((1, frozenset()), (server.ready.version, server.ready.features))
        self.assertIn(self.id("test_ok"), server.list().existing)
        outcome = server.run([*self.ids("ok"), "no such test", *self.ids("exits", "ok2")])
        self.assertEqual((self.ids("ok"), self.ids("exits")), (outcome.order, outcome.unfinished))
        self.assertEqual(("ok", None), (outcome.done.status, outcome.done.reason))
        self.assertEqual(self.ids("ok2"), server.run(self.ids("ok2")).order)
        server.send(rpc.encode_message({"msg": "Cancel", "nonce": "x"}))
        self.assertClean(server)
        self.assertEqual((0, b""), server.goodbye())

    def test_version_1_server(self):
        server = self.start_server("--max-version", "1")
        self.assertEqual((1, None, frozenset()), (server.ready.version, server.ready.server, server.ready.features))
        self.assertEqual(self.ids("ok2", "ok"), server.run(self.ids("ok2", "ok")).order)

    def test_client_of_another_age(self):
        server = self.start_server(hello=False)
        server.send(rpc.Client(7, 7).hello())
        event = server.wait_for(lambda e: isinstance(e, rpc.Ready))  # this client speaks 1 and 2: it can read it
        self.assertEqual(2, event.version)
        server.send(rpc.encode_message({"msg": "List", "nonce": "early"}))
        done = server.wait_for(lambda e: isinstance(e, rpc.Ignored))
        self.assertIn("early", done.reason)
        self.assertEqual((0, b""), server.goodbye())
        self.assertIn("no common protocol version", server.errors())

    def test_garbage_from_the_client(self):
        server = self.start_server()
        server.send(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) + rpc.encode_message({"msg": "Dance", "nonce": "n"}))
        server.send(packets.encode_file("m", b"{", "application/json", test_id=rpc.RPC_ID))
        self.assertClean(server)

    def test_dying_processes(self):
        server = self.start_server()
        ways = {"exits": "exited with status 3", "exits_0": "exited with status 0", "segfault": "SIGSEGV",
                "killed": "SIGKILL", "interrupt": "KeyboardInterrupt"}
        for isolated in (True, False):
            for name, words in ways.items():
                with self.subTest(name, isolated=isolated):
                    outcome = server.run(self.ids("ok", name, "ok2"), isolated=isolated)
                    self.assertEqual((self.ids("ok"), self.ids(name)), (outcome.order, outcome.unfinished))
                    self.assertEqual("error", outcome.done.status)
                    self.assertIn(words, outcome.done.reason)
                    if name != "interrupt":
                        self.assertIn(self.id(f"test_{name}"), outcome.done.reason)
                    self.assertEqual(self.ids("ok2"), server.run(self.ids("ok2"), isolated=isolated).order)
        self.assertClean(server)

    def test_channel_stays_clean(self):
        server = self.start_server()
        for isolated in (True, False):
            for name in self.UNHARMED:
                with self.subTest(name, isolated=isolated):
                    wanted = self.ids("ok", name, "ok2")
                    outcome = server.run(wanted, isolated=isolated)
                    self.assertEqual([(test_id, "success") for test_id in wanted], outcome.results)
                    self.assertEqual("ok", outcome.done.status, outcome.done.reason)
        self.assertClean(server)
        self.assertEqual((0, b""), server.goodbye())

    def test_the_channel_is_out_of_reach_of_tests(self):
        server = self.start_server()
        channel = {os.readlink(f"/proc/{server.pid}/fd/{n}") for n in os.listdir(f"/proc/{server.pid}/fd")
                   if int(n) >= 200}
        self.assertEqual(2, len(channel))
        server.run(self.ids("channel_is_out_of_reach"))
        seen = self.noted("descriptors")[0]
        for link in channel:
            self.assertNotIn(link, seen)
        # A program that a test starts has the one pipe that the test itself reads.
        self.assertEqual(["1"], self.noted("inherited"))

    def test_stuck_test_and_responsive_server(self):
        server = self.start_server()
        for isolated in (True, False):
            nonce = server.start(self.ids("ok", "hangs", "ok2"), isolated=isolated)
            server.wait_started(self.id("test_hangs"))
            until(lambda: len(self.noted("pids")) == 2, "both processes are there")
            ping, data = server.client.list([])
            server.send(data)
            self.assertEqual("ok", server.wait_for(lambda e: isinstance(e, rpc.Done)).status)
            queued = server.start(self.ids("ok2"), isolated=isolated)
            server.send(server.client.cancel(queued))
            self.assertEqual((queued, "cancelled"), self.done(server))
            server.send(server.client.cancel("never sent") + server.client.cancel(nonce))
            outcome = server.collect(nonce)
            self.assertEqual("cancelled", outcome.done.status)
            self.assertIn("test_hangs", outcome.done.reason)
            self.assertEqual((self.ids("ok"), self.ids("hangs")), (outcome.order, outcome.unfinished))
            for pid in self.noted("pids"):
                until(lambda pid=pid: not alive(pid), "what the test started is gone")
            os.remove(os.path.join(self.here, "pids"))
            self.assertClean(server)

    def done(self, server):
        event = server.wait_for(lambda e: isinstance(e, rpc.Done))
        return event.nonce, event.status

    def test_runs_wait_for_each_other(self):
        server = self.start_server()
        first = server.start(self.ids("ok", "fail"))
        second = server.start(self.ids("ok2"), isolated=False)
        third = server.start(self.ids("fail"))
        lists, data = server.client.list([])
        server.send(data)
        order = [self.done(server) for _ in range(4)]
        self.assertEqual([(first, "ok"), (second, "ok"), (third, "ok")], [d for d in order if d[0] != lists])

    def test_isolated_runs_leave_no_process(self):
        server = self.start_server()
        for name, file in (("daemon", "daemon"), ("leaves_a_child", "left")):
            outcome = server.run(self.ids(name, "ok"))
            self.assertEqual(self.ids(name, "ok"), outcome.order)
            self.assertFalse(alive(self.noted(file)[0]), name)
        self.assertClean(server)

    def test_imports_outlive_probes_and_exit_functions_run_once(self):
        server = self.start_server()
        for _ in range(3):
            self.assertEqual([(self.id("test_folder"), "success")], server.run(self.ids("folder")).results)
        server.run(self.ids("registers"))
        self.assertEqual(["mine"], self.noted("exits"))
        server.run(self.ids("ok"))
        self.assertEqual(["mine"], self.noted("exits"))

    def test_every_end_of_the_conversation_ends_the_processes(self):
        def goodbye(server):
            self.assertEqual((0, b""), server.goodbye())

        def end_of_input(server):
            server.process.stdin.close()

        def terminate(server):
            server.process.terminate()

        def kill(server):
            server.process.kill()

        for number, end in enumerate((goodbye, end_of_input, terminate, kill)):
            with self.subTest(end.__name__):
                server = self.start_server()
                server.run(self.ids("group"), isolated=False)
                worker = self.noted("group")[number].split()[0]
                server.start(self.ids("hangs"))
                server.wait_started(self.id("test_hangs"))
                until(lambda: len(self.noted("pids")) == 2, "both processes are there")
                sleeper, runner = self.noted("pids")
                os.remove(os.path.join(self.here, "pids"))
                end(server)
                server.process.wait(60)
                for pid in (worker, runner):
                    until(lambda pid=pid: not alive(pid), "the processes of the server are gone")
                if end is kill:
                    kill_quietly(int(sleeper))  # nobody was left to do it
                until(lambda: not alive(sleeper), "and what they started")

    def test_processes_are_group_leaders(self):
        server = self.start_server()
        server.run(self.ids("group"))
        pid, group = self.noted("group")[0].split()
        self.assertEqual(pid, group)
        self.assertNotEqual(str(os.getpgid(server.pid)), group)

    def test_a_client_that_does_not_read_does_not_stop_the_server(self):
        server = self.start_server()
        # Far more answers than a pipe holds, and requests behind them: both sides would block on naive writes.
        nonces = []
        for _ in range(60):
            nonce, data = server.client.list()
            nonces.append(nonce)
            server.send(data)
        for nonce in nonces:
            self.assertEqual("ok", server.collect(nonce).done.status)

    def test_memory_and_descriptors_stay_flat(self):
        server = self.start_server()

        def figures():
            with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
                private = int(file.read().split()[5])
            return len(os.listdir(f"/proc/{server.pid}/fd")), private * os.sysconf("SC_PAGESIZE")

        for _ in range(50):
            server.run(self.ids("ok"))
        descriptors, memory = figures()
        for number in range(PROBES):
            name = ("ok", "fail", "exits")[number % 3 if number % 10 == 0 else 0]
            server.run(self.ids(name))
        after = figures()
        self.assertEqual(descriptors, after[0])
        self.assertLess(after[1] - memory, 2 << 20)

    def test_a_person_is_told_what_it_is(self):
        master, slave = os.openpty()
        try:
            done = subprocess.run([*self.COMMAND, *self.ARGUMENTS], cwd=self.project, stdin=slave, env=environment(),
                                  capture_output=True, text=True, timeout=60)
        finally:
            os.close(master)
            os.close(slave)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("this is a test server", done.stderr)
