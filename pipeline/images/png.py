"""Whether a PNG is all there.

If the compressed pixels end too early, Pillow leaves the rest black and is silent.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

# W3C PNG specification: 5.2, the signature; 11.2.1, samples per pixel of each colour type; 11.2.5,
# the last chunk: its name and the checksum of its empty content; 8.2, the seven passes of Adam7:
# first column and row, steps between.
_SIGNATURE_LENGTH = 8
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_END = b"IEND\xaeB`\x82"
_ONE_PASS = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

# Bytes packed and unpacked at a time: the check needs no memory to speak of, and what is left over
# of a block is short.
_PACKED, _UNPACKED = 2**16, 2**20


def has_end(data: bytes) -> bool:
    """Whether the last chunk is there."""
    return _END in data


def has_all_rows(data: bytes) -> bool:
    """Whether the pixels of a decoded PNG unpack to as many bytes as its header asks for."""
    missing = _bytes_of_rows(data)
    inflater = zlib.decompressobj()
    for packed in _packed_pixels(data):
        while packed and missing > 0 and not inflater.eof:
            missing -= len(inflater.decompress(packed, _UNPACKED))
            packed = inflater.unconsumed_tail
    return missing <= 0


def _bytes_of_rows(data: bytes) -> int:
    width, height, depth, colour_type, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, _SIGNATURE_LENGTH + 8)
    bits = depth * _SAMPLES[colour_type]
    total = 0
    for first_column, first_row, column_step, row_step in _ADAM7 if interlaced else _ONE_PASS:
        columns = len(range(first_column, width, column_step))
        rows = len(range(first_row, height, row_step))
        total += rows * (1 + (columns * bits + 7) // 8) if columns else 0  # 1: each row starts with its filter
    return total


def _packed_pixels(data: bytes) -> Iterator[bytes]:
    position = _SIGNATURE_LENGTH
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"IDAT":
            end = position + 8 + length
            for start in range(position + 8, end, _PACKED):
                yield data[start : min(start + _PACKED, end)]
        position += length + 12  # length, name and checksum take four bytes each
