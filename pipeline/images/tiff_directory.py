"""What a TIFF says of itself: its first directory of tags, read within bounds and without Pillow.

TIFF leaves to the writer how numbers are stored; Pillow reads some layouts wrongly and calls others
damaged. Here stands which layouts are read, by tests with known values; all others are refused by
their name. TIFF 6.0 (Adobe, 1992); BigTIFF; DNG 1.7 for camera raw files.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.images.refusals import DEVELOP, UnfitError
from pipeline.printable import printable

TIFF_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")
_HEADER = b"II*\0\0\0\0\0"
# Cameras write some 60 tags, geography and microscopy some hundreds.
MAX_TAGS = 1_000
# 110 million pixels in tiles of 16 x 16 are 430,000.
MAX_PIECES = 500_000
# A tile may be larger than its picture; libtiff makes room for all of it.
_MAX_TILE = 2**24  # pixels
_MAX_VALUES = 32  # of a tag that is looked at
_MAX_TEXT = 64

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_FILL_ORDER, _MAKE, _STRIPS, _SAMPLES, _PLANAR = 266, 271, 273, 277, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _SUB_IFDS, _INK_SET = 322, 323, 324, 330, 332
_EXTRA, _FORMAT, _SUBFILE, _DNG_VERSION = 338, 339, 254, 50706
_WHITE_POINT, _EXIF, _GPS, _INTEROP = 318, 34665, 34853, 40965
_LOOKED_AT = frozenset(
    (
        *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _MAKE, _SAMPLES, _PLANAR),
        *(_TILE_WIDTH, _TILE_HEIGHT, _SUB_IFDS, _INK_SET, _EXTRA, _FORMAT, _SUBFILE, _DNG_VERSION),
        *(_WHITE_POINT, _EXIF, _GPS, _INTEROP),
    )
)

# Types of values -> struct's letter: TIFF 6.0, section 2; BigTIFF's three.
_TEXT, _RATIONAL = 2, 5  # a rational is two numbers of type 4
_TYPES = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_NAMES = {
    **{_WHITE_IS_ZERO: "grey (white is zero)", _BLACK_IS_ZERO: "grey", _RGB: "RGB", _PALETTE: "palette"},
    **{4: "a transparency mask", _CMYK: "CMYK", _YCBCR: "YCbCr", _LAB: "CIE L*a*b*", 9: "ICC L*a*b*"},
    **{10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv"},
}
_RAW = {32803: "colours of a sensor", 34892: "linear colours of a sensor"}
_UINT, _INT, _FLOAT = 1, 2, 3
_KINDS = {_UINT: "", _INT: "signed ", _FLOAT: "floating-point ", 4: "untyped ", 5: "complex ", 6: "complex "}
_NONE = 1
# None, CCITT (2 to 4), LZW, JPEG (6 old, 7), deflate (8, 32946), PackBits, LZMA, Zstandard.
_COMPRESSIONS = frozenset((_NONE, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000))
_COMPRESSION_NAMES = {
    **{
        33003: "JPEG 2000",
        33004: "JPEG 2000",
        33005: "JPEG 2000",
        34712: "JPEG 2000",
        50002: "JPEG XL",
        52546: "JPEG XL",
    },
    **{34676: "SGI LogLuv", 34677: "SGI LogLuv", 34887: "LERC", 32809: "ThunderScan", 34892: "lossy DNG"},
    **{34933: "PNG", 34934: "JPEG XR", 50001: "WebP"},
}

_D50 = (3457, 10_000, 3585, 10_000)  # CIE x and y, as rationals
_NEAR = 0.002

# (photometric, kind of number, bits) of the layouts that are read.
_READ = frozenset(
    (
        *((grey, _UINT, bits) for grey in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) for bits in (1, 2, 4, 8, 16)),
        *((_BLACK_IS_ZERO, _INT, 32), (_BLACK_IS_ZERO, _FLOAT, 32)),
        *((_RGB, _UINT, 8), (_RGB, _UINT, 16), (_CMYK, _UINT, 8), (_CMYK, _UINT, 16)),
        *((_PALETTE, _UINT, bits) for bits in (1, 2, 4, 8)),
        *((_YCBCR, _UINT, 8), (_LAB, _UINT, 8)),
    )
)
# Meanings of a value beside the colours (TIFF 6.0, ExtraSamples): unsaid, opacity that is
# multiplied in, opacity; Corel Draw 10's own.
_OPACITIES = (0, 1, 2, 999)
_SINGLE_EXTRA = {_BLACK_IS_ZERO: ((0,), (1,), (2,)), _PALETTE: ((0,), (2,))}
_COLOURS = {_RGB: 3, _CMYK: 4, _YCBCR: 3, _LAB: 3}


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: the byte order as struct writes it, values of the tags that are looked at, how
    many values each tag has, where the next directory lies (0 for none)."""

    order: str
    values: Mapping[int, tuple[int, ...]]
    counts: Mapping[int, int]
    make: str
    next: int

    def number(self, tag: int, otherwise: int = 0) -> int:
        """The first value of a tag."""
        return self.values.get(tag, (otherwise,))[0]

    @property
    def bits(self) -> int:
        """Of a sample; 0 where samples differ."""
        bits = set(self.values.get(_BITS, (1,)))
        return bits.pop() if len(bits) == 1 else 0

    @property
    def photometric(self) -> int:
        """What the numbers mean; without a word of it, what Pillow and libtiff assume."""
        return _YCBCR if self.number(_COMPRESSION, 1) == 6 else self.number(_PHOTOMETRIC, 0)

    @property
    def in_planes(self) -> bool:
        """Whether colours are stored one after the other."""
        return self.number(_PLANAR, 1) == 2 and self.number(_SAMPLES, 1) > 1

    @property
    def needs_libtiff(self) -> bool:
        """Whether Pillow's own reader of uncompressed pixels mixes them up: planes of more than 8
        bits or with opacity, YCbCr with fewer colours than pixels or other black and white."""
        return self.number(_COMPRESSION, 1) == _NONE and (
            self.photometric == _YCBCR or (self.in_planes and (self.bits > 8 or self.number(_SAMPLES, 1) > 3))
        )

    @property
    def white_is_d50(self) -> bool:
        """Whether L*a*b* has the white of print and of ICC profiles, as it has without a word."""
        found = self.values.get(_WHITE_POINT, ())
        x, below_x, y, below_y = found if len(found) == len(_D50) else _D50
        return abs(x - 0.3457 * below_x) <= _NEAR * below_x and abs(y - 0.3585 * below_y) <= _NEAR * below_y

    @property
    def white_is_zero_unseen(self) -> bool:
        """Whether grey has to be inverted, as Pillow does not do it for 16 bits."""
        return self.photometric == _WHITE_IS_ZERO and self.bits == 16


def read_directory(file: BinaryIO, at: int | None = None) -> Directory:
    """The first directory, or the one at a byte. Raises UnfitError for too many tags or none."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = 43 in head[2:4]
    pointer = order + ("Q" if big else "I")
    if at is None:
        at = _unpacked(pointer, head[8:] if big else head[4:])
    if at < len(_HEADER):  # a writer that did not come to its end leaves 0
        raise _DamagedError(_DAMAGED)
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    count_layout = order + ("Q" if big else "H")
    count = _unpacked(count_layout, _read_at(file, at, struct.calcsize(count_layout)))
    if count > MAX_TAGS:
        raise UnfitError(f"is a TIFF with {count:,} tags; at most {MAX_TAGS:,} are read, so save it again")
    table = file.read(count * entry.size)
    if len(table) < count * entry.size or not count:
        raise _DamagedError(_DAMAGED)
    following = file.read(struct.calcsize(pointer))
    values: dict[int, tuple[int, ...]] = {}
    counts: dict[int, int] = {}
    make = ""
    for tag, kind, length, stored in entry.iter_unpack(table):
        counts[tag] = length
        if tag == _MAKE and kind == _TEXT:
            make = _text(_stored(file, pointer, stored, length, _MAX_TEXT))
        elif tag in _LOOKED_AT and kind in _TYPES:
            number = struct.Struct(order + _TYPES[kind])
            length *= 2 if kind == _RATIONAL else 1
            kept = _stored(file, pointer, stored, length * number.size, _MAX_VALUES * number.size)
            values[tag] = tuple(
                value for (value,) in number.iter_unpack(kept[: len(kept) // number.size * number.size])
            )
    values = {tag: found for tag, found in values.items() if found}
    return Directory(order, values, counts, make, _unpacked(pointer, following) if following else 0)


def _stored(file: BinaryIO, pointer: str, stored: bytes, length: int, most: int) -> bytes:
    """The bytes of a tag's values, which stand in its entry where they fit."""
    if length <= len(stored):
        return stored[: min(length, most)]
    return _read_at(file, _unpacked(pointer, stored), min(length, most))


def _text(stored: bytes) -> str:
    return printable(stored.split(b"\0")[0].decode("ascii", "replace").strip())


class _DamagedError(UnfitError):
    """A directory that is not all there."""


_DAMAGED = "starts like TIFF but is damaged or cut off; copy it again"


def check_tiff(file: BinaryIO) -> Directory:
    """The first directory of a TIFF that can be read. Raises UnfitError."""
    directory = read_directory(file)
    file.seek(0)
    if file.read(4) == b"MM\0+":
        raise UnfitError(f"is a BigTIFF in big-endian order, which is not read; {_SAVE}")
    _refuse_camera_raw(file, directory)
    _bound_pieces(directory)
    _refuse_layout(directory)
    _bound_below(file, directory)
    return directory


def _bound_below(file: BinaryIO, directory: Directory) -> None:
    """Raises UnfitError for too many tags of EXIF and geography, which Pillow reads too."""
    pointers = [at for tag in (_EXIF, _GPS) for at in directory.values.get(tag, ())[:1]]
    while pointers:
        at = pointers.pop()
        if below := _there(file, at):
            pointers += below.values.get(_INTEROP, ())[:1]


def _refuse_camera_raw(file: BinaryIO, directory: Directory) -> None:
    file.seek(8)
    mark = file.read(4)
    brand = {b"CR\x02\x00": "Canon CR2", b"IIII": "Phase One IIQ"}.get(mark, directory.make)
    raw = (
        _DNG_VERSION in directory.counts
        or directory.photometric in _RAW
        or mark in (b"CR\x02\x00", b"IIII")
        or any(sub.photometric in _RAW or _larger(sub, directory) for sub in _below(file, directory))
    )
    if raw:
        kind = "DNG" if _DNG_VERSION in directory.counts and not brand.startswith("DNG") else ""
        name = ", ".join(filter(None, (brand, kind)))
        raise UnfitError(f"is a camera raw file{f' ({name})' if name else ''}; {DEVELOP}")
    if directory.number(_SUBFILE) & 1:
        what = f"a camera raw file ({directory.make})" if directory.make and _SUB_IFDS in directory.counts else "a TIFF"
        raise UnfitError(f"is {what} whose first picture is a thumbnail; {DEVELOP}, one picture in it")


def _below(file: BinaryIO, directory: Directory) -> list[Directory]:
    """The directories below one; those that cannot be read are none."""
    found = (_there(file, at) for at in directory.values.get(_SUB_IFDS, ())[:_MAX_VALUES])
    return [sub for sub in found if sub]


def _there(file: BinaryIO, at: int) -> Directory | None:
    """The directory at a byte; None for a damaged one. Raises UnfitError for too many tags."""
    try:
        return read_directory(file, at)
    except _DamagedError:
        return None


def _larger(sub: Directory, directory: Directory) -> bool:
    """Whether a picture below is the real one: pyramids have smaller ones there."""
    return sub.number(_WIDTH) * sub.number(_HEIGHT) > directory.number(_WIDTH) * directory.number(_HEIGHT)


def _bound_pieces(directory: Directory) -> None:
    pieces = max(directory.counts.get(_STRIPS, 0), directory.counts.get(_TILES, 0))
    if pieces > MAX_PIECES:
        raise UnfitError(f"is a TIFF in {pieces:,} pieces; at most {MAX_PIECES:,} are read, so save it again")
    width, height = directory.number(_TILE_WIDTH), directory.number(_TILE_HEIGHT)
    picture = directory.number(_WIDTH) * directory.number(_HEIGHT)
    if width * height > max(_MAX_TILE, 4 * picture):
        raise UnfitError(f"is a TIFF with tiles of {width}x{height} pixels, larger than the picture; save it again")


def _refuse_layout(directory: Directory) -> None:
    """Raises UnfitError with the name of a layout that is not read."""
    compression = directory.number(_COMPRESSION, _NONE)
    if compression not in _COMPRESSIONS:
        name = _COMPRESSION_NAMES.get(compression, f"number {compression}")
        raise UnfitError(f"is a TIFF with the compression {name}, which is not read; {_SAVE}")
    photometric, bits = directory.photometric, directory.bits
    samples = directory.number(_SAMPLES, 3 if compression == 6 and photometric == _YCBCR else 1)
    kinds = set(directory.values.get(_FORMAT, (_UINT,)))
    kind = kinds.pop() if len(kinds) == 1 else 0
    extra = samples - _COLOURS.get(photometric, 1)
    unread = _unread(directory, (photometric, kind, bits), extra)
    if unread is not None:
        numbers = f"{bits}-bit {_KINDS.get(kind, 'mixed ')}" if bits else "differently deep "
        name = _NAMES.get(photometric, f"colours of kind {photometric}")
        planes = " in planes" if directory.in_planes else ""
        raise UnfitError(f"is a TIFF with {numbers}{name}{planes}{unread}, which is not read; {_SAVE}")


_SAVE = "save it with 8 or 16 bits per colour, as RGB or grey, without compression or with LZW"


def _unread(directory: Directory, layout: tuple[int, int, int], extra: int) -> str | None:
    """The last words of the name of a layout that is not read; None where it is read."""
    photometric, _, bits = layout
    if photometric == _YCBCR and extra == 1 - _COLOURS[_YCBCR] and bits == 8:
        return None  # luminance alone
    if layout not in _READ or extra < 0:
        return ""
    if directory.number(_FILL_ORDER, 1) == 2 and bits > 8:
        return " in reversed order of bits"
    if photometric == _WHITE_IS_ZERO and bits == 16 and directory.order == ">":
        return " in big-endian order"
    if photometric == _LAB and not directory.white_is_d50:
        return " under another white than D50"
    if photometric == _CMYK and directory.number(_INK_SET, 1) != 1:
        return " of other inks"
    if directory.in_planes and photometric not in (_RGB, _CMYK, _YCBCR):
        return ""
    if extra and not _extra_is_read(directory, layout, extra):
        return f" and {extra} more {'value' if extra == 1 else 'values'} a pixel"
    return None


def _extra_is_read(directory: Directory, layout: tuple[int, int, int], extra: int) -> bool:
    """Whether samples beside the colours are opacity, or left out as they should be."""
    photometric, kind, bits = layout
    meanings = directory.values.get(_EXTRA, ())
    if kind != _UINT:
        return False
    if photometric == _RGB:
        known = not meanings or (meanings[0] in _OPACITIES and not any(meanings[1:]))
        return known and (extra == 1 or (bits == 8 and extra == len(meanings) <= 3 and not directory.in_planes))
    if photometric in (_BLACK_IS_ZERO, _PALETTE):
        return extra == 1 and bits == 8 and meanings in _SINGLE_EXTRA[photometric]
    # beside inks Pillow knows no opacity
    return (
        photometric == _CMYK
        and bits == 8
        and extra == len(meanings) <= 2
        and not (directory.in_planes or any(meanings))
    )


def _unpacked(layout: str, stored: bytes) -> int:
    size = struct.calcsize(layout)
    if len(stored) < size:
        raise _DamagedError(_DAMAGED)
    value: int = struct.unpack_from(layout, stored)[0]
    return value


def _read_at(file: BinaryIO, at: int, length: int) -> bytes:
    try:
        file.seek(at)
    except (OverflowError, OSError, ValueError):  # beyond any file
        return b""
    return file.read(length)
