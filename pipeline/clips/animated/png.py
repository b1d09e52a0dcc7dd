"""Animated PNG (W3C PNG, third edition, 11.3.6): the first frame is the picture that programs show
which know no animation."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.clips.animated.changes import Box, Clock, changed_box
from pipeline.clips.frame import ClipFrame
from pipeline.images.decode import load_formats

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME = struct.Struct(">IIIIIHHBB")  # fcTL: number, size, place, duration as a fraction, disposal, blending
_WIDEST = 65535  # of numerator and denominator
_UNIT = Fraction(1, 1000)  # seconds, where a duration is no such fraction
_PARTS = (1000, 100, 10, 1)  # of a second, of which a longer one has as many as can be written


def write_png(file: BinaryIO, head: bytes, frames: Iterable[ClipFrame], *, has_alpha: bool) -> None:
    """Write frames whose first one, as a whole PNG with all that is to be said of it, is `head`."""
    chunks = list(_chunks(head))
    file.write(_SIGNATURE)
    for name, body in chunks:
        if name == b"IDAT":
            break
        _write(file, name, body)
    count_at = file.tell()
    _write(file, b"acTL", struct.pack(">II", 0, 0))  # 0 times: for ever
    number = count = 0
    before = None
    clock = Clock(_UNIT)
    for frame in frames:
        levels = frame.with_alpha() if has_alpha else frame.pixels
        box = changed_box(before, levels)
        _write(file, b"fcTL", _control(number, box, frame.duration, clock))
        number += 1
        packed = [body for name, body in chunks if name == b"IDAT"] if before is None else _packed(levels[box.slices])
        for body in packed:
            if before is None:
                _write(file, b"IDAT", body)
            else:
                _write(file, b"fdAT", struct.pack(">I", number) + body)
                number += 1
        before = levels
        count += 1
    _write(file, b"IEND", b"")
    end = file.tell()
    file.seek(count_at)
    _write(file, b"acTL", struct.pack(">II", count, 0))
    file.seek(end)


def _control(number: int, box: Box, duration: Fraction, clock: Clock) -> bytes:
    coarse = clock.lasting(duration)
    if max(duration.numerator, duration.denominator) > _WIDEST:
        lasting = coarse * _UNIT
        parts = next((parts for parts in _PARTS if lasting * parts <= _WIDEST), _PARTS[-1])
        duration = Fraction(min(round(lasting * parts), _WIDEST), parts)
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    return _FRAME.pack(number, *size, left, top, duration.numerator, duration.denominator, 0, 0)


def _packed(levels: NDArray[np.uint8]) -> list[bytes]:
    load_formats()
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(file, "PNG")
    return [body for name, body in _chunks(file.getvalue()) if name == b"IDAT"]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += length + 12


def _write(file: Any, name: bytes, body: bytes) -> None:
    file.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
