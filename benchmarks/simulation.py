"""A farm of two hundred workers and a hundred thousand pairs, simulated: what the driver takes, and what breaks first.

The driver is the product's own, whole: manifest, plan, scheduler, Dask engine, records, report. Only what speaks to Dask is
another: workers that paint nothing and say what workers say (`simulated`), in a time that goes on when the driver waits. What
Dask itself takes in the driver's process, and its scheduler's process, are in none of these figures (`farm` runs the real one).

- **A pair** has 200 steps in 122 s, as at 384 px ("A batch against single processes": twelve pairs in 1472 s, two cores with
  avx512_bf16); the speeds of workers scatter by a fifth, every fiftieth pair takes three times as long. Both chosen.
- **Failures**, chosen, as nobody's night is another's: a worker is lost every four hours of its life and another stands in its
  place two minutes later; 2 of 1,000 tries end with their painting process; 1 of 1,000 pairs cannot be painted at all.
- **Driver**: peak of resident memory until the last pair is done, and with the report; seconds of the processor in all, less
  the simulation's own and the report's; share of one core in the simulated time, in which pairs are painted.
- **Readings**: a worker says each of its steps. Workers of the runs of 1,000 and more say every hundredth, as twenty million
  readings take an hour of the processor; what each takes is measured with 1,000 pairs whose workers say all, and what is
  missing is added to the share of a core and to the messages a second.
- **A second run** over the same folder finds all but the failed ones up to date.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section, significant, table
from benchmarks.machine import REPOSITORY
from benchmarks.pictures import generated, png

SIZES = (1_000, 10_000, 100_000)
WORKERS = 200
EVERY = 100  # steps of which one is said
STYLES = 100
PAIR_SECONDS, STEPS = 122.0, 200
MOST_MEMORY, MOST_SHARE = 1.0, 0.5  # GiB, and of a core: the targets


def measure(quick: bool) -> Section:
    workers, few = (WORKERS // 10, 100) if quick else (WORKERS, 1_000)
    thin, whole = (_alone(few, workers, every) for every in (EVERY, 1))
    reading = (whole["work"] - thin["work"]) / (whole["messages"] - thin["messages"])
    rows: list[list[str]] = []
    last: dict[str, Any] = {}
    for pairs in (few,) if quick else SIZES:
        last = thin if pairs == few else _alone(pairs, workers, EVERY)
        unsaid = max(0.0, (last["statuses"]["done"] * STEPS - last["messages"]) / last["simulated"])
        last["share"] = last["work"] / last["simulated"] + unsaid * reading
        last["a second"] = last["messages"] / last["simulated"] + unsaid
        rows.append([f"{pairs:,}", *_cells(last)])
    head = ["pairs", *_HEADS]
    turned = [[name, *(row[number] for row in rows)] for number, name in enumerate(head)]
    figures = [
        Figure(
            "simulated farm: driver's memory before the report", last["memory"] / 2**30, "at most", MOST_MEMORY, " GiB"
        ),
        Figure("simulated farm: driver's share of a core", last["share"], "at most", MOST_SHARE),
    ]
    text = f"{__doc__}\n{table(turned[0], turned[1:])}\n\nA reading takes {1e6 * reading:.0f} µs of the driver.\n"
    return Section(name="simulation", title="A farm, simulated", text=text, figures=figures)


_HEADS = (
    "simulated time",
    "manifest read",
    "plan",
    "driver's work, less report and simulation",
    "its share of a core",
    "memory before the first pair",
    "memory before the report",
    "memory with the report",
    "report: processor",
    "report.json, .html",
    "messages a second",
    "most files in one folder",
    "all files",
    "workers idle at the end (stragglers)",
    "work lost with workers",
    "second run: processor, memory",
)


def _cells(run: dict[str, Any]) -> list[str]:
    hours = run["simulated"] / 3600
    return [
        f"{significant(hours)} h",
        f"{significant(run['manifest'])} s",
        f"{significant(run['plan'])} s",
        f"{significant(run['work'])} s",
        f"{significant(run['share'])}",
        f"{significant(run['memory_planned'] / 2**20)} MiB",
        f"{significant(run['memory'] / 2**20)} MiB",
        f"{significant(run['memory_report'] / 2**20)} MiB",
        f"{significant(run['report'])} s",
        f"{significant(run['json'] / 1e6)} MB, {significant(run['html'] / 1e6)} MB",
        f"{significant(run['a second'])}",
        f"{run['most_files']:,} ({run['fullest']})",
        f"{run['files']:,}",
        f"{significant(100 * run['idle'])} %",
        f"{significant(100 * run['lost'])} %",
        f"{significant(run['second'])} s, {significant(run['second_memory'] / 2**20)} MiB",
    ]


def _alone(pairs: int, workers: int, every: int) -> dict[str, Any]:
    """Two runs, each in a process of its own, as memory that was once taken is never given back."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("SIMULATION_FOLDER")) as folder:
        command = [sys.executable, "-m", "benchmarks.simulation", folder, str(pairs), str(workers)]
        command += ["--every", str(every)]
        first, second = (
            json.loads(subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout)
            for _run in range(2)
        )
    return first | {"second": second["work"] + second["report"], "second_memory": second["memory_report"]}


# ------------------------------------------------------------------------------------------------------------ in a process


def make_manifest(folder: Path, pairs: int) -> Path:
    """The manifest of so many pairs, a matrix; pictures are small files of usual sizes."""
    manifest = folder / "night.yaml"
    if manifest.exists():
        return manifest
    styles = min(STYLES, pairs)
    for room, count in (("content", pairs // styles), ("style", styles)):
        (folder / "input" / room).mkdir(parents=True)
        picture = png(generated(8, 1).repeat(64, 0).repeat(96, 1))
        for number in range(count):
            # what stands behind a PNG's end is nobody's: each file has a hash of its own
            (folder / "input" / room / f"{room}-{number:05}.png").write_bytes(picture + str(number).encode())
    manifest.write_text(
        "version: 1\ninput: input\noutput: out\nrun: {engine: dask, scheduler: simulated, threads: 2}\n"
        f"defaults: {{style_loss: gram, size: 384, steps: {STEPS}, weights: random}}\n"
        "pairs:\n  - matrix: {content: ['content/*.png'], style: ['style/*.png']}\n"
    )
    return manifest


def _run(folder: Path, pairs: int, workers: int, every: int = 1, until: int = 0) -> dict[str, Any]:
    from benchmarks.simulated import Clock, Habits, SimulatedFarm
    from pipeline.batch import driver, finish, interim, live
    from pipeline.batch.engines.cluster import engine
    from pipeline.batch.selection import Selection
    from pipeline.batch.system import deadline
    from pipeline.cli.console import Lines
    from pipeline.manifest import load_manifest

    found: dict[str, Any] = {"report": 0.0}
    file = make_manifest(folder, pairs)
    manifest, found["manifest"] = _timed(lambda: load_manifest(file))
    clock = Clock()
    small = png(generated(8, 2))
    farm = SimulatedFarm(manifest, clock, workers, Habits(pair_seconds=PAIR_SECONDS, steps=STEPS, every=every), small)
    for room in (engine, live, deadline):
        room.time = clock.module  # type: ignore[attr-defined]
    engine.connect = lambda *_: farm  # type: ignore[attr-defined]

    def booked(room: Any, name: str, book: str) -> None:
        inner = getattr(room, name)

        def outer(*given: Any, **named: Any) -> Any:
            result, seconds = _timed(lambda: inner(*given, **named))
            found[book] = found.get(book, 0.0) + seconds
            clock.module.process_time()  # it has become so late
            return result

        setattr(room, name, outer)

    booked(driver, "make_plan", "plan")
    booked(interim.InterimPage, "write", "report")
    booked(finish, "build_report", "report")
    booked(finish, "write_reports", "report")

    class Listening(Lines):
        def finished(self, outcome: Any) -> None:
            super().finished(outcome)
            if outcome.attempts and self._so_far % 1000 == 0:
                spent = time.process_time() - clock.aside
                if self._so_far == until:
                    os.kill(os.getpid(), signal.SIGTERM)
                print(f"{self._so_far:,} pairs, {spent:.0f} s, {_peak() >> 20} MiB", file=sys.stderr, flush=True)

        def planned(self, plan: Any, ahead: Any) -> None:
            super().planned(plan, ahead)
            found["memory_planned"] = _peak()

    finishing = driver.finish

    def at_the_end(*given: Any, **named: Any) -> Any:
        found["memory"] = _peak()
        found["before_report"] = time.process_time()
        return finishing(*given, **named)

    driver.finish = at_the_end
    began = time.process_time()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        report = driver.run(manifest, Selection(), Listening(stream=nowhere), engine=engine.DaskEngine)
    found["work"] = time.process_time() - began - clock.aside - found["report"]
    found["memory_report"] = _peak()
    return found | _figures(farm, clock, workers, manifest.output, report)


def _figures(farm: Any, clock: Any, workers: int, output: Path, report: dict[str, Any]) -> dict[str, Any]:
    books = farm.books
    simulated = farm.ended - farm.began if farm.ended else 1e-9
    folders = Counter({str(Path(at).relative_to(output)): len(files) for at, _, files in os.walk(output)})
    fullest, most = folders.most_common(1)[0]
    return {
        "simulated": simulated,
        "messages": books.counts["messages"],
        "lines": books.counts["lines"],
        "bytes": books.bytes,
        "own": clock.aside,
        "counts": dict(books.counts),
        "statuses": report["counts"],
        "fullest": fullest,
        "most_files": most,
        "files": sum(folders.values()),
        "idle": 1 - (books.busy + books.lost) / (workers * simulated),
        "lost": books.lost / max(books.busy + books.lost, 1e-9),
        "json": (output / "report.json").stat().st_size,
        "html": (output / "report.html").stat().st_size,
    }


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    result = call()
    return result, time.process_time() - began


def _peak() -> int:
    """Bytes of resident memory, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("pairs", type=int)
    parser.add_argument("workers", type=int)
    parser.add_argument("--profile", type=Path, help="cProfile's figures, into this file")
    parser.add_argument("--traces", action="store_true", help="what holds memory when the last pair is done (slow)")
    parser.add_argument("--every", type=int, default=1, help="steps that workers say")
    parser.add_argument("--until", type=int, default=0, help="pairs after which the run is stopped, in thousands")
    given = parser.parse_args()
    if given.profile:
        import cProfile

        profile = cProfile.Profile()
        found = profile.runcall(_run, given.folder, given.pairs, given.workers, given.every, given.until)
        profile.dump_stats(given.profile)
    else:
        found = _run(given.folder, given.pairs, given.workers, given.every, given.until)
    gc.collect()
    found["share"] = found["work"] / found["simulated"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
