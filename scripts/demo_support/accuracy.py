"""scripts/demo-accuracy behind the build: how often both verdicts of the demo are right."""
import argparse
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import stories


def one(program, story, maker, folder, seed, extra):
    """A fresh repository and one bisection of it. (right?, kind and tests, probes, seconds of the bisection,
    suite runs until the failure)"""
    checkout = folder / story.name
    shutil.rmtree(checkout, ignore_errors=True)
    suite_runs = maker(checkout)
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    ran = subprocess.run(
        [program, "-C", str(checkout), "--run-id", story.run_id, "--worker", "worker-0", "--seed", str(seed), "-q",
         "--json", str(report), *extra],
        env=stories.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    seconds = time.monotonic() - started
    if not report.exists():
        raise stories.DemoError(f"flakebisect ended with status {ran.returncode}:\n{ran.stderr[-2000:]}")
    values = json.loads(report.read_text())
    verdict = values["verdict"]
    right = verdict["kind"] == story.truth and tuple(verdict["tests"]) == story.culprits
    return right, " ".join([verdict["kind"], *verdict["tests"]]), values["cost"]["probes"], seconds, suite_runs


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo-accuracy", description="counts the right verdicts of the demo")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("repetitions", nargs="?", type=int, default=20, metavar="N")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N")
    parser.add_argument("--story", choices=("race", "pollution"), help="one of the two only")
    parser.add_argument("--work-dir", type=pathlib.Path, help="default: a temporary directory")
    parser.add_argument("extra", nargs="*", metavar="OPTION", help="options handed on to flakebisect, after --")
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error("N must be at least 1")
    folder = options.work_dir or pathlib.Path(tempfile.mkdtemp(prefix="flakebisect-accuracy-"))
    folder.mkdir(parents=True, exist_ok=True)
    needed = math.ceil(options.repetitions * 19 / 20)
    enough = True
    for story, maker in ((stories.RACE, stories.make_race), (stories.POLLUTION, stories.make_pollution)):
        if options.story not in (None, story.name):
            continue
        results = []
        for seed in range(options.first_seed, options.first_seed + options.repetitions):
            results.append(one(options.program, story, maker, folder, seed, options.extra))
            right, verdict, probes, seconds, suite_runs = results[-1]
            print(f"{story.name} seed {seed}: {'right' if right else 'WRONG'}: {verdict}; {probes} probes, {seconds:.1f} s "
                  f"(repository of {suite_runs} suite runs)", flush=True)
        rights = sum(each[0] for each in results)
        times = [each[3] for each in results]
        enough = enough and rights >= needed
        print(f"{story.name}: {rights} of {len(results)} right; bisection {statistics.mean(times):.1f} s on average, "
              f"{max(times):.1f} s at most, {statistics.mean(each[2] for each in results):.0f} probes on average", flush=True)
    if options.work_dir is None:
        shutil.rmtree(folder)
    return 0 if enough else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except stories.DemoError as error:
        sys.exit(f"demo-accuracy: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
