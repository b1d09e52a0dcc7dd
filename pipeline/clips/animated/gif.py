"""GIF (GIF89a, CompuServe 1990): 255 colours a frame and one for what is transparent or has not
changed."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.clips.animated.changes import Box, Clock, changed_box
from pipeline.clips.animated.palettes import COLOURS, Palettes
from pipeline.clips.frame import ClipFrame
from pipeline.errors import PairError
from pipeline.images.decode import load_formats

_TRANSPARENT = COLOURS  # the number of what cannot be seen
_HALF = 128  # opacity below which a pixel is not seen at all
_KEEP, _CLEAR = 1, 2  # what becomes of a frame when the next is shown
_SHORTEST = 2  # hundredths of a second; browsers make a tenth of a second of less
_LONGEST_SIDE = 65535
_LONGEST = 65535  # hundredths of a second
_FOR_EVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def write_gif(file: BinaryIO, frames: Iterable[ClipFrame], *, has_alpha: bool, comment: str) -> tuple[str, ...]:
    """Write frames; what is worth knowing is returned. Where they have opacity, each is whole, as a
    GIF cannot take a pixel away."""
    palettes, clock = Palettes(), Clock(Fraction(1, 100), _SHORTEST)
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        numbers, colours = palettes.indexed(frame.pixels)
        seen = np.ones(numbers.shape, bool) if frame.alpha is None else frame.alpha >= _HALF
        if before is None:
            _begin(file, frame.size, comment)
        shown = colours[numbers]
        if has_alpha:
            box, drawn = Box(0, 0, *frame.size), seen
        else:
            box = changed_box(before, shown)
            drawn = seen if before is None else (shown != before).any(2)
        numbers = np.where(drawn, numbers, _TRANSPARENT).astype(np.uint8)
        delay = min(clock.lasting(frame.duration), _LONGEST)
        file.write(_frame(numbers[box.slices], colours, box, delay, _CLEAR if has_alpha else _KEEP))
        before = shown
    file.write(b";")
    told, exact = clock.lasted
    if told - exact <= Fraction(_SHORTEST, 100):
        return ()
    return (
        f"a .gif shows no frame for less than a fiftieth of a second, so that it lasts {float(told):.3g} s in the place"
        f" of {float(exact):.3g}; take fewer frames (frames: every 2), or a .webp",
    )


def _begin(file: BinaryIO, size: tuple[int, int], comment: str) -> None:
    if max(size) > _LONGEST_SIDE:
        raise PairError(f"a .gif file is at most {_LONGEST_SIDE} pixels wide or high; use .webp or .mp4")
    file.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0) + _FOR_EVER)
    if comment:
        file.write(b"!\xfe" + _blocks(comment.encode("utf-8")))


def _blocks(data: bytes) -> bytes:
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes((len(piece),)) + piece for piece in pieces) + b"\0"


def _frame(numbers: NDArray[np.uint8], colours: NDArray[np.uint8], box: Box, delay: int, disposal: int) -> bytes:
    control = b"!\xf9\x04" + struct.pack("<BHBB", disposal << 2 | 1, delay, _TRANSPARENT, 0)
    height, width = numbers.shape
    descriptor = b"," + struct.pack("<HHHHB", box.left, box.top, width, height, 0x87)  # a table of 256 of its own
    return control + descriptor + colours.tobytes() + bytes(3) + _packed(numbers)


def _packed(numbers: NDArray[np.uint8]) -> bytes:
    """The pixels as Pillow packs them (LZW): what stands behind the tables of a GIF of its own."""
    load_formats()
    image = Image.fromarray(np.ascontiguousarray(numbers)).convert("L")
    file = BytesIO()
    image.save(file, "GIF", optimize=False, interlace=0)
    data = file.getvalue()
    at = 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[at : at + 1] == b"!":
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    table = data[at + 9]
    at += 10 + (3 * 2 ** ((table & 7) + 1) if table & 0x80 else 0)
    return data[at:].removesuffix(b";")
