"""From the bytes of a file to a Pillow image that stands upright in sRGB, or to the reason why not.

The header is read first and held against the limits, so that a small file cannot claim a room full
of memory. Only then are the pixels decoded. Files that end early are refused: half a photograph is
never painted.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from pipeline.errors import BadImage, OutOfMemory, StylizeError
from pipeline.images.convert import to_canonical
from pipeline.images.file_bytes import Source
from pipeline.images.png import has_all_rows, has_end
from pipeline.images.refusals import is_heif, why_no_picture
from pipeline.images.sizes import MAX_PIXELS, check_shape
from pipeline.printable import printable

# Raster formats of photographs and paintings. What is missing is missing on purpose: EPS would
# start Ghostscript, and Pillow recognises some old formats (TGA, ICO, XBM) from next to nothing.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")

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

_STDERR = 2  # its file descriptor: a C library knows nothing of sys.stderr
_PILLOWS_NAME = "tempfile.tif: "  # what Pillow calls every file towards libtiff

_MOST_WARNINGS = 3  # of one file, in its notes; a damaged TIFF warns of each of its tags


@dataclass(frozen=True, slots=True)
class Decoded:
    """`image` is in the form `convert.to_canonical` makes; `format` is Pillow's name."""

    image: Image.Image
    format: str
    notes: tuple[str, ...]


def decode(source: Source) -> Decoded:
    """The first picture of a file, completely decoded.

    Raises BadImage, or OutOfMemory if this machine is too small.
    """
    notes: list[str] = []
    with decoding(source.shown, source.data, notes):
        image = identify(BytesIO(source.data), source.data)
    check_shape(source.shown, *image.size)
    with decoding(source.shown, source.data, notes):
        notes += _oddities(image, source)
        with _overheard(notes) if image.format == "TIFF" else nullcontext():
            image.load()
        if image.format == "PNG" and not has_all_rows(source.data):
            raise BadImage(f"{source.shown} is truncated: it has fewer rows than its header says; copy it again")
        canonical = to_canonical(image, source.shown, notes)
    return Decoded(canonical, image.format or "", tuple(notes))


def identify(file: BinaryIO, head: bytes) -> Image.Image:
    """Read the header of a file that starts with `head`.

    Raises what Pillow raises: call it under `decoding`.
    """
    formats: tuple[str, ...] = FORMATS
    if is_heif(head):
        with suppress(ImportError):
            importlib.import_module("pillow_heif").register_heif_opener()
            formats = (*FORMATS, "HEIF")
    return Image.open(file, formats=formats)


@contextmanager
def decoding(shown: str, head: bytes, notes: list[str]) -> Iterator[None]:
    """Around Pillow at work on untrusted bytes.

    Exceptions become BadImage, warnings become notes, and stderr stays clean. Warnings and the
    level of a log belong to the whole process, so this is for one thread at a time.
    """
    with warnings.catch_warnings(record=True) as caught, _quiet_log():
        warnings.simplefilter("always")
        # Pillow warns from 89 million pixels on; check_shape has a limit of our own.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            yield
        except StylizeError:
            raise
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
            raise BadImage(f"{shown} {_damage(error)}; copy it again") from error
    _note_warnings(notes, (str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)))


def _note_warnings(notes: list[str], warnings: Iterable[str]) -> None:
    words = dict.fromkeys(printable(warning) for warning in warnings)
    notes.extend(f"the decoder warns: {warning}" for warning in list(words)[:_MOST_WARNINGS])


def _damage(error: Exception) -> str:
    words = printable(str(error)) or type(error).__name__
    if "truncated" in words.lower():
        return f"is truncated, its end is missing ({words})"
    return f"is damaged or cut off ({words})"


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
    with os.fdopen(os.memfd_create("stderr"), "w+b") as paper:
        os.dup2(paper.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
        paper.seek(0)
        lines = paper.read().decode(errors="replace").splitlines()
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
