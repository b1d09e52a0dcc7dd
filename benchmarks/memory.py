"""Peak resident memory of a process that paints one pair, by size, precision and tiling, and how time grows with pixels.

Each row is a fresh process: Python, TensorFlow, the network, targets, the descent with its whole history, the last
evaluation, all of it. Square generated pictures, default options, style image as large as the content. "Off" is untiled;
"auto" is what a run takes. Time is of one evaluation, of the same processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure, Section, significant, table
from benchmarks.one_pair import paint_apart

GIB = 2**30
TARGETS = {512: 1.2, 2048: 6.5, 4096: 12.0}  # GiB, bfloat16
TIME_TARGET = 1.5  # time per pixel at 4096 px tiled / 1024 px untiled


@dataclass(frozen=True, slots=True)
class Row:
    size: int
    precision: str
    tile: str | int
    steps: int


# Few steps: memory hardly grows after the third, and times of seconds need no statistics. The large ones take minutes.
QUICK = (
    Row(256, "bfloat16", "off", 3),
    Row(512, "bfloat16", "off", 3),
    Row(512, "bfloat16", 256, 3),
    Row(512, "float32", "off", 3),
)
WHOLE = (
    Row(256, "bfloat16", "off", 8),
    Row(512, "bfloat16", "off", 6),
    Row(1024, "bfloat16", "off", 3),
    Row(1024, "bfloat16", 512, 3),
    Row(2048, "bfloat16", "auto", 4),
    Row(4096, "bfloat16", "auto", 4),
    Row(512, "float32", "off", 3),
    Row(1024, "float32", "off", 3),
)


def measure(quick: bool) -> Section:
    measured: dict[Row, dict[str, Any]] = {}
    for row in QUICK if quick else WHOLE:
        measured[row] = paint_apart(size=row.size, precision=row.precision, tile=row.tile, steps=row.steps)
    rows = [
        (
            f"{row.size} x {row.size} px, {row.precision}, tile {row.tile}",
            f"{found['peak'] / GIB:.2f} GiB",
            f"{found['step']:.2f} s",
            significant(found["step"] / row.size**2 * 1e6),
        )
        for row, found in measured.items()
    ]
    figures = []
    for size, target in TARGETS.items():
        # "auto" is "off" in the smaller ones.
        peaks = [
            found["peak"]
            for row, found in measured.items()
            if row.size == size and row.precision == "bfloat16" and row.tile in ("off", "auto")
        ]
        if peaks:
            figures.append(Figure(f"peak memory, bfloat16, {size} px", min(peaks) / GIB, "at most", target, " GiB"))
    rates = {(row.size, row.precision, str(row.tile)): found["step"] / row.size**2 for row, found in measured.items()}
    large, small = rates.get((4096, "bfloat16", "auto")), rates.get((1024, "bfloat16", "off"))
    if large and small:
        figures.append(Figure("time per pixel, 4096 px tiled / 1024 px untiled", large / small, "at most", TIME_TARGET))
    text = f"{__doc__}\n{table(['picture', 'peak memory', 'one evaluation', 'µs a pixel'], rows)}\n"
    return Section(name="memory", title="Memory and growth", text=text, figures=figures)
