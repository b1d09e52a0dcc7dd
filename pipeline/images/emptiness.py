"""Where a picture is empty, as sky, a wall, still water or bare paper is, which of those areas
another picture's empty areas are like, and where it is plainer than anything in another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from pipeline.images.colour import LUMINANCE
from pipeline.images.scale import Floats, by_rows, resize_alpha
from pipeline.images.sizes import fit_longer_side

# Pixels along the longer side: what is seen at a glance. Chosen by eye, as all below, with a castle
# and a portrait in a pen drawing and the Taj Mahal in a woodcut, Gram matrices at 256 px.
_GLANCE = 256
# Grey levels per pixel of that size below which a place is empty, and over how many it becomes so.
_QUIET, _SOFT = 6.0, 1.0
# Pixels around a place that are looked at, the standard deviation of Gauss' bell: a line of ink
# makes its surroundings busy.
_AROUND = 5.0
# Shares of the brightness of empty areas between which they are as bright as each other, and the
# grey levels over which they cease to be.
_DARKEST, _LIGHTEST, _AS_BRIGHT = 0.02, 0.98, 16.0


# Share of a picture below which its empty areas, or all else, are too few to paint from.
_LEAST = 0.03
# The share of a style that is its plainest. Where brightness changes by less there, in grey levels
# a pixel, it is paper: 0.6 in a pen drawing, 2.6 to 12 in van Gogh's and other strokes. Of a
# photograph nothing is plain that changes by more: a sky does by 1, a face's shadow by 4.
_PLAINEST, _PAPER, _PLAIN = 0.01, 2.0, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A picture at a glance, 256 places at most along its longer side, float32 (height, width):
    `empty`, 0..1, how empty a place is; its `brightness`, 0..255; how much can be `seen` of it,
    0..1; and by how many grey levels a pixel brightness `changes` around it, up to 32."""

    empty: Floats
    brightness: Floats
    seen: Floats
    changes: Floats

    @property
    def has_parts(self) -> bool:
        """Are some of the places that can be seen more empty than not, and some are not?"""
        return is_part(self.empty, self.seen)

    @property
    def range_of_empty(self) -> tuple[float, float]:
        """Between which brightnesses its empty places are, the lower first, but for the outermost
        hundredths."""
        places = (self.empty > 0.5) & (self.seen > 0.5)
        low, high = np.quantile(self.brightness[places], (_DARKEST, _LIGHTEST))
        return float(low), float(high)


def is_part(levels: Floats, seen: Floats) -> bool:
    """Are some of the places that can be seen, and not all, more than half of it?"""
    visible = seen > 0.5
    return bool(visible.any()) and _LEAST <= float((levels[visible] > 0.5).mean()) <= 1 - _LEAST


def glance(pixels: Floats, alpha: Floats | None = None) -> Glance:
    """A picture (height, width, 3), 0..255, with opacity (height, width), 0..1. A place is empty
    where the mean length of the gradient of brightness around it is small."""
    height, width, _ = pixels.shape
    size = fit_longer_side(width, height, min(_GLANCE, max(width, height)))
    grey = by_rows(lambda top, bottom: pixels[top:bottom] @ LUMINANCE, (height, width), *size, Image.Resampling.LANCZOS)
    lengths = np.hypot(*np.gradient(grey)) if min(size) > 1 else np.zeros_like(grey)
    # Pillow blurs whole numbers alone: an eighth of a grey level is one; 32 and more are all busy.
    whole = Image.fromarray(np.clip(lengths * 8, 0, 255).astype(np.uint8))
    around = np.asarray(whole.filter(ImageFilter.GaussianBlur(_AROUND)), np.float32) / np.float32(8)
    empty = np.asarray(1 / (1 + np.exp((around - _QUIET) / _SOFT)), np.float32)
    return Glance(empty, grey, np.ones_like(grey) if alpha is None else resize_alpha(alpha, *size), around)


def empty_as_in(here: Glance, styles: Sequence[Glance]) -> Floats:
    """How empty each place of a picture is, where it is as bright as the empty areas of any of the
    styles: 0..1, (height, width). Brightness is compared by rank, as the darkest of a photograph
    becomes the darkest of a style: black cloth is no bare paper."""
    _values, numbers, counts = np.unique(here.brightness, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / here.brightness.size
    alike = np.zeros(len(ranks))
    for style in styles:
        low, high = style.range_of_empty
        becomes = np.quantile(style.brightness[style.seen > 0.5], ranks)
        beyond = np.maximum(low - becomes, becomes - high)
        alike = np.maximum(alike, np.clip(1 - beyond / _AS_BRIGHT, 0, 1))
    return np.asarray(here.empty * alike[numbers].reshape(here.empty.shape), np.float32)


def plainer_than(here: Glance, styles: Sequence[Glance]) -> Floats:
    """How much plainer each place of a picture is than the plainest of the styles, (height, width):
    0..1, 1 where brightness changes by half as much; 0 everywhere where a style has bare paper."""
    plainest = min(float(np.quantile(style.changes[style.seen >= style.seen.max() / 2], _PLAINEST)) for style in styles)
    if plainest < _PAPER:
        return np.zeros_like(here.changes)
    limit = min(plainest, _PLAIN)
    return np.asarray(np.clip((limit - here.changes) / (limit / 2), 0.0, 1.0), np.float32)
