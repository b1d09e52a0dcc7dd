"""The losses of a pair at work as a few numbers, whatever many steps it makes."""

from __future__ import annotations

import math

from pipeline.reading import Reading

# Points of one curve: more are not seen (report/drawings draws 32), and twice as many are kept, of
# which every second goes when there are too many.
MOST_POINTS = 32
# Of the curves of all pairs at work, so that the run's small file stays below 64 KiB
# (store/checksummed_json): a point of six losses has 80 bytes.
POINTS_IN_ALL = 480
LEAST_POINTS = 8  # with fewer there is no curve
_MOST_LOSSES = 6  # total, content, style, tv and two more
_DIGITS = 4

_Point = tuple[int, dict[str, float]]  # a step, and losses by name


class Curve:
    """Readings of one pair, those of its present stage alone: losses of two sizes are no one
    curve."""

    def __init__(self) -> None:
        self._side, self._last, self._every = 0, 0, 1
        self._points: list[_Point] = []
        self._latest: _Point | None = None  # which may be none of them

    def add(self, reading: Reading) -> None:
        """One more step."""
        if reading.side != self._side or reading.step <= self._last:
            self._side, self._every, self._points, self._latest = reading.side, 1, [], None
        self._last = reading.step
        losses = dict(list(reading.losses.items())[:_MOST_LOSSES])
        if not all(map(math.isfinite, losses.values())):
            return
        self._latest = reading.step, losses
        if (reading.step - 1) % self._every:
            return
        self._points.append(self._latest)
        if len(self._points) > 2 * MOST_POINTS:
            self._every *= 2
            self._points = self._points[::2]

    def columns(self, most: int) -> dict[str, list[float]]:
        """By name of a loss, and `step`, as many numbers each; at most `most`, evenly taken, the
        first and the last among them. None of fewer than two."""
        points = self._points
        if self._latest is not None and self._latest not in points[-1:]:
            points = [*points, self._latest]
        last, number = len(points) - 1, min(most, len(points))
        if number < 2:
            return {}
        taken = [points[round(index * last / (number - 1))] for index in range(number)]
        columns: dict[str, list[float]] = {"step": [step for step, _ in taken]}
        for name in taken[0][1]:
            columns[name] = [float(f"{losses.get(name, 0.0):.{_DIGITS}g}") for _, losses in taken]
        return columns


def points_each(pairs: int) -> int:
    """How many points the curve of each of so many pairs may have."""
    points = min(POINTS_IN_ALL // max(pairs, 1), MOST_POINTS)
    return points if points >= LEAST_POINTS else 0
