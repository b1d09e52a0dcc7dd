"""Pictures of a clip in their time: one, a span of them, and where damage ends them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_OPAQUE = 255


@dataclass(frozen=True, slots=True, eq=False)
class ClipFrame:
    """`number` counts from 0 in the order shown. `time` is when it is shown, in seconds from the
    clip's beginning, which is that of its picture or its sound, whichever comes first; `duration`
    how long. `pixels` are uint8 (height, width, 3), sRGB, upright, with square pixels, not
    multiplied by opacity; `alpha` is uint8 (height, width), or None if all is opaque."""

    number: int
    time: Fraction
    duration: Fraction
    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of `pixels`."""
        height, width, _ = self.pixels.shape
        return width, height

    @property
    def end(self) -> Fraction:
        """When it is shown no longer, in seconds from the clip's beginning."""
        return self.time + self.duration

    def with_alpha(self) -> NDArray[np.uint8]:
        """Red, green, blue and opacity, uint8 (height, width, 4)."""
        alpha = np.full(self.pixels.shape[:2], _OPAQUE, np.uint8) if self.alpha is None else self.alpha
        return np.dstack((self.pixels, alpha))


class Span(NamedTuple):
    """From `begin` to `end`, seconds from the clip's beginning; None: from its beginning, to its
    end. What begins in between is kept, and is shifted so that `begin` becomes 0."""

    begin: Fraction | None = None
    end: Fraction | None = None


WHOLE = Span()
"""All of a clip."""


class DamageError(Exception):
    """From `time` (seconds from the clip's beginning) on frames are not good; `why` in words."""

    def __init__(self, time: Fraction, why: str) -> None:
        super().__init__(why)
        self.time = time
        self.why = why
