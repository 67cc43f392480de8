#!/usr/bin/python3
"""Every error of the command line, of the input and of the tests to run: its exit status, and what the message says."""
import fcntl
import json
import os
import pathlib
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import unittest
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from small_project import BEHIND, POLLUTER, PROGRAM, TESTS, TRACEBACK, VICTIM, SmallProject, stored_run  # noqa: E402



class ErrorCase(SmallProject):
    def fails(self, status, words, *said):
        """Runs the program: it ends with the status, prints nothing but its message on standard error, which has each text."""
        ran = self.run_program(*words)
        self.assertEqual(ran.returncode, status, f"{ran.stdout}\n{ran.stderr}")
        for text in said:
            self.assertIn(text, ran.stderr)
        self.assertNotIn("terminate called", ran.stderr)
        self.assertNotIn("what():", ran.stderr)
        return ran


class CommandLineTest(ErrorCase):
    def test_unknown_option_suggests_the_nearest(self):
        self.fails(2, ["--wroker", "worker-0"], "--wroker", "--worker")
        self.fails(2, ["bisect", "--confidance", "0.9"], "--confidance", "--confidence")
        self.fails(2, ["list", "--pipelin"], "--pipelin", "--pipeline")
        self.fails(2, ["--wroker=worker-0"], "'--wroker'", "--worker")
        self.fails(2, ["--confidance=0.999999999999"], "'--confidance'", "--confidence")

    def test_unknown_command_suggests_the_nearest(self):
        self.fails(2, ["bisekt"], "bisekt", "bisect")
        self.fails(2, ["sesions"], "sesions", "sessions")

    def test_options_do_not_work_abbreviated(self):
        self.fails(2, ["--work", "worker-0"], "--work")

    def test_values_that_cannot_be(self):
        for words in (
            ["--confidence", "1.5"], ["--confidence", "0"], ["--confidence", "high"], ["--budget", "soon"], ["--budget", "-5s"],
            ["--max-probes", "many"], ["--max-probes", "-1"], ["--jobs", "0"], ["--seed", "x"], ["--color", "purple"],
            ["--test-timeout", "1 fortnight"], ["--match", "("],
        ):
            with self.subTest(words=words):
                self.fails(2, words, words[0])

    def test_what_resume_refuses_as_bisect_does(self):
        for words in (["--max-probes", "0"], ["--json", "-", "--text", "-"], ["--jobs", "0"], ["--confidence", "1"],
                      ["--budget", "soon"]):
            for command in ([], ["resume"]):
                with self.subTest(words=words, command=command):
                    self.fails(2, [*command, *words], "standard output" if "--json" in words else words[0])

    def test_option_without_its_value(self):
        for option in ("--run-id", "--worker", "--test", "--json", "--directory"):
            with self.subTest(option=option):
                self.fails(2, [option], option.lstrip("-"))

    def test_load_list_needs_a_test_and_a_command(self):
        (self.folder / "ids").write_text("\n".join(TESTS) + "\n")
        self.fails(2, ["--load-list", "ids", "--command", "./runner --load-list $IDFILE"], "--test")

    def test_help_and_version_are_no_errors(self):
        ran = self.run_program("--version")
        self.assertEqual((ran.returncode, len(ran.stdout.splitlines()), ran.stderr), (0, 1, ""))
        commands = re.findall(r"^  ([a-z][a-z-]+)  +\S", self.run_program("help").stdout, re.MULTILINE)
        self.assertLessEqual({"bisect", "list", "resume", "sessions", "simulate", "help"}, set(commands))
        for words in (["--help"], ["help"], *([command, "--help"] for command in commands)):
            with self.subTest(words=words):
                ran = self.run_program(*words)
                self.assertEqual((ran.returncode, ran.stderr), (0, ""))
                self.assertIn("flakebisect", ran.stdout)

    def test_version_beside_common_options(self):
        for words in (["-q", "--version"], ["--version", "-q"], ["-C", "/", "--color=never", "--version"]):
            ran = self.run_program(*words)
            self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, self.run_program("--version").stdout, ""))
        self.fails(2, ["list", "--version"], "--version")

    def test_argument_too_many(self):
        self.fails(2, ["list", "--run-id", "7", "worker-0"], "'list'", "'worker-0'", "flakebisect list --help")
        self.fails(2, ["bisect", "latest", "-q"], "'bisect'", "'latest'")
        self.fails(2, ["report", "1", "second", "third"], "'report'", "'second'")
        self.fails(2, ["resume", "1", "2"], "'resume'", "'2'")

    def test_help_of_an_unknown_command(self):
        self.fails(2, ["help", "bisekt"], "bisekt")


class InputTest(ErrorCase):
    def test_no_repository(self):
        empty = self.folder / "empty"
        empty.mkdir()
        for words in (["-C", "empty"], ["list", "-C", "empty"]):
            with self.subTest(words=words):
                self.fails(5, words, "empty", ".testrepository", "--repo")

    def test_directory_that_does_not_exist(self):
        for command in ([], ["list"], ["sessions"], ["sessions", "show", "1"], ["report"], ["resume"], ["analyze"]):
            with self.subTest(command=command):
                self.fails(5, ["-C", "no-such-place", *command], "no-such-place")

    def test_named_repository_that_does_not_exist(self):
        self.fails(5, ["--repo", "elsewhere/.stestr"], "elsewhere/.stestr")

    def test_empty_repository(self):
        self.repository({})
        self.fails(5, [], ".testrepository", "run")
        self.fails(5, ["list"], ".testrepository")

    def test_run_that_does_not_exist(self):
        self.fails(5, ["--run-id", "1615"], "1615", "7")
        self.fails(5, ["list", "--run-id", "1615"], "1615", "7")

    def test_worker_that_does_not_exist(self):
        self.fails(5, ["--run-id", "7", "--worker", "worker-9"], "worker-9", "worker-0")

    def test_worker_with_no_failure(self):
        run = stored_run(TESTS + [VICTIM], failed=[VICTIM]) + stored_run([BEHIND], worker="worker-1", start=2)
        self.repository({"7": run})
        self.fails(5, ["--run-id", "7", "--worker", "worker-1"], "worker-1", "worker-0")

    def test_run_with_no_failure(self):
        self.fails(5, ["--run-id", "6"], "run 6", "--run-id")

    def test_no_run_with_a_failure(self):
        self.repository({"6": stored_run(TESTS)})
        self.fails(5, [], "fail")

    def test_test_that_did_not_run(self):
        self.fails(5, ["--run-id", "7", "--test", "tests.test_b.Case.test_victem"], "test_victem", VICTIM)

    def test_test_that_did_not_fail(self):
        self.fails(5, ["--run-id", "7", "--test", TESTS[3]], TESTS[3], "7")

    def test_stream_that_cannot_be_read(self):
        for content in (b"\xb3" + bytes(range(200)), b"\x00\x01\x02" * 100, b""):
            with self.subTest(content=content[:5]):
                self.repository({"7": content})
                self.fails(5, ["--run-id", "7"], "7")

    def test_list_of_a_run_that_cannot_be_read(self):
        damaged = b"\xb3" + bytes(range(200))
        for content in (damaged, b"\x00\x01\x02" * 100, bytes((7 * n * n + 13) % 256 for n in range(300)), b"hello\nworld\n",
                        b"no end of line"):
            for words in ([], ["--worker", "worker-0"], ["--json", "-"], ["--with-status"]):
                with self.subTest(content=content[:8], words=words):
                    self.repository({"7": content})
                    ran = self.fails(5, ["list", "--run-id", "7", *words], "run 7", "cannot be read")
                    self.assertEqual(ran.stdout, "")
            self.assertEqual(self.run_program("list", "--run-id", "7", "--pipeline", stdout=subprocess.DEVNULL).returncode, 0)
        self.repository({"7": b""})
        ran = self.run_program("list", "--run-id", "7")
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))

    def test_list_of_a_run_that_is_partly_damaged(self):
        packet = b"\xb3\x29\x03\x0c\x01a"  # success of the test a, and its checksum
        packet = packet[:3] + bytes([len(packet) + 4]) + packet[4:]
        packet += zlib.crc32(packet).to_bytes(4, "big")
        self.repository({"7": packet})
        ran = self.run_program("list", "--run-id", "7")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("  a\n", ran.stdout)
        self.repository({"7": packet + packet[:-1] + b"?" + packet})
        ran = self.run_program("list", "--run-id", "7")
        self.assertEqual(ran.returncode, 0)
        self.assertIn("  a\n", ran.stdout)
        self.assertRegex(ran.stderr, "warning: run 7 of .* has 1 damaged part")

    def test_run_that_is_a_directory(self):
        (self.folder / ".testrepository" / "8").mkdir()
        try:
            self.fails(5, ["--run-id", "8"], "8")
        finally:
            (self.folder / ".testrepository" / "8").rmdir()

    def test_list_file_that_does_not_exist(self):
        self.fails(5, ["--load-list", "no-ids", "--test", VICTIM, "--command", "true"], "no-ids")

    def test_list_file_that_is_a_directory(self):
        self.fails(5, ["--load-list", ".", "--test", VICTIM, "--command", "true"], "load list .", "directory")

    def test_list_file_with_no_test(self):
        (self.folder / "ids").write_text("\n\n")
        self.fails(5, ["--load-list", "ids", "--test", VICTIM, "--command", "cat $IDFILE"], "no test id", "ids")

    def test_no_test_command(self):
        (self.folder / ".testr.conf").unlink()
        self.fails(5, ["--run-id", "7"], "--command")

    def test_session_that_does_not_exist(self):
        self.fails(5, ["resume"], "session")


class CannotRunTest(ErrorCase):
    def test_missing_command(self):
        self.fails(6, ["--run-id", "7", "--command", "/no/such/runner --load-list $IDFILE"], "/no/such/runner")

    def test_missing_command_of_the_configuration(self):
        self.configure("./no-such-runner $LISTOPT $IDOPTION")
        self.fails(6, ["--run-id", "7"], "no-such-runner")

    def test_command_that_asks_to_stop(self):
        self.fails(6, ["--run-id", "7", "--command", "exit 126 # $IDFILE"], "126")

    def test_runner_that_is_killed_every_time(self):
        self.mode("always-die")
        self.fails(6, ["--run-id", "7"])

    def test_runner_that_is_killed_once(self):
        self.mode("die-once")
        ran = self.run_program("--run-id", "7", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        self.assertEqual(report["cost"]["void"], 1)

    def test_missing_server(self):
        self.fails(6, ["--run-id", "7", "--server", "/no/such/server"], "/no/such/server")


class MatchTest(ErrorCase):
    def explain(self, message, match, *said, status):
        """Fails with a long message everywhere, and is asked to explain what matches."""
        text = f"Traceback (most recent call last):\n  File \"/src/tests/test_b.py\", line 7, in test_victim\n{message}\n"
        self.repository({"7": stored_run(TESTS + [VICTIM]).replace(
            f"success: {VICTIM}\n", f"failure: {VICTIM} [\n{text}]\n")})
        names = self.folder / "names"
        names.write_text(names.read_text() + f"TRACEBACK = {text!r}\n")
        ran = self.run_program("--run-id", "7", "--match", match)
        self.assertEqual(ran.returncode, status, ran.stderr[-2000:])
        for words in said:
            self.assertIn(words, ran.stdout + ran.stderr)

    def test_long_line(self):
        self.explain("AssertionError: " + "a" * 40000 + "b", "AssertionError.*b", POLLUTER, status=0)
        self.explain("AssertionError: " + "a" * 40000 + "b", r"(?:\w|:| )*b\s*$", POLLUTER, status=0)

    def test_pattern_that_no_failure_matches(self):
        for words in ([], ["--test", VICTIM], ["--worker", "worker-0"], ["-q", "--json", "report.json"]):
            self.fails(5, ["--run-id", "7", "--match", "KeyError", *words],
                       "the failure in run 7 does not match --match 'KeyError'", VICTIM)

    def test_pattern_chooses_the_victim(self):
        other = TESTS[3]
        run = stored_run(TESTS + [VICTIM], failed=[VICTIM]).replace(
            f"success: {other}\n", f"failure: {other} [\nKeyError: 'x'\n]\n")
        self.repository({"7": run})
        ran = self.run_program("--run-id", "7", "--match", "'CHF'", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads((self.folder / "report.json").read_text())["victim"], VICTIM)
        self.fails(5, ["--run-id", "7", "--match", "'CHF'", "--test", other], other)
        ran = self.run_program("--run-id", "7", "--match", "KeyError", "--max-probes", "1")
        self.assertIn(other, ran.stderr.splitlines()[1])

    def test_pattern_that_takes_too_long(self):
        self.explain("AssertionError: " + "a" * 400, "(a*)*(a*)*(a*)*Z", "(a*)*(a*)*(a*)*Z", "simpler", status=2)


class OutputTest(ErrorCase):
    def full(self, words, **streams):
        with open("/dev/full", "w") as full:
            ran = self.run_program(*words, **{name: full for name in streams})
        self.assertEqual(ran.returncode, 1, ran.stderr)
        return ran

    def test_standard_output_is_full(self):
        for words in (["--version"], ["--help"], ["help", "list"], ["list"], ["list", "--pipeline", "--worker", "worker-0"],
                      ["list", "--json", "-"], ["--run-id", "7"], ["--run-id", "7", "-q", "--json", "-"]):
            with self.subTest(words=words):
                self.assertIn("output", self.full(words, stdout=1).stderr)

    def test_standard_error_is_full(self):
        self.full(["--run-id", "7"], stderr=1)

    def test_standard_output_is_closed(self):
        ran = self.shell(f"{self.program_quoted()} list >&-", cwd=self.folder)
        self.assertEqual(ran.returncode, 1, ran.stderr)

    def test_report_file_is_full(self):
        self.fails(1, ["--run-id", "7", "--json", "/dev/full"], "/dev/full")

    def test_report_file_in_no_folder(self):
        self.fails(1, ["--run-id", "7", "--markdown", "no-such-folder/report.md"], "no-such-folder/report.md")


class ExitStatusTest(ErrorCase):
    def explain(self, *words):
        ran = self.run_program("--run-id", "7", "--json", "report.json", *words)
        self.assertTrue((self.folder / "report.json").exists(), ran.stderr)
        return ran, json.loads((self.folder / "report.json").read_text())

    def test_stored_failure_and_a_silent_command(self):
        ran, report = self.explain("--command", f"! grep -q -x {shlex.quote(POLLUTER)} $IDFILE")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        self.assertEqual(report["other_failures"], [])
        self.assertEqual(len([text for text in report["warnings"] if "exit status" in text]), 1)
        self.assertEqual(ran.stderr.count("its exit status speaks"), 1)

    def test_match_tells_failures_apart(self):
        command = f"if grep -q -x {shlex.quote(POLLUTER)} $IDFILE; then echo currency; exit 1; fi"
        ran, report = self.explain("--command", command, "--match", "currency|CHF")
        self.assertEqual((ran.returncode, report["verdict"]["tests"]), (0, [POLLUTER]), ran.stderr)
        self.assertNotIn("its exit status speaks", ran.stderr)
        ran, report = self.explain("--command", command, "--match", "CHF", "--max-probes", "20")
        self.assertEqual((ran.returncode, report["verdict"]["kind"]), (4, "not-reproduced"), ran.stderr)
        self.assertEqual([one["signature"] for one in report["other_failures"]], ["failure: currency"])

    def test_traceback_of_another_line_is_another_failure(self):
        text = TRACEBACK.replace("shop.currency", "shop.name")
        (self.folder / "text").write_text(text)
        ran, report = self.explain("--command", "cat text; exit 1 # $IDFILE", "--max-probes", "20")
        self.assertEqual((ran.returncode, report["verdict"]["kind"]), (4, "not-reproduced"), ran.stderr)
        (self.folder / "text").write_text(TRACEBACK)
        ran, report = self.explain("--command", "cat text; exit 1 # $IDFILE")
        self.assertEqual((ran.returncode, report["verdict"]["kind"]), (0, "self"), ran.stderr)


class BudgetTest(ErrorCase):
    def test_budget_that_ends_while_tests_are_listed(self):
        said = "--budget ended while the tests were being listed; give it more"
        self.configure("sleep 300; : $LISTOPT $IDOPTION")
        self.fails(3, ["--run-id", "7", "--budget", "1s"], said)
        self.fails(3, ["--all-failures", "--run-id", "7", "--budget", "3s"], said)
        # A server that never answers its Hello.
        self.fails(3, ["--run-id", "7", "--server", "echo hi; sleep 1000", "--budget", "1s"], said)

    def test_budget_that_is_too_small(self):
        self.mode("self")  # fails in each probe, so that the failure is seen; two of them confirm nothing
        ran = self.run_program("--run-id", "7", "--confidence", "0.9999", "--max-probes", "2")
        self.assertEqual(ran.returncode, 3, ran.stderr)
        self.assertIn("resume", ran.stdout + ran.stderr)

    def test_failure_that_never_comes_back(self):
        self.mode("never")
        ran = self.run_program("--run-id", "7", "--max-probes", "30", "--json", "report.json")
        self.assertEqual(ran.returncode, 4, ran.stderr)
        self.assertEqual(json.loads((self.folder / "report.json").read_text())["verdict"]["kind"], "not-reproduced")

    def test_search_that_has_nothing_more_to_try(self):
        # The victim fails alone, but never behind the others: what makes it do so is not the recorded failure.
        runner = self.folder / "runner"
        runner.write_text(runner.read_text().replace("bad = test == VICTIM and mode[0]", "bad = test == VICTIM and not ran and mode[0]")
                          .replace("(POLLUTER in ran or", "(True or"))
        ran = self.run_program("--run-id", "7", "--json", "report.json", "--text", "report.txt")
        self.assertEqual(ran.returncode, 3, ran.stderr)
        self.assertTrue(json.loads((self.folder / "report.json").read_text())["verdict"]["exhausted"])
        self.assertIn("nothing more to try", ran.stderr.splitlines()[-1])
        text = " ".join((self.folder / "report.txt").read_text().split())
        self.assertIn("alone it failed in", text)
        self.assertIn("then begin a new search", text)
        self.assertNotIn("flakebisect resume", text + ran.stderr)

    def test_options_that_are_no_text(self):
        self.fails(2, ["--run-id", "7", "--suspect", b"\xe9"], "UTF-8", "suspects")


class ResumeTest(ErrorCase):
    UNDECIDED = ["--run-id", "7", "--confidence", "0.999999", "--max-probes", "2"]

    def resume_command(self, ran):
        """The command at the end of standard error; the report has it, too, if wrapped."""
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        command = ran.stderr.splitlines()[-1].removeprefix("to go on: ")
        self.assertTrue(command.startswith("flakebisect resume"), ran.stderr)
        self.assertIn(command, " ".join(ran.stdout.split()))
        return command

    def test_printed_command_can_be_pasted(self):
        self.mode("self")
        (self.folder / "my dir").symlink_to(".")
        (self.folder / "sub").mkdir()
        for words, cwd in ((["--session", "b p's.sqlite"], self.folder), (["-C", "../my dir"], self.folder / "sub")):
            with self.subTest(words=words):
                command = self.resume_command(self.run_program(*self.UNDECIDED, *words, cwd=cwd))
                pasted = self.shell(command.replace("flakebisect", self.program_quoted(), 1) + " --confidence 0.95", cwd=cwd)
                self.assertEqual(pasted.returncode, 0, pasted.stderr)


    def test_relative_repository_from_another_directory(self):
        self.mode("self")
        (self.folder / ".testrepository").rename(self.folder / "stored")
        ran = self.run_program(*self.UNDECIDED, "--repo", "stored")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        session = ["resume", "--session", str(self.folder / ".flakebisect" / "sessions.sqlite")]
        ran = self.run_program(*session, "--max-probes", "1", "--confidence", "0.999999", cwd="/")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        # A repository that has moved since is named anew.
        (self.folder / "stored").rename(self.folder / "moved")
        self.assertEqual(self.run_program(*session, cwd="/").returncode, 5)
        ran = self.run_program(*session, "--repo", str(self.folder / "moved"), "--confidence", "0.95", cwd="/")
        self.assertEqual(ran.returncode, 0, ran.stderr)


class SessionFileTest(ErrorCase):
    COMMANDS = (["report"], ["sessions"], ["sessions", "show", "1"], ["sessions", "export", "1"], ["resume"], ["--run-id", "7"])

    def test_file_that_is_no_session_file(self):
        (self.folder / "text").write_text("no database\n" * 1000)
        other = sqlite3.connect(self.folder / "other.sqlite")
        other.execute("CREATE TABLE t (x)")
        other.commit()
        other.close()
        for command in self.COMMANDS:
            for file in ("text", "other.sqlite"):
                with self.subTest(command=command, file=file):
                    self.fails(5, [*command, "--session", file], file, "--session")

    def test_file_of_a_newer_version(self):
        self.assertEqual(self.run_program("--run-id", "7", "--session", "s").returncode, 0)
        newer = sqlite3.connect(self.folder / "s")
        newer.execute("PRAGMA user_version = 999")
        newer.close()
        for command in self.COMMANDS:
            with self.subTest(command=command):
                self.fails(5, [*command, "--session", "s"], "newer flakebisect")

    def test_session_of_another_process(self):
        self.mode("self")
        ran = self.run_program("--run-id", "7", "--session", "s", "--confidence", "0.999999", "--max-probes", "2")
        self.assertIn(ran.returncode, (3, 4), ran.stderr)
        with open(self.folder / "s.1.lock", "w") as lock:
            lock.write("pid 1 on somewhere\n")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.fails(5, ["resume", "--session", "s"], "is being worked on by pid 1 on somewhere")
            self.fails(5, ["sessions", "delete", "1", "--session", "s"], "is being worked on")

    def test_what_is_read_only_can_be_read(self):
        self.assertEqual(self.run_program("--run-id", "7", "--session", "store/s").returncode, 0)
        shown = {tuple(command): self.run_program(*command, "--session", "store/s").stdout for command in self.COMMANDS[:4]}
        store = self.folder / "store"
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o755)
        (store / "s").chmod(0o444)
        self.addCleanup(store.chmod, 0o755)
        for mode in (0o555, 0o777):
            store.chmod(mode)
            for command, said in shown.items():
                with self.subTest(command=command, mode=oct(mode)):
                    ran = subprocess.run([PROGRAM, *command, "--session", "store/s"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                         capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"}, **nobody)
                    self.assertEqual((ran.returncode, ran.stdout), (0, said), ran.stderr)


class InterruptTest(ErrorCase):
    def interrupt(self, number):
        """Starts a search whose sixth run of the tests never ends, and sends the signal while that is running."""
        fifo = self.folder / "running"
        os.mkfifo(fifo)
        self.mode("block", "5", shlex.quote(str(fifo.name)))
        process = subprocess.Popen(
            [PROGRAM, "--run-id", "7"], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        try:
            child = int(fifo.read_text())
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        with self.assertRaises(ProcessLookupError, msg="the probe is gone"):
            os.kill(child, 0)
        return process.returncode, out + err

    def test_interrupt_and_resume(self):
        status, said = self.interrupt(signal.SIGINT)
        self.assertEqual(status, 130, said)
        self.assertIn(VICTIM, said)
        resume = [line for line in said.splitlines() if "flakebisect" in line and "resume" in line]
        self.assertTrue(resume, said)
        self.mode("polluted")
        ran = self.run_program("resume", "--json", "report.json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads((self.folder / "report.json").read_text())["verdict"]["tests"], [POLLUTER])

    def test_terminated(self):
        status, said = self.interrupt(signal.SIGTERM)
        self.assertEqual(status, 143, said)
        self.assertIn("resume", said)


class MainJobTest(ErrorCase):
    def test_verdict_report_and_reproduction_command(self):
        before = {p.name: p.read_bytes() for p in (self.folder / ".testrepository").iterdir()}
        ran = self.run_program("--run-id", "7", "--worker", "worker-0", "--json", "report.json", "--markdown", "report.md")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(report["schema"], "flakebisect/report/1")
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))
        self.assertTrue(report["verdict"]["confirmed"])
        self.assertGreaterEqual(report["verdict"]["probability"], 0.95)
        self.assertEqual((report["victim"], report["run_id"], report["worker"]), (VICTIM, "7", "worker-0"))
        self.assertEqual(report["candidates"], len(TESTS))
        self.assertEqual(report["reproduce"]["tests"], [POLLUTER, VICTIM])
        self.assertIn(POLLUTER, ran.stdout)
        self.assertIn(POLLUTER, (self.folder / "report.md").read_text())
        self.assertIn(report["reproduce"]["command"].splitlines()[0], ran.stdout)
        own = [probe["seconds"] for probe in report["probes"]
               if probe["outcome"] != "void" and probe["ran"] == str(TESTS.index(POLLUTER))]
        self.assertAlmostEqual(report["reproduce"]["seconds_per_run"], sum(own) / len(own), places=5)

        pasted = self.shell(report["reproduce"]["command"], cwd=pathlib.Path("/"))
        self.assertIn(f"failure: {VICTIM}", pasted.stdout, pasted.stderr)
        ran_there = [line.split()[1] for line in pasted.stdout.splitlines() if line.startswith("test:")]
        self.assertEqual(ran_there, [POLLUTER, VICTIM])

        after = {p.name: p.read_bytes() for p in (self.folder / ".testrepository").iterdir()}
        self.assertEqual(after, before, "the repository is only read")

    def test_exit_status_of_a_command_speaks(self):
        (self.folder / "ids").write_text("\n".join([*TESTS, VICTIM, BEHIND]) + "\n")
        ran = self.run_program(
            "--load-list", "ids", "--test", VICTIM, "--json", "report.json",
            "--command", f"! grep -q -x {shlex.quote(POLLUTER)} $IDFILE",
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["verdict"]["kind"], report["verdict"]["tests"]), ("polluter", [POLLUTER]))


if __name__ == "__main__":
    unittest.main()
