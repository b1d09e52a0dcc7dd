"""A painted picture carried to a photograph's full resolution.

What a painting lacks there is the photograph's finest detail. It is added as the painting would
have it: by how much it moved the finest detail that it could hold, place by place and channel by
channel.

    large = enlarged(X) + g · (p - enlarged(P))      X painted, p the photograph, P at X's size
    g = slope · share                                in a window around each pixel of X

`slope` is that of the least squares fit of X's finest detail by P's, and `share` how much of X's
that fit explains. Where X follows the photograph, as at an outline, the large picture has the
photograph's own sharp edge, in X's colours; where strokes or flat colours took its place, g is
near 0, and the large picture is X enlarged. What is added averages out over a pixel of X, so that
the large picture made smaller is X again.

Sources: the local linear model is that of K. He, J. Sun, X. Tang, "Guided Image Filtering" (IEEE
PAMI 35, 2013), Eq. 4 to 8, and the way over a small picture that of K. He, J. Sun, "Fast Guided
Filter" (2015, arXiv 1505.00996). We differ: what the model does not explain is kept, as strokes
are no noise; and it is fitted to the finest detail alone, and weighted by what it explains. Fitted
to whole levels it hangs the photograph's texture over places that were painted flat: with a
photograph under a median of 11 pixels as the painting, at a quarter of its size, the error is 9.3
grey levels, where enlarging alone has 2.8; as here 2.1, where enlarging has 2.0. With the
photograph in other colours as the painting it is 2.7, where enlarging has 10.1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.images.scale import LANCZOS, Box, Floats, bands, plane

_WINDOW, _SMOOTHED = 2, 1  # pixels of X to each side: of the fit, and of the mean of what it found
_SEEN = 1 + _WINDOW + _SMOOTHED  # what g sees to each side: finest detail is of a pixel and its neighbours
_BEYOND = 4  # what enlarging sees to each side: Lanczos has three lobes, and rows end between pixels
# Grey levels squared: finest detail below it is noise. Of 5, 50 and 200 the smallest was best;
# rounding to 8 bits alone has 1/12.
_NOISE = np.float32(5.0)


def sharpened(
    painted: Floats, small: Floats, whole: NDArray[np.uint8], wraps: tuple[bool, bool] = (False, False)
) -> Iterator[tuple[slice, Floats, Floats]]:
    """The picture `painted` (h, w, 3) at the size of `whole`, the photograph (H, W, 3), some rows
    at a time: which, their pixels (rows, W, 3), float32 and not yet cut off at 0 and 255, and the
    photograph's. `small` is the photograph at the painting's size. Down and across, where `wraps`
    says so, a painting goes on from its other end; its photograph does not.

    Rows are the same, to a hundredth of a grey level, however many come at once.
    """
    height, width, _colours = whole.shape
    low, narrow, _colours = painted.shape
    down, across = (_BEYOND * wrapped for wrapped in wraps)
    wide = np.pad(painted, [(down, down), (across, across), (0, 0)], "wrap") if down or across else painted
    for rows in bands(height, width):
        top, bottom = rows.start * low / height, rows.stop * low / height
        first, last = max(0, math.floor(top) - _BEYOND), min(low, math.ceil(bottom) + _BEYOND)
        size = (width, rows.stop - rows.start)
        box = (0.0, top - first, float(narrow), bottom - first)
        photograph = whole[rows].astype(np.float32)
        found = photograph - _enlarged(small[first:last], size, box)
        found *= _enlarged(_gain(painted, small, first, last), size, box, Image.Resampling.BILINEAR)
        inside = (across + box[0], down + box[1], across + box[2], down + box[3])
        found += _enlarged(wide[first : last + 2 * down], size, inside)
        yield rows, found, photograph


def _enlarged(part: Floats, size: tuple[int, int], box: Box, kernel: Image.Resampling = LANCZOS) -> Floats:
    """A box (left, top, right, bottom) of pixels (h, w, 3) at this size (width, height)."""
    width, height = size
    found = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        found[..., channel] = np.asarray(plane(part[..., channel]).resize(size, kernel, box=box))
    return found


def _gain(painted: Floats, small: Floats, first: int, last: int) -> Floats:
    """g of the rows from `first` up to `last`, (rows, w, 3)."""
    from_row, to_row = max(0, first - _SEEN), min(len(small), last + _SEEN)
    above, below = from_row - (first - _SEEN), last + _SEEN - to_row
    around = [(above, below), (_SEEN, _SEEN), (0, 0)]
    x, p = (_finest(np.pad(picture[from_row:to_row], around, "symmetric")) for picture in (painted, small))
    together, of_painted, of_photograph = (_mean(product, _WINDOW) for product in (x * p, x * x, p * p))
    slope = together / (of_photograph + _NOISE)
    share = slope * together / (of_painted + _NOISE)  # of the painting's finest detail, what the slope explains
    return _mean(slope * share, _SMOOTHED)


def _finest(pixels: Floats) -> Floats:
    """What is in pixels (h + 2, w + 2, 3) beyond their mean over their neighbours, with weights
    1 2 1 each way: (h, w, 3)."""
    down = pixels[:-2] + 2 * pixels[1:-1] + pixels[2:]
    around: Floats = (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 16
    return pixels[1:-1, 1:-1] - around


def _mean(values: Floats, reach: int) -> Floats:
    """The mean over so many neighbours to each side of values (h + 2 reach, w + 2 reach, 3):
    (h, w, 3). Added in one order wherever rows begin, which running sums are not."""
    side = 2 * reach + 1
    height, width = (length - 2 * reach for length in values.shape[:2])
    down = functools.reduce(np.add, (values[start : start + height] for start in range(side)))
    total = functools.reduce(np.add, (down[:, start : start + width] for start in range(side)))
    mean: Floats = total / np.float32(side**2)
    return mean
