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
        resized[..., channel] = lanczos(pixels[..., channel], width, height)
    return np.clip(resized, 0.0, 255.0, out=resized)


def resize_alpha(alpha: Floats, width: int, height: int) -> Floats:
    """Opacity (H, W), float32, 0..1, as (height, width); otherwise like `resize`."""
    return np.clip(lanczos(alpha, width, height), 0.0, 1.0)


def cover(pixels: Floats, width: int, height: int) -> Floats:
    """Pixels (H, W, 3) as (height, width, 3) without distortion: scaled until they fill it, the rest cut off evenly."""
    old_height, old_width, _ = pixels.shape
    factor = max(width / old_width, height / old_height)
    # Rounding may not leave a row or column unfilled.
    full_width, full_height = max(width, round(old_width * factor)), max(height, round(old_height * factor))
    left, top = (full_width - width) // 2, (full_height - height) // 2
    return resize(pixels, full_width, full_height)[top : top + height, left : left + width].copy()


def lanczos(plane: Floats, width: int, height: int) -> Floats:
    """One plane (H, W) as (height, width), float32, without cutting off what overshoots."""
    if plane.shape == (height, width):
        return plane
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32)
