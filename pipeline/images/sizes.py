"""Sizes of pictures in whole pixels: which are allowed, and what fits. No pixels here."""

from __future__ import annotations

from pipeline.errors import BadImage

# The largest single exposures of cameras on sale are 102 million pixels (11648 x 8736); one channel
# of that as float32 is 408 MB.
MAX_PIXELS = 110_000_000

# VGG19 halves a picture five times: 32 pixels become one.
MIN_SIDE = 32

# At 512 pixels, the default size, a picture of 32:1 is 16 pixels high; the four halvings before
# block5 leave one.
MAX_ASPECT = 32

# Pixels of a side that fit, by an output's ending: JPEG 65,535 (ITU-T T.81, B.2.2; libjpeg takes
# 65,500), WebP 14 bits (RFC 9649), AVIF 65,536 (libavif's default limit). The others take more than
# a painting can have.
_LONGEST_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383, ".avif": 65_536}


def too_long_for(suffix: str, longer_side: int) -> str | None:
    """What to say of an output whose format cannot hold so many pixels; None where it can."""
    limit = _LONGEST_SIDE.get(suffix.lower(), longer_side)
    if longer_side <= limit:
        return None
    return f"a {suffix} file is at most {limit} pixels wide or high, the picture has {longer_side}; use .png or .tif"


def check_shape(shown: str, width: int, height: int) -> None:
    """Hold a header against the limits. Raises BadImage."""
    size = f"{shown} is {width}x{height} pixels"
    if width * height > MAX_PIXELS:
        raise BadImage(f"{size}; at most {MAX_PIXELS // 10**6} million are allowed, so make it smaller first")
    if min(width, height) < MIN_SIDE:
        raise BadImage(f"{size}; its shorter side must be at least {MIN_SIDE}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise BadImage(f"{size}; its longer side may be at most {MAX_ASPECT} times its shorter side, so crop it first")


def fit_longer_side(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """(width, height) of the same shape, the longer one being `longer_side`.

    The shorter one is rounded, and at least 1. Works in both directions. Who only ever wants
    smaller passes `min(longer_side, max(width, height))`. Halves are rounded up, in whole numbers,
    so the result is the same on every machine.
    """
    longest = max(width, height)

    def scaled(side: int) -> int:
        return max(1, (2 * side * longer_side + longest) // (2 * longest))

    return scaled(width), scaled(height)


def wrong_shape(
    mask: str, own: tuple[int, int], picture: str, size: tuple[int, int], *, opened_smaller: bool = False
) -> str | None:
    """What to say of a mask, of `own` (width, height), that has another shape than its picture, of
    `size`; None where one is the other scaled, its sides rounded to whole pixels. A picture that
    was `opened_smaller` than its file was rounded once more: what fits the file fits it too."""
    (width, height), (its_width, its_height) = own, size
    rounded = max(own) / 2 if opened_smaller else 0
    if abs(width * its_height - height * its_width) <= max(*own, *size) + rounded:
        return None
    return (
        f"mask {mask} is {width}x{height} pixels and {picture} {its_width}x{its_height}; a mask must have the shape"
        " of its picture, at any size: crop or scale it"
    )
