"""What the night's guarantees cost, and how fast they answer.

- **Up to date**: `stylize run` over 1,000 pairs that are all painted (64 px, by the fast engine of `make chaos`).
- **Refused**: `stylize run` while another run holds the output folder.
- **Stopped**: SIGTERM in the middle of a pair of 512 px, from the signal to the end of the process; the pair is saved.
- **Overhead**: a pair of a minute in a worker that has painted before. From the moment it is handed over to the moment its
  record is kept, less the time inside `paint`: decoding, encoding, thumbnails, files, pipes, record. And what its one
  checkpoint costs the descent: what the steps of the three seconds after it was due took above the median step.
- **Opened**: a photograph of 6 megapixels looked at by the process that decodes (images/reader), above what decoding it here
  takes, of which a night pays two: content and style of a pair. Medians of rounds in turns.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.figures import Figure, Section, table
from benchmarks.machine import REPOSITORY
from benchmarks.pictures import photograph
from pipeline.batch.checkpoints import SAVE_SECONDS
from pipeline.images.inspection import inspect_image
from pipeline.images.reader import Reader
from pipeline.store.disk import LocalStore
from tests.chaos.project import environment, make_project

UP_TO_DATE_PAIRS = 1000
OPENED = (3000, 2000)  # pixels, of a photograph: what a phone or a small camera takes
PAIR_SECONDS = 60.0  # so that one checkpoint falls into it
AFTER_SAVE = 3.0  # seconds in which its writing may slow the descent


def measure(quick: bool) -> Section:
    rounds, pairs = (2, 60) if quick else (5, UP_TO_DATE_PAIRS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        idle, refused = _at_rest(folder / "rest", pairs, rounds)
        stops = _stops(folder / "stop", rounds=1 if quick else 3)
        opening = _opening(folder, copies=4 if quick else 40, rounds=rounds)
        wall, outside, checkpoint = _overhead(folder / "pair", PAIR_SECONDS / 5 if quick else PAIR_SECONDS)
    share = (outside + checkpoint) / wall
    rows = [
        (f"up to date, {pairs:,} pairs: median of {rounds}", f"{statistics.median(idle):.2f} s", _all(idle)),
        (f"refused by a lock: longest of {rounds}", f"{max(refused):.2f} s", _all(refused)),
        (f"stopped by SIGTERM: longest of {len(stops)}", f"{max(stops):.2f} s", _all(stops)),
        (
            f"overhead of a pair of {wall:.0f} s",
            f"{share:.2%}",
            f"{outside:.2f} s around it, {checkpoint:.2f} s checkpoint",
        ),
        ("opened by another process: median, above decoding it here", f"{1000 * opening:.1f} ms", ""),
    ]
    figures = [
        Figure(f"a run over {pairs:,} pairs that are up to date", statistics.median(idle), "at most", 1.5, " s"),
        Figure("a run that another one's lock refuses", max(refused), "at most", 2.0, " s"),
        Figure("from SIGTERM in the middle of a pair to the end", max(stops), "at most", 10.0, " s"),
        Figure("supervisor, commit and checkpoint, of a pair of a minute", 100 * share, "at most", 1.0, " %"),
        Figure(
            "opened by another process, two pictures a pair of a minute", 200 * opening / wall, "at most", 2.0, " %"
        ),
    ]
    text = f"{__doc__}\n{table(['', 'measured', 'each'], rows)}\n"
    return Section(name="night", title="What the night's guarantees cost", text=text, figures=figures)


def _at_rest(folder: Path, pairs: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of runs over pairs that are up to date, and of runs that a lock refuses."""
    project = make_project(folder, pairs=pairs, steps=2)
    command = [sys.executable, "-m", "pipeline", "run", "night.yaml"]
    place = folder / "golden"

    def seconds(code: int) -> float:
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=place, env=environment(place), stderr=subprocess.PIPE, text=True, check=False
        )
        took = time.perf_counter() - began
        words = f"{pairs} up to date" if code == 0 else "another run holds"
        if done.returncode != code or words not in done.stderr:
            raise RuntimeError(f"a run ended with {done.returncode}: {done.stderr}")
        return took

    seconds(0)  # reads the modules from the disk
    idle = [seconds(0) for _ in range(rounds)]
    with LocalStore(project.finished).lock("benchmark"):
        return idle, [seconds(11) for _ in range(rounds)]


def _stops(folder: Path, rounds: int) -> list[float]:
    """Seconds from SIGTERM to the end of runs that are in the middle of a pair."""
    manifest = _manifest(folder, 512, {"one.png": 100_000})
    seconds = []
    for number in range(1, rounds + 1):
        run = _start(manifest, "-v")
        assert run.stderr is not None
        wanted = re.compile(rf"one\.png: step \d*[{number}-9]/")
        next(line for line in run.stderr if wanted.search(line))
        run.send_signal(signal.SIGTERM)
        began = time.perf_counter()
        said = run.stderr.read()
        code = run.wait()
        seconds.append(time.perf_counter() - began)
        if code != 143 or " is saved, " not in said:
            raise RuntimeError(f"a run that was stopped ended with {code}: {said}")
    return seconds


def _opening(folder: Path, copies: int, rounds: int) -> float:
    """Seconds that one picture takes more when the reader's process decodes it; each copy is a file of its own, as none is
    asked for twice."""
    Image.fromarray(photograph("content/coffee.jpg", OPENED[0])).resize(OPENED).save(folder / "0.jpg", quality=92)
    paths = [folder / f"{number}.jpg" for number in range(copies)]
    for path in paths[1:]:
        shutil.copy(paths[0], path)
    reader = Reader()
    reader.inspect(paths[0])  # starts the process
    more = []
    for _ in range(rounds):
        began = time.perf_counter()
        for path in paths:
            reader.inspect(path)
        between = time.perf_counter()
        for path in paths:
            inspect_image(path)
        more.append((2 * between - began - time.perf_counter()) / copies)
    return statistics.median(more)


def _overhead(folder: Path, wanted: float) -> tuple[float, float, float]:
    """Seconds of a pair, of what is done around its painting, and of its checkpoint."""
    _run(_manifest(folder / "trial", 384, {"first.png": 3, "trial.png": 8}))
    step = _report(folder / "trial")["trial.png"]["seconds_per_step"]
    events = _run(_manifest(folder / "long", 384, {"first.png": 3, "long.png": round(wanted / step)}))
    at = {(event["event"], event.get("pair")): datetime.datetime.fromisoformat(event["time"]) for event in events}
    wall = (at["done", "long.png"] - at["started", "long.png"]).total_seconds()
    row = _report(folder / "long")["long.png"]
    ends = [reading["seconds"] for reading in row["trace"]]
    steps = [after - before for before, after in itertools.pairwise(ends)]
    median = statistics.median(steps)
    saving = [took - median for took, end in zip(steps, ends[1:], strict=True) if 0 <= end - SAVE_SECONDS < AFTER_SAVE]
    return wall, wall - row["seconds"], max(0.0, sum(saving))


def _manifest(folder: Path, size: int, steps: dict[str, int]) -> Path:
    """The cat as starry flow by Gram matrices, whose evaluations are all of one size, once for each output name, with so
    many steps."""
    folder.mkdir(parents=True)
    pairs = (
        f"  - {{content: content/cat.jpg, style: style/starry-flow.jpg, output: {name}, options: {{steps: {count}}}}}\n"
        for name, count in steps.items()
    )
    (folder / "night.yaml").write_text(
        f"version: 1\ninput: {REPOSITORY / 'input'}\noutput: {folder / 'out'}\n"
        f"defaults: {{style_loss: gram, size: {size}}}\npairs:\n{''.join(pairs)}",
        encoding="utf-8",
    )
    return folder / "night.yaml"


def _start(manifest: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", "run", str(manifest), *flags]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)


def _run(manifest: Path) -> list[dict[str, Any]]:
    """The events of a whole run."""
    run = _start(manifest, "--log-format", "json")
    _, said = run.communicate()
    if run.returncode:
        raise RuntimeError(f"a run ended with {run.returncode}: {said}")
    return [json.loads(line) for line in said.splitlines()]


def _report(folder: Path) -> dict[str, dict[str, Any]]:
    pairs = json.loads((folder / "out/report.json").read_bytes())["pairs"]
    return {pair["output"]: pair for pair in pairs}


def _all(seconds: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in seconds)
