"""From the bytes of a file to a Pillow image that stands upright in sRGB, or to the reason why not.

The header is read first and held against the limits, so that a small file cannot claim a room full
of memory. Only then are the pixels decoded. Files that end early are refused: half a photograph is
never painted.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import Any, BinaryIO

from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from pipeline.errors import BadImage, OutOfMemory, StylizeError
from pipeline.images.colour_space import CODED, coded_colours, profile_of_bmp
from pipeline.images.convert import WHITE_IS_ZERO, before_loading, to_canonical
from pipeline.images.file_bytes import Source
from pipeline.images.memory_file import memory_file
from pipeline.images.png import has_all_rows, has_end
from pipeline.images.print_size import own_dpi
from pipeline.images.refusals import CONVERT, UnfitError, is_heif, why_no_picture
from pipeline.images.sizes import MAX_PIXELS, check_shape
from pipeline.images.structure import check_aperture, check_beginning, check_whole
from pipeline.images.tiff_directory import TIFF_BEGINNINGS, read_directory
from pipeline.printable import printable

# Raster formats of photographs and paintings by Pillow's names, and its modules that read and write
# them: no other module of its dozens is ever loaded. What is missing is missing on purpose: EPS
# would start Ghostscript, and Pillow recognises some old formats (TGA, ICO, XBM) from next to
# nothing.
FORMATS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "TIFF": "TiffImagePlugin",
    "BMP": "BmpImagePlugin",
    "GIF": "GifImagePlugin",
    "AVIF": "AvifImagePlugin",
}

# Endings that go with a format, by Pillow's name for it; another ending is only worth a note.
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif"),
}

# How Pillow's decoders say that a picture is whole and beyond them.
_NOT_READ = re.compile("unsupported|not supported|cannot handle", re.IGNORECASE)

_STDERR = 2  # its file descriptor: a C library knows nothing of sys.stderr
_PILLOWS_NAME = "tempfile.tif: "  # what Pillow calls every file towards libtiff

_MOST_WARNINGS = 3  # of one file, in its notes; a damaged TIFF warns of each of its tags
_LONGEST_WARNING = 300  # characters
_PREFIX = 16  # bytes by which Pillow tells formats apart
_OVERHEARD = 2**16  # bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """`image` is in the form `convert.to_canonical` makes; `format` is Pillow's name; `dpi` is what
    the file says of its printing, if anything."""

    image: Image.Image
    format: str
    notes: tuple[str, ...]
    dpi: int | None = None


def decode(source: Source, *, as_mask: bool = False) -> Decoded:
    """The first picture of a file, completely decoded; `as_mask` as of `to_canonical`.

    Raises BadImage, or OutOfMemory if this machine is too small.
    """
    notes: list[str] = []
    with decoding(source.shown, source.data, notes):
        check_whole(BytesIO(source.data), source.data)
        image = identify(BytesIO(source.data), source.data)
    check_shape(source.shown, *image.size)
    with decoding(source.shown, source.data, notes):
        notes += _oddities(image, source)
        before_loading(image, notes)
        with _overheard(notes) if image.format == "TIFF" else nullcontext():
            image.load()
        if profile := profile_of_bmp(source.data):
            image.info["icc_profile"] = profile
        if codes := coded_colours(source.data, image.format or ""):
            image.info[CODED] = codes
        if image.format == "PNG" and not has_all_rows(source.data):
            raise BadImage(f"{source.shown} is truncated: it has fewer rows than its header says; copy it again")
        canonical = to_canonical(image, source.shown, notes, as_mask=as_mask)
        dpi = own_dpi(image)  # after it: of EXIF that cannot be read Pillow says so once
    return Decoded(canonical, image.format or "", tuple(notes), dpi)


def identify(file: BinaryIO, head: bytes) -> Image.Image:
    """Read the header of a file that starts with `head`.

    Raises what Pillow raises, and UnfitError: call it under `decoding`.
    """
    check_beginning(file, head)
    load_formats()
    formats = tuple(FORMATS)
    if is_heif(head):
        with suppress(ImportError):
            importlib.import_module("pillow_heif").register_heif_opener()
            formats = (*formats, "HEIF")
    if not head.startswith(TIFF_BEGINNINGS):
        image = _open(file, head, formats)
        if image.format == "AVIF":
            check_aperture(file, image.size)
        return image
    directory = read_directory(file)
    before, TiffImagePlugin.READ_LIBTIFF = TiffImagePlugin.READ_LIBTIFF, directory.needs_libtiff
    try:
        image = _open(file, head, formats)
    finally:
        TiffImagePlugin.READ_LIBTIFF = before
    if directory.white_is_zero_unseen:
        image.info[WHITE_IS_ZERO] = True
    image.tile = [_in_native_order(tile) for tile in image.tile]
    return image


def load_formats() -> None:
    """Have Pillow know the formats of FORMATS, and none other."""
    for name, module in FORMATS.items():
        if name not in Image.OPEN:
            importlib.import_module(f"PIL.{module}")
    # Pillow then does not load what it thinks common: a few modules more. Callers of ours who open
    # other formats by Pillow still have all of them.
    Image._initialized = max(Image._initialized, 1)


def _open(file: BinaryIO, head: bytes, formats: Iterable[str]) -> ImageFile.ImageFile:
    """`Image.open`, which loads all of Pillow's modules where one is missing."""
    for make, accepts in (Image.OPEN[name] for name in formats if name in Image.OPEN):
        if accepts is None or accepts(head[:_PREFIX]) is True:
            with suppress(SyntaxError, IndexError, TypeError, struct.error):
                file.seek(0)
                image = make(file, "")
                image._exclusive_fp = False  # not Pillow's to close: EXIF is read later
                Image._decompression_bomb_check(image.size)
                return image
    raise UnidentifiedImageError


# Of numbers that libtiff has unpacked: they are in the machine's order, whatever the file's.
_NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS"}


def _in_native_order(tile: Any) -> Any:
    if tile.codec_name != "libtiff":
        return tile
    rawmode, *others = tile.args
    return tile._replace(args=(_NATIVE.get(rawmode, rawmode), *others))


@contextmanager
def decoding(shown: str, head: bytes, notes: list[str]) -> Iterator[None]:
    """Around Pillow at work on untrusted bytes.

    Exceptions become BadImage, warnings become notes, and stderr stays clean. Warnings and the
    level of a log belong to the whole process, so this is for one thread at a time.
    """
    warned: dict[str, None] = {}

    def keep(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        """The first few: a file can have a million reasons."""
        if issubclass(category, UserWarning) and len(warned) < _MOST_WARNINGS:
            warned[printable(str(message)[:_LONGEST_WARNING])] = None

    with warnings.catch_warnings(), _quiet_log():
        warnings.showwarning = keep
        warnings.simplefilter("always")
        # Pillow warns from 89 million pixels on; check_shape has a limit of our own.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            yield
        except StylizeError:
            raise
        except UnfitError as error:
            raise BadImage(f"{shown} {error}") from error
        except UnidentifiedImageError as error:
            raise BadImage(f"{shown} {why_no_picture(head)}") from error
        except Image.DecompressionBombError as error:
            raise BadImage(
                f"{shown} has more than the {MAX_PIXELS // 10**6} million pixels allowed; make it smaller first"
            ) from error
        except MemoryError as error:
            raise OutOfMemory(f"{shown} does not fit into this machine's memory; make it smaller first") from error
        except (NameError, AssertionError):  # never a file's doing: a bug of ours
            raise
        except Exception as error:  # a damaged file can make a decoder raise anything at all
            raise BadImage(f"{shown} {_damage(error)}") from error
    _note_warnings(notes, warned)


def _note_warnings(notes: list[str], warnings: Iterable[str]) -> None:
    words = dict.fromkeys(printable(warning) for warning in warnings)
    notes.extend(f"the decoder warns: {warning}" for warning in list(words)[:_MOST_WARNINGS])


def _damage(error: Exception) -> str:
    words = printable(str(error)) or type(error).__name__
    if "truncated" in words.lower():
        return f"is truncated, its end is missing ({words}); copy it again"
    if _NOT_READ.search(words):
        return f"is of a kind that is not read ({words}), or damaged; {CONVERT}"
    return f"is damaged or cut off ({words}); copy it again"


def _oddities(image: Image.Image, source: Source) -> list[str]:
    """What a person would like to know about a file that is nevertheless read."""
    found = []
    kind, suffix = image.format or "", PurePath(source.name).suffix.lower()
    if suffix and suffix not in _SUFFIXES.get(kind, (suffix,)):
        found.append(f"is {kind} though its name ends in {printable(suffix)}")
    # Asked before the pixels are loaded: to answer, Pillow looks for a second frame and rewinds.
    if getattr(image, "is_animated", False):
        found.append("holds several frames or pages; the first one was used")
    if kind == "PNG" and not has_end(source.data):
        found.append("is a PNG without its end mark; its pixels are complete")
    return found


@contextmanager
def _overheard(notes: list[str]) -> Iterator[None]:
    """What libtiff writes to stderr of a damaged picture that it reads after all becomes notes."""
    try:
        stderr = os.dup(_STDERR)
    except OSError:  # the process was started without one
        yield
        return
    with memory_file() as paper:
        os.dup2(paper.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
        paper.seek(0)
        lines = paper.read(_OVERHEARD).decode(errors="replace").splitlines()
    _note_warnings(notes, (line.removeprefix(_PILLOWS_NAME).rstrip(".") for line in lines))


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Keep Pillow's log off stderr: what matters in it comes as an exception too."""
    log = logging.getLogger("PIL")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)
