"""A finished picture, its colours and its full size, and what there is to note of its sources."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import notes_of_size, style_side
from pipeline.stage_inputs import StageInputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.picture import Fine
    from pipeline.images.stillness import Distance

    Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A result: `pixels` in whole numbers, `alpha` and `deep` as `Stylization` has them."""

    pixels: NDArray[np.uint8]
    alpha: Pixels | None
    deep: Pixels | None


def finished(pictures: Pictures, inputs: StageInputs, options: Options, painted: Pixels) -> Finished:
    """What is saved of a painting, float32 (height, width, 3), 0..255: with the colours that are
    asked for, at the size to which it is sharpened, in whole numbers."""
    from pipeline.images.encode import to_uint8

    if pictures.content.fine is not None:
        return _sharpened(pictures, inputs, options, painted, pictures.content.fine)
    coloured = coloured_as_asked(pictures, inputs, options, painted)
    height, width = painted.shape[:2]
    alpha = pictures.content.resized_alpha(width, height)
    return Finished(to_uint8(coloured), alpha, coloured if options.depth == 16 else None)


def _sharpened(pictures: Pictures, inputs: StageInputs, options: Options, painted: Pixels, fine: Fine) -> Finished:
    """A painting at the size of `fine`, a few rows at a time."""
    import numpy as np

    from pipeline.images.encode import to_uint8
    from pipeline.images.sharpening import sharpened

    height, width = painted.shape[:2]
    photograph, _alpha = pictures.content.resized(width, height)
    matched = _matched(pictures, inputs, options, painted)
    pixels = np.empty_like(fine.pixels)
    deep = np.empty(fine.pixels.shape, np.float32) if options.depth == 16 else None
    for rows, found, whole in sharpened(matched, photograph, fine.pixels, options.wraps):
        coloured = _as_photograph(options, np.clip(found, 0, 255), whole)
        pixels[rows] = to_uint8(coloured)
        if deep is not None:
            deep[rows] = coloured
    return Finished(pixels, fine.alpha, deep)


def coloured_as_asked(pictures: Pictures, inputs: StageInputs, options: Options, pixels: Pixels) -> Pixels:
    """The result's pixels, float32 (height, width, 3), 0..255, of any size, with the colours that
    are asked for, and blended with the content."""
    height, width = pixels.shape[:2]
    photograph, _seen = pictures.content.resized(width, height)
    return _as_photograph(options, _matched(pictures, inputs, options, pixels), photograph)


def _matched(pictures: Pictures, inputs: StageInputs, options: Options, pixels: Pixels) -> Pixels:
    """With the style's colours, where they are asked for."""
    from pipeline.images.colour import match_colours, match_palette
    from pipeline.images.palette import match_each_colour

    ways = {"style": match_colours, "both": match_colours, "tones": match_palette, "palette": match_each_colour}
    if options.match_color not in ways:
        return pixels
    height, width = pixels.shape[:2]
    _photograph, seen = pictures.content.resized(width, height)
    match = functools.partial(ways[options.match_color], strength=options.match_strength)
    shares = [share for _style, share in pictures.scaled(options).styles]
    return inputs.recoloured(pixels, seen, shares, match)


def _as_photograph(options: Options, pixels: Pixels, photograph: Pixels) -> Pixels:
    """With the photograph's chroma, and blended with it, where that is asked for."""
    from pipeline.images.colour import blend, transfer_luminance

    if options.preserve_color == "luminance":
        pixels = transfer_luminance(pixels, photograph)
    return pixels if options.strength == 1.0 else blend(photograph, pixels, options.strength)


def distance_as_viewed(pictures: Pictures, inputs: StageInputs, options: Options) -> Distance:
    """How far a stage's picture is from its styles, with its last colours, at the size at which it
    is looked at. The content's colours, and its share in the result, are no part of it."""
    from pipeline.images.encode import to_uint8
    from pipeline.images.quality import patches_seen
    from pipeline.images.scale import resize, resize_alpha
    from pipeline.images.stillness import VIEWED, distance_to

    factor = min(1.0, VIEWED / max(inputs.stage.size))

    def size(pixels: Pixels) -> tuple[int, int]:
        height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
        return width, height

    def smaller(pixels: Pixels) -> Pixels:
        return pixels if factor == 1.0 else resize(pixels, *size(pixels))

    small = replace(
        inputs,
        style_images=tuple(smaller(pixels) for pixels in inputs.style_images),
        style_alphas=tuple(None if each is None else resize_alpha(each, *size(each)) for each in inputs.style_alphas),
        parts=pictures.scaled(options).parts(*size(inputs.photograph)),
    )
    photograph = to_uint8(smaller(inputs.photograph))
    shares = [share for _style, share in pictures.scaled(options).styles]
    styles = [(patches_seen(to_uint8(pixels)), share) for pixels, share in zip(small.style_images, shares, strict=True)]
    plain = replace(options, preserve_color="none", strength=1.0)
    return lambda pixels: distance_to(
        styles, photograph, to_uint8(coloured_as_asked(pictures, small, plain, smaller(pixels)))
    )


def notes_of(pictures: Pictures, options: Options, longer_side: int) -> tuple[str, ...]:
    """What the pictures' own notes say, whether a mask keeps nothing, whether the content is
    smaller than was asked for or was enlarged, and which style images had to be enlarged."""
    notes = [f"{picture.name}: {note}" for picture in pictures.all for note in picture.notes]
    notes += pictures.mask_notes
    if pictures.kept is not None and not options.content_weight:
        notes.append(f"mask {pictures.kept.name} keeps nothing of the photograph, as 'content_weight' is 0")
    notes += notes_of_size(options, pictures.sized_content)
    side = style_side(options, longer_side)
    for style, _share in pictures.styles:
        if max(style.size) < side:
            notes.append(
                f"{style.name}: enlarged from {max(style.size)} to {side} px; its strokes are softer than the picture"
            )
    return tuple(dict.fromkeys(notes))
