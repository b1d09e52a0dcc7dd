"""Pictures larger and smaller, in floating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def resize(pixels: Floats, width: int, height: int) -> Floats:
    """Pixels (H, W, 3), float32, 0..255, as (height, width, 3). Never shares memory with `pixels`.

    Lanczos with three lobes, widened by the factor of reduction so that nothing aliases, on each channel in floating
    point: no rounding to integers. What it overshoots is cut off at 0 and 255.
    """
    resized = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        resized[..., channel] = lanczos(plane(pixels[..., channel]), width, height)
    return np.clip(resized, 0.0, 255.0, out=resized)


def resize_alpha(alpha: Floats, width: int, height: int) -> Floats:
    """Opacity (H, W), float32, 0..1, as (height, width); otherwise like `resize`."""
    return np.clip(lanczos(plane(alpha), width, height), 0.0, 1.0)


def cover(pixels: Floats, width: int, height: int) -> Floats:
    """Pixels (H, W, 3) as (height, width, 3) without distortion: scaled until they fill it, the rest cut off evenly."""
    old_height, old_width, _ = pixels.shape
    factor = max(width / old_width, height / old_height)
    full_width, full_height = round(old_width * factor), round(old_height * factor)
    left, top = (full_width - width) // 2, (full_height - height) // 2
    return resize(pixels, full_width, full_height)[top : top + height, left : left + width].copy()


def plane(levels: Floats) -> Image.Image:
    """One channel (H, W) as a Pillow image of floats (mode F), a copy."""
    return Image.fromarray(np.ascontiguousarray(levels, np.float32))


def lanczos(channel: Image.Image, width: int, height: int) -> Floats:
    """A Pillow image of floats as an array (height, width), float32, without cutting off what overshoots."""
    return np.asarray(channel.resize((width, height), Image.Resampling.LANCZOS), np.float32)
