"""What a farm is worth, and what it costs: Dask's scheduler and workers as processes of this machine.

- **Two workers**: pairs an hour of two workers of one thread against one, painting with the real network (128 px, Gram): twelve
  pairs that take the same time. From the first picture of each worker to the last of all, so that the start of TensorFlow is
  in neither. On two cores the workers share them with the scheduler, the run, and whatever else there is. The same by one and
  two painters of this machine's own engine, without Dask, says what the two cores give at most. Three rounds, in turns;
  medians, and each.
- **Overhead**: a pair's time on a farm of one worker above its time on this machine's own engine, both painting in
  milliseconds (tests/chaos), as a share of a pair of a minute. Median of rounds in turns.
- **Lost workers**: forty pairs of nine seconds on three workers, of which one is killed every twenty seconds and another
  started; pairs are saved every three seconds.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section, table
from benchmarks.machine import REPOSITORY

sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]
from farm_kit import Farm, ended, losses

PAIR_SECONDS = 60.0  # of which the overhead is a share
KILL_EVERY = 20.0  # seconds
SAVE_EVERY = 3.0  # seconds between two checkpoints of a pair: three of one that takes nine
QUIET = {"DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s"}  # as docs/farm.md has it for one machine
TWO_WORKERS = "pairs an hour, two Dask workers of one thread against one"
CONTENT = "astronaut"
WEIGHTS = (1e-2, 2e-2, 3e-2)  # of the style: other pairs of the same size
STYLES = ("ink-waves", "palette-knife", "stained-glass", "starry-flow")


def measure(quick: bool) -> Section:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        farm, own = _rates(folder / "rates", quick, rounds=1 if quick else 3)
        here, there = _per_pair(folder / "overhead", pairs=12 if quick else 60, rounds=1 if quick else 3)
        lost = _killed(folder / "lost", pairs=8 if quick else 40, every=5.0 if quick else KILL_EVERY)
    overhead = statistics.median(b - a for a, b in zip(here, there, strict=True))
    rows = [
        ("pairs an hour, one worker of one thread", _each(farm[1])),
        ("pairs an hour, two", _each(farm[2])),
        ("two against one", _each(_ratios(farm))),
        ("pairs an hour without Dask, one painter of one thread", _each(own[1])),
        ("pairs an hour without Dask, two", _each(own[2])),
        ("two against one", _each(_ratios(own))),
        ("a pair on this machine's engine", f"{1000 * statistics.median(here):.0f} ms"),
        ("the same on a farm", f"{1000 * statistics.median(there):.0f} ms"),
        ("workers killed", str(lost["kills"])),
        ("pairs that were begun more than once", str(lost["again"])),
        ("steps that were made twice, of all", f"{lost['twice']} of {lost['steps']}"),
        (f"work lost with a worker, most (saved every {SAVE_EVERY:.0f} s)", f"{lost['lost']:.1f} s"),
    ]
    figures = [
        Figure(TWO_WORKERS, statistics.median(_ratios(farm)), "at least", 1.9, " x"),
        Figure("overhead of a farm per pair of a minute", 100 * overhead / PAIR_SECONDS, "at most", 1.0, " %"),
        Figure("good pairs not painted, workers killed on the way", lost["missing"], "at most", 0.0),
        Figure("work lost with a worker, most, in save intervals", lost["lost"] / SAVE_EVERY, "at most", 1.0),
        Figure("tries of a pair beyond the first and its lost workers, most", lost["beyond"], "at most", 0.0),
    ]
    return Section(name="farm", title="A farm", text=f"{__doc__}\n{table(['', ''], rows)}\n", figures=figures)


def _rates(folder: Path, quick: bool, rounds: int) -> list[dict[int, list[float]]]:
    """Pairs an hour of one and of two workers, in each round: by Dask, and without."""
    rates: list[dict[int, list[float]]] = [{1: [], 2: []}, {1: [], 2: []}]
    for number in range(rounds):
        for found, dask in zip(rates, (True, False), strict=True):
            for workers, each in found.items():
                place = folder / f"{number}-{workers}-{'dask' if dask else 'own'}"
                each.append(_pairs_an_hour(place, workers, quick, dask=dask))
    return rates


def _ratios(rates: dict[int, list[float]]) -> list[float]:
    """Two workers against one, in each round."""
    return [two / one for one, two in zip(rates[1], rates[2], strict=True)]


def _each(found: list[float]) -> str:
    """The median, and what the rounds gave."""
    return f"{statistics.median(found):.3g} ({', '.join(f'{one:.3g}' for one in found)})"


def _pairs_an_hour(folder: Path, workers: int, quick: bool, *, dask: bool = True) -> float:
    """With the real network."""
    steps, weights = (4, WEIGHTS[:2]) if quick else (20, WEIGHTS)
    with _farm(folder, workers if dask else 0) as farm:
        (folder / "night.yaml").write_text(
            f"version: 1\ninput: {REPOSITORY / 'input'}\noutput: out\nrun: {{threads: 1}}\n"
            f"defaults: {{style_loss: gram, size: {64 if quick else 128}, steps: {steps}}}\n"
            f"pairs:\n  - matrix:\n      content: [content/{CONTENT}.jpg]\n"
            f"      style: [{', '.join(f'style/{name}.jpg' for name in STYLES)}]\n"
            f"      style_weight: [{', '.join(map(str, weights))}]\n"
            "    output: '{content.stem}--{style.stem}--{style_weight}.png'\n"
        )
        command = [sys.executable, "-m", "pipeline", "run", "night.yaml", "--log-format", "json"]
        command += farm.flags if dask else ["--jobs", str(workers)]
        done = subprocess.run(command, cwd=folder, env=farm.environment, stderr=subprocess.PIPE, text=True, check=True)
    ends = sorted(_finished(done.stderr))
    return (len(ends) - workers) / (ends[-1] - ends[workers - 1]) * 3600


def _finished(log: str) -> Iterator[float]:
    """When each pair was finished, in seconds."""
    for line in log.splitlines():
        said = json.loads(line)
        if said.get("event") == "done":
            yield datetime.fromisoformat(said["time"]).timestamp()


def _per_pair(folder: Path, pairs: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a run for each pair beyond the first: here, and on a farm of one worker."""
    here, there = [], []
    with _farm(folder, 1) as farm:
        for number in range(rounds):
            for seconds, flags in ((here, ()), (there, farm.flags)):
                walls = []
                for count in (1, pairs):
                    _write(folder, count, f"out{number}{len(flags)}{count}", steps=12)
                    command = [sys.executable, "-m", "tests.chaos.start", "run", "night.yaml", "-q", *flags]
                    began = time.perf_counter()
                    subprocess.run(command, cwd=folder, env=farm.environment, check=True)
                    walls.append(time.perf_counter() - began)
                seconds.append((walls[1] - walls[0]) / (pairs - 1))
    return here, there


def _killed(folder: Path, pairs: int, every: float) -> dict[str, Any]:
    """What becomes of a run whose workers are killed one after the other."""
    with _farm(folder, 3, CHAOS_SAVE_SECONDS=str(SAVE_EVERY)) as farm:
        _write(folder, pairs, "out", steps=60)
        for number in range(pairs):
            for which, step in enumerate(range(6, 60, 6)):  # a pair of nine seconds
                farm.lay_fault(f"{number}.png", "nap", step=step, first=which)
        run = farm.start(folder)
        began = time.monotonic()
        kills = farm.harass(run, lambda kills: time.monotonic() > began + every * (kills + 1))
        told = losses(ended(run))
        report = json.loads((folder / "out/report.json").read_text())["pairs"]
        made = [farm.steps(f"{number}.png") for number in range(pairs)]
        lost = [seconds for number in range(pairs) for _steps, seconds in farm.lost_work(f"{number}.png")]
    again = [pair["attempts"] - 1 for pair in report if pair["attempts"] > 1]
    return {
        "kills": kills,
        "again": len(again),
        "missing": sum(pair["status"] != "done" for pair in report),
        "beyond": max(pair["attempts"] - 1 - told[pair["output"]] for pair in report),
        "twice": sum(len(steps) - len(set(steps)) for steps in made),
        "steps": sum(map(len, made)),
        "lost": max(lost, default=0.0),
    }


@contextlib.contextmanager
def _farm(folder: Path, workers: int, **environment: str) -> Iterator[Farm]:
    folder.mkdir(parents=True, exist_ok=True)
    farm = Farm(folder, **QUIET, **environment)
    try:
        farm.have(workers)
        yield farm
    finally:
        for worker in farm.workers:  # by a signal that it hears: what its painter took is ours then, and not "others'"
            worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(15.0)
        farm.close()


def _write(folder: Path, pairs: int, output: str, steps: int) -> None:
    """A manifest of so many pairs, each with a seed of its own."""
    rows = "".join(
        f"  - {{content: content/cat.jpg, style: style/ink-waves.jpg, output: {number}.png, options: {{seed: {number}}}}}\n"
        for number in range(pairs)
    )
    (folder / "night.yaml").write_text(
        f"version: 1\ninput: {REPOSITORY / 'input'}\noutput: {output}\nrun: {{threads: 1}}\n"
        f"defaults: {{size: 64, steps: {steps}, weights: random}}\npairs:\n{rows}"
    )
