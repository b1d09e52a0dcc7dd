"""Pillow images of every mode to a few: grey or RGB with or without alpha, or grey as floats.

Pixels of 16 bits per colour are read as their upper 8 bits, which is what Pillow gives; grey ones
keep all 16.
"""

from __future__ import annotations

import math
from functools import cache
from io import BytesIO

from PIL import ExifTags, Image, ImageCms, ImagePalette, TiffImagePlugin

from pipeline.errors import BadImage
from pipeline.images.colour_space import declared
from pipeline.images.icc import is_linear, too_much
from pipeline.printable import printable

# EXIF 2.32, tag 0x0112: how to turn the stored picture upright; 1 is upright already.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNED_ASIDE = (5, 6, 7, 8)
"""Orientations that exchange width and height."""

WHITE_IS_ZERO = "white is zero"
"""In an image's `info`: its grey of 16 bits has to be inverted."""

UPPER_BITS = "upper bits"
"""In an image's `info`: its colours have more than 8 bits, of which those are there."""

FRAME = "frame"
"""In an image's `info`: the part of it (left, top, right, bottom) that a GIF's first frame covers;
beside it there is nothing, as browsers show it, though Pillow fills it with a colour."""

_COLOUR_MAP = 320  # of a TIFF's palette: all reds, greens, blues, of 16 bits (TIFF 6.0, section 5)
_GREY_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_RGB_MODES = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA")
_GREY_8_BIT = ("1", "L", "LA", "La")
_WHITE_16_BIT = 65535
_STEPS_16_TO_8 = 257  # 65535 / 255, so white stays white
# Of floats: a brightest level between white's 1 and this one is a highlight that went over 1. Of
# 0..255 it would be a picture all black: video's black is 16 (Rec. ITU-R BT.601).
_LEAST_OF_255 = 16
_ROUNDED = 0.5 / 255  # of white: programs that scale floats leave less than half a level beyond

# Date and time in the header of a profile (ICC.1:2022, 7.2.8); LittleCMS writes the present one.
_PROFILE_DATE = slice(24, 36)


def to_canonical(image: Image.Image, shown: str, notes: list[str], *, as_mask: bool = False) -> Image.Image:
    """A loaded image, upright and in sRGB: L, RGB, LA, RGBA or F (grey, 0..255).

    It has alpha only if a pixel is not opaque. A mask's levels are shares and no colours, so that
    of it no profile is applied. `shown` is the file's name for messages; things worth knowing are
    added to `notes`. Raises BadImage for numbers that are no grey levels.
    """
    image = _upright(image, notes)
    profile = None if as_mask else _foreign_profile(image, notes)
    if image.mode in (*_GREY_16_BIT, "I", "F"):
        return _deep_grey(image, profile, shown, notes)
    alpha = _alpha(image, notes)
    if alpha is not None and profile is None and image.mode in ("LA", "RGBA"):
        return image  # of 110 million pixels, each copy is 440 MB
    colour = _to_srgb(image, profile, notes)
    if alpha is not None:
        colour = colour.copy() if colour is image else colour
        colour.putalpha(alpha)
    return colour


def before_loading(image: Image.Image, notes: list[str]) -> None:
    """Keep in an image's `info` what its pixels, once they are loaded, do not say: how deep they
    were.

    A PNG's transparent colour is in the depth of the file (W3C PNG, 11.3.1.1), and Pillow compares
    it with 8 bits.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode in ("P", "PA"):
        colours = image.tag_v2.get(_COLOUR_MAP, ())
        if colours and max(colours) <= 255:  # of 8 bits, as old scanners' programs wrote it; libtiff too looks for that
            image.palette = ImagePalette.raw("RGB;L", bytes(colours))
    if image.format == "GIF":
        frames = [tile[1] for tile in getattr(image, "tile", ())]
        if frames and frames[0] != (0, 0, *image.size):
            image.info[FRAME] = frames[0]
    stored = {str(tile[3]) for tile in getattr(image, "tile", ())}
    deep = image.mode in ("RGB", "RGBA") and any(";16" in rawmode for rawmode in stored)
    if deep:
        image.info[UPPER_BITS] = True
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None:
        return
    if deep:
        del image.info["transparency"]
        notes.append("its transparent colour of 16 bits was ignored")
    elif steps := {"L;2": 85, "L;4": 17}.get("".join(stored)):  # 255 / 3, 255 / 15
        image.info["transparency"] = key * steps


def orientation(image: Image.Image) -> int | None:
    """EXIF orientation, 1 to 8; 1 if there is none, None if the EXIF block cannot be read."""
    try:
        # The method of the base class: PNG's own decodes the whole picture to look for a block
        # behind the pixels.
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is whatever the camera, or somebody after it, wrote
        return None
    return value if value in _TURNS else 1


@cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, about 600 bytes, the same ones at every call and on every day."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_PROFILE_DATE] = b"\x07\xd0\x00\x01\x00\x01" + bytes(6)  # 2000-01-01 00:00:00
    return bytes(profile)


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    found = orientation(image)
    if found is None:
        notes.append("its EXIF block cannot be read; the picture was taken as upright")
    if found not in _TURNS:
        return image
    return image.transpose(_TURNS[found])


# ------------------------------------------------------------------------- grey of more than 8 bits


def _deep_grey(image: Image.Image, profile: bytes | None, shown: str, notes: list[str]) -> Image.Image:
    """F, or RGB if there is a colour profile, which LittleCMS applies to 16 bits, not to 32."""
    if "transparency" in image.info:
        notes.append("its transparent grey level was ignored")
    if image.info.get(WHITE_IS_ZERO):
        image = image.convert("I").point(lambda value: value * -1 + _WHITE_16_BIT).convert("I;16")
    if profile is not None:
        if image.mode not in _GREY_16_BIT:
            notes.append("its colour profile was ignored, as its grey values have 32 bits")
        elif (converted := _through_profile(image, profile, notes)) is not None:
            return converted
    return _grey_levels(image, shown, notes)


def _grey_levels(image: Image.Image, shown: str, notes: list[str]) -> Image.Image:
    """Grey of 16 or 32 bits as float32 in 0..255.

    Raises BadImage for values outside what the file's kind can mean.
    """
    if image.mode == "F":
        return _float_levels(image, shown, notes)
    image = image.convert("I")  # Pillow finds no range of big-endian numbers of 16 bits
    low, high = _range(image)
    if low < 0 or high > _WHITE_16_BIT:
        raise BadImage(
            f"{shown} has 32-bit grey values from {low:.0f} to {high:.0f}; 0 to 65535 can be read,"
            " so save it with 16 bits"
        )
    if 0 < high <= 255:
        notes.append(f"its grey values are at most {high:.0f}, of 65535 for white, so it is all but black")
    return image.convert("F").point(lambda value: value * (1 / _STEPS_16_TO_8))


def _float_levels(image: Image.Image, shown: str, notes: list[str]) -> Image.Image:
    # The mean of all pixels is finite only if each of them is; minimum and maximum pass over NaN.
    mean = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    if not isinstance(mean, float) or not math.isfinite(mean):
        raise BadImage(f"{shown} has pixels that are not finite numbers (NaN or infinity); export it again")
    low, high = _range(image)
    white = 1 if high <= 1 + _ROUNDED else 255
    rounded = white * _ROUNDED
    if low < -rounded or high > white + rounded or (white == 255 and high < _LEAST_OF_255):
        raise BadImage(
            f"{shown} has grey values from {low:g} to {high:g}; 0 to 1 or 0 to 255 can be read, so scale them"
        )
    notes.append(f"its grey values are floats and were read as 0 (black) to {white} (white)")
    return image.point(lambda value: value * (255.0 / white)) if white == 1 else image


def _range(image: Image.Image) -> tuple[float, float]:
    low, high = image.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)  # pairs of pairs come only from images of several channels
    return low, high


# --------------------------------------------------------------------------------- alpha and colour


def _alpha(image: Image.Image, notes: list[str]) -> Image.Image | None:
    """Opacity as an L image, None if every pixel is opaque."""
    if not image.has_transparency_data:
        if frame := image.info.get(FRAME):
            beside = Image.new("L", image.size)
            beside.paste(255, frame)
            return beside
        return None
    stored = image if "A" in image.getbands() else image.convert("LA" if image.mode == "La" else "RGBA")
    alpha = stored.getchannel("A")
    extremes = alpha.getextrema()
    if extremes == (255, 255):
        return None
    if extremes == (0, 0):
        notes.append("is completely transparent, so its colours cannot be seen and were not used")
    return alpha


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Colours without alpha, as L or RGB; without a usable profile they are taken as sRGB."""
    if profile is not None and (converted := _through_profile(image, profile, notes)) is not None:
        return converted
    if image.mode == "CMYK":
        notes.append(
            "is CMYK without a colour profile that can be used; its colours were converted by a simple formula"
        )
    return _opaque(image)


def _foreign_profile(image: Image.Image, notes: list[str]) -> bytes | None:
    """The image's profile, or one made of what it says of its colours otherwise; None where it has
    none, or the one this program's outputs carry, or one of too much work."""
    profile = image.info.get("icc_profile")
    if not profile:
        if "icc_profile" in image.info:  # Pillow leaves nothing of one that cannot be unpacked
            notes.append(_damaged(image))
        grey = image.mode in (*_GREY_16_BIT, *_GREY_8_BIT)
        found = declared(image, grey=grey) if grey or image.mode in _RGB_MODES else None
        notes += [found.note] if found and found.note else []
        return found.profile if found else None
    if profile == srgb_profile():
        return None
    if why := too_much(profile):
        notes.append(f"its colour profile {why}, too much to work through, and was ignored; colours were taken as sRGB")
        return None
    return bytes(profile)


def _through_profile(image: Image.Image, icc: bytes, notes: list[str]) -> Image.Image | None:
    """RGB in sRGB, by a profile; None, with a note, if the profile cannot be used."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        space = printable(profile.profile.xcolor_space.strip())
        stored = _in_space(image, space)
        if stored is not None and image.info.get(UPPER_BITS) and is_linear(icc):
            notes.append(
                "has 16 bits per colour in linear light, of which the upper 8 were read, so its shadows are coarse;"
                " export it with the curve of sRGB"
            )
        if stored is None:
            notes.append(f"its colour profile is for {space}, its pixels are {image.mode}; the profile was ignored")
            return None
        # Relative colorimetric with black point compensation, as picture viewers do.
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        if space == "GRAY":  # optimized, LittleCMS is 7 grey levels off in the shadows of a linear grey
            flags |= ImageCms.Flags.NOOPTIMIZE
        in_place = stored.mode == "RGB" and stored is not image
        converted = ImageCms.profileToProfile(
            stored,
            profile,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            inPlace=in_place,
            flags=flags,
        )
        return stored if in_place else converted
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append(_damaged(image))
        return None


def _damaged(image: Image.Image) -> str:
    taken = "" if image.mode == "CMYK" else "; colours were taken as sRGB"
    return f"its colour profile is damaged and was ignored{taken}"


def _in_space(image: Image.Image, space: str) -> Image.Image | None:
    """The image in its profile's mode: L, I;16, RGB or CMYK; None if the two do not fit."""
    if space == "GRAY" and image.mode in _GREY_16_BIT:
        return image.convert("I").convert("I;16")  # by way of I, because Pillow cuts the direct way off at 255
    if space == "GRAY" and image.mode in _GREY_8_BIT:
        return _opaque(image)
    if space == "CMYK" and image.mode == "CMYK":
        return image
    if space == "RGB" and image.mode not in (*_GREY_16_BIT, "CMYK", "LAB"):
        opaque = _opaque(image)
        return opaque if opaque.mode == "RGB" else opaque.convert("RGB")
    return None


def _opaque(image: Image.Image) -> Image.Image:
    """L or RGB with the stored colours, also of pixels that cannot be seen. It may be the image
    itself."""
    if image.mode == "L":
        return image
    if image.mode in _GREY_8_BIT:
        return image.convert("LA").getchannel("L")
    if image.mode == "RGB":
        return image
    if image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")  # from a palette with grades of transparency straight to RGB, Pillow warns
    return image.convert("RGB")
