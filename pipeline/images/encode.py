"""From pixels to the bytes of a picture file. The only place where pixels become integers.

The same pixels and settings give the same bytes: no dates, no names of machines, one encoding
thread. Nothing of an input file's own metadata can get in, as only pixels come this far.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import Diverged, PairError
from pipeline.images.alpha import resize_visible
from pipeline.images.convert import srgb_profile
from pipeline.images.decode import load_formats
from pipeline.images.metadata import PNG_KEY, settings_json, xmp_packet
from pipeline.images.scale import Floats, Levels, bands, resize
from pipeline.images.sizes import fit_longer_side, too_long_for
from pipeline.option_field import USUAL_DPI

# Endings of outputs -> Pillow's name of the format.
FORMAT_OF_SUFFIX = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}

# Above this quality colour keeps its full resolution (4:4:4); below, half of it both ways (4:2:0),
# as in cameras.
_FULL_COLOUR_ABOVE = 90

_XMP_TAG = 700  # TIFF; XMP specification part 3, 3.3.3
_WHITE = 255.0  # the ground of pages and viewers, where a JPEG has to lose its transparency

_STEPS_16_TO_8 = 257  # 65535 / 255, so white stays white
# WebP; the first that fits. Chosen by eye: of a painting at 448 pixels 38 kB at 80 and 19 at 33, in
# which no difference is seen at arm's length.
_THUMBNAIL_QUALITIES = (80, 65, 50, 40, 33, 25, 15)
_MOST_BYTES_A_PIXEL = 0.095  # so that a page of 1,000 pairs has 30 MB with all that it shows
_LEAST_THUMBNAIL = 8  # pixels of the shorter side, below which nothing is made smaller
_SHORT, _LONG, _BYTE, _UNDEFINED, _RATIONAL = 3, 4, 1, 7, 5  # TIFF 6.0, section 2, "Types"
_SIZES = {_SHORT: 2, _LONG: 4, _BYTE: 1, _UNDEFINED: 1, _RATIONAL: 8}
_HEADER = struct.Struct("<2sHI")  # byte order, 42, offset of the directory
_ENTRY = struct.Struct("<HHI4s")  # tag, type, count, value or offset


def to_uint8(pixels: Levels) -> NDArray[np.uint8]:
    """Cut off at 0 and 255, rounded to the nearest integer, halves to even; as it is where it is
    in whole numbers already.

    Raises Diverged for NaN and infinity.
    """
    if pixels.dtype == np.uint8:
        whole: NDArray[np.uint8] = pixels.astype(np.uint8, copy=False)
        return whole
    _check_finite(pixels)
    rounded: NDArray[np.uint8] = np.rint(np.clip(pixels, 0.0, 255.0)).astype(np.uint8)
    return rounded


def encode_picture(
    pixels: Levels,
    alpha: Floats | None,
    suffix: str,
    quality: int,
    settings: Mapping[str, Any],
    *,
    depth: int = 8,
    dpi: int = USUAL_DPI,
) -> bytes:
    """A complete picture file with an sRGB profile and the settings in its metadata.

    `pixels` (H, W, 3), 0..255, floats or whole numbers; `alpha` (H, W), 0..1, or None; `suffix` one
    of FORMAT_OF_SUFFIX; `quality` 1..100 for JPEG, WebP and AVIF; `settings` plain JSON values;
    `depth` 8 or, for TIFF alone, 16 bits per colour; `dpi` the dots per inch that PNG, JPEG and
    TIFF say. JPEG has no transparency: there the picture is laid over white. Raises PairError as
    `format_for` does, Diverged for pixels that are not finite.
    """
    kind = format_for(suffix, max(pixels.shape[:2]))
    text = settings_json(settings)
    if depth == 16:
        if kind != "TIFF":
            raise PairError(f"a {suffix} file cannot have 16 bits per colour; use .tif, or depth 8")
        return tiff_16_bit(_to_uint16(pixels, alpha), srgb_profile(), xmp_packet(text), dpi)
    parameters = _parameters(kind, quality, text, xmp_packet(text), dpi)
    return _save(_image(pixels, alpha, kind), kind, icc_profile=srgb_profile(), **parameters)


def thumbnail(pixels: Levels, alpha: Floats | None = None, longer_side: int = 256) -> bytes:
    """A small WebP of (H, W, 3) pixels with opacity (H, W), its longer side at most `longer_side`;
    no metadata. It has no more bytes than a tenth of a square of that side has pixels: 19 kB at
    448 pixels, 6 kB at 256."""
    most = int(_MOST_BYTES_A_PIXEL * longer_side**2)
    height, width = pixels.shape[:2]
    size = fit_longer_side(width, height, min(longer_side, max(width, height)))
    small, seen = (resize(pixels, *size), None) if alpha is None else resize_visible(pixels, alpha, *size)
    image = to_pillow(to_uint8(small), seen)
    while True:
        for quality in _THUMBNAIL_QUALITIES:
            if len(data := _save(image, "WEBP", quality=quality)) <= most:
                return data
        if min(image.size) < _LEAST_THUMBNAIL:
            return data
        image = image.reduce(2)  # noise, which no quality makes small


def to_pillow(pixels: NDArray[np.uint8], alpha: Floats | None) -> Image.Image:
    """A Pillow image: RGB of pixels (H, W, 3), or RGBA with `alpha` (H, W), 0..1."""
    image = Image.fromarray(pixels)
    if alpha is not None:
        image.putalpha(Image.fromarray(to_uint8(alpha * np.float32(255))))
    return image


def format_for(suffix: str, longer_side: int) -> str:
    """Pillow's name of the format of an output.

    Raises PairError if there is none, or if it cannot hold so many pixels. Worth asking before
    hours of painting.
    """
    kind = FORMAT_OF_SUFFIX.get(suffix.lower())
    if kind is None:
        raise PairError(f"no format for outputs that end in {suffix!r}; use one of {', '.join(FORMAT_OF_SUFFIX)}")
    if kind == "AVIF" and not features.check("avif"):
        raise PairError("this Pillow was built without AVIF; use .png, .webp or .jpg for the output")
    if reason := too_long_for(suffix, longer_side):
        raise PairError(reason)
    return kind


def _to_uint16(pixels: Levels, alpha: Floats | None) -> NDArray[np.uint16]:
    """Pixels and, as a fourth channel, alpha in 0..65535, a few rows at a time. Raises Diverged for
    NaN and infinity."""
    _check_finite(pixels)
    height, width = pixels.shape[:2]
    levels = np.empty((height, width, 3 if alpha is None else 4), np.uint16)
    for rows in bands(height, width):
        some: Floats = pixels[rows].astype(np.float32, copy=False)
        levels[rows, :, :3] = np.rint(np.clip(some, 0.0, 255.0) * np.float32(_STEPS_16_TO_8))
        if alpha is not None:
            levels[rows, :, 3] = np.rint(alpha[rows] * np.float32(65535))
    return levels


def _check_finite(pixels: Levels) -> None:
    if not np.isfinite(pixels).all():
        raise Diverged("the picture has values that are not finite, so nothing was written; lower the learning rate")


def _image(pixels: Levels, alpha: Floats | None, kind: str) -> Image.Image:
    if alpha is None or kind != "JPEG":
        return to_pillow(to_uint8(pixels), alpha)
    laid = np.empty(pixels.shape, np.uint8)
    for rows in bands(*pixels.shape[:2]):
        opacity = alpha[rows, :, np.newaxis]
        laid[rows] = to_uint8(opacity * pixels[rows] + (1 - opacity) * np.float32(_WHITE))
    return to_pillow(laid, None)


def _parameters(kind: str, quality: int, text: str, packet: bytes, dpi: int) -> dict[str, Any]:
    """What Pillow's writers are told, format by format."""
    full_colour = quality > _FULL_COLOUR_ABOVE
    if kind == "PNG":
        entries = PngInfo()
        entries.add_text(PNG_KEY, text)
        entries.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8"))
        return {"pnginfo": entries, "dpi": (dpi, dpi)}
    if kind == "JPEG":
        subsampling = "4:4:4" if full_colour else "4:2:0"
        return {"quality": quality, "subsampling": subsampling, "xmp": packet, "dpi": (dpi, dpi)}
    if kind == "WEBP":
        return {"quality": quality, "xmp": packet}
    if kind == "AVIF":
        subsampling = "4:4:4" if full_colour else "4:2:0"
        return {"quality": quality, "subsampling": subsampling, "max_threads": 1, "xmp": packet}
    return {"compression": "tiff_adobe_deflate", "tiffinfo": {_XMP_TAG: packet}, "dpi": (dpi, dpi)}


def _save(image: Image.Image, kind: str, **parameters: Any) -> bytes:
    load_formats()
    file = BytesIO()
    image.save(file, kind, **parameters)
    return file.getvalue()


def tiff_16_bit(channels: NDArray[np.uint16], profile: bytes, xmp: bytes, dpi: int) -> bytes:
    """A TIFF with 16 bits per colour, which Pillow cannot write: TIFF 6.0, one strip, deflated; the
    tags that a reader needs and no more. A whole file of channels (H, W, 3), RGB, or (H, W, 4) with
    opacity, not multiplied in; to be printed with so many dots per inch."""
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
