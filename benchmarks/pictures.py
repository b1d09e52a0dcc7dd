"""The pictures that are measured on: the repository's own, or generated."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import REPOSITORY

INPUT = REPOSITORY / "input"


def photograph(name: str, longer_side: int) -> NDArray[np.uint8]:
    """One of input/, `content/coffee.jpg`, at a size: whole numbers, so that every program starts from the same bytes."""
    image = Image.open(INPUT / name).convert("RGB")
    factor = longer_side / max(image.size)
    return np.asarray(image.resize((round(image.width * factor), round(image.height * factor)), Image.LANCZOS))


def generated(side: int, seed: int) -> NDArray[np.uint8]:
    """A square picture with structure at all sizes: noise whose spectrum falls like a photograph's."""
    random = np.random.default_rng(seed)
    picture = np.zeros((side, side, 3), np.float32)
    cells = 4
    while cells <= side:
        patch = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        picture += np.asarray(patch.resize((side, side), Image.BICUBIC), np.float32) / cells**0.5
        cells *= 4
    low, high = picture.min(), picture.max()
    return ((picture - low) / (high - low) * 255).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """The same picture as a file's bytes, losslessly."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
