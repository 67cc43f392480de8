"""`flakebisect list` on repositories made by the real testr and stestr, against the real subunit programs and against
what the tests themselves wrote down while they ran."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

FLAKEBISECT = os.environ["FLAKEBISECT"]
PYTHON = "/usr/bin/python3"

TESTS = '''
import os
import unittest


class Base(unittest.TestCase):
    def setUp(self):
        with open(os.environ["EXECUTED"], "a") as log:
            log.write("%d %s\\n" % (os.getpid(), self.id()))


class TestMany(Base):
    def test_printing(self):
        print("printed by a test", os.environ.get("PRINTED", ""), flush=True)

    def test_skipped(self):
        self.skipTest("not here")

    def test_failing(self):
        self.fail("as it should")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("known")


class TestUnexpected(Base):
    @unittest.expectedFailure
    def test_unexpected(self):
        pass


class TestFixture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no database")

    def test_never(self):
        pass
'''

PLAIN = '''
from tests.test_many import Base


class Test%(name)s(Base):
    def test_a(self):
        pass

    def test_b(self):
        pass

    def test_c(self):
        pass
'''

CRASH = '''
import os

from tests.test_many import Base


class TestCrash(Base):
    def test_1(self):
        pass

    def test_2_dies(self):
        if os.environ.get("CRASH"):
            os._exit(7)

    def test_3(self):
        pass
'''


def clean_environment(**more):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    environment.update(PYTHON=PYTHON, PYTHONDONTWRITEBYTECODE="1", **more)
    return environment


def make_project(directory):
    package = pathlib.Path(directory, "tests")
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "test_many.py").write_text(TESTS)
    (package / "test_crash.py").write_text(CRASH)
    for name in ("Ada", "Bob"):
        (package / f"test_{name.lower()}.py").write_text(PLAIN % {"name": name})
    pathlib.Path(directory, ".testr.conf").write_text(
        "[DEFAULT]\n"
        f"test_command={PYTHON} -m subunit.run discover -t . tests $LISTOPT $IDOPTION\n"
        "test_id_option=--load-list $IDFILE\ntest_list_option=--list\n"
    )
    pathlib.Path(directory, ".stestr.conf").write_text("[DEFAULT]\ntest_path=./tests\ntop_dir=./\n")


class ListTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="flakebisect-list-")
        self.addCleanup(shutil.rmtree, self.directory)
        make_project(self.directory)
        self.log = pathlib.Path(self.directory, "executed")

    def run_tests(self, *command, **environment):
        """Runs testr or stestr; their exit status says that tests failed, as some do."""
        result = subprocess.run(
            [PYTHON, *command], cwd=self.directory, env=clean_environment(EXECUTED=str(self.log), **environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        self.assertIn(result.returncode, (0, 1), result.stdout.decode(errors="replace"))

    def executed(self):
        """What each process ran, by its own account: a list of ids for each, in any order of processes."""
        processes = {}
        for line in self.log.read_text().splitlines():
            pid, test_id = line.split(" ", 1)
            processes.setdefault(pid, []).append(test_id)
        return sorted(processes.values())

    def list(self, *options, status=0, **environment):
        result = subprocess.run(
            [FLAKEBISECT, "list", "-C", self.directory, *options], env=clean_environment(**environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(status, result.returncode, result.stderr.decode())
        return result.stderr.decode() if status else result.stdout

    def pipeline(self, run_file, worker=None, v2=False, **environment):
        with_tag = f"--with-tag={worker}" if worker else ""
        convert = "" if v2 else f"{PYTHON} /usr/bin/subunit-1to2 |"
        return subprocess.run(
            f"cat {run_file} | {convert} {PYTHON} /usr/bin/subunit-filter -s --xfail {with_tag}"
            f" | {PYTHON} /usr/bin/subunit-ls",
            shell=True, env=clean_environment(**environment), stdout=subprocess.PIPE, timeout=120, check=False).stdout

    def assert_lists_are_what_ran(self, run):
        """The workers' lists hold what the processes ran, in their order."""
        document = json.loads(self.list("--run-id", run, "--json", "-"))
        listed = [[test["id"] for test in worker["tests"] if test["id"].startswith("tests.")]
                  for worker in document["workers"]]
        self.assertEqual(self.executed(), sorted(ids for ids in listed if ids))
        return document

    def assert_same_as_pipeline(self, store, run):
        for worker in ("worker-0", "worker-1"):
            self.assertEqual(
                self.pipeline(pathlib.Path(self.directory, store, run), worker),
                self.list("--run-id", run, "--worker", worker, "--pipeline"))

    def test_testr(self):
        testr = "/usr/bin/testr"
        self.run_tests(testr, "init")
        self.run_tests(testr, "run", "--parallel", "--concurrency=2")
        self.assert_lists_are_what_ran("0")
        self.assert_same_as_pipeline(".testrepository", "0")
        for worker in ("worker-0", "worker-1"):
            ids = self.list("--run-id", "0", "--worker", worker).decode().splitlines()
            others = self.list("--run-id", "0", "--worker", worker, "--pipeline").decode().splitlines()
            leaked = [i for i in others if i not in ids]
            self.assertIn(leaked, ([], ["tests.test_many.TestUnexpected.test_unexpected"]))

        # A worker dies: the test it died in is in its place, marked, and what testr makes up is no test.
        self.log.unlink()
        self.run_tests(testr, "run", "--parallel", "--concurrency=2", CRASH="1")
        document = self.assert_lists_are_what_ran("1")
        tests = {test["id"]: test for worker in document["workers"] for test in worker["tests"]}
        self.assertTrue(tests["tests.test_crash.TestCrash.test_2_dies"]["unfinished"])
        self.assertIsNone(tests["tests.test_crash.TestCrash.test_2_dies"]["seconds"])
        self.assertFalse(tests["process-returncode"]["runnable"])
        self.assert_same_as_pipeline(".testrepository", "1")

    def test_stestr(self):
        stestr = "/usr/bin/stestr"
        self.run_tests(stestr, "run", "--concurrency", "2", CRASH="1")
        document = self.assert_lists_are_what_ran("0")
        self.assertTrue(any(test["unfinished"] for worker in document["workers"] for test in worker["tests"]))
        self.assert_same_as_pipeline(".stestr", "0")
        self.assertEqual(self.pipeline(pathlib.Path(self.directory, ".stestr/0")),
                         self.list("--run-id", "0", "--pipeline"))

        # An appended run: the same worker tags, other processes.
        self.run_tests(stestr, "run", "--concurrency", "2", "--combine")
        document = self.assert_lists_are_what_ran("0")
        self.assertEqual({1, 2}, {worker["generation"] for worker in document["workers"]})
        self.assert_same_as_pipeline(".stestr", "0")

    def test_printed_text(self):
        """Streams with text between packets and directives. testr and stestr do not store such text, and testr takes a
        printed 0xB3 for a packet, which is why only this test prints one."""
        store = pathlib.Path(self.directory, ".testrepository")
        store.mkdir()
        v2 = subprocess.run(
            [PYTHON, "-m", "subunit.run", "discover", "-t", ".", "tests"], cwd=self.directory,
            env=clean_environment(EXECUTED=str(self.log), PRINTED="\u00b3 caf\u00e9"), stdout=subprocess.PIPE,
            timeout=120, check=False).stdout
        self.assertIn(b"printed by a test", v2)
        self.assertTrue(v2.startswith(b"\xb3"))
        (store / "0").write_bytes(v2)
        v1 = b""
        for number in range(200):
            name = b"tests.test_text.TestText.test_number_%03d" % number
            v1 += b"time: 2026-11-22 12:00:00.%06dZ\ntags: worker-0\ntest: %s\nsuccess: %s\n" % (number, name, name)
            v1 += b"tags: -worker-0\n"
            if number % 20 == 0:
                v1 += b"text %d\n" % number
            if number == 50:
                v1 += b"a character cut off: \xc3\n"
            if number == 60:
                v1 += b"a signature: \xb3\x29\x06\x0f\x06 and more\n"
            if number == 150:
                v1 += "in three characters: \u00b3 \u20ac \U0001f600\n".encode()
        (store / "1").write_bytes(v1)
        for run, is_v2 in (("0", True), ("1", False)):
            for environment in ({}, {"PYTHONUNBUFFERED": "1"}):
                for worker in (None, "worker-0"):
                    with self.subTest(run=run, worker=worker, **environment):
                        options = ["--worker", worker] if worker else []
                        self.assertEqual(self.pipeline(store / run, worker, is_v2, **environment),
                                         self.list("--run-id", run, "--pipeline", *options, **environment))

    def test_benchmark(self):
        """The benchmark's small streams, v1 and v2: it fails where the outputs differ."""
        script = pathlib.Path(os.environ["FLAKEBISECT_SOURCE"], "scripts", "benchmark-list")
        result = subprocess.run([PYTHON, script, "--smoke"], env=clean_environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=300, check=False)
        self.assertEqual(0, result.returncode, result.stdout.decode())
        self.assertEqual(2, result.stdout.decode().count("flakebisect list"))

    def test_before_status_and_errors(self):
        store = pathlib.Path(self.directory, ".testrepository")
        store.mkdir()
        (store / "4").write_text("".join(
            f"time: 2026-11-22 12:00:0{n}.000000Z\ntags: worker-0\ntest: t{n}\n"
            f"time: 2026-11-22 12:00:0{n}.250000Z\nsuccess: t{n}\ntags: -worker-0\n" for n in range(3)))
        worker = ("--run-id", "4", "--worker", "worker-0")
        self.assertEqual(b"t0\nt1\nt2\n", self.list(*worker))
        self.assertEqual(b"t0\nt1\n", self.list(*worker, "--before", "t1"))
        self.assertEqual(b"success\t0.250\tt0\nsuccess\t0.250\tt1\nsuccess\t0.250\tt2\n",
                         self.list(*worker, "--with-status"))
        self.assertIn(b"worker-0 (3 tests)\n  t0\n", self.list("--run-id", "4"))
        self.assertIn("no run 5", self.list("--run-id", "5", status=5))
        self.assertIn("no test failed", self.list(status=5))
        self.assertIn("its workers are worker-0", self.list("--run-id", "4", "--worker", "worker-1", status=5))
        self.assertIn("did not run", self.list(*worker, "--before", "t7", status=5))
        shutil.rmtree(store)
        self.assertIn("no test repository", self.list(*worker, status=5))


if __name__ == "__main__":
    unittest.main()
