"""How many of our evaluations reach the loss that a program reaches in its own descent, preset by preset.

Each preset of a program is painted twice, on one pair and objective, at the program's own size: with `optimizer: published` in
the program's own steps, and with ours in as many. The loss to reach is the lowest that the program's descent meets, of a
picture that may leave 0..255 where the program lets it. The preset's `steps` should be what ours needs to reach it, which the
figures hold. Hours on two cores; `--quick` takes small pictures and a tenth of the steps.
"""

from __future__ import annotations

import itertools
from typing import Any

import benchmarks.engine  # noqa: F401 - sets TensorFlow up
from benchmarks.figures import Figure, Section, significant, table
from benchmarks.pictures import photograph
from benchmarks.race import CONTENT, STYLE
from pipeline import stylize
from pipeline.manifest import builtin_presets
from pipeline.options import Options

_QUICK_SIZE, _QUICK_SHARE = 96, 10


def measure(quick: bool) -> Section:
    rows: list[tuple[Any, ...]] = []
    figures: list[Figure] = []
    for name, preset in builtin_presets().items():
        if preset.published is None:
            continue
        published = Options(**{option: setting.value for option, setting in preset.published.items()})
        steps, size = published.steps, published.size
        ours = Options(**preset.options).most_steps
        if quick:
            steps, size, ours = max(1, steps // _QUICK_SHARE), _QUICK_SIZE, max(1, ours // _QUICK_SHARE)
        goal = min(_losses(name, size, steps, optimizer="published"))
        lowest = list(itertools.accumulate(_losses(name, size, steps), min))
        reached = next((step for step, loss in enumerate(lowest, start=1) if loss <= goal), None)
        rows.append((name, steps, significant(goal), reached or "never", significant((reached or 0) / steps), ours))
        needed = ours / reached if reached else 0.0
        figures.append(Figure(f"{name}: steps of the preset / our evaluations to its loss", needed, "at least", 1.0))
    heads = ["preset", "its steps", "its lowest loss", "our evaluations to it", "share", "steps of the preset"]
    return Section(
        name="published",
        title="Presets of programs, in their descent and in ours",
        text=f"{__doc__}\n{table(heads, rows)}\n",
        figures=figures,
    )


def _losses(preset: str, size: int | str, steps: int, **options: Any) -> list[float]:
    pixels = size if isinstance(size, int) else 512
    content, style = photograph(CONTENT, pixels), photograph(STYLE, pixels)
    painted = stylize(content, style, preset=preset, size=pixels, steps=steps, weights="imagenet-8bit", **options)
    return [reading.total for reading in painted.trace]
