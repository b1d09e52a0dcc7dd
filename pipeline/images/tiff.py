"""TIFF with 16 bits per colour, which Pillow cannot write.

TIFF 6.0, one strip, deflated; the tags that a reader needs and no more.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG, _BYTE, _UNDEFINED, _RATIONAL = 3, 4, 1, 7, 5  # TIFF 6.0, section 2, "Types"
_SIZES = {_SHORT: 2, _LONG: 4, _BYTE: 1, _UNDEFINED: 1, _RATIONAL: 8}
_HEADER = struct.Struct("<2sHI")  # byte order, 42, offset of the directory
_ENTRY = struct.Struct("<HHI4s")  # tag, type, count, value or offset


def tiff_16_bit(channels: NDArray[np.uint16], profile: bytes, xmp: bytes, dpi: int) -> bytes:
    """A whole file of channels (H, W, 3), RGB, or (H, W, 4) with opacity, not multiplied in; to be
    printed with so many dots per inch."""
    height, width, count = channels.shape
    strip = zlib.compress(channels.astype("<u2").tobytes())
    entries: list[tuple[int, int, bytes]] = [
        (256, _LONG, struct.pack("<I", width)),
        (257, _LONG, struct.pack("<I", height)),
        (258, _SHORT, struct.pack("<H", 16) * count),  # bits per sample
        (259, _SHORT, struct.pack("<H", 8)),  # compression: deflate (TIFF technical note 2, Adobe 2002)
        (262, _SHORT, struct.pack("<H", 2)),  # RGB
        (273, _LONG, struct.pack("<I", _HEADER.size)),  # the strip follows the header
        (277, _SHORT, struct.pack("<H", count)),
        (278, _LONG, struct.pack("<I", height)),  # rows of the strip
        (279, _LONG, struct.pack("<I", len(strip))),
        (282, _RATIONAL, struct.pack("<II", dpi, 1)),  # across
        (283, _RATIONAL, struct.pack("<II", dpi, 1)),  # down
        (296, _SHORT, struct.pack("<H", 2)),  # their unit: the inch
        *([(338, _SHORT, struct.pack("<H", 2))] if count == 4 else []),  # the fourth is opacity, not multiplied in
        (700, _BYTE, xmp),  # XMP specification part 3, 3.3.3
        (34675, _UNDEFINED, profile),  # ICC.1:2022, B.4
    ]
    at = _HEADER.size + len(strip) + len(strip) % 2  # values and the directory begin at even offsets
    values, directory = b"", struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        stored = value.ljust(4, b"\0")
        if len(value) > 4:
            stored = struct.pack("<I", at + len(values))
            values += value + b"\0" * (len(value) % 2)
        directory += _ENTRY.pack(tag, kind, len(value) // _SIZES[kind], stored)
    header = _HEADER.pack(b"II", 42, at + len(values))
    return b"".join((header, strip, b"\0" * (len(strip) % 2), values, directory, struct.pack("<I", 0)))
