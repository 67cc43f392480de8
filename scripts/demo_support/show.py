"""scripts/demo behind the build: makes the two repositories, bisects them, and prints what came of it."""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import stories

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARKER = "made-by-flakebisect-demo"


def heading(text):
    print(f"\n=== {text}", flush=True)


class Counter:
    """Tells on standard error how far the making of a repository is; on a terminal in one line."""

    def __init__(self, what):
        self._what = what
        self._terminal = sys.stderr.isatty()

    def __call__(self, runs, failures):
        if self._terminal:
            print(f"\r{self._what}: {runs} runs, {failures} failed ", end="", file=sys.stderr, flush=True)

    def end(self):
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def prepare(folder, keep):
    """An empty work directory, or with --keep the one that is there. Never empties a directory that is not the demo's."""
    marker = folder / MARKER
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise stories.DemoError(f"{folder} holds something that is not the demo's: name an empty directory with --work-dir")
        if not keep:
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()


def make(story, folder, maker):
    """The story's checkout with its repository, unless it is there (--keep)."""
    checkout = folder / story.name
    if (checkout / ".testrepository" / "failing").exists():
        print(f"repository: {checkout}/.testrepository (of an earlier demo)")
        return checkout
    shutil.rmtree(checkout, ignore_errors=True)
    started = time.monotonic()
    counter = Counter("running the suite until the victim fails")
    runs = maker(checkout, counter)
    counter.end()
    numbers = sorted(int(p.name) for p in (checkout / ".testrepository").iterdir() if p.name.isdigit())
    print(f"repository: {checkout}/.testrepository, run {numbers[-2]} passed, run {numbers[-1]} failed")
    print(f"(the suite of 506 tests ran {runs} times in {time.monotonic() - started:.0f} s until that happened)")
    return checkout


def bisect(program, story, checkout, reports, options):
    """Runs the main job as a user would. (its JSON report, seconds)"""
    reports.mkdir(exist_ok=True)
    name = checkout.name
    command = [program, "-C", str(checkout), "--run-id", story.run_id, "--worker", "worker-0", "--seed", str(options.seed),
               "--jobs", str(options.jobs), "--json", str(reports / f"{name}.json"), "--markdown", str(reports / f"{name}.md")]
    print(f"$ flakebisect {shlex.join(command[1:])}\n", flush=True)
    started = time.monotonic()
    status = subprocess.run(command, env=stories.environment(), stdin=subprocess.DEVNULL).returncode
    seconds = time.monotonic() - started
    path = reports / f"{name}.json"
    if status not in (0, 3, 4) or not path.exists():
        raise stories.DemoError(f"flakebisect ended with status {status}; what it printed above says why")
    return json.loads(path.read_text()), seconds


def is_right(story, report):
    verdict = report["verdict"]
    return verdict["kind"] == story.truth and tuple(verdict["tests"]) == story.culprits


def with_server(checkout):
    """A copy of a checkout whose .testr.conf names a test server as well."""
    copy = checkout.with_name(f"{checkout.name}-server")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".flakebisect"))
    server = ROOT / "scripts" / "flakebisect-unittest-server"
    with (copy / ".testr.conf").open("a") as file:
        file.write(f"test_server_command={shlex.quote(str(server))} discover -t ./ ./tests\n")
    return copy


def verdict_text(report):
    verdict = report["verdict"]
    return f"{verdict['kind']} {' '.join(verdict['tests'])}".strip() + f" (probability {verdict['probability']:.3f})"


def show(options):
    work = options.work_dir.resolve()
    prepare(work, options.keep)
    reports = work / "reports"
    rows = []
    for story, maker in ((stories.RACE, stories.make_race), (stories.POLLUTION, stories.make_pollution)):
        heading(f"{story.title} ({story.name})")
        checkout = make(story, work, maker)
        report, seconds = bisect(options.program, story, checkout, reports, options)
        rows.append((story, "a new process each", report, seconds))
        if options.server:
            heading(f"The same with a test server ({story.name})")
            report, seconds = bisect(options.program, story, with_server(checkout), reports, options)
            rows.append((story, "test server", report, seconds))

    heading("What 'testr run --analyze-isolation' says of the second")
    scratch = work / "pollution-analyzed-by-testr"
    shutil.rmtree(scratch, ignore_errors=True)
    answer, analysis_seconds, said = stories.analyze_isolation(work / "pollution", scratch)
    (reports / "testr-analyze-isolation.txt").write_text(said)
    print("\n".join(said.rstrip().splitlines()[-3:]))

    heading("Both stories")
    wrong = 0
    for story, way, report, seconds in rows:
        right = is_right(story, report)
        wrong += not right
        planted = f"{story.truth} {' '.join(story.culprits)}".strip()
        print(f"{story.name}, {way}: {report['cost']['probes']} probes, {seconds:.1f} s")
        print(f"  planted:     {planted}")
        print(f"  flakebisect: {verdict_text(report)}{'' if right else '   <- WRONG'}")
        if story is stories.POLLUTION and way != "test server":
            print(f"  testr:       {answer.replace(story.victim, '').strip()} ({analysis_seconds:.1f} s)")
    print("reports:")
    for path in sorted(reports.iterdir()):
        print(f"  {path}")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="flakebisect's main job on two real repositories")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--server", action="store_true", help="do it with a test server, too, and compare the times")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="flakebisect's seed (default 1)")
    parser.add_argument("--jobs", type=int, default=max(1, min(4, os.cpu_count() or 1)), metavar="N",
                        help="probes at once (default: one for each processor, at most 4)")
    parser.add_argument("--work-dir", type=pathlib.Path, default=ROOT / "build" / "demo", metavar="DIR")
    parser.add_argument("--keep", action="store_true", help="use the repositories that are in the work directory already")
    started = time.monotonic()
    try:
        status = show(parser.parse_args())
    except stories.DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"the demo took {time.monotonic() - started:.0f} s after the build")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
