"""The colours of a finished picture, and what there is to note of its sources."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import Sized, other_than_asked, style_side
from pipeline.stage_inputs import StageInputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.stillness import Distance

    Pixels = NDArray[np.float32]


def coloured_as_asked(pictures: Pictures, inputs: StageInputs, options: Options, pixels: Pixels) -> Pixels:
    """The result's pixels, float32 (height, width, 3), 0..255, of any size, with the colours that
    are asked for, and blended with the content."""
    from pipeline.images.colour import blend, match_colours, match_palette, transfer_luminance

    height, width = pixels.shape[:2]
    photograph, seen = pictures.content.resized(width, height)
    if options.match_color in ("style", "both", "tones"):
        match = match_palette if options.match_color == "tones" else match_colours
        match = functools.partial(match, strength=options.match_strength)
        shares = [share for _style, share in pictures.scaled(options).styles]
        pixels = inputs.recoloured(pixels, seen, shares, match)
    if options.preserve_color == "luminance":
        pixels = transfer_luminance(pixels, photograph)
    return pixels if options.strength == 1.0 else blend(photograph, pixels, options.strength)


def distance_as_viewed(pictures: Pictures, inputs: StageInputs, options: Options) -> Distance:
    """How far a stage's picture is from its styles, with its last colours, at the size at which it
    is looked at. The content's colours, and its share in the result, are no part of it."""
    from pipeline.images.encode import to_uint8
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
    styles = [(to_uint8(pixels), share) for pixels, share in zip(small.style_images, shares, strict=True)]
    plain = replace(options, preserve_color="none", strength=1.0)
    return lambda pixels: distance_to(
        styles, photograph, to_uint8(coloured_as_asked(pictures, small, plain, smaller(pixels)))
    )


def notes_of(pictures: Pictures, options: Options, longer_side: int) -> tuple[str, ...]:
    """What the pictures' own notes say, whether the content is smaller than was asked for or was
    enlarged, and which style images had to be enlarged."""
    notes = [f"{picture.name}: {note}" for picture in pictures.all for note in picture.notes]
    notes += pictures.mask_notes
    if other := other_than_asked(options, Sized(pictures.content.name, pictures.content.size)):
        notes.append(other)
    side = style_side(options, longer_side)
    for style, _share in pictures.styles:
        if max(style.size) < side:
            notes.append(
                f"{style.name}: enlarged from {max(style.size)} to {side} px; its strokes are softer than the picture"
            )
    return tuple(dict.fromkeys(notes))
