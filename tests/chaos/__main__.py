"""Break the night in every way known and look whether what it promises holds.

    make chaos                                               a thousand kills, all other kinds of blows in proportion, a soak
                                                             of 500 pairs, a dozen kills of the real engine, a rehearsal
    make chaos ARGS="--kind drivers --seed 1042 --trials 1"  one trial again

Prints a table of what was tried, and each finding with the command that repeats its trial. Exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.blows import KINDS
from tests.chaos.campaign import Tally, spend, strike, table
from tests.chaos.nights import NIGHTS
from tests.chaos.project import make_project


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=float, default=1000, help="processes to kill (default 1000)")
    parser.add_argument("--trials", type=float, default=float("inf"), help="make at most so many trials")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no trial after so many seconds")
    parser.add_argument(
        "--kind", choices=[*KINDS, "blows", *NIGHTS], help="this kind alone; blows: all but the long pieces"
    )
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="trials at a time")
    arguments = parser.parse_args()

    # In memory where that is possible: a kill leaves the same files there, and fsync costs nothing.
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        began = time.monotonic()
        tallies: dict[str, Tally] = {}
        for name in NIGHTS if arguments.kind is None else NIGHTS.keys() & {arguments.kind}:
            tallies[name] = spend(name, folder, arguments.seed)
            print(f"{name}: {time.monotonic() - began:.0f} s so far", flush=True)
        if arguments.kind not in NIGHTS:  # a kind of blow, or all of them
            tallies |= strike(
                make_project(folder / "fast"),
                folder,
                seed=arguments.seed,
                kills=arguments.kills,
                trials=arguments.trials,
                until=began + arguments.seconds,
                only=arguments.kind if arguments.kind in KINDS else None,
                jobs=arguments.jobs,
                timed=True,
            )
        print(table(tallies, time.monotonic() - began))
        return 1 if any(tally.findings for tally in tallies.values()) else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
