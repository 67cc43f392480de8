#!/usr/bin/python3
"""`flakebisect analyze` on repositories that the real testr and stestr made of suites with planted causes."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

import flaky_history as planted
from small_project import TESTS, VICTIM, SmallProject, failure, stored_run

PROGRAM = os.environ.get("FLAKEBISECT", "flakebisect")
RUNS = 100


def run_program(folder, *words, stdout=subprocess.PIPE):
    return subprocess.run(
        [PROGRAM, "analyze", *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
        timeout=300, env={**os.environ, "NO_COLOR": "1"},
    )


class Planted:
    """The same expectations for both tools."""

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="flakebisect-analyze-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = pathlib.Path(holder.name)
        planted.make_history(cls.folder, cls.tool, RUNS)
        done = run_program(cls.folder, "--top", "0", "--json", "-")
        assert done.returncode == 0, done.stderr
        cls.stderr = done.stderr
        cls.analysis = json.loads(done.stdout)
        cls.tests = {test["test"]: test for group in cls.analysis["groups"] for test in group["tests"]}

    def expect(self, test, cause, suspect=None):
        """The planted cause comes first, or the evidence is said to be too thin with the cause among those listed."""
        found = self.tests[test]
        self.assertTrue(found["judged"])
        if found["finding"] == "too-thin":
            self.assertIn(cause, [each["cause"] for each in found["causes"]])
            return
        self.assertEqual(found["finding"], cause)
        self.assertEqual(found["causes"][0]["cause"], cause)
        if suspect:
            self.assertEqual(found["causes"][0]["suspects"][0]["tests"], [suspect])

    def test_nothing_is_wrong(self):
        self.assertEqual(self.stderr, "")
        self.assertEqual(self.analysis["runs"], RUNS)
        self.assertEqual(self.analysis["tests"], 33)
        self.assertEqual(self.analysis["broken_runs"], [])
        self.assertEqual(self.analysis["always_failing"], [])

    def test_flaky_are_those_that_were_planted(self):
        self.assertEqual(
            set(self.tests),
            {planted.SELF, planted.VICTIM, planted.BRITTLE, planted.SLOW, planted.RECENT, *planted.SERVICE},
        )

    def test_self(self):
        self.expect(planted.SELF, "alone")

    def test_polluter(self):
        self.expect(planted.VICTIM, "polluter", planted.POLLUTER)
        self.assertEqual(self.tests[planted.VICTIM]["finding"], "polluter")

    def test_brittle(self):
        self.expect(planted.BRITTLE, "brittle", planted.SETTER)
        self.assertEqual(self.tests[planted.BRITTLE]["finding"], "brittle")

    def test_time_out(self):
        self.expect(planted.SLOW, "time-out")
        self.assertGreater(self.tests[planted.SLOW]["time_out_probability"], 0.9)
        self.assertGreater(self.tests[planted.SLOW]["failed_median_seconds"], 0.1)

    def test_tests_that_fail_together_are_one_group(self):
        groups = [sorted(test["test"] for test in group["tests"]) for group in self.analysis["groups"]]
        self.assertIn(planted.SERVICE, groups)
        self.assertEqual(len(groups), 6)

    def test_began(self):
        began = self.tests[planted.RECENT]["began"]
        low, high = (int(end["id"]) for end in began["interval"])
        self.assertLessEqual(low, planted.BEGAN)
        self.assertGreaterEqual(high, planted.BEGAN)
        self.assertLess(high - low, 20)
        self.assertGreater(began["probability"], 0.9)
        for test in self.tests:
            if test != planted.RECENT:
                with self.subTest(test=test):
                    self.assertIsNone(self.tests[test]["began"])

    def test_numbers_match_the_runs(self):
        expected = sum(
            not planted_luck(run, "self", 0.25) for run in range(RUNS)
        )
        found = self.tests[planted.SELF]
        self.assertEqual((found["runs"], found["failures"]), (RUNS, expected))
        self.assertLess(found["interval"][0], found["rate"])
        self.assertGreater(found["interval"][1], found["rate"])
        self.assertEqual(len(found["signatures"]), 1)  # the address in its message differs each time
        self.assertIn("AssertionError", found["signatures"][0]["signature"])

    def test_graph(self):
        edges = {(edge["from"], edge["to"], edge["kind"]) for edge in self.analysis["interference"]["edges"]}
        self.assertEqual(
            edges, {(planted.POLLUTER, planted.VICTIM, "pollutes"), (planted.SETTER, planted.BRITTLE, "sets-up")}
        )

    def test_repository_is_not_touched(self):
        name = ".testrepository" if self.tool == "testr" else ".stestr"
        before = snapshot(self.folder / name)
        run_program(self.folder, "--test", "Pollution")
        self.assertEqual(snapshot(self.folder / name), before)


def planted_luck(run, name, rate):
    import random

    return random.Random(f"{run} {name}").random() >= rate


def snapshot(folder):
    return {
        path.name: (path.stat().st_mtime_ns, path.stat().st_size, path.stat().st_mode) for path in sorted(folder.iterdir())
    }


class TestrTest(Planted, unittest.TestCase):
    tool = "testr"


class StestrTest(Planted, unittest.TestCase):
    tool = "stestr"


class ByHandTest(unittest.TestCase):
    """A few runs by the programs themselves, on two workers."""

    def check(self, tool, *command):
        with tempfile.TemporaryDirectory(prefix="flakebisect-analyze-") as name:
            folder = pathlib.Path(name)
            planted.write_suite(folder)
            (folder / ".testr.conf").write_text(
                "[DEFAULT]\ntest_command=/usr/bin/python3 -m subunit.run discover -t . planted -p 'test_*.py' $LISTOPT $IDOPTION\n"
                "test_id_option=--load-list $IDFILE\ntest_list_option=--list\n"
            )
            (folder / ".stestr.conf").write_text("[DEFAULT]\ntest_path=./planted\ntop_dir=./\n")
            environment = {**os.environ, "PYTHON": "/usr/bin/python3", "PYTHONDONTWRITEBYTECODE": "1"}

            def call(*words, **more):
                return subprocess.run(["/usr/bin/python3", "-W", "ignore", tool, *words], cwd=folder, stdin=subprocess.DEVNULL,
                                      capture_output=True, timeout=300, env={**environment, **more})

            self.assertEqual(call("init").returncode, 0)
            for run in range(2):
                call(*command, RUN=str(run))
            done = run_program(folder, "--top", "0", "--json", "-")
            self.assertEqual(done.returncode, 0, done.stderr)
            analysis = json.loads(done.stdout)
            self.assertEqual((analysis["runs"], analysis["tests"]), (2, 33), done.stdout[:2000])
            self.assertEqual(analysis["results"], 2 * 33)
            found = {test["test"]: test["failures"] for group in analysis["groups"] for test in group["tests"]}
            for test in analysis["always_failing"]:
                found[test] = 2
            lucky = [planted_luck(run, "self", 0.25) for run in range(2)]
            self.assertEqual(found.get(planted.SELF, 0), lucky.count(False))
            # What the program prints of it is what it stored: a stream that is loaded again is one more run.
            last = call("last", "--subunit")
            (folder / "stream").write_bytes(last.stdout)
            call("load", "stream")
            again = json.loads(run_program(folder, "--json", "-").stdout)
            self.assertEqual((again["runs"], again["decoded_runs"], again["results"]), (3, 1, 3 * 33))

    def test_testr(self):
        self.check("/usr/bin/testr", "run", "--parallel", "--concurrency=2")

    def test_stestr(self):
        self.check("/usr/bin/stestr", "run", "--concurrency=2")


class IndexTest(SmallProject):
    """What happens to the index, on runs written by hand."""

    def setUp(self):
        super().setUp()
        everything = TESTS + [VICTIM]
        self.runs = {str(n): stored_run(everything, failed=[VICTIM] if n % 3 == 0 else [], start=n) for n in range(12)}
        self.repository(self.runs)
        self.index = self.folder / ".flakebisect" / "index.sqlite"

    def analyze(self, *words, status=0):
        done = self.run_program("analyze", "--json", "-", *words)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout), done.stderr

    def test_only_new_runs_are_decoded(self):
        first, _ = self.analyze()
        self.assertEqual((first["runs"], first["decoded_runs"]), (12, 12))
        again, _ = self.analyze()
        self.assertEqual((again["runs"], again["decoded_runs"]), (12, 0))
        (self.folder / ".testrepository" / "12").write_text(stored_run(TESTS + [VICTIM], failed=[VICTIM], start=12))
        more, _ = self.analyze()
        self.assertEqual((more["runs"], more["decoded_runs"]), (13, 1))
        test = more["groups"][0]["tests"][0]
        self.assertEqual((test["test"], test["runs"], test["failures"]), (VICTIM, 13, 5))

    def test_a_run_that_changed_or_vanished_is_noticed(self):
        self.analyze()
        (self.folder / ".testrepository" / "3").write_text(stored_run(TESTS + [VICTIM], start=3))
        (self.folder / ".testrepository" / "0").unlink()
        after, _ = self.analyze()
        self.assertEqual((after["runs"], after["decoded_runs"]), (11, 1))
        self.assertEqual(after["groups"][0]["tests"][0]["failures"], 2)

    def test_same_answer_with_and_without_index(self):
        first, _ = self.analyze()
        again, _ = self.analyze()
        shutil.rmtree(self.folder / ".flakebisect")
        anew, _ = self.analyze()
        for each in (first, again, anew):
            del each["decoded_runs"]
        self.assertEqual(first, again)
        self.assertEqual(first, anew)

    def test_damaged_index_is_made_anew(self):
        whole, _ = self.analyze()
        size = self.index.stat().st_size
        for damage in ("text", "cut", "page", "blob"):
            with self.subTest(damage=damage):
                if damage == "text":
                    self.index.write_text("this is no database\n" * 100)
                elif damage == "cut":
                    with open(self.index, "r+b") as file:
                        file.truncate(size // 2)
                elif damage == "page":
                    with open(self.index, "r+b") as file:
                        file.seek(1000)
                        file.write(os.urandom(size - 2000))
                else:
                    with sqlite3.connect(self.index) as database:
                        database.execute("UPDATE run SET results = substr(results, 1, length(results) - 9) || x'00000000' "
                                         "|| substr(results, -5) WHERE run = 7")
                    database.close()
                answer, stderr = self.analyze()
                self.assertIn("the index is damaged", stderr)
                self.assertEqual(answer["groups"], whole["groups"])
                _, stderr = self.analyze()
                self.assertEqual(stderr, "")

    def test_another_programs_file_is_left_alone(self):
        self.index.parent.mkdir()
        with sqlite3.connect(self.index) as database:
            database.execute("CREATE TABLE precious (x)")
        database.close()
        before = self.index.read_bytes()
        answer, stderr = self.analyze()
        self.assertIn("another program", stderr)
        self.assertIn("in memory", stderr)
        self.assertEqual(answer["runs"], 12)
        self.assertEqual(self.index.read_bytes(), before)

    def test_a_newer_index_is_left_alone(self):
        self.analyze()
        with sqlite3.connect(self.index) as database:
            database.execute("PRAGMA user_version = 999")
        database.close()
        answer, stderr = self.analyze()
        self.assertIn("newer flakebisect", stderr)
        self.assertEqual(answer["runs"], 12)

    def test_where_nothing_can_be_written(self):
        (self.folder / ".flakebisect").write_text("a file, not a folder")
        answer, stderr = self.analyze()
        self.assertIn("no index is kept", stderr)
        self.assertEqual((answer["runs"], answer["decoded_runs"]), (12, 12))

    def test_two_at_once(self):
        many = {str(n): stored_run(TESTS + [VICTIM], failed=[VICTIM] if n % 3 == 0 else [], start=n % 50) for n in range(300)}
        self.repository(many)
        running = [
            subprocess.Popen([PROGRAM, "analyze", "--json", "-"], cwd=self.folder, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
            for _ in range(4)
        ]
        answers = []
        for process in running:
            stdout, stderr = process.communicate(timeout=120)
            self.assertEqual((process.returncode, stderr), (0, ""))
            answer = json.loads(stdout)
            answers.append((answer["runs"], answer["results"], answer["groups"]))
        for answer in answers:
            self.assertEqual(answer, answers[0])
        self.assertEqual(answers[0][:2], (300, 300 * 13))


    def test_killed_while_indexing(self):
        self.repository({str(n): stored_run(TESTS + [VICTIM], failed=[VICTIM] if n % 3 == 0 else [], start=n % 50)
                         for n in range(400)})
        for number in range(5):
            process = subprocess.Popen([PROGRAM, "analyze"], cwd=self.folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            while process.poll() is None and not (self.folder / ".flakebisect").exists():
                pass
            for _ in range(number * 2000):  # a little later each time
                pass
            process.kill()
            process.wait()
        answer, stderr = self.analyze()
        self.assertEqual(stderr, "")
        self.assertEqual((answer["runs"], answer["results"]), (400, 400 * 13))


class OptionsTest(SmallProject):
    def setUp(self):
        super().setUp()
        everything = TESTS + [VICTIM]
        self.repository(
            {str(n): stored_run(everything, failed=[VICTIM] if n % 4 == 0 else [], start=n) for n in range(20)}
        )

    def test_fail_if(self):
        for rate, status in (("0.25", 8), ("0.2", 8), ("0.26", 0), ("1", 0), ("0", 8)):
            with self.subTest(rate=rate):
                done = self.run_program("analyze", "--fail-if", rate)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertEqual(VICTIM in done.stderr, status == 8)
        for rate in ("-0.1", "1.5", "nan", "much"):
            with self.subTest(rate=rate):
                self.assertEqual(self.run_program("analyze", "--fail-if=" + rate).returncode, 2)

    def test_test_and_since(self):
        done = self.run_program("analyze", "--test", "test_0[1-3]$", "--json", "-")
        self.assertEqual((json.loads(done.stdout)["tests"], json.loads(done.stdout)["groups"]), (3, []))
        done = self.run_program("analyze", "--since", "10", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["runs"], 10)
        self.assertEqual(json.loads(done.stdout)["first_run"]["id"], "10")
        done = self.run_program("analyze", "--since", "2026-11-20 10:00:15", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["runs"], 5)
        done = self.run_program("analyze", "--since", "2026-11-20", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["runs"], 20)
        for when, status in (("2030-01-01", 5), ("500", 5), ("yesterday", 2), ("2026-13-45", 2), ("", 2)):
            with self.subTest(when=when):
                done = self.run_program("analyze", "--since", when)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn("--since", done.stderr)

    def test_command_line_errors(self):
        done = self.run_program("analyze", "--tops", "3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean '--top'", done.stderr)
        self.assertEqual(self.run_program("analyze", "--test", "(").returncode, 2)
        self.assertEqual(self.run_program("analyze", "--top", "-1").returncode, 2)
        self.assertEqual(self.run_program("analyze", "--json", "-", "--csv", "-").returncode, 2)
        self.assertIn("--fail-if", self.run_program("analyze", "--help").stdout)

    def test_suggested_command_is_accepted(self):
        done = self.run_program("analyze", "--json", "-")
        command = json.loads(done.stdout)["groups"][0]["tests"][0]["next"]["command"]
        self.assertTrue(command.startswith("flakebisect --run-id 16 --worker worker-0 --test "), command)
        ran = self.shell(command.replace("flakebisect", self.program_quoted(), 1) + " --max-probes 1", cwd=self.folder)
        self.assertIn(ran.returncode, (0, 3, 4), ran.stderr)

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            done = self.run_program("analyze", stdout=full)
        self.assertEqual(done.returncode, 1)
        for option in ("--json", "--csv", "--dot", "--svg"):
            with self.subTest(option=option):
                done = self.run_program("analyze", option, "/dev/full")
                self.assertEqual(done.returncode, 1)
                self.assertIn("/dev/full", done.stderr)

    def test_no_runs(self):
        self.repository({})
        done = self.run_program("analyze")
        self.assertEqual(done.returncode, 5)
        self.assertIn("no run is stored", done.stderr)
        self.assertEqual(self.run_program("analyze", "--repo", "nowhere").returncode, 5)

    def test_runs_without_tests(self):
        self.repository({"0": "", "1": ""})
        done = self.run_program("analyze")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("No flaky test", done.stdout)

    def test_damaged_run(self):
        good = stored_run(TESTS + [VICTIM], failed=[VICTIM])
        damaged = good.encode() + b"\xb3\x29\x01\x0cgarbage\xff\xfe\x00"
        self.repository({"0": good, "1": stored_run(TESTS + [VICTIM]), "2": b"\xb3\x29\x01\x20broken packet", "3": damaged})
        done = self.run_program("analyze")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("run 2 has", done.stderr)
        self.assertIn("damaged part", done.stderr)
        self.assertIn(VICTIM, done.stdout)

    def test_hostile_text(self):
        evil = "evil.\x1b[31mred\u202egnp.test\x07"
        runs = {}
        for n in range(6):
            text = stored_run(TESTS, start=n)
            text += f"test: {evil}\n"
            text += failure(evil, "Traceback\n  \x1b]0;title\x07Error: \x9b31m\n") if n % 2 else f"success: {evil}\n"
            runs[str(n)] = text
        self.repository(runs)
        done = self.run_program("analyze", "-v", "--dot", "graph.dot", "--svg", "graph.svg", "--csv", "list.csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name, text in (("text", done.stdout), ("stderr", done.stderr), ("csv", (self.folder / "list.csv").read_text())):
            with self.subTest(output=name):
                for character in "\x1b\x07\u202e\x9b":
                    self.assertNotIn(character, text)
        self.assertIn("\\x1b[31mred", done.stdout)


if __name__ == "__main__":
    unittest.main()
