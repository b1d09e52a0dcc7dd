"""The colours of a finished picture, and what there is to note of its sources."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import Sized, other_than_asked, style_side
from pipeline.stage_inputs import StageInputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        shares = [share for _style, share in pictures.styles]
        pixels = inputs.recoloured(pixels, seen, shares, match)
    if options.preserve_color == "luminance":
        pixels = transfer_luminance(pixels, photograph)
    return pixels if options.strength == 1.0 else blend(photograph, pixels, options.strength)


def as_viewed(pictures: Pictures, inputs: StageInputs, options: Options) -> Callable[[Pixels], Pixels]:
    """What makes of a stage's picture the finished one, as small as it is looked at."""
    from pipeline.images.scale import resize, resize_alpha
    from pipeline.images.sizes import fit_longer_side
    from pipeline.images.stillness import VIEWED

    def size(pixels: Pixels) -> tuple[int, int]:
        height, width = pixels.shape[:2]
        return fit_longer_side(width, height, min(VIEWED, max(width, height)))

    small = replace(
        inputs,
        parts=pictures.parts(*size(inputs.photograph)),
        style_images=tuple(resize(pixels, *size(pixels)) for pixels in inputs.style_images),
        style_alphas=tuple(None if each is None else resize_alpha(each, *size(each)) for each in inputs.style_alphas),
    )
    return lambda pixels: coloured_as_asked(pictures, small, options, resize(pixels, *size(pixels)))


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
