"""Pictures larger and smaller, in floating point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Levels = NDArray[np.float32] | NDArray[np.uint8]
"""Grey levels, 0..255, as floats or in whole numbers."""
Box = tuple[float, float, float, float]
Rows = Callable[[int, int], Floats]
"""Some rows of a channel, from one up to another: (rows, W)."""

LANCZOS = Image.Resampling.LANCZOS
_LOBES = 3  # Lanczos', in Pillow: pixels that it sees to each side
_AT_ONCE = 2**22  # numbers: 16 MB of floats
_BAND = 2**20  # pixels of three floats: 12 MB


def resize(pixels: Levels, width: int, height: int, box: Box | None = None) -> Floats:
    """Pixels (H, W, 3), 0..255, as (height, width, 3).

    With a `box` (left, top, right, bottom), of that part of them. Never shares memory with
    `pixels`. Lanczos with three lobes, widened by the factor of reduction so that nothing aliases,
    on each channel in floating point: no rounding to integers. What it overshoots is cut off at 0
    and 255.
    """
    resized = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        resized[..., channel] = lanczos(plane(pixels[..., channel]), width, height, box)
    return np.clip(resized, 0.0, 255.0, out=resized)


def resize_wrapped(pixels: Floats, width: int, height: int, wraps: tuple[bool, bool]) -> Floats:
    """The same of a picture that goes on from its other end, down and across, where `wraps` says
    so: its ends still fit."""
    old_height, old_width, _ = pixels.shape
    down, across = (
        math.ceil(_LOBES * max(1.0, old / new)) if wrapped else 0
        for old, new, wrapped in zip((old_height, old_width), (height, width), wraps, strict=True)
    )
    if not down and not across:
        return resize(pixels, width, height)
    wide = np.pad(pixels, [(down, down), (across, across), (0, 0)], "wrap")
    return resize(wide, width, height, (across, down, across + old_width, down + old_height))


def resize_alpha(alpha: Floats, width: int, height: int) -> Floats:
    """Opacity (H, W), float32, 0..1, as (height, width); otherwise like `resize`."""
    return np.clip(lanczos(plane(alpha), width, height), 0.0, 1.0)


def cover(pixels: Floats, width: int, height: int) -> Floats:
    """Pixels (H, W, 3) as (height, width, 3): scaled to fill it, the rest cut off evenly."""
    old_height, old_width, _ = pixels.shape
    return resize(pixels, width, height, covering_box(old_width, old_height, width, height))


def covering_box(old_width: int, old_height: int, width: int, height: int) -> Box:
    """The middle part of a picture that has the shape of another."""
    factor = max(width / old_width, height / old_height)
    left, top = (max(0.0, (old - new / factor) / 2) for old, new in ((old_width, width), (old_height, height)))
    return left, top, old_width - left, old_height - top


def bands(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture of this size, from top to bottom, as many at a time as are a million
    pixels, and one at least."""
    step = max(1, _BAND // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def plane(levels: Levels) -> Image.Image:
    """One channel (H, W) as a Pillow image of floats (mode F), a copy."""
    return Image.fromarray(np.ascontiguousarray(levels, np.float32))


def lanczos(channel: Image.Image, width: int, height: int, box: Box | None = None) -> Floats:
    """A Pillow image of floats, or a box of it, as float32 (height, width).

    What overshoots is not cut off.
    """
    return np.asarray(channel.resize((width, height), LANCZOS, box=box), np.float32)


def by_rows(
    rows: Rows, shape: tuple[int, ...], width: int, height: int, kernel: Image.Resampling, box: Box | None = None
) -> Floats:
    """A channel of `shape` (H, W) that is read some rows at a time, never whole as floats, or a box
    of it, as float32 (height, width).

    The same numbers as from all of it at once: Pillow too goes across first, then down. What
    overshoots is not cut off.
    """
    left, top, right, bottom = box or (0, 0, shape[1], shape[0])
    narrow = np.empty((shape[0], width), np.float32)
    step = max(1, _AT_ONCE // shape[1])
    for first in range(0, shape[0], step):
        piece = plane(rows(first, min(first + step, shape[0])))
        across = piece.resize((width, piece.height), kernel, box=(left, 0, right, piece.height))
        narrow[first : first + step] = np.asarray(across, np.float32)
    if (height, top, bottom) == (shape[0], 0, shape[0]):
        return narrow
    return np.asarray(plane(narrow).resize((width, height), kernel, box=(0, top, width, bottom)), np.float32)
