"""Transparent pictures made smaller, and what stands where nothing can be seen.

Colours are kept apart from opacity, not multiplied by it. A pixel with any opacity has the
picture's own colour, whatever the opacity and the size. Where there is none, the colours that are
seen go on, ever softer, so that no filter and no network meets a ground of ours.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from pipeline.images.scale import LANCZOS, Box, Floats, Levels, Rows, by_rows, plane

# What a wholly transparent picture shows: the middle of the range, as far from black as from white.
GROUND = 127.5

# Opacity of which a file of 8 bits keeps nothing.
_INVISIBLE = 0.5 / 255
# Below this opacity colours come through a filter without negative lobes: where little can be seen,
# the weights of one that has them nearly cancel. Chosen by eye.
_SPARSE = 0.5
_TRIANGLE = Image.Resampling.BILINEAR


def resize_visible(
    pixels: Levels, alpha: Floats, width: int, height: int, box: Box | None = None
) -> tuple[Floats, Floats]:
    """Pixels (H, W, 3), 0..255, and opacity (H, W), 0..1, as (height, width, 3) and (height,
    width).

    With a `box` (left, top, right, bottom), of that part of them. Each pixel counts for as much as
    it can be seen.
    """
    opacity = Opacity(lambda top, bottom: alpha[top:bottom], alpha.shape, width, height, box)
    resized = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        resized[..., channel] = opacity.resize(
            lambda top, bottom, channel=channel: pixels[top:bottom, :, channel].astype(np.float32, copy=False)  # type: ignore[misc]
        )
    return resized, opacity.resized


class Opacity:
    """The opacity, 0..1, of a picture of `shape` (H, W) that becomes (height, width): `resized`.

    It and the channels are read some rows at a time.
    """

    def __init__(self, rows: Rows, shape: tuple[int, ...], width: int, height: int, box: Box | None = None) -> None:
        self._rows = rows
        self._to = (shape, width, height)
        self._box = box
        self._unchanged = box is None and shape[:2] == (height, width)
        self._sharp = by_rows(rows, *self._to, LANCZOS, box)  # overshoots, as the colours do
        self._smooth = self._sharp if self._unchanged else by_rows(rows, *self._to, _TRIANGLE, box)
        self.resized: Floats = np.clip(self._sharp, 0.0, 1.0)

    def resize(self, rows: Rows) -> Floats:
        """A channel (H, W) of colours, 0..255, as (height, width)."""
        if self._unchanged:
            return extend(by_rows(rows, *self._to, LANCZOS, self._box), self.resized)

        def seen(top: int, bottom: int) -> Floats:
            return self._rows(top, bottom) * rows(top, bottom)

        sharp = _divided(by_rows(seen, *self._to, LANCZOS, self._box), self._sharp)
        smooth = _divided(by_rows(seen, *self._to, _TRIANGLE, self._box), self._smooth)
        levels = np.where(self._sharp < _SPARSE, smooth, sharp)
        return extend(np.clip(levels, 0.0, 255.0), self._smooth)


def extend(levels: Floats, alpha: Floats) -> Floats:
    """A channel (H, W), its invisible pixels in the levels of the visible ones near them; GROUND
    where there are none at all. Visible pixels stay as they are.

    From a pyramid: each size is half the one before, a pixel being the mean of four, weighted by
    their opacity. What is empty takes its level from the first size where it is not.
    """
    empty = alpha < _INVISIBLE
    if not empty.any():
        return levels
    if empty.all():
        return np.full_like(levels, GROUND)
    coarse = extend(*_halved(levels, np.where(empty, np.float32(0), alpha)))
    height, width = alpha.shape
    enlarged = np.asarray(plane(coarse).resize((width, height), _TRIANGLE), np.float32)
    return np.where(empty, enlarged, levels)


def _halved(levels: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """Half as large, odd sides rounded up. Opacity becomes 1 where any of the four can be seen."""
    odd = [(0, length % 2) for length in alpha.shape]
    sums = _sums_of_four(np.pad(alpha, odd))
    colours = _sums_of_four(np.pad(alpha * levels, odd))
    return _divided(colours, sums), (sums > 0).astype(np.float32)


def _sums_of_four(levels: Floats) -> Floats:
    sums: Floats = levels[::2, ::2] + levels[1::2, ::2] + levels[::2, 1::2] + levels[1::2, 1::2]
    return sums


def _divided(seen: Floats, opacity: Floats) -> Floats:
    """Levels that opacity was multiplied into, without it; 0 where there is none."""
    return np.divide(seen, opacity, out=np.zeros_like(seen), where=opacity > 0)
