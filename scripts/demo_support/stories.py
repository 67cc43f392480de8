"""The two stories of the demo: checkouts of the project, and the repositories that testr makes of them."""
import concurrent.futures
import configparser
import dataclasses
import io
import os
import pathlib
import shutil
import subprocess
import time

import subunit
import testtools

PROJECT = pathlib.Path(__file__).resolve().parents[1] / "demo_project"
HISTORY = 12  # runs before the failing one that are put into the first repository


@dataclasses.dataclass(frozen=True)
class Story:
    name: str  # a folder of demo_project/stories
    title: str
    victim: str
    truth: str  # the verdict's kind
    culprits: tuple
    run_id: str  # of the failing run


RACE = Story(
    name="race",
    title="A victim that fails on its own, one run in 30",
    victim="tests.test_ledger.TwoTillsTest.test_both_sales_are_counted",
    truth="self",
    culprits=(),
    run_id="1615",
)
POLLUTION = Story(
    name="pollution",
    title="A polluter that bites one run in 4",
    victim="tests.test_orders.ConfirmationTest.test_confirmation_is_in_euros",
    truth="polluter",
    culprits=("tests.test_affiliates.PartnerExportTest.test_export_for_a_visiting_partner",),
    run_id="latest",
)


class DemoError(Exception):
    """The demo cannot go on; the message says what to do."""


def environment():
    """Debian's interpreter for the tests, whatever else is on the PATH."""
    return {**os.environ, "PYTHON": "/usr/bin/python3"}


def testr(folder, *words, stdin=subprocess.DEVNULL):
    """Runs the real testr; gives (exit status, everything it printed)."""
    ran = subprocess.run(
        ["/usr/bin/testr", *words], cwd=folder, env=environment(), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return ran.returncode, ran.stdout.decode(errors="replace")


def check_out(story, folder):
    """The project with the story's fault in it, and an empty repository."""
    folder = pathlib.Path(folder)
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("stories", "__pycache__", "README.md"))
    shutil.copytree(PROJECT / "stories" / story.name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    status, said = testr(folder, "init")
    if status:
        raise DemoError(f"testr init failed in {folder}:\n{said}")


def failed_tests(stream):
    """The ids of the tests that failed in a subunit v2 stream, and how many tests ended in it."""
    failed, ended = [], 0

    def on_test(test):
        nonlocal ended
        if test["status"] == "exists":  # subunit.run announces every test before it runs them
            return
        ended += 1
        if test["status"] not in ("success", "skip", "xfail"):
            failed.append(test["id"])

    result = testtools.StreamToDict(on_test)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(io.BytesIO(stream), non_subunit_name="stdout").run(result)
    result.stopTestRun()
    return failed, ended


def run_suite(folder):
    """Runs the test command of .testr.conf once, all tests, as a CI job would; gives the stream."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(pathlib.Path(folder) / ".testr.conf")
    command = config["DEFAULT"]["test_command"].replace("$LISTOPT", "").replace("$IDOPTION", "")
    ran = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    return ran.stdout, ran.stderr.decode(errors="replace")


def run_until(story, folder, least, report):
    """Runs the suite until it fails right after a run that passed, and at least `least` times before. All streams, in order.

    As many runs at once as there are processors, at most four: about thirty are needed, and each takes a second.
    """
    streams, passed_before, failures = [], False, 0
    with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        pending = {pool.submit(run_suite, folder) for _ in range(pool._max_workers)}
        try:
            while True:
                done, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
                for each in done:
                    stream, errors = each.result()
                    failed, ended = failed_tests(stream)
                    if ended != 506 or failed not in ([], [story.victim]):
                        raise DemoError(f"the suite in {folder} did not run as it should: {ended} tests ended, {len(failed)} failed {failed[:3]}\n{errors[-2000:]}")
                    streams.append(stream)
                    failures += bool(failed)
                    report(len(streams), failures)
                    if failed and passed_before and len(streams) > least:
                        return streams
                    passed_before = not failed
                    pending.add(pool.submit(run_suite, folder))
        finally:
            for each in pending:
                each.cancel()


def make_race(folder, report=lambda runs, failures: None):
    """Collins's repository: 1614 passes, 1615 fails. Gives how many runs it took.

    How many runs it takes until one fails is not known beforehand. So the suite is run as a CI job runs it, with its stream
    kept; then next-stream is set such that, when testr has loaded the last runs in the order they were made, the
    failing one is 1615. No run is left out between them.
    """
    check_out(RACE, folder)
    streams = run_until(RACE, folder, least=HISTORY, report=report)
    kept = streams[-1 - HISTORY :]
    (pathlib.Path(folder) / ".testrepository" / "next-stream").write_text(f"{int(RACE.run_id) + 1 - len(kept)}\n")
    for number, stream in enumerate(kept):
        path = pathlib.Path(folder) / "run.subunit"
        path.write_bytes(stream)
        with path.open("rb") as file:
            status, said = testr(folder, "load", stdin=file)
        path.unlink()
        expected = f"id={int(RACE.run_id) + 1 - len(kept) + number}"
        if expected not in said:
            raise DemoError(f"testr load was to give {expected} and said:\n{said}")
    return len(streams)


def make_pollution(folder, report=lambda runs, failures: None):
    """The second repository: 'testr run' again and again until a run fails right after one that passed. Gives how many."""
    check_out(POLLUTION, folder)
    runs, failures, passed_before = 0, 0, False
    while True:
        status, said = testr(folder, "run")
        runs += 1
        failed = status != 0
        if failed and "(id=" not in said:
            raise DemoError(f"testr run failed in {folder}:\n{said}")
        failures += failed
        report(runs, failures)
        if failed and passed_before and runs >= 6:
            return runs
        passed_before = not failed


def analyze_isolation(folder, scratch):
    """testr's own answer, in a copy of the checkout, since it writes to the repository. (last line, seconds, all of it)"""
    shutil.copytree(folder, scratch)
    started = time.monotonic()
    _, said = testr(scratch, "run", "--analyze-isolation")
    seconds = time.monotonic() - started
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "", seconds, said
