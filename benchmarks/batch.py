"""What a night costs beside its evaluations: twelve pairs in one run, and the same twelve in a process each.

Three contents in four styles at 384 px, in two shapes, through the command `stylize run` into an empty folder: start of
Python and TensorFlow, loading the network, decoding, targets, tracing, the last evaluation in float32, encoding, records,
thumbnails and report all count. "Outside" is the command's wall time less its evaluations (steps times seconds a step). The
pairs are Gram's, whose evaluations are all of one size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section, table
from benchmarks.machine import REPOSITORY

CONTENTS = ("astronaut", "cat", "coffee")
STYLES = ("ink-waves", "palette-knife", "stained-glass", "starry-flow")
SIZE = 384
DEFAULT_STEPS = 200  # options.Options, with Gram matrices


@dataclass(frozen=True, slots=True)
class Run:
    """One `stylize run`: its wall time and the rows of its pairs."""

    wall: float
    pairs: Sequence[dict[str, Any]]

    @property
    def evaluations(self) -> float:
        return sum(float(pair["steps"] * pair["seconds_per_step"]) for pair in self.pairs)

    @property
    def outside(self) -> float:
        return self.wall - self.evaluations


def run(folder: Path, steps: int, contents: Sequence[str], styles: Sequence[str]) -> Run:
    """Paint every content in every style, into a fresh folder."""
    manifest = folder / "twelve.yaml"
    output = tempfile.mkdtemp(dir=folder)
    manifest.write_text(
        f"version: 1\ninput: {REPOSITORY / 'input'}\noutput: {output}\n"
        f"defaults: {{style_loss: gram, size: {SIZE}, steps: {steps}}}\n"
        f"pairs:\n  - matrix:\n      content: [{', '.join(f'content/{name}.jpg' for name in contents)}]\n"
        f"      style: [{', '.join(f'style/{name}.jpg' for name in styles)}]\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pipeline", "run", str(manifest), "--json", "-q"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    wall = time.perf_counter() - began
    return Run(wall, [pair for pair in json.loads(done.stdout)["pairs"] if pair["status"] == "done"])


def measure(quick: bool) -> Section:
    steps, apart_steps = (6, 2) if quick else (60, 4)
    contents, styles = (CONTENTS[1:], STYLES[:2]) if quick else (CONTENTS, STYLES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        together = run(folder, steps, contents, styles)
        apart = [run(folder, apart_steps, [content], [style]) for content in contents for style in styles]
    pairs = len(together.pairs)
    shapes = sorted({tuple(pair["size"]) for pair in together.pairs})
    inside = [pair["steps"] * pair["seconds_per_step"] for pair in together.pairs]
    setup = sum(pair["setup_seconds"] for pair in together.pairs)
    finish = sum(pair["seconds"] - pair["setup_seconds"] for pair in together.pairs) - sum(inside)
    painting = sum(pair["seconds"] for pair in together.pairs)
    outside_apart = sum(each.outside for each in apart) / len(apart) * pairs
    share = together.outside / together.wall
    default = together.evaluations * DEFAULT_STEPS / steps
    rows = [
        (
            f"{pairs} pairs in one run, {steps} steps each",
            f"{together.wall:.0f} s",
            f"{together.outside:.1f} s",
            f"{share:.1%}",
        ),
        (
            f"in a process each, {steps} steps (outside: mean of {len(apart)} runs of {apart_steps} steps)",
            f"{together.evaluations + outside_apart:.0f} s",
            f"{outside_apart:.1f} s",
            f"{outside_apart / (together.evaluations + outside_apart):.1%}",
        ),
        (
            f"one run at Gram's default of {DEFAULT_STEPS} steps (computed)",
            f"{default + together.outside:.0f} s",
            f"{together.outside:.1f} s",
            f"{together.outside / (default + together.outside):.1%}",
        ),
    ]
    where = [
        ("targets and tracing, all pairs", f"{setup:.1f} s"),
        ("last evaluation, rounding, colours", f"{finish:.1f} s"),
        ("start, decoding, encoding, records, report", f"{together.wall - painting:.1f} s"),
    ]
    text = f"""{__doc__}
Shapes: {", ".join(f"{width} x {height}" for width, height in shapes)}. Start-up is not repeated: the process is the same.

{table(["", "wall time", "outside evaluations", "share"], rows)}

Where the {together.outside:.1f} s of the one run go:

{table(["part", "time"], where)}
"""
    what = f"wall time outside evaluations, {pairs} pairs at {SIZE} px, start-up included ({steps} steps)"
    figure = Figure(what, 100 * share, "at most", 8.0, " %")
    return Section(name="batch", title="A batch against single processes", text=text, figures=[figure])
