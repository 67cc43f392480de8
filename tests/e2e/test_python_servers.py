#!/usr/bin/python3
"""The unittest server, as a real process with real projects, against python-subunit's own runner."""

import os
import shutil
import subprocess
import unittest

from rpc_harness import PYTEST, PYTHON, SCRIPTS, SOURCE, UNITTEST, environment, rpc
from server_behaviour import Behaviour, ProjectCase, packets_of

FIXTURES = {"pkg/__init__.py": "", "pkg/test_a.py": """
    import os, unittest

    def log(text):
        with open(os.environ["LOG"], "a") as file:
            file.write(f"{text}\\n")

    def setUpModule(): log("+module a")
    def tearDownModule(): log("-module a")

    class One(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            log("+class One"); cls.addClassCleanup(log, "cleanup One")
        @classmethod
        def tearDownClass(cls): log("-class One")
        def setUp(self): log("+" + self.id())
        def tearDown(self): log("-" + self.id())
        def test_1(self): pass
        def test_2(self): self.fail()

    class Two(One):
        @classmethod
        def setUpClass(cls): log("+class Two")
        @classmethod
        def tearDownClass(cls): log("-class Two"); raise Exception("tearDownClass fails")

    class Broken(One):
        @classmethod
        def setUpClass(cls): log("+class Broken"); raise Exception("setUpClass fails")
    """, "pkg/test_b.py": """
    import unittest
    from pkg.test_a import log
    def setUpModule(): log("+module b"); unittest.addModuleCleanup(log, "cleanup b")
    def tearDownModule(): log("-module b")
    class Three(unittest.TestCase):
        def test_1(self): log("b 1")
        def test_2(self): log("b 2")
    """, "pkg/test_c.py": """
    import unittest
    from pkg.test_a import log
    def setUpModule(): log("+module c"); raise Exception("setUpModule fails")
    class Four(unittest.TestCase):
        def test_1(self): log("c 1")
    """}


class UnittestServer(Behaviour, ProjectCase):
    COMMAND, ARGUMENTS, ID = UNITTEST, ["discover", "."], "test_nasty.Nasty.{}"
    UNHARMED = (*Behaviour.UNHARMED, "closes_all", "reads_stdin")

    def test_system_exit(self):
        # unittest keeps a SystemExit to the test, as it does in a run of its own.
        self.assertEqual([(self.id("test_system_exit"), "fail"), (self.id("test_ok"), "success")],
                         self.start_server().run(self.ids("system_exit", "ok")).results)

    def test_a_list_longer_than_a_pipe_holds(self):
        server = self.start_server()
        for isolated in (True, False, False):
            outcome = server.run(self.ids("ok", "ok2") * 2500, isolated=isolated)
            self.assertEqual((self.ids("ok", "ok2") * 2500, "ok"), (outcome.order, outcome.done.status))

    def test_closed_stdout(self):
        server = self.start_server()
        self.assertEqual("ok", server.run(self.ids("closes_stdout", "ok")).done.status)
        self.assertClean(server)

    def test_output_can_be_attached(self):
        server = self.start_server("--attach-stdout")
        outcome = server.run(self.ids("ok", "prints", "ok2", "prints_10_mb"))
        self.assertEqual({}, outcome.files(self.id("test_ok")))
        text = outcome.files(self.id("test_prints_10_mb"))["stdout"]
        self.assertTrue(text.startswith("[8951424 bytes left out]\n"))
        self.assertEqual((1 << 20) + 25, len(text))
        data = b"".join(p.file_bytes for p in outcome.packets if p.test_id == self.id("test_prints") and p.file_name)
        for piece in (b"sys.stdout\n", b"sys.__stdout__", b"descriptor 1 \xb3", b"from a child\n"):
            self.assertIn(piece, data)
        self.assertEqual({}, outcome.files(self.id("test_ok2")))

    def test_runs_as_a_module_and_by_names(self):
        for command in ([PYTHON, "-m", "flakebisect_servers.unittest_server", "test_nasty"],
                        [PYTHON, "-m", "flakebisect_servers.unittest_server", "test_nasty.Nasty.test_ok"],
                        [PYTHON, "-m", "flakebisect_servers.unittest_server"]):
            server = self.serve(command, PYTHONPATH=SCRIPTS)
            self.assertIn(self.id("test_ok"), server.list().existing)
            self.assertEqual(self.ids("ok"), server.run(self.ids("ok")).order)

    def test_usage_error_does_not_enter_server_mode(self):
        done = subprocess.run([*UNITTEST, "discover", "no/such/folder"], cwd=self.project, env=environment(),
                              input=rpc.Client().hello(), capture_output=True, timeout=60)
        self.assertEqual((b"", 1), (done.stdout, done.returncode))
        self.assertIn(b"no/such/folder", done.stderr)
        done = subprocess.run([*UNITTEST, "--max-version", "9"], cwd=self.project, env=environment(),
                              input=b"", capture_output=True, timeout=60)
        self.assertEqual((b"", 2), (done.stdout, done.returncode))


class ForksThatHang(ProjectCase):
    """An import that leaves a fork stuck, as a lock held by a thread of the server does."""

    FILES = {"test_stuck.py": """
        import os, time, unittest
        os.register_at_fork(after_in_child=lambda: time.sleep(1000))
        class Case(unittest.TestCase):
            def test(self): pass
        """}

    def test_the_server_stays_responsive(self):
        server = self.serve(UNITTEST)
        for isolated in (True, False):
            # The list is longer than a pipe holds.
            nonce = server.start(["test_stuck.Case.test"] * 20_000, isolated=isolated)
            self.assertEqual("ok", server.list([]).done.status)
            server.send(server.client.cancel(nonce))
            self.assertEqual("cancelled", server.collect(nonce).done.status)
        self.assertEqual((0, b""), server.goodbye())


class OtherBackend(ProjectCase):
    """A server for another framework, on service.py."""

    FILES = {"mine.py": """
        from flakebisect_servers.channel import claim
        from flakebisect_servers.service import Service

        class Backend:
            name = "mine"
            def test_ids(self): return ("a", "b")
            def knows(self, test_id): return test_id in self.test_ids()
            def listing_errors(self): return None
            def enter_child(self): pass
            def run(self, test_ids, stream):
                for test_id in test_ids:
                    stream.started(test_id)
                    stream.finished(test_id, "success")

        Service(Backend(), claim()).serve()
        """}

    def test_one_that_cannot_repeat_does_not_offer_it(self):
        server = self.serve([PYTHON, "mine.py"], PYTHONPATH=SCRIPTS)
        self.assertEqual({"ordered", "isolated", "cancel"}, server.ready.features)
        self.assertEqual(["b", "a"], server.run(["b", "a"]).order)
        self.assertEqual((0, b""), server.goodbye())


class UnittestAgainstSubunitRun(ProjectCase):
    """The same lists, results, attachments and fixtures as python-subunit's own runner."""

    FILES = {**FIXTURES, "pkg/test_mixed.py": """
        import unittest, testtools
        from testtools.content import text_content
        class Plain(unittest.TestCase):
            def test_skip(self): self.skipTest("why é")
            def test_sub(self):
                for number in range(3):
                    with self.subTest(number=number): self.assertEqual(number, 1)
            @unittest.expectedFailure
            def test_xfail(self): self.fail("x")
            @unittest.expectedFailure
            def test_uxsuccess(self): pass
            @unittest.skip("decorated")
            def test_skipped(self): pass
        @unittest.skip("whole class")
        class Skipped(unittest.TestCase):
            def test(self): pass
        class SkippedInSetUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls): raise unittest.SkipTest("in setUpClass")
            def test(self): pass
        class Tools(testtools.TestCase):
            def test_details(self):
                self.addDetail("extra", text_content("hello"))
                self.assertEqual(1, 2)
            def test_two_errors(self):
                self.addCleanup(lambda: 1 / 0)
                1 / 0
            def test_ok_with_details(self): self.addDetail("extra", text_content("hello"))
            def test_skip(self): self.skipTest("testtools")
            def test_expect(self): self.expectFailure("known", self.assertEqual, 1, 2)
        """, "pkg/test_broken.py": "import no_such_module\n"}

    def reference(self, *arguments):
        return self.plain_run([PYTHON, "-m", "subunit.run", *arguments])

    def test_listing(self):
        data = self.reference("discover", "-t", ".", "pkg", "--list")
        expected = [test_id for test_id, _ in packets_of(data)[0]]
        self.assertEqual(22, len(expected))
        listing = self.serve([*UNITTEST, "discover", "-t", ".", "pkg"]).list()
        self.assertEqual(expected, listing.existing)
        self.assertIn("no_such_module", listing.files()["import errors"])
        self.assertEqual("ok", listing.done.status)
        self.assertIn("could not be imported", listing.done.reason)

    def test_whole_run(self):
        results, files = packets_of(self.reference("discover", "-t", ".", "pkg"))
        expected_log = self.take_log()
        results = [r for r in results if r[1] != "exists"]
        server = self.serve([*UNITTEST, "discover", "-t", ".", "pkg"])
        for isolated in (True, False, False):
            outcome = server.run(ordered=False, isolated=isolated)
            self.assertEqual(results, outcome.results)
            self.assertEqual(expected_log, self.take_log())
            self.assertEqual(files, {test_id: set(outcome.files(test_id)) for test_id in outcome.order
                                     if outcome.files(test_id)})

    def test_fixtures_of_any_order(self):
        one, two, three = (f"pkg.{name}" for name in ("test_a.One", "test_a.Two", "test_b.Three"))
        server = self.serve([*UNITTEST, "discover", "-t", ".", "pkg"])
        for wanted in ([f"{one}.test_1", f"{three}.test_2", f"{one}.test_2", f"{three}.test_1"],
                       [f"{two}.test_2", f"{one}.test_1", f"{two}.test_1"],
                       ["pkg.test_c.Four.test_1", f"{three}.test_1", "pkg.test_a.Broken.test_1", f"{one}.test_2"],
                       [f"{three}.test_1", "pkg.test_c.Four.test_1", "pkg.test_a.Broken.test_2",
                        "pkg.test_a.Broken.test_1", f"{two}.test_1", f"{three}.test_2"]):
            expected = [r for r in packets_of(self.reference(*wanted))[0] if r[1] != "exists"]
            expected_log = self.take_log()
            self.assertIn("-module b", expected_log) if any("Three" in w for w in wanted) else None
            outcome = server.run(wanted)
            self.assertEqual((expected, expected_log), (outcome.results, self.take_log()))

    def test_fixtures_of_a_repeated_test(self):
        one, two, broken, four = (f"pkg.{name}" for name in ("test_a.One", "test_a.Two", "test_a.Broken",
                                                             "test_c.Four"))
        server = self.serve([*UNITTEST, "discover", "-t", ".", "pkg"])
        for isolated in (True, False):
            outcome = server.run([f"{one}.test_2", f"{one}.test_1"], isolated=isolated, repeat=3)
            self.assertEqual([(f"{one}.test_2", "fail")] + [(f"{one}.test_1", "success")] * 3, outcome.results)
            self.assertEqual(["+module a", "+class One", f"+{one}.test_2", f"-{one}.test_2",
                              *[f"+{one}.test_1", f"-{one}.test_1"] * 3, "-class One", "cleanup One", "-module a"],
                             self.take_log())
            # The end of another class fails: that is not the repeated test.
            outcome = server.run([f"{two}.test_1", f"{one}.test_1"], isolated=isolated, repeat=3)
            self.assertEqual([f"{two}.test_1", "tearDownClass (pkg.test_a.Two)", *[f"{one}.test_1"] * 3],
                             outcome.order)
            # Its own fixtures fail: it does not run, and not again.
            for before, test_id, fixture in (([], f"{broken}.test_1", "setUpClass (pkg.test_a.Broken)"),
                                             ([f"{one}.test_1"], f"{four}.test_1", "setUpModule (pkg.test_c)")):
                outcome = server.run([*before, test_id], isolated=isolated, repeat=3)
                self.assertEqual([*before, fixture], outcome.order)
            self.take_log()

    def test_unknown_test_names_the_module_that_failed(self):
        outcome = self.serve([*UNITTEST, "discover", "-t", ".", "pkg"]).run(["pkg.test_broken.Case.test"])
        self.assertEqual("refused", outcome.done.status)
        self.assertIn("no_such_module", outcome.done.reason)


class Seeds(ProjectCase):
    FILES = {"test_seed.py": """
        import os, random, unittest
        if os.environ.get("SEED"): random.seed(int(os.environ["SEED"]))
        class Case(unittest.TestCase):
            def test_draw(self):
                with open(os.environ["LOG"], "a") as file: file.write(f"{random.random()}\\n")
        """}

    def test_a_seed_set_at_import_holds_in_each_fork_as_in_a_new_process(self):
        for command, test_id in ((UNITTEST, "test_seed.Case.test_draw"), (PYTEST, "test_seed.py::Case::test_draw")):
            self.plain_run([PYTHON, "-m", "unittest", "test_seed"], SEED="5")
            seeded = self.take_log()
            server = self.serve(command, SEED="5")
            server.run([test_id]), server.run([test_id])
            self.assertEqual(seeded * 2, self.take_log())

    def test_without_a_seed_forks_differ_as_new_processes_do(self):
        server = self.serve(UNITTEST)
        for _ in range(3):
            server.run(["test_seed.Case.test_draw"])
        self.assertEqual(3, len(set(self.take_log())))

    def test_hash_seed_is_shared_by_the_forks_of_a_server(self):
        shutil.copytree(os.path.join(SOURCE, "tests", "data", "hashseed_suite"), self.project, dirs_exist_ok=True)
        for command, victim in ((UNITTEST, "test_settings.MergeTest.test_last_layer_wins"),
                                (PYTEST, "test_settings.py::MergeTest::test_last_layer_wins")):
            for seed, expected in (("2", "fail"), ("3", "success")):
                server = self.serve(command, PYTHONHASHSEED=seed)
                statuses = {server.run([victim]).results[0][1] for _ in range(3)}
                self.assertEqual({expected}, statuses)
                self.assertEqual(22 + 1, len(server.list().existing))


if __name__ == "__main__":
    unittest.main()
