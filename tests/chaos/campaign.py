"""Trials by the hundred: which kinds, how many at a time, and the table of what came of them."""

from __future__ import annotations

import random
import shutil
import sys
import time
import traceback
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.blows import KINDS, lacking
from tests.chaos.nights import NIGHTS
from tests.chaos.project import Project
from tests.chaos.trial import Finding, Trial

ENOUGH_FINDINGS = 10  # then something is broken for good, and the rest would only repeat it


@dataclass
class Tally:
    """What came of the trials of one kind."""

    trials: int = 0
    kills: int = 0
    steps_lost: int = 0
    longest_loss: float = 0.0
    blows: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def enter(self, name: str, seed: int, trial: Trial, error: BaseException | None) -> None:
        """Take in a trial; one that found nothing is cleared away."""
        self.trials += 1
        self.kills += trial.kills
        self.blows += trial.blows
        self.steps_lost += trial.steps_lost()
        self.longest_loss = max(self.longest_loss, trial.longest_loss())
        if error is None:
            shutil.rmtree(trial.folder, ignore_errors=True)
            return
        what = str(error) if isinstance(error, Finding) else "".join(traceback.format_exception(error))
        again = f'make chaos ARGS="--kind {name} --seed {seed} --trials 1"'
        self.findings.append(f"{what}\n    blows: {dict(trial.blows)}; again: {again}")
        print(f"FINDING ({name}): {self.findings[-1]}", file=sys.stderr, flush=True)


def strike(
    project: Project,
    folder: Path,
    *,
    seed: int,
    kills: float = float("inf"),
    trials: float = float("inf"),
    until: float = float("inf"),
    only: str | None = None,
    jobs: int = 1,
    timed: bool = False,
) -> dict[str, Tally]:
    """Try kinds of blows, by their shares, until so many processes were killed, so many trials were made, or it is `until`
    (monotonic seconds). Trial number n, from 0, has the seed `seed` + n; which kind it is follows from `seed` too. `timed`:
    see Trial."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    shares: dict[str, float] = {}
    for name, kind in KINDS.items():
        if only in (None, name):
            if reason := lacking(kind.needs, folder):
                print(f"not tried: {name}, as {reason}", file=sys.stderr, flush=True)
            else:
                shares[name] = kind.share
    chance = random.Random(seed)
    number = 0
    running: dict[Future[None], tuple[str, int, Trial]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while shares:
            killed = sum(tally.kills for tally in tallies.values())
            found = sum(len(tally.findings) for tally in tallies.values())
            goes_on = killed < kills and found < ENOUGH_FINDINGS and time.monotonic() < until
            while goes_on and number < trials and len(running) < jobs:
                name = chance.choices(list(shares), list(shares.values()))[0]
                trial = Trial(project, folder / f"trial{number}", seed + number, timed=timed)
                running[pool.submit(_try, name, trial)] = (name, seed + number, trial)
                number += 1
            if not running:
                break
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                name, its_seed, trial = running.pop(done)
                tallies[name].enter(name, its_seed, trial, done.exception())
    return tallies


def spend(name: str, folder: Path, seed: int) -> Tally:
    """One of the longer pieces (tests/chaos/nights), timed."""
    tally = Tally()
    trial = Trial(NIGHTS[name].project(folder / f"{name}-project"), folder / name, seed, timed=True)
    error: Exception | None = None
    try:
        NIGHTS[name].strike(trial)
    except Exception as found:
        error = found
    finally:
        trial.close()
    tally.enter(name, seed, trial, error)
    return tally


def _try(name: str, trial: Trial) -> None:
    try:
        KINDS[name].strike(trial)
    finally:
        trial.close()


def table(tallies: dict[str, Tally], seconds: float) -> str:
    """What was tried, kind by kind, and what was found."""
    lines = [f"{'kind':<11}{'trials':>7}{'kills':>7}{'steps lost':>12}{'longest loss':>14}{'findings':>10}  blows"]
    for name, tally in sorted(tallies.items()):
        blows = ", ".join(f"{count} {what}" for what, count in sorted(tally.blows.items()))
        lines.append(
            f"{name:<11}{tally.trials:>7}{tally.kills:>7}{tally.steps_lost:>12}{tally.longest_loss:>12.3f} s"
            f"{len(tally.findings):>10}  {blows}"
        )
    kills = sum(tally.kills for tally in tallies.values())
    findings = sum(len(tally.findings) for tally in tallies.values())
    blows = sum(tally.blows.total() for tally in tallies.values())
    lines.append(f"{kills} kills, {blows} blows in {seconds:.0f} s, {findings} findings")
    return "\n".join(lines)
