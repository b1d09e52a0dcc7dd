"""Where a picture is empty, as sky, a wall, still water or bare paper is, and which of those areas
another picture's empty areas are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from pipeline.images.scale import Floats, by_rows
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
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow has it


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A picture at a glance, 256 places at most along its longer side, float32 (height, width):
    `empty`, 0..1, how empty a place is; its `brightness`, 0..255."""

    empty: Floats
    brightness: Floats


def glance(pixels: Floats) -> Glance:
    """A picture (height, width, 3), 0..255. A place is empty where the mean length of the gradient
    of brightness around it is small."""
    height, width, _ = pixels.shape
    size = fit_longer_side(width, height, min(_GLANCE, max(width, height)))
    grey = by_rows(lambda top, bottom: pixels[top:bottom] @ _LUMA, (height, width), *size, Image.Resampling.LANCZOS)
    lengths = np.hypot(*np.gradient(grey)) if min(size) > 1 else np.zeros_like(grey)
    # Pillow blurs whole numbers alone: an eighth of a grey level is one; 32 and more are all busy.
    whole = Image.fromarray(np.clip(lengths * 8, 0, 255).astype(np.uint8))
    around = np.asarray(whole.filter(ImageFilter.GaussianBlur(_AROUND)), np.float32) / 8
    return Glance(np.asarray(1 / (1 + np.exp((around - _QUIET) / _SOFT)), np.float32), grey)


def empty_as_in(here: Glance, styles: Sequence[Glance]) -> Floats:
    """How empty each place of a picture is, where it is as bright as the empty areas of any of the
    styles: 0..1, (height, width). Brightness is compared by rank, as the darkest of a photograph
    becomes the darkest of a style: black cloth is no bare paper."""
    _values, numbers, counts = np.unique(here.brightness, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / here.brightness.size
    alike = np.zeros(len(ranks))
    for style in styles:
        low, high = np.quantile(style.brightness[style.empty > 0.5], (_DARKEST, _LIGHTEST))
        becomes = np.quantile(style.brightness, ranks)
        beyond = np.maximum(low - becomes, becomes - high)
        alike = np.maximum(alike, np.clip(1 - beyond / _AS_BRIGHT, 0, 1))
    return np.asarray(here.empty * alike[numbers].reshape(here.empty.shape), np.float32)
