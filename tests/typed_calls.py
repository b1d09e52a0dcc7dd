"""Calls as a program with types makes them: never run, only read by mypy (`make lint`), which must find nothing wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline import Stylization, Stylizer, stylize
from pipeline.reading import Reading


def calls(
    single: NDArray[np.float32], double: NDArray[np.float64], whole: NDArray[np.uint8], image: Image.Image
) -> Stylization:
    """Everything that docs/python.md says a picture or a style may be."""
    names: list[str] = ["starry.jpg", "wave.jpg"]
    shares: list[tuple[str, float]] = [("starry.jpg", 2), ("wave.jpg", 1)]
    stylize(single, double)
    stylize(whole, [single, image, "wave.jpg"])
    stylize("photo.jpg", names)
    stylize("photo.jpg", shares)
    stylize("photo.jpg", ("starry.jpg", 2.0))
    stylize(Path("photo.jpg"), sorted(Path("art").glob("*.jpg")))
    stylize("photo.jpg", {"image": "wave.jpg", "weight": 2, "mask": single}, content_mask=double)
    return stylize(None, [{"image": whole}], size=(640, 480), callback=as_numpy_says)


def as_numpy_says(reading: Reading, picture: Callable[[], Image.Image]) -> np.bool_:
    """A callback that ends a painting by a comparison of NumPy's."""
    return np.float32(reading.total) > 1


def frames(clip: list[NDArray[np.float32]]) -> list[NDArray[np.uint8]]:
    """A clip of arrays."""
    with Stylizer(size=512) as paint:
        return [frame.pixels for frame in paint.frames(clip, "starry.jpg")]
