"""How long until the picture is what it will be: nobody waits for a loss.

Peers, each by its own way of descending on pastiche's objective ("Race against the peers" says how), from the photograph, take
400 steps. A picture stands from the first looked-at step on after which it differs from the one after 400 by less than a
just noticeable difference on average: CIELAB's mean ΔE below 2.3 (Mahy, Van Eycken and Oosterlinck, Color Research and
Application 19, 1994), pixel by pixel. Steps are looked at at marks, a fifth to a quarter apart; a side's time is the sum of its
own steps, taken in turns with the others'.

Then the default as it is called today, one picture from the command to the file in a process that has TensorFlow loaded,
beside 200 steps of an earlier release, the default then: its median step in a process of its own, 200 times, and what came
before the first.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine import Descent
from benchmarks.figures import Figure, Section, significant, stands_at, table
from benchmarks.machine import REPOSITORY
from benchmarks.pictures import photograph, png
from benchmarks.race import CONTENT, CONTENT_LAYERS, OBJECTIVE, STYLE, STYLE_LAYERS, Pastiche, best_factor
from benchmarks.rivals import EXAMPLE_CONTENT, Example, Network, Tutorial, matching_rate, means_objective
from pipeline import stylize
from pipeline.nst.engine import TransferEngine
from pipeline.nst.weights import locate
from pipeline.options import Options

MARKS = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125, 150, 200, 250, 300, 400)
RELEASE, RELEASE_STEPS = "a59a147", 200
_TIMED_STEPS = 12  # of the release

Pixels = NDArray[np.uint8]
Walk = Callable[[int], None]
"""Goes on for so many steps."""


class Side:
    """One way of descending: how it walks, what it shows, and the seconds that it has taken at each mark."""

    def __init__(self, name: str, walk: Walk, picture: Callable[[], Pixels]) -> None:
        self.name, self._walk, self._picture = name, walk, picture
        self.seconds: dict[int, float] = {}
        self.pictures: dict[int, Pixels] = {}

    def go_on(self, mark: int) -> None:
        before = max(self.seconds, default=0)
        began = time.perf_counter()
        self._walk(mark - before)
        self.seconds[mark] = self.seconds.get(before, 0.0) + time.perf_counter() - began
        self.pictures[mark] = self._picture()


def measure(quick: bool) -> Section:
    size, marks, default = (96, MARKS[:6], 96) if quick else (256, MARKS, 512)
    content, style = photograph(CONTENT, size), photograph(STYLE, size)
    with tempfile.TemporaryDirectory() as folder, Pastiche(Path(folder), content, style) as pastiche:
        sides = [_ours(content, style), _pastiche(pastiche, content.shape), *_rivals(content, style)]
        for mark in marks:
            for side in sides:
                side.go_on(mark)
    ours, *peers = sides
    rows, figures = [], []
    for side in sides:
        step = stands_at(side.pictures)
        ratio = ours.seconds[stands_at(ours.pictures)] / side.seconds[step]
        rows.append((side.name, step, f"{side.seconds[step]:.1f} s", significant(ratio) if side in peers else ""))
    now, then = _default(default), _release(default)
    figures.append(
        Figure(f"a picture of {default} px now / {RELEASE_STEPS} steps of {RELEASE}", now / then, "at most", 0.25)
    )
    height, width, _ = content.shape
    text = f"""{__doc__}
`{CONTENT}` and `{STYLE}` at {width} x {height} px, {marks[-1]} steps.

{table(["way of descending", "stands after steps", "its time", "our time / its"], rows)}

At {default} px: the default took {now:.1f} s, {RELEASE_STEPS} steps of {RELEASE} take {then:.1f} s.
"""
    return Section(name="picture", title="Until the picture stands", text=text, figures=figures)


def _ours(content: Pixels, style: Pixels) -> Side:
    options = Options(**OBJECTIVE)
    descent = Descent(TransferEngine(locate("imagenet-8bit"), options), options, content, style)
    walk = descent.evaluations(MARKS[-1])

    def go_on(steps: int) -> None:
        for _ in range(steps):
            next(walk)

    return Side("ours", go_on, lambda: _whole(descent.best))


def _pastiche(peer: Pastiche, shape: tuple[int, ...]) -> Side:
    def go_on(steps: int) -> None:
        peer.walk(steps)

    return Side("pastiche 1.6.0", go_on, lambda: np.array(peer.pictures(shape)[1]))


def _rivals(content: Pixels, style: Pixels) -> list[Side]:
    network = Network(locate("imagenet-8bit"), sorted({EXAMPLE_CONTENT, *CONTENT_LAYERS, *STYLE_LAYERS}))
    loss = means_objective(network, content, style, CONTENT_LAYERS, STYLE_LAYERS)
    rate = matching_rate(network, loss, content, style)
    tutorial = Tutorial(loss, content)
    example = Example(loss, content, rate * best_factor(loss, content, rate))

    def walked(rival: Any) -> Walk:
        def go_on(steps: int) -> None:
            rival.walk(steps)

        return go_on

    return [
        Side(tutorial.name, walked(tutorial), lambda: _whole(255.0 * tutorial.image.numpy()[0])),
        Side(example.name, walked(example), lambda: _whole(example.image.numpy()[0])),
    ]


def _whole(picture: NDArray[Any]) -> Pixels:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _default(size: int) -> float:
    """Seconds of one picture as it is painted where nothing is chosen."""
    content, style = photograph(CONTENT, size), photograph(STYLE, size)
    began = time.perf_counter()
    stylize(content, style, size=size, weights="imagenet-8bit")
    return time.perf_counter() - began


def _release(size: int) -> float:
    """Seconds that the earlier release takes for its picture."""
    with tempfile.TemporaryDirectory() as folder:
        checkout, files = Path(folder) / "checkout", [Path(folder) / name for name in ("content.png", "style.png")]
        for file, name in zip(files, (CONTENT, STYLE), strict=True):
            file.write_bytes(png(photograph(name, size)))
        _git("worktree", "add", "--detach", str(checkout), RELEASE)
        try:
            command = [sys.executable, "-P", str(REPOSITORY / "benchmarks" / "release_side.py"), *map(str, files)]
            said = subprocess.run(
                [*command, str(size), str(_TIMED_STEPS)],
                env=os.environ | {"PYTHONPATH": str(checkout)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        finally:
            _git("worktree", "remove", "--force", str(checkout))
    answer = json.loads(said.splitlines()[-1])
    seconds: float = answer["setup"] + RELEASE_STEPS * statistics.median(answer["seconds"])
    return seconds


def _git(*words: str) -> None:
    subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, check=True)
