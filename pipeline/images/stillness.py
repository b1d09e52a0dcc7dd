"""Has a picture stopped changing to the eye?

A person who looks at a picture as a whole sees neither single pixels nor what a few of them do. So
two states of it are compared at the size at which it is looked at, in CIELAB, field by field: the
change of a field is the mean over it of ΔE*ab (CIE 1976), and that of the picture the change of
all but its most restless fields. It is asked after the last quarter of all steps made so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.images.quality import to_lab
from pipeline.images.scale import Floats

# What a person sees at once: at a distance of a picture's own length, 57 degrees, at 9 pixels a
# degree; finer than that it is texture, whose single strokes nobody follows.
VIEWED = 256  # pixels along the longer side
FIELD = 8  # pixels of that, each way
RESTLESS = 0.05  # of all fields, those that change most

STILL = 2.0  # ΔE; a just noticeable difference is 2.3 (Mahy, Van Eycken & Oosterlinck 1994)

_FIRST = 12
_LAST_PART = 0.25


class Stillness:
    """Looks at a picture at its marks, as `finished` makes it: with its last colours, and as small
    as it is looked at. `still_at` is the step at which it was still;
    None before."""

    def __init__(self, finished: Callable[[Floats], Floats]) -> None:
        self._finished = finished
        self.still_at: int | None = None
        self._mark = 0  # the step of the last look
        self._seen: Floats | None = None  # the picture then, as it is viewed, in CIELAB

    def is_due(self, step: int) -> bool:
        """Is there a mark after so many steps?"""
        return step >= max(_FIRST, math.ceil(self._mark / (1 - _LAST_PART)))

    def look(self, step: int, pixels: Floats) -> None:
        """Take in the picture (height, width, 3), float32, 0..255, after so many steps."""
        seen = np.asarray(to_lab(self._finished(pixels)), np.float32)
        if self._seen is not None and change(self._seen, seen) < STILL:
            self.still_at = step
        self._mark, self._seen = step, seen

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that `restore` needs, by name."""
        kept: dict[str, NDArray[np.generic]] = {"still": np.array([self._mark, self.still_at or 0], np.int64)}
        return kept if self._seen is None else {**kept, "still_seen": self._seen}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Stand where `state` was taken. Raises KeyError where it is none."""
        self._mark, at = (int(number) for number in state["still"])
        self.still_at = at or None
        self._seen = np.asarray(state["still_seen"], np.float32) if "still_seen" in state else None


def change(before: Floats, now: Floats) -> float:
    """How far two pictures of one shape differ, in ΔE; both are in CIELAB, (height, width, 3)."""
    difference = np.linalg.norm(now.astype(np.float64) - before, axis=-1)
    rows, columns = (range(0, length, FIELD) for length in difference.shape)
    sums = np.add.reduceat(np.add.reduceat(difference, rows, axis=0), columns, axis=1)
    counts = np.add.reduceat(np.add.reduceat(np.ones_like(difference), rows, axis=0), columns, axis=1)
    return float(np.quantile(sums / counts, 1 - RESTLESS))
