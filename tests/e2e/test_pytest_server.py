#!/usr/bin/python3
"""The pytest server and its companions, as real processes with real projects, against pytest's own runs."""

import os
import shutil
import subprocess
import unittest

from rpc_harness import PYTEST, PYTHON, SCRIPTS, environment, rpc, write_project
from server_behaviour import Behaviour, ProjectCase, packets_of

FIXTURES = {
    "conftest.py": """
        import os, pytest

        def log(text):
            with open(os.environ["LOG"], "a") as file:
                file.write(f"{text}\\n")

        def fixture(scope, name):
            @pytest.fixture(scope=scope, name=name)
            def body(request):
                log(f"+{name}")
                yield name
                log(f"-{name}")
            return body

        session_one = fixture("session", "session_one")
        session_two = fixture("session", "session_two")
        package_one = fixture("package", "package_one")
        module_one = fixture("module", "module_one")
        class_one = fixture("class", "class_one")
        function_one = fixture("function", "function_one")

        @pytest.fixture(autouse=True)
        def each(request):
            log(f"begin {request.node.nodeid}")
            yield
            log(f"end {request.node.nodeid}")

        @pytest.fixture(scope="module", params=["x", "y"])
        def both(request):
            log(f"+both {request.param}")
            yield request.param
            log(f"-both {request.param}")

        @pytest.fixture(scope="session")
        def fails(): log("+fails"); raise Exception("a session fixture fails")

        @pytest.fixture(scope="module")
        def fails_at_end():
            yield
            log("-fails_at_end"); raise Exception("a module fixture fails at its end")
        """,
    "one/__init__.py": "",
    "one/conftest.py": """
        from conftest import fixture
        package_two = fixture("package", "package_two")
        """,
    "one/test_a.py": """
        import pytest
        from conftest import log
        def setup_module(): log("+module a")
        def teardown_module(): log("-module a")
        def test_session(session_one): pass
        def test_package(package_one, package_two): pass
        def test_module(module_one, function_one): pass
        class TestClass:
            @classmethod
            def setup_class(cls): log("+setup_class")
            @classmethod
            def teardown_class(cls): log("-setup_class")
            def test_1(self, class_one): pass
            def test_2(self, class_one, session_two): pass
        class TestOther:
            def test_1(self, class_one, module_one): pass
        """,
    "one/deep/__init__.py": "",
    "one/deep/test_d.py": """
        def test_package(package_one, package_two, session_two): pass
        def test_fails(fails, module_one): pass
        """,
    "two/test_b.py": """
        import pytest
        def test_both(both): pass
        def test_session(session_one, module_one): pass
        def test_fails(fails): pass
        def test_fails_at_end(fails_at_end): pass
        def test_after(session_two): pass
        @pytest.mark.parametrize("value", ["plain", "with blank", "é", "a/b::c"])
        def test_value(value): pass
        """}

A, B, D = "one/test_a.py::", "two/test_b.py::", "one/deep/test_d.py::"
ORDERS = (
    [A + "test_session", A + "test_package", A + "test_module", A + "TestClass::test_1", A + "TestClass::test_2",
     A + "TestOther::test_1"],
    [A + "TestClass::test_2", A + "TestOther::test_1", A + "TestClass::test_1", A + "test_module"],
    [B + "test_session", A + "test_session", B + "test_after", A + "test_module"],
    [A + "test_package", D + "test_package", A + "test_module", B + "test_session", D + "test_package"],
    [D + "test_package", A + "test_package", B + "test_after"],
    [B + "test_both[x]", B + "test_both[y]", A + "test_session", B + "test_value[with blank]"],
    [B + "test_fails", D + "test_fails", B + "test_fails_at_end", B + "test_after"],
    [B + "test_after", B + "test_fails_at_end", A + "test_module"],
)


class PytestServer(Behaviour, ProjectCase):
    COMMAND, ARGUMENTS, ID = PYTEST, ["."], "test_nasty.py::Nasty::{}"

    def test_system_exit(self):
        self.assertEqual([(self.id("test_system_exit"), "fail"), (self.id("test_ok"), "success")],
                         self.start_server().run(self.ids("system_exit", "ok")).results)

    def test_what_pytest_itself_does_not_survive(self):
        # Its capture keeps descriptors of its own, so a test that closes them all ends it, here as anywhere.
        server = self.start_server()
        for isolated in (True, False):
            outcome = server.run(self.ids("ok", "closes_all", "ok2"), isolated=isolated)
            self.assertEqual((self.ids("ok"), "error"), (outcome.order, outcome.done.status))
            self.assertIn("Bad file descriptor", outcome.done.reason)
            self.assertClean(server)

    def test_standard_input_is_empty(self):
        self.assertEqual([(self.id("test_reads_stdin"), "success")],
                         self.serve([*PYTEST, "-s"]).run(self.ids("reads_stdin")).results)

    def test_a_crashed_run_does_not_hand_its_output_to_the_next(self):
        write_project(self.project, {"test_out.py": """
            import os
            def test_crash(): print("of the crashed one"); os._exit(1)
            def test_fail(): print("its own"); assert 0
            """})
        server = self.serve([*PYTEST, "test_out.py"])
        for isolated in (True, False):
            server.run(["test_out.py::test_crash"], isolated=isolated)
            files = server.run(["test_out.py::test_fail"], isolated=isolated).files("test_out.py::test_fail")
            self.assertEqual("its own\n", files["stdout"])

    def test_the_project_is_not_written_to(self):
        temporary = os.path.join(self.folder, "tmp")
        os.mkdir(temporary)
        server = self.start_server(TMPDIR=temporary)
        before = sorted(os.listdir(self.project))
        server.run(self.ids("ok", "fail"))
        self.assertEqual((0, b""), server.goodbye())
        self.assertEqual(before, sorted(os.listdir(self.project)))
        self.assertEqual([], os.listdir(temporary))

    def test_usage_error_does_not_enter_server_mode(self):
        for arguments in (["--no-such-option"], ["no/such/folder"]):
            done = subprocess.run([*PYTEST, *arguments], cwd=self.project, env=environment(), capture_output=True,
                                  input=rpc.Client().hello(), timeout=60)
            self.assertEqual((b"", 4), (done.stdout, done.returncode))
            self.assertIn(arguments[0].encode(), done.stderr)

    def test_runs_as_a_module(self):
        server = self.serve([PYTHON, "-m", "flakebisect_servers.pytest_server", "test_nasty.py"], PYTHONPATH=SCRIPTS)
        self.assertEqual(self.ids("ok"), server.run(self.ids("ok")).order)


class PytestFixtures(ProjectCase):
    """The log of every fixture, against `pytest ID...` of the same list."""

    FILES = FIXTURES

    def test_fixtures_of_every_scope(self):
        server = self.serve(PYTEST)
        for wanted in ORDERS:
            with self.subTest(wanted):
                distinct = list(dict.fromkeys(wanted))
                self.plain_run([PYTHON, "-m", "pytest", "-p", "no:cacheprovider", *distinct])
                expected = self.take_log()
                begun = [line[6:] for line in expected if line.startswith("begin ")]
                self.assertEqual([d for d in distinct if d in begun], begun, "pytest itself reordered this list")
                for isolated in (True, False):
                    outcome = server.run(distinct, isolated=isolated)
                    self.assertEqual((distinct, "ok"), (outcome.order, outcome.done.status))
                    self.assertEqual(expected, self.take_log())

    def test_a_repeated_test_is_set_up_each_time(self):
        server = self.serve(PYTEST)
        first, other = A + "test_session", A + "test_module"
        for wanted in ([first, first], [first, other, first], [B + "test_both[x]"] * 2):
            outcome = server.run(wanted)
            self.assertEqual([(test_id, "success") for test_id in wanted], outcome.results)
            lines = self.take_log()
            self.assertEqual(wanted, [line[6:] for line in lines if line.startswith("begin ")])
            self.assertEqual(wanted, [line[4:] for line in lines if line.startswith("end ")])

    def test_fixtures_of_a_repeated_test(self):
        server = self.serve(PYTEST)
        module, clean, value = A + "test_module", A + "TestClass::test_2", B + "test_both[x]"
        each = [f"begin {module}", "+function_one", "-function_one", f"end {module}"]
        for isolated in (True, False):
            outcome = server.run([B + "test_after", module], isolated=isolated, repeat=3)
            self.assertEqual([(B + "test_after", "success")] + [(module, "success")] * 3, outcome.results)
            lines = self.take_log()
            for wide in ("module a", "module_one", "session_two"):
                self.assertEqual([f"+{wide}", f"-{wide}"], [line for line in lines if line[1:] == wide])
            self.assertEqual(sorted(each * 3), sorted(line for line in lines if line in each))
            self.assertEqual([f"begin {module}", f"end {module}"] * 3,
                             [line for line in lines if line.endswith(module)])
            for test_id, wide in ((clean, ("setup_class", "class_one", "session_two")), (value, ("both x",))):
                outcome = server.run([test_id], isolated=isolated, repeat=4)
                self.assertEqual([(test_id, "success")] * 4, outcome.results)
                lines = self.take_log()
                self.assertEqual(4, lines.count(f"begin {test_id}"))
                for name in wide:
                    self.assertEqual([f"+{name}", f"-{name}"], [line for line in lines if line[1:] == name])
            # A module fixture that fails at its end does so at the end of the last run.
            outcome = server.run([B + "test_fails_at_end"], isolated=isolated, repeat=3)
            self.assertEqual(["success", "success", "fail"], [status for _, status in outcome.results])
            self.assertEqual("ok", outcome.done.status)
            # One that fails at its start is asked for once.
            self.assertEqual([(B + "test_fails", "fail")],
                             server.run([B + "test_fails"], isolated=isolated, repeat=3).results)
            self.take_log()

    def test_fixtures_are_torn_down_where_a_later_run_fails(self):
        write_project(self.project, {"three/test_e.py": """
            import pytest
            from conftest import log
            RUNS = []
            @pytest.fixture(scope="module")
            def wide():
                log("+wide")
                yield
                log("-wide")
                raise Exception("its end fails")
            @pytest.fixture
            def narrow(): RUNS.append(1); yield
            class TestWears:
                def test_it(self, wide, narrow):
                    assert not hasattr(self, "used")
                    self.used = True
                    print(f"in run {len(RUNS)}")
                    assert len(RUNS) % 3
            """})
        server = self.serve(PYTEST)
        test_id = "three/test_e.py::TestWears::test_it"
        for isolated, last in ((True, 3), (False, 3), (False, 6)):
            outcome = server.run([test_id], isolated=isolated, repeat=10)
            self.assertEqual(["success", "success", "fail"], [status for _, status in outcome.results])
            self.assertEqual("ok", outcome.done.status, outcome.done.reason)
            self.assertEqual(["+wide", "-wide"], [line for line in self.take_log() if "wide" in line])
            self.assertEqual(f"in run {last}\n", outcome.files(test_id)["stdout"])
            self.assertIn("assert (3 % 3)" if last == 3 else "assert (6 % 3)", outcome.files(test_id)["traceback"])
        self.assertIn("its end fails", server.errors())
        self.assertEqual([A + "test_session"], server.run([A + "test_session"]).order)

    def test_whole_run_and_ids(self):
        listed = self.plain_run([PYTHON, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]).decode()
        expected = [line for line in listed.splitlines() if "::" in line]
        self.take_log()
        server = self.serve(PYTEST)
        self.assertEqual(expected, server.list().existing)
        self.plain_run([PYTHON, "-m", "pytest", "-p", "no:cacheprovider"])
        log = self.take_log()
        self.assertEqual(expected, server.run(ordered=False).order)
        self.assertEqual(log, self.take_log())


class PytestResults(ProjectCase):
    FILES = {"pytest.ini": "[pytest]\naddopts = -n 2 -rA\nmarkers = slow\n", "conftest.py": """
        import pytest
        def pytest_collection_modifyitems(items):
            items.reverse()
            items[:] = [item for item in items if item.name != "test_dropped"]
        def pytest_runtest_setup(item):
            if item.name == "test_plugin_skips": pytest.skip("said the plugin")
        @pytest.fixture
        def bad_end(): yield; raise Exception("at the end")
        @pytest.fixture
        def bad_start(): raise Exception("at the start")
        """, "test_it.py": """
        import logging, os, sys, pytest
        def test_pass(): print("not attached")
        def test_fail():
            print("to stdout"); os.write(1, b"to descriptor 1\\n"); print("to stderr", file=sys.stderr)
            logging.getLogger().warning("to the log")
            assert "left" == "right"
        def test_skip(): pytest.skip("reason é")
        @pytest.mark.skip(reason="marked")
        def test_marked(): pass
        def test_plugin_skips(): pass
        @pytest.mark.xfail(reason="known")
        def test_xfail(): assert 0
        @pytest.mark.xfail(reason="known")
        def test_xpass(): pass
        @pytest.mark.xfail(strict=True)
        def test_strict(): pass
        def test_bad_start(bad_start): pass
        def test_bad_end(bad_end): pass
        def test_both_bad(bad_end): assert 0
        def test_dropped(): pass
        def test_pytest_exit(): pytest.exit("enough")
        def test_imperative(): pytest.xfail("imperative")
        """, "test_broken.py": "import no_such_module\n", "test_skipped_module.py": """
        import pytest
        pytest.skip("the whole module", allow_module_level=True)
        def test(): pass
        """}

    EXPECTED = {"pass": ("success", set()), "fail": ("fail", {"traceback", "stdout", "stderr", "log"}),
                "skip": ("skip", {"reason"}), "marked": ("skip", {"reason"}), "plugin_skips": ("skip", {"reason"}),
                "xfail": ("xfail", {"reason", "traceback"}), "xpass": ("uxsuccess", {"reason"}),
                "strict": ("fail", {"traceback"}), "bad_start": ("fail", {"traceback"}),
                "bad_end": ("fail", {"traceback"}), "both_bad": ("fail", {"traceback", "traceback-1"}),
                "imperative": ("xfail", {"reason", "traceback"})}

    def id(self, name=None):
        return super().id() if name is None else f"test_it.py::test_{name}"

    def test_results_and_attachments(self):
        outcome = self.serve(PYTEST).run([self.id(name) for name in self.EXPECTED])
        self.assertEqual({self.id(name): status for name, (status, _) in self.EXPECTED.items()}, dict(outcome.results))
        for name, (_, files) in self.EXPECTED.items():
            self.assertEqual(files, set(outcome.files(self.id(name))), name)
        failed = outcome.files(self.id("fail"))
        self.assertIn("'left' == 'right'", failed["traceback"])  # pytest rewrote the assertion
        self.assertEqual("to stdout\nto descriptor 1\n", failed["stdout"])
        self.assertEqual("to stderr\n", failed["stderr"])
        self.assertIn("to the log", failed["log"])
        self.assertEqual("Skipped: reason é", outcome.files(self.id("skip"))["reason"])
        self.assertEqual("known", outcome.files(self.id("xpass"))["reason"])
        self.assertIn("at the end", outcome.files(self.id("both_bad"))["traceback-1"])

    def test_plugins_of_the_project_decide_what_there_is(self):
        listing = self.serve(PYTEST).list()
        self.assertEqual(self.id("imperative"), listing.existing[0])
        self.assertNotIn(self.id("dropped"), listing.existing)
        self.assertIn("no_such_module", listing.files()["import errors"])
        self.assertIn("could not be imported", listing.done.reason)

    def test_pytest_exit(self):
        outcome = self.serve(PYTEST).run([self.id("pass"), self.id("pytest_exit"), self.id("fail")])
        self.assertEqual(([self.id("pass")], [self.id("pytest_exit")]), (outcome.order, outcome.unfinished))
        self.assertEqual(("error", "pytest.exit was called: enough"), (outcome.done.status, outcome.done.reason))

    def test_stop_at_the_first_failure(self):
        outcome = self.serve([*PYTEST, "-x", "--ignore", "test_broken.py"]).run([self.id("pass"), self.id("fail"), self.id("skip")])
        self.assertEqual([self.id("pass"), self.id("fail")], outcome.order)
        self.assertEqual("error", outcome.done.status)
        self.assertIn("pytest stopped", outcome.done.reason)


class PytestRun(ProjectCase):
    """flakebisect_servers.pytest_run as the test_command of testr."""

    FILES = {".testr.conf": f"""
        [DEFAULT]
        test_command = PYTHONPATH={SCRIPTS} {PYTHON} -m flakebisect_servers.pytest_run $LISTOPT $IDOPTION .
        test_id_option = --load-list $IDFILE
        test_list_option = --list
        test_server_command = touch started
        """, "test_x.py": """
        import os
        SEEN = []
        def test_a(): print("noise on stdout"); os.write(1, b"\\xb3noise"); SEEN.append(1)
        def test_b(): assert not SEEN
        def test_c(): pass
        """}

    def command(self, *arguments, **more):
        return self.plain_run([PYTHON, "-m", "flakebisect_servers.pytest_run", *arguments], PYTHONPATH=SCRIPTS, **more)

    def run_list(self, *names, extra=()):
        path = os.path.join(self.here, "list")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(f"test_x.py::test_{name}" for name in names))
        return [(i.removeprefix("test_x.py::test_"), s) for i, s in
                packets_of(self.command("--load-list", path, *extra))[0]]

    def test_list(self):
        results, _ = packets_of(self.command("--list"))
        self.assertEqual([(f"test_x.py::test_{name}", "exists") for name in "abc"], results)
        self.assertEqual(0, self.last_status)

    def test_runs_in_the_order_of_the_list(self):
        self.assertEqual([("c", "success"), ("b", "success"), ("a", "success")], self.run_list("c", "b", "a"))
        self.assertEqual(0, self.last_status)
        self.assertEqual([("a", "success"), ("b", "fail")], self.run_list("a", "b", extra=["-s"]))
        self.assertEqual(0, self.last_status)  # the stream says what failed, as with subunit.run
        self.assertEqual([], self.run_list())
        self.assertEqual(0, self.last_status)

    def test_unknown_ids_are_said(self):
        self.assertEqual([("c", "success")], self.run_list("gone", "c"))
        self.assertEqual(2, self.last_status)
        self.assertIn("test_x.py::test_gone", self.last_errors)

    def test_a_module_that_cannot_be_imported(self):
        write_project(self.project, {"test_broken.py": "import no_such_module\n"})
        self.assertEqual([("b", "success")], self.run_list("b"))
        results, _ = packets_of(self.command("--list"))
        self.assertEqual((3, 2), (len(results), self.last_status))

    def test_testr_runs_it(self):
        self.plain_run(["testr", "init"])
        self.plain_run(["testr", "run"])
        data = self.plain_run(["testr", "last", "--subunit"])
        self.assertEqual([("test_x.py::test_a", "success"), ("test_x.py::test_b", "fail"),
                          ("test_x.py::test_c", "success")], [r for r in packets_of(data)[0] if r[1] != "exists"])
        self.plain_run(["testr", "run", "test_b"])
        data = self.plain_run(["testr", "last", "--subunit"])
        self.assertEqual([("test_x.py::test_b", "success")], packets_of(data)[0])
        self.assertNotIn("started", os.listdir(self.project))  # testr has no use for a server


class PytestXdist(ProjectCase):
    """Streams and lists of pytest-xdist's runs."""

    FILES = {"conftest.py": """
        import os, pytest
        @pytest.fixture(autouse=True)
        def ran(request):
            worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
            with open(os.path.join(os.environ["HERE"], worker), "a") as file:
                file.write(request.node.nodeid + "\\n")
        """, "test_x.py": """
        import os, pytest
        @pytest.mark.parametrize("n", range(30))
        def test_n(n): assert n != 7
        @pytest.mark.parametrize("n", range(2))
        def test_crash(n):
            if n and os.environ.get("CRASH"): os._exit(1)
        """}

    def stream(self, *options, **more):
        path = os.path.join(self.here, "stream")
        self.plain_run([PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-p", "flakebisect_servers.pytest_subunit",
                        f"--subunit-stream={path}", *options], PYTHONPATH=SCRIPTS, **more)
        with open(path, "rb") as file:
            return path, file.read()

    def lists(self, *arguments):
        return self.plain_run([PYTHON, "-m", "flakebisect_servers.xdist_lists", *arguments],
                              PYTHONPATH=SCRIPTS).decode().splitlines()

    def test_each_worker_s_order(self):
        path, data = self.stream("-n", "3")
        results = dict(packets_of(data)[0])
        self.assertEqual(32, len(results))
        self.assertEqual({"test_x.py::test_n[7]"}, {i for i, status in results.items() if status == "fail"})
        self.assertIn("traceback", packets_of(data)[1]["test_x.py::test_n[7]"])
        total = 0
        for worker in range(3):
            ran = self.noted(f"gw{worker}")
            total += len(ran)
            self.assertEqual(ran, self.lists(path, "--worker", str(worker)))
            victim = ran[len(ran) // 2]
            self.assertEqual(ran[:len(ran) // 2 + 1], self.lists(path, "--test", victim))
        self.assertEqual(32, total)
        self.assertEqual([f"worker-{n}: {len(self.noted(f'gw{n}'))} tests" for n in range(3)], self.lists(path))

    def test_without_xdist(self):
        path, _ = self.stream("-p", "no:xdist")
        self.assertEqual(self.noted("gw0"), self.lists(path, "--worker", "0"))

    def test_a_worker_that_dies(self):
        path, data = self.stream("-n", "2", CRASH="1")
        self.assertEqual("fail", dict(packets_of(data)[0])["test_x.py::test_crash[1]"])
        dead = [n for n in range(3) if "test_x.py::test_crash[1]" in self.noted(f"gw{n}")][0]
        self.assertEqual(self.noted(f"gw{dead}"), self.lists(path, "--worker", str(dead)))

    def test_testr_loads_it(self):
        shutil.rmtree(os.path.join(self.project, ".testrepository"), ignore_errors=True)
        write_project(self.project, {".testr.conf": "[DEFAULT]\ntest_command = true\n"})
        path, _ = self.stream("-n", "2")
        self.plain_run(["testr", "init"])
        self.plain_run(["testr", "load", path])
        self.assertEqual(32, len(packets_of(self.plain_run(["testr", "last", "--subunit"]))[0]))

    def test_what_is_not_there_is_said(self):
        path, _ = self.stream("-n", "2")
        for arguments, words in ((("--test", "nope"), "'nope' did not run"), (("--worker", "9"), "there is no worker 9")):
            self.assertEqual([], self.lists(path, *arguments))
            self.assertEqual(1, self.last_status)
            self.assertIn(words, self.last_errors)
        self.lists(os.path.join(self.here, "missing"))
        self.assertIn("missing", self.last_errors)

    def test_the_server_runs_a_worker_s_list(self):
        path, _ = self.stream("-n", "2")
        wanted = self.lists(path, "--worker", "1")
        self.assertEqual(wanted, self.serve([*PYTEST, "-n", "2"]).run(wanted).order)


if __name__ == "__main__":
    unittest.main()
