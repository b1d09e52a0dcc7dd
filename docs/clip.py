"""Makes the clip of docs/clips.md, in which a camera moves over the demo's cup of coffee.

`python -m docs.clip` writes input/clips/coffee.mp4.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.clips.frame import ClipFrame
from pipeline.clips.writing import write_clip

_INPUT = Path(__file__).resolve().parent.parent / "input"
FRAMES, RATE, SIZE = 12, Fraction(8), (192, 144)
_FIRST, _STEP, _ZOOM = (10, 20), (5, 2), 0.985  # left and top of the window, pixels a frame, width a frame


def frames() -> list[ClipFrame]:
    """A window of the photograph that wanders to the right, and in."""
    photograph = Image.open(_INPUT / "content" / "coffee.jpg").convert("RGB")
    width = photograph.width * 0.8
    found = []
    for number in range(FRAMES):
        left, top = (first + step * number for first, step in zip(_FIRST, _STEP, strict=True))
        wide = width * _ZOOM**number
        box = (left, top, left + wide, top + wide * SIZE[1] / SIZE[0])
        seen = photograph.resize(SIZE, Image.Resampling.LANCZOS, box)
        found.append(ClipFrame(number, number / RATE, 1 / RATE, np.asarray(seen)))
    return found


if __name__ == "__main__":
    path = _INPUT / "clips" / "coffee.mp4"
    path.parent.mkdir(exist_ok=True)
    with open(path, "w+b") as file:
        write_clip(file, path.suffix, frames(), quality=95, rate=RATE)
