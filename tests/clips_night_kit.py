"""Clips for tests, made where they are needed: a window that moves over a picture of coarse noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 64, 48


def scene(seed: int) -> NDArray[np.uint8]:
    """A picture of soft blots, twice as large as a frame."""
    blots = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blots).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.BICUBIC))


def shots(*frames_of: int) -> list[NDArray[np.uint8]]:
    """Frames of shots of so many frames each, every shot over another scene; a frame moves by a pixel each way."""
    scenes = [scene(seed) for seed in range(1, len(frames_of) + 1)]
    return [
        np.ascontiguousarray(
            scenes[shot][step % HEIGHT : step % HEIGHT + HEIGHT, step % HEIGHT : step % HEIGHT + WIDTH]
        )
        for shot, count in enumerate(frames_of)
        for step in range(count)
    ]


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], rate: int = 10) -> None:
    """A lossless video (FFV1 in Matroska, whatever the name's ending): frames that are alike are read alike."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska") as output:
        stream: Any = output.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        for pixels in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        output.mux(stream.encode(None))
