"""The geometry of the page's drawings: loss curves, bars of the trend. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.quantities import duration, moment, significant

# Units of the drawings' own coordinate systems; the style sheet decides how large they are shown.
CURVE_WIDTH, CURVE_HEIGHT = 260, 84
TREND_WIDTH, TREND_HEIGHT = 640, 120
_CURVE_LEFT, _CURVE_EDGE = 30, 6  # room for the labels of the axis, and so that no line touches the border
_CURVE_POINTS = 32  # a point every eight units; at this size more is not seen
_DEPTH = 1e-6  # of the largest loss; a part below it says nothing and would press the others together
_BAR_SHARE = 0.62  # of a run's column; the rest is the gap
_WIDEST_BAR = 28


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the loss, or another value over time, as the `points` of an SVG polyline."""

    part: str
    points: str


@dataclass(frozen=True, slots=True)
class LossCurve:
    """Losses over steps, on a logarithmic axis, or what `caption` says.

    `ticks` are (y, label); `description` is for those who do not see the curve.
    """

    lines: list[Line]
    ticks: list[tuple[float, str]]
    last_step: int
    description: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of a run's bar: `kind` is `done`, `failed` or `waiting`."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TrendColumn:
    """One run in the trend: its bars from the bottom up, and the same in words."""

    bars: list[Bar]
    words: str


def loss_curve(trace: Sequence[Mapping[str, Any]], parts: Iterable[str], unit: str = "step") -> LossCurve | None:
    """The curve of a trace, a line for each of its `parts`, the keys of a reading that are losses;
    `unit` is what a reading is of.

    None if fewer than two readings can be drawn: a logarithm needs numbers above zero.
    """
    readings = _thinned([reading for reading in trace if _drawable(reading.get("total")) and reading.get("step")])
    if len(readings) < 2:
        return None
    floor = _DEPTH * max(reading["total"] for reading in readings)
    drawn = {part: [(r["step"], r[part]) for r in readings if _drawable(r.get(part), floor)] for part in parts}
    low, high = _decades([value for points in drawn.values() for _, value in points])
    first_step, last_step = int(readings[0]["step"]), int(readings[-1]["step"])
    span = max(last_step - first_step, 1)

    inside = CURVE_WIDTH - _CURVE_LEFT - _CURVE_EDGE
    decade = (CURVE_HEIGHT - 2 * _CURVE_EDGE) / (high - low)
    # each once, not once for each part: most of the time that a page takes is spent here
    # and whole numbers, as those of a forged file may be of any size
    x = {r["step"]: f"{_CURVE_LEFT + inside * ((int(r['step']) - first_step) / span):.1f}" for r in readings}

    def y(logarithm: float) -> float:
        return _CURVE_EDGE + decade * (high - logarithm)

    lines = [
        Line(part, " ".join(f"{x[step]},{y(math.log10(value)):.1f}" for step, value in points))
        for part, points in drawn.items()
        if len(points) > 1
    ]
    ends = readings[0]["total"], readings[-1]["total"]
    words = (
        f"Total loss from {significant(ends[0])} at {unit} {first_step} to {significant(ends[1])} at {unit} {last_step}"
    )
    caption = f"loss over {last_step} {unit}s, log scale"
    ticks = [(round(y(at), 1), f"1e{at}") for at in _tick_decades(low, high)]
    return LossCurve(lines, ticks, last_step, words, caption)


def flicker_curve(lines: Mapping[str, Sequence[tuple[float | None, float | None]]], caption: str) -> LossCurve | None:
    """The curve of flicker, from 0 on, over the numbers of frames, a line for each name; None where
    there is nothing to draw."""
    found = {
        name: [(at, value) for at, value in points if at is not None and _drawable(value, -1.0)]
        for name, points in lines.items()
    }
    drawn: dict[str, list[tuple[float, float]]] = {name: points for name, points in found.items() if len(points) > 1}  # type: ignore[misc]
    if not drawn:
        return None
    most = max(value for points in drawn.values() for _at, value in points) or 1.0
    ends = [at for points in drawn.values() for at, _value in points]
    first, span = min(ends), max(max(ends) - min(ends), 1)
    inside, height = CURVE_WIDTH - _CURVE_LEFT - _CURVE_EDGE, CURVE_HEIGHT - 2 * _CURVE_EDGE

    def point(at: float, value: float) -> str:
        return f"{_CURVE_LEFT + inside * (at - first) / span:.1f},{_CURVE_EDGE + height * (1 - value / most):.1f}"

    return LossCurve(
        [Line(name, " ".join(point(*each) for each in points)) for name, points in drawn.items()],
        [(_CURVE_EDGE, significant(most)), (_CURVE_EDGE + height, "0")],
        int(max(ends)),
        f"Flicker of at most {significant(most)}",
        caption,
    )


def trend(rows: Sequence[Mapping[str, Any]]) -> list[TrendColumn]:
    """One column per run: bars of done, failed and waiting pairs.

    Failed includes quarantined; waiting is interrupted and not started. Pairs that were up to date
    are not drawn: they are no work, and would make every night look like the others.
    """
    stacks = [_stack(row["counts"]) for row in rows]
    tallest = max((sum(stack.values()) for stack in stacks), default=0)
    unit = TREND_HEIGHT / max(tallest, 1)  # height of one pair
    column = TREND_WIDTH / max(len(rows), 1)
    width = min(column * _BAR_SHARE, _WIDEST_BAR)
    columns = []
    for index, (row, stack) in enumerate(zip(rows, stacks, strict=True)):
        bars, top = [], float(TREND_HEIGHT)
        for kind, number in stack.items():
            top -= number * unit
            left = index * column + (column - width) / 2
            bars.append(Bar(kind, round(left, 1), round(top, 1), round(width, 1), round(number * unit, 1)))
        columns.append(TrendColumn([bar for bar in bars if bar.height], _run_in_words(row, stack)))
    return columns


def _stack(counts: Mapping[str, int]) -> dict[str, int]:
    """Pairs of a run by kind, in the order of the bar from the bottom up."""
    return {
        "done": counts["done"],
        "failed": counts["failed"] + counts["quarantined"],
        "waiting": counts["interrupted"] + counts["not_started"],
    }


def _run_in_words(row: Mapping[str, Any], stack: Mapping[str, int]) -> str:
    numbers = f"{stack['done']} new, {stack['failed']} failed, {stack['waiting']} waiting"
    return f"{moment(str(row['started']))}: {numbers}, {duration(row['seconds'])}"


def _drawable(value: Any, floor: float = 0.0) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > floor


def _thinned(readings: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most `_CURVE_POINTS` readings, evenly taken, always with the first and the last."""
    if len(readings) <= _CURVE_POINTS:
        return readings
    last = len(readings) - 1
    return [readings[round(index * last / (_CURVE_POINTS - 1))] for index in range(_CURVE_POINTS)]


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Ends of the axis as logarithms: whole decades around the values, and at least one."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return (low, high) if high > low else (low - 1, high)


def _tick_decades(low: float, high: float) -> list[int]:
    """Every decade while they are few, else every second or third: at most five can be read."""
    stride = math.ceil((high - low) / 4)
    return list(range(int(low), int(high) + 1, stride))
