"""How long until our picture is as good as a peer's: the same pair, weights, objective and machine, in turns.

Peers: pastiche 1.6.0 (PyTorch, L-BFGS) as it is, and the loops of the TensorFlow tutorial and the Keras example on our
objective (`rivals`). The objective is pastiche's own: relu4_2 at 0.01, relu1_1 to relu5_1 at 10/C², means of squared
differences, zero padding, no total variation, imagenet-8bit weights, from the content image. All run in turns of a few steps
in one go, each waiting while another runs, so that a machine that slows down slows all; a side's time is the sum of its own
steps. Tracing, loading and targets are left out on all sides and given apart.
"""

from __future__ import annotations

import functools
import json
import math
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.engine import THREADS, Descent
from benchmarks.figures import Figure, Section, evaluations_to, significant, table
from benchmarks.machine import REPOSITORY
from benchmarks.pictures import photograph, png
from benchmarks.rivals import EXAMPLE_CONTENT, Example, Network, Tutorial, matching_rate, means_objective
from pipeline.nst.engine import TransferEngine
from pipeline.nst.precision import automatic_precision
from pipeline.nst.weights import locate
from pipeline.options import Options

PASTICHE_PYTHON = REPOSITORY / ".bench-venv" / "bin" / "python"
CONTENT, STYLE = "content/coffee.jpg", "style/starry-flow.jpg"

# pastiche.py: .01 at block4_relu2, 10 / channels² at the style layers; mse_loss of Gram matrices over positions.
CONTENT_LAYERS = {"block4_conv2": 0.01}
STYLE_LAYERS = {
    layer: 10.0 / channels**2
    for layer, channels in {
        "block1_conv1": 64,
        "block2_conv1": 128,
        "block3_conv1": 256,
        "block4_conv1": 512,
        "block5_conv1": 512,
    }.items()
}
OBJECTIVE = {
    "losses": "means",
    "content_weight": 1.0,
    "style_weight": 1.0,
    "tv_weight": 0.0,
    "content_layers": CONTENT_LAYERS,
    "style_layers": STYLE_LAYERS,
    "border": "zero",
    "weights": "imagenet-8bit",
}
_RATES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # tried for the Keras example, as factors of the matched rate


@dataclass(slots=True)
class Side:
    """What is known of one runner: the losses and seconds of its steps."""

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def took(self, steps: int) -> float:
        return sum(self.seconds[:steps])


@dataclass(slots=True)
class Ours(Side):
    """Our side also keeps its best picture after each evaluation: they are judged in float32 when the race is over."""

    best: list[NDArray[np.float32]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """All that was seen. `pictures` holds, by the number of steps, the float32 losses of pastiche's picture before and after
    it was saved."""

    size: tuple[int, int]
    marks: Sequence[int]
    ours: Ours
    pastiche: Side
    rivals: Sequence[tuple[Any, Side]]
    pictures: dict[int, tuple[float, float]]
    judge: Callable[[NDArray[Any]], float]


def measure(quick: bool) -> Section:
    size, marks, rival_steps, turns = (192, (20, 40), 10, 4) if quick else (512, (100, 200, 400), 60, 20)
    content, style = photograph(CONTENT, size), photograph(STYLE, size)
    weights = locate("imagenet-8bit")
    options = Options(**OBJECTIVE)
    began = time.perf_counter()
    descent = Descent(TransferEngine(weights, options), options, content, style)
    setup = time.perf_counter() - began
    network = Network(weights, sorted({EXAMPLE_CONTENT, *CONTENT_LAYERS, *STYLE_LAYERS}))
    loss = means_objective(network, content, style, CONTENT_LAYERS, STYLE_LAYERS)
    tutorial = Tutorial(loss, content)
    matched = matching_rate(network, loss, content, style)
    factor = best_factor(loss, content, matched)
    example = Example(loss, content, matched * factor)
    ours, theirs = Ours(), Side()
    rivals: list[tuple[Any, Side]] = [(tutorial, Side()), (example, Side())]
    pictures: dict[int, tuple[float, float]] = {}
    walk = descent.evaluations(marks[-1])
    with tempfile.TemporaryDirectory() as folder, Pastiche(Path(folder), content, style) as pastiche:
        for turn in range(turns):
            _add(theirs, pastiche.walk(marks[-1] // turns))
            for _ in range(marks[-1] // turns):
                began = time.perf_counter()
                ours.losses.append(next(walk))
                ours.seconds.append(time.perf_counter() - began)
                ours.best.append(descent.best)
            for rival, side in rivals:
                _add(side, rival.walk(rival_steps * (turn + 1) // turns - len(side.losses)))
            if (done := len(theirs.losses)) in marks:
                raw, saved = pastiche.pictures(content.shape)
                pictures[done] = (descent.loss(raw), descent.loss(saved))
    height, width, _ = content.shape
    race = Race(
        size=(width, height),
        marks=marks,
        ours=ours,
        pastiche=theirs,
        rivals=rivals,
        pictures=pictures,
        judge=descent.loss,
    )
    return _section(race, setup, factor, matched * factor)


def best_factor(loss: Any, content: NDArray[np.uint8], matched: float) -> float:
    """Which of `_RATES` times the matched rate stands lowest after ten steps; the example is given its best."""
    losses = {}
    for factor in _RATES:
        last = Example(loss, content, matched * factor).walk(11)[0][-1]
        losses[factor] = last if np.isfinite(last) else np.inf
    return min(losses, key=losses.__getitem__)


def _add(side: Side, walked: tuple[Sequence[float], Sequence[float]]) -> None:
    side.losses.extend(walked[0])
    side.seconds.extend(walked[1])


# ------------------------------------------------------------------------------------------------------------ the words


def _section(race: Race, setup: float, factor: float, rate: float) -> Section:
    judge = functools.cache(lambda number: race.judge(race.ours.best[number - 1]))
    count = len(race.ours.best)
    last = race.marks[-1]
    middle = race.marks[len(race.marks) // 2]
    figures, times, losses, rivals = [], [], [], []
    for mark in race.marks:
        printed = race.pastiche.losses[mark - 1]
        reached = evaluations_to(printed, count, judge)
        ours, theirs = race.ours.took(reached or count), race.pastiche.took(mark)
        ratio = ours / theirs if reached else math.inf
        times.append(
            (mark, f"{printed:,.0f}", reached or "never", f"{theirs:.1f} s", f"{ours:.1f} s", significant(ratio))
        )
        if mark == middle:
            what = f"race against pastiche at {max(race.size)} px, {mark} steps: our time / its time"
            figures.append(Figure(what, ratio, "at most", 0.22))
        _raw, saved = race.pictures[mark]
        rounded = race.judge(np.clip(np.rint(race.ours.best[mark - 1]), 0, 255))
        share = judge(mark) / printed
        losses.append(
            (mark, f"{printed:,.0f}", f"{judge(mark):,.0f}", significant(share), f"{saved:,.0f}", f"{rounded:,.0f}")
        )
        figures.append(Figure(f"loss after {mark} evaluations / pastiche's after {mark} steps", share, "at most", 0.95))
    for rival, side in race.rivals:
        lowest = min(side.losses)
        steps = side.losses.index(lowest) + 1
        reached = evaluations_to(lowest, count, judge)
        ours, theirs = race.ours.took(reached or count), side.took(steps)
        ratio = ours / theirs if reached else math.inf
        rivals.append(
            (
                rival.name,
                steps,
                f"{lowest:,.0f}",
                reached or "never",
                f"{theirs:.1f} s",
                f"{ours:.1f} s",
                significant(ratio),
            )
        )
        figures.append(Figure(f"{rival.name}: our time / its time at equal loss", ratio, "at most", 0.12))
    width, height = race.size
    ours, theirs = (statistics.median(side.seconds) for side in (race.ours, race.pastiche))
    head = ["its time", "our time", "our time / its"]
    tried = ", ".join(f"{tenth:g}" for tenth in _RATES)
    text = f"""{__doc__}
The pair: `{CONTENT}` and `{STYLE}` at {width} x {height} px; {last} evaluations of ours and of pastiche's, in turns.
One evaluation, medians: ours {ours:.2f} s ({automatic_precision()[0]}), pastiche's {theirs:.2f} s (float32).
Ours needed {setup:.1f} s before the first one (targets, tracing), once per shape.

"Printed" is the loss that pastiche prints, of a picture with pixels outside 0..255; our losses are evaluated in float32, of
the best picture so far, whose pixels are inside. By our evaluator pastiche's own picture, not rounded and not clipped, has
{race.pictures[last][0]:,.0f} after {last} steps: both sides mean the same objective.

{table(["pastiche's steps", "its printed loss", "our evaluations to it", *head], times)}

{table(["after N", "pastiche, printed", "ours", "ours / its", "pastiche's PNG", "our PNG"], losses)}

{table(["peer", "its steps", "its lowest loss", "our evaluations to it", *head], rivals)}

The Keras example's rate of 100 belongs to its own objective. With {rate / factor:.3g} its first step here is as long as its own
there; it walked with {rate:.3g}, {factor:g} times that, which stood lowest after ten steps of {tried} times.
"""
    return Section(name="race", title="Race against the peers", text=text, figures=figures)


# ----------------------------------------------------------------------------------------------------------- the peer


class Pastiche:
    """pastiche in its own process, which waits on its pipe while others run."""

    def __init__(self, folder: Path, content: NDArray[np.uint8], style: NDArray[np.uint8]) -> None:
        if not PASTICHE_PYTHON.is_file():
            raise SystemExit(
                "the race needs pastiche in .bench-venv: run it by 'make bench ARGS=race', which makes that"
            )
        self._folder = folder
        files = {"content": content, "style": style}
        for name, pixels in files.items():
            (folder / f"{name}.png").write_bytes(png(pixels))
        side = Path(__file__).with_name("pastiche_side.py")
        command = [PASTICHE_PYTHON, "-P", side, *(folder / f"{name}.png" for name in files), str(THREADS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def walk(self, steps: int) -> tuple[list[float], list[float]]:
        """The losses it prints for the next steps, and their seconds."""
        answer = self._ask({"steps": steps})
        return answer["losses"], answer["seconds"]

    def pictures(self, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Its present picture as it is, and as it saves it."""
        answer = self._ask({"save": str(self._folder)})
        return np.fromfile(answer["raw"], np.float32).reshape(shape), np.asarray(Image.open(answer["png"]))

    def __enter__(self) -> Pastiche:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"pastiche ended with code {self._process.wait()}; its words are above")
        answer: dict[str, Any] = json.loads(line)
        return answer
