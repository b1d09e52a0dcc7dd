"""How a container is put together at its top level, read from its raw bytes before a demuxer sees
them: which kind it is, and whether all of it is there.

A copy that broke off, or a card pulled out too early, leaves a file whose parts say that they are
longer than it is.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from pipeline.images.refusals import UnfitError

MOV, MATROSKA, AVI = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"
"""The demuxers that are used, by FFmpeg's names; none of hundreds of others is."""

HEAD = 16
"""First bytes of a file, from which `container_kind` tells."""

# Parts at the top level that are walked. Fragments of a recording are two parts each: 10 hours in
# fragments of a second are 72,000.
_MOST_PARTS = 100_000
_MEND = "it may have been made to keep programs busy; convert it to MP4"

# ISO/IEC 14496-12, QuickTime: a box's length and name; RFC 8794: EBML; AVI in a RIFF.
_KINDS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"....(?:ftyp|moov|mdat|wide|free|skip|pnot)", re.DOTALL), MOV),
    (re.compile(rb"\x1aE\xdf\xa3"), MATROSKA),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), AVI),
)


def container_kind(head: bytes) -> str | None:
    """The demuxer for a file that begins with `head`; None where it is no container."""
    return next((kind for beginning, kind in _KINDS if beginning.match(head)), None)


def missing_bytes(file: BinaryIO, kind: str) -> int:
    """How many bytes a file says that it has and has not. Leaves it at its start. Raises UnfitError
    for one of too many parts."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    says = {MOV: _boxes_end, MATROSKA: _segment_end, AVI: _riffs_end}[kind](file, size)
    file.seek(0)
    return max(0, says - size)


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Where the last box ends (ISO/IEC 14496-12, 4.2)."""
    at = 0
    for _ in range(_MOST_PARTS):
        if at + 8 > size:
            return at
        file.seek(at)
        length, _name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            large = file.read(8)
            length = struct.unpack(">Q", large)[0] if len(large) == 8 else 16
        if length == 0:  # to the end of the file
            return size
        if length < 8:
            return at  # bytes behind the last box, which nothing reads
        at += length
    raise UnfitError(f"has more than {_MOST_PARTS:,} parts; {_MEND}")


def _riffs_end(file: BinaryIO, size: int) -> int:
    """Where the last RIFF ends; a long AVI has several (OpenDML 1.02)."""
    at = 0
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            return at
        length: int = struct.unpack_from("<I", head, 4)[0]
        if length in (0, 0xFFFFFFFF):  # a recording that was never closed
            return size
        at += 8 + length + length % 2
        if at >= size:
            return at - (length % 2 if at == size + 1 else 0)
    raise UnfitError(f"has more than {_MOST_PARTS:,} parts; {_MEND}")


_SEGMENT = b"\x18\x53\x80\x67"  # RFC 9559, 5.1


def _segment_end(file: BinaryIO, size: int) -> int:
    """Where the segment ends (RFC 8794, 4 to 6); what does not say its length has all that is
    there."""
    at = 0
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(12)
        name = _number_length(head)
        length = _number_length(head[name:])
        if not name or not length or len(head) < name + length:
            return at
        digits = head[name : name + length]
        value = int.from_bytes(digits) & ((1 << 7 * length) - 1)
        if value == (1 << 7 * length) - 1:  # unknown
            return size
        at += name + length + value
        if head[:name] == _SEGMENT or at >= size:
            return at
    raise UnfitError(f"has more than {_MOST_PARTS:,} parts; {_MEND}")


def _number_length(head: bytes) -> int:
    """Bytes of a variable-size number, from its first one; 0 for none."""
    return 9 - head[0].bit_length() if head and head[0] else 0
