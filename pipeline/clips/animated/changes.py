"""What has changed from one frame to the next, and when frames begin on a coarse clock."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box(NamedTuple):
    """A part of a frame, in pixels; right and bottom are not in it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def changed_box(before: NDArray[np.uint8] | None, now: NDArray[np.uint8], *, even: bool = False) -> Box:
    """The smallest box that holds all pixels (height, width, channels) that changed; one pixel,
    where none has. `even`: its left and top are even numbers."""
    height, width = now.shape[:2]
    if before is None:
        return Box(0, 0, width, height)
    changed = (before != now).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows):
        return Box(0, 0, 1, 1)
    left, top = int(columns[0]), int(rows[0])
    if even:
        left, top = left - left % 2, top - top % 2
    return Box(left, top, int(columns[-1]) + 1, int(rows[-1]) + 1)


class Clock:
    """Durations in whole units so that no error adds up: each ends where its end is nearest."""

    def __init__(self, unit: Fraction, shortest: int = 1) -> None:
        self._unit = unit
        self._shortest = shortest
        self._exact = Fraction(0)
        self._told = 0

    def lasting(self, duration: Fraction) -> int:
        """Units that the next frame is shown, at least the shortest."""
        self._exact += duration
        units = max(self._shortest, round(self._exact / self._unit) - self._told)
        self._told += units
        return units

    @property
    def lasted(self) -> tuple[Fraction, Fraction]:
        """Seconds so far, as they were told, and as they are."""
        return self._told * self._unit, self._exact
