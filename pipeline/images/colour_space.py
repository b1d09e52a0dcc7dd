"""What a picture without a colour profile says of its colours, as a profile.

Cameras say Adobe RGB in EXIF alone (DCF 2.0), PNG has chunks of its own (gAMA, cHRM, cICP), AVIF
and HEIC a `colr` box with the numbers of ITU-T H.273.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from pipeline.images.icc import Point, grey_profile, power_curve, rgb_profile, srgb_curve
from pipeline.images.structure import boxes

CODED = "coded colours"
"""In an image's `info`: primaries and curve by their numbers in ITU-T H.273, as its file says."""


Make = Callable[[Point, Point, Point, Point, bytes], bytes]
"""Makes a profile of red, green, blue, white and a curve."""


class Declared(NamedTuple):
    """A profile, None where colours are to be taken as sRGB; a note, empty where there is nothing
    to say."""

    profile: bytes | None
    note: str


_D65: Point = (0.3127, 0.3290)
_REC709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
_REC709_OF_PNG = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), _D65)  # Adobe RGB (1998), 4.3.1
_ADOBE_GAMMA = 563 / 256
# ITU-T H.273, tables 2 and 3.
_PRIMARIES = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_LIKE_SRGB = (1, 2)  # BT.709, unspecified
_CURVES = {4: 2.2, 5: 2.8, 8: 1.0}
# sRGB's, those of video (which screens show alike), unspecified.
_SRGB_CURVES = (1, 2, 6, 13, 14, 15)
_HDR = {16: "PQ", 18: "HLG"}

_SRGB_GAMMA = 1 / 0.45455
# Differences too small to see: what programs round to.
_NEAR_GAMMA, _NEAR_POINT = 0.02, 0.002


def declared(image: Image.Image, *, grey: bool = False) -> Declared | None:
    """What a picture says of its colours; None where it says nothing, or sRGB. Of a `grey` one the
    curve alone counts."""
    make = _grey_profile if grey else rgb_profile
    try:
        return _from_code(image.info, make) or _from_png(image.info, make) or _from_exif(image, make)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, OSError, struct.error):
        return None  # whatever a camera, or somebody after it, wrote


_EMBEDDED = b"DEBM"  # PROFILE_EMBEDDED, of a BMP's header in version 5 ([MS-WMF], 2.2.2.3)


def profile_of_bmp(data: bytes) -> bytes | None:
    """The profile in a BMP, which Pillow does not look for."""
    if len(data) < 138 or data[:2] != b"BM" or data[70:74] != _EMBEDDED:
        return None
    at, size = struct.unpack_from("<II", data, 126)
    return data[14 + at : 14 + at + size] or None


def coded_colours(data: bytes, kind: str) -> tuple[int, int] | None:
    """Primaries and curve that a PNG, AVIF or HEIF file names by number."""
    if kind == "PNG":
        at = data.find(b"cICP", 0, data.find(b"IDAT") + 1)
        return (data[at + 4], data[at + 5]) if at >= 0 and data[at - 4 : at] == b"\0\0\0\4" else None
    if kind in ("AVIF", "HEIF"):
        for name, first, last in boxes(BytesIO(data)):
            if name == b"colr" and data[first : first + 4] == b"nclx" and last - first >= 8:
                primaries, curve = struct.unpack_from(">HH", data, first + 4)
                return primaries, curve
    return None


def _grey_profile(_red: Point, _green: Point, _blue: Point, _white: Point, curve: bytes) -> bytes:
    return grey_profile(curve)


def _from_code(info: Mapping[Any, Any], make: Make) -> Declared | None:
    if CODED not in info:
        return None
    primaries, curve = info[CODED]
    if curve in _HDR:
        return Declared(None, f"its colours are HDR ({_HDR[curve]}) and were taken as sRGB; export it for screens")
    if primaries not in (*_PRIMARIES, *_LIKE_SRGB) or curve not in (*_CURVES, *_SRGB_CURVES):
        return Declared(None, f"its colours are of a rare kind ({primaries}, {curve}) and were taken as sRGB")
    if primaries in _LIKE_SRGB and curve in _SRGB_CURVES:
        return Declared(None, "")
    points = _PRIMARIES.get(primaries, _REC709)
    shape = power_curve(_CURVES[curve]) if curve in _CURVES else srgb_curve()
    return Declared(make(*points, shape), "")


def _from_png(info: Mapping[Any, Any], make: Make) -> Declared | None:
    """W3C PNG specification, 11.3.2: sRGB counts for more than gAMA and cHRM."""
    if "srgb" in info:
        return Declared(None, "")
    if "gamma" not in info and "chromaticity" not in info:
        return None
    gamma = 1 / info["gamma"] if "gamma" in info else _SRGB_GAMMA
    white_x, white_y, *others = info.get("chromaticity", _REC709_OF_PNG)
    red, green, blue = zip(others[::2], others[1::2], strict=True)
    points = (red, green, blue, (white_x, white_y))
    usual_curve = abs(gamma - _SRGB_GAMMA) < _NEAR_GAMMA
    there = (white_x, white_y, *others)
    same = all(abs(a - b) < _NEAR_POINT for a, b in zip(there, _REC709_OF_PNG, strict=True))
    if usual_curve and same:
        return Declared(None, "")
    if not 0.2 < gamma < 5:
        return Declared(None, f"its gamma of {gamma:.3g} was ignored")
    shape = power_curve(gamma) if "gamma" in info else srgb_curve()
    return Declared(make(*points, shape), "")


_UNCALIBRATED = 65535
_ADOBE = 2  # not in EXIF, but written by some


def _from_exif(image: Image.Image, make: Make) -> Declared | None:
    """EXIF 2.32, ColorSpace; DCF 2.0, the interoperability index R03 for Adobe RGB."""
    exif = Image.Image.getexif(image)
    if ExifTags.IFD.Exif not in exif:
        return None
    colours = exif.get_ifd(ExifTags.IFD.Exif)
    space = colours.get(ExifTags.Base.ColorSpace)
    index = exif.get_ifd(ExifTags.IFD.Interop).get(1, "") if ExifTags.IFD.Interop in colours else ""
    index = index.decode("ascii", "replace") if isinstance(index, bytes) else str(index)
    if space == _ADOBE or (index.startswith("R03") and space in (None, _UNCALIBRATED)):
        profile = make(*_ADOBE_RGB, power_curve(_ADOBE_GAMMA))
        return Declared(profile, "its EXIF says that its colours are Adobe RGB; they were converted")
    if space == _UNCALIBRATED:
        return Declared(None, "its EXIF says that its colours are not sRGB, but not which; they were taken as sRGB")
    return None
