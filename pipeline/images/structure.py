"""How much there may be in a picture file, counted in its raw bytes before a decoder sees them.

A decoder's time and memory follow what a file says of itself: a thousand scans over a large JPEG, a
million tiny chunks of a PNG. Here only lengths are read and skipped. Bounds are far above what
cameras, scanners and programs write.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pipeline.images.refusals import CONVERT, UnfitError
from pipeline.images.tiff_directory import check_tiff

# Progressive JPEGs have 10 scans, twice as many where a program tries for the smallest file. A scan
# of 108 million pixels takes a tenth of a second and more.
MAX_SCANS = 50
# 512 MiB (file_bytes.MAX_BYTES) in IDATs of 8 kB, as libpng writes them, are 65,536 chunks.
MAX_CHUNKS = 100_000
# Thumbnails of 10 MB in a JPEG are 160 segments.
MAX_SEGMENTS = 10_000
_MAX_FILL = 2**16  # bytes between segments of a JPEG that belong to none
# Of 255 bytes each: comments and metadata of a GIF to 1 MB. Pillow joins them one by one.
MAX_GIF_BLOCKS = 4_000
# 512 MiB in blocks of 255 bytes are 2.1 million.
MAX_GIF_DATA = 3_000_000
# Boxes of an AVIF or HEIC: one of 110 million pixels in tiles of 512 has some 450 items.
MAX_BOXES = 10_000
_MAX_DEPTH = 8
# Pillow unpacks run lengths of a BMP byte by byte: a second for so many pixels.
MAX_RLE_PIXELS = 16_000_000

_MEND = "it may have been made to keep programs busy; save it again with another program"


def check_beginning(file: BinaryIO, head: bytes) -> None:
    """Up to where the pixels begin. Leaves the file at its start. Raises UnfitError."""
    _check(file, head, whole=False)


def check_whole(file: BinaryIO, head: bytes) -> None:
    """To the end of the first picture. Leaves the file at its start. Raises UnfitError."""
    _check(file, head, whole=True)


def _check(file: BinaryIO, head: bytes, *, whole: bool) -> None:
    for beginning, check in _CHECKS:
        if beginning.match(head):
            check(file, whole)
    file.seek(0)


def _bounded(count: int, most: int, what: str) -> None:
    if count > most:
        raise UnfitError(f"has more than {most:,} {what}; {_MEND}")


# --------------------------------------------------------------------------------------------- JPEG

_SCAN, _END = 0xDA, 0xD9  # ITU-T T.81, table B.1
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length
# Frames that libjpeg-turbo decodes: DCT, sequential and progressive, Huffman and arithmetic coded.
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_OTHER_FRAMES = {
    **dict.fromkeys((0xC3, 0xCB), "a lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG"),
    0xF7: "JPEG-LS",  # ITU-T T.87, annex C
}
_FRAME = struct.Struct(">BHHB")  # bits of a colour, height, width, colours (T.81, B.2.2)
# In a scan, FF is followed by 00, or is a restart, or fill.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def _check_jpeg(file: BinaryIO, whole: bool) -> None:
    segments = scans = 0
    for marker in _markers(file):
        segments += 1
        _bounded(segments, MAX_SEGMENTS, "segments")
        if marker == _END:
            return
        if marker in _ALONE:
            continue
        length = max(0, _number(file, ">H") - 2)
        if marker in _FRAMES or marker in _OTHER_FRAMES:
            _check_frame(marker, file.read(min(length, _FRAME.size)))
            length -= min(length, _FRAME.size)
        file.seek(length, 1)
        if marker == _SCAN:
            if not whole:
                return
            scans += 1
            _bounded(scans, MAX_SCANS, "scans")
            _skip_scan(file)


def _check_frame(marker: int, frame: bytes) -> None:
    """Raises UnfitError for what the decoder would call damage."""
    if marker in _OTHER_FRAMES:
        raise UnfitError(f"is {_OTHER_FRAMES[marker]}, which is not read; {CONVERT}")
    if len(frame) < _FRAME.size:
        return
    bits, height, _, colours = _FRAME.unpack(frame)
    if bits != 8:
        raise UnfitError(f"is a JPEG with {bits} bits per colour, which is not read; {CONVERT}")
    if colours not in (1, 3, 4):
        raise UnfitError(f"is a JPEG with {colours} colours a pixel, which is not read; {CONVERT}")
    if not height:
        raise UnfitError(f"is a JPEG that does not say its height, which is not read; {CONVERT}")


def _markers(file: BinaryIO) -> Iterator[int]:
    """The markers of segments, the file standing behind each."""
    file.seek(2)
    fill = 0
    while byte := file.read(1):
        if byte != b"\xff":
            fill += 1
        else:
            while byte == b"\xff":
                byte = file.read(1)
                fill += 1
            if byte not in (b"", b"\x00"):
                fill -= 1
                yield byte[0]
        _bounded(fill, _MAX_FILL, "bytes between its segments")


def _skip_scan(file: BinaryIO) -> None:
    """To the next marker that ends a scan."""
    while block := file.read(2**20):
        if found := _AFTER_SCAN.search(block):
            file.seek(found.start() - len(block), 1)
            return
        if len(block) > 1 and block.endswith(b"\xff"):
            file.seek(-1, 1)


# ---------------------------------------------------------------------------------------- in chunks


def _check_png(file: BinaryIO, whole: bool) -> None:
    file.seek(8)
    chunks = 0
    while len(header := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", header)
        chunks += 1
        _bounded(chunks, MAX_CHUNKS, "chunks")
        if name == b"IEND" or (name == b"IDAT" and not whole):
            return
        file.seek(length + 4, 1)  # with the checksum


def _check_webp(file: BinaryIO, whole: bool) -> None:
    file.seek(12)
    chunks = 0
    while len(header := file.read(8)) == 8:
        chunks += 1
        _bounded(chunks, MAX_CHUNKS, "chunks")
        length = struct.unpack("<4xI", header)[0]
        file.seek(length + length % 2, 1)


def _check_gif(file: BinaryIO, whole: bool) -> None:
    """To the second frame, which Pillow looks for."""
    file.seek(10)
    _skip_colours(file)
    file.seek(2, 1)
    blocks = frames = 0
    while (kind := file.read(1)) not in (b"", b";"):
        if kind == b"!":
            file.seek(1, 1)
            blocks += 1 + _skip_blocks(file)
        elif kind == b",":
            frames += 1
            if frames == 2 or not whole:
                return
            file.seek(8, 1)
            _skip_colours(file)
            file.seek(1, 1)
            _bounded(_skip_blocks(file), MAX_GIF_DATA, "blocks of pixels")
        else:
            blocks += 1
        _bounded(blocks, MAX_GIF_BLOCKS, "blocks of comments and metadata")


def _skip_colours(file: BinaryIO) -> None:
    """The flags of a screen or a frame, and its table of colours; of a screen two bytes more lie in
    between, which are as good as two of the table."""
    flags = file.read(1) or b"\0"
    if flags[0] & 0x80:
        file.seek(3 * 2 ** ((flags[0] & 7) + 1), 1)


def _skip_blocks(file: BinaryIO) -> int:
    """Blocks of up to 255 bytes, to the empty one that ends them; how many there were."""
    count = 0
    while (length := file.read(1)) not in (b"", b"\0"):
        file.seek(length[0], 1)
        count += 1
        if count > MAX_GIF_DATA:
            break
    return count


def _check_bmp(file: BinaryIO, whole: bool) -> None:
    file.seek(18)
    fields = file.read(16)
    if len(fields) < 16:
        return
    width, height, _, _, compression = struct.unpack("<iiHHI", fields)
    if compression in (1, 2):  # BI_RLE8, BI_RLE4
        pixels = abs(width * height)
        if pixels > MAX_RLE_PIXELS:
            raise UnfitError(
                f"is a BMP in run lengths of {width}x{abs(height)} pixels; such are read to"
                f" {MAX_RLE_PIXELS // 10**6} million, so save it as PNG"
            )


# ------------------------------------------------------------------------------- boxes (AVIF, HEIC)

_APERTURE = struct.Struct(">4I")  # width and height as fractions; where it lies follows
# Boxes that hold boxes (ISO/IEC 14496-12, 23008-12), and bytes before the first of them.
_HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0}


def boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and end of each box and of those in it. Raises UnfitError for too many."""
    file.seek(0, 2)
    pending = [(0, file.tell(), 0)]
    count = 0
    while pending:
        at, end, depth = pending.pop()
        while at + 8 <= end:
            count += 1
            _bounded(count, MAX_BOXES, "boxes")
            file.seek(at)
            size, name = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
            first = at + 8
            if size == 1:
                size, first = _number(file, ">Q"), at + 16
            last = min(end, at + size if size else end)
            if last <= at:
                break
            yield name, first, last
            if name in _HOLDERS and depth < _MAX_DEPTH:
                pending.append((first + _HOLDERS[name], last, depth + 1))
            at = last


def check_aperture(file: BinaryIO, size: tuple[int, int]) -> None:
    """Raises UnfitError for an AVIF of `size` that shows a part of itself: Pillow decodes all."""
    for name, first, last in boxes(file):
        if name == b"clap" and last - first >= _APERTURE.size:  # ISO/IEC 14496-12, 12.1.4
            file.seek(first)
            width, of_width, height, of_height = _APERTURE.unpack(file.read(_APERTURE.size))
            seen = (width / (of_width or 1), height / (of_height or 1))
            if seen not in (size, size[::-1]):  # the size is of the picture as it was turned
                raise UnfitError(
                    f"is an AVIF of {size[0]}x{size[1]} pixels that shows {seen[0]:g}x{seen[1]:g} of them (a clean"
                    f" aperture), which is not read; {CONVERT}"
                )


def _check_boxes(file: BinaryIO, whole: bool) -> None:
    for _ in boxes(file):
        pass


def _number(file: BinaryIO, layout: str) -> int:
    size = struct.calcsize(layout)
    value: int = struct.unpack(layout, file.read(size).rjust(size, b"\0"))[0]
    return value


def _check_tiff(file: BinaryIO, whole: bool) -> None:
    check_tiff(file)


_CHECKS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO, bool], None]], ...] = (
    (re.compile(rb"\xff\xd8"), _check_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _check_png),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _check_webp),
    (re.compile(rb"GIF8[79]a"), _check_gif),
    (re.compile(rb"BM"), _check_bmp),
    (re.compile(rb"II[*+]\0|MM\0[*+]|MM[*]\0|II\0[*]"), _check_tiff),
    (re.compile(rb"....ftyp", re.DOTALL), _check_boxes),
)
