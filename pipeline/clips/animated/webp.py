"""Animated WebP (RFC 9649, 2.7.1): frames as still pictures, each with what changed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.clips.animated.changes import Clock, changed_box
from pipeline.clips.frame import ClipFrame
from pipeline.images.decode import load_formats

_ICC, _ALPHA, _XMP, _ANIMATION = 0x20, 0x10, 0x04, 0x02  # flags of VP8X
_NO_BLENDING = 0x02  # of ANMF: pixels replace those below
_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")
_LONGEST = 2**24 - 1  # milliseconds


def write_webp(file: BinaryIO, head: bytes, frames: Iterable[ClipFrame], *, quality: int, has_alpha: bool) -> None:
    """Write frames whose first one, as a whole WebP with all that is said of it, is `head`."""
    said = dict(_chunks(head))
    flags = _ANIMATION | (_ICC if b"ICCP" in said else 0) | (_XMP if b"XMP " in said else 0)
    clock = Clock(Fraction(1, 1000))
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        levels = frame.with_alpha() if has_alpha else frame.pixels
        if before is None:
            height, width = levels.shape[:2]
            file.write(b"RIFF\0\0\0\0WEBP")
            _write(
                file, b"VP8X", bytes((flags | (_ALPHA if has_alpha else 0), 0, 0, 0)) + _three(width - 1, height - 1)
            )
            if b"ICCP" in said:
                _write(file, b"ICCP", said[b"ICCP"])
            _write(file, b"ANIM", bytes(6))  # background of no colour; 0 times: for ever
        box = changed_box(before, levels, even=True)
        place = (box.left // 2, box.top // 2, box.right - box.left - 1, box.bottom - box.top - 1)
        lasting = min(clock.lasting(frame.duration), _LONGEST)
        pixels = _packed(levels[box.slices], quality)
        _write(file, b"ANMF", _three(*place, lasting) + bytes((_NO_BLENDING,)) + pixels)
        before = levels
    if b"XMP " in said:
        _write(file, b"XMP ", said[b"XMP "])
    end = file.tell()
    file.seek(4)
    file.write(struct.pack("<I", end - 8))
    file.seek(end)


def _packed(levels: NDArray[np.uint8], quality: int) -> bytes:
    load_formats()
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(file, "WEBP", quality=quality)
    return b"".join(_chunk(name, body) for name, body in _chunks(file.getvalue()) if name in _PIXELS)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _write(file: BinaryIO, name: bytes, body: bytes) -> None:
    file.write(_chunk(name, body))


def _three(*numbers: int) -> bytes:
    """Numbers of three bytes."""
    return b"".join(number.to_bytes(3, "little") for number in numbers)
