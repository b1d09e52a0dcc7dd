"""At which sizes a pair is painted and measured, and how each of them is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import BadImage
from pipeline.images.sizes import fit_longer_side
from pipeline.nst.pyramid import sides as pyramid_sides
from pipeline.nst.tiling import Tiling, size_name
from pipeline.options import Options

if TYPE_CHECKING:
    from pipeline.images.picture import Picture
    from pipeline.nst.engine import Workshop


def result_size(content: Picture, options: Options) -> tuple[int, int]:
    """(width, height) of the picture that a photograph becomes. Content is only ever made smaller."""
    longest = max(content.size)
    return fitted(content, "content", longest if options.size == "original" else min(longest, options.size))


def style_side(longer_side: int, options: Options) -> int:
    """Longer side of the style images for a picture whose own longer side is `longer_side`."""
    return max(1, round(longer_side * options.style_scale))


def style_size(style: Picture, picture_size: tuple[int, int], options: Options) -> tuple[int, int]:
    """(width, height) of a style image for a picture of `picture_size`. Raises BadImage where too little would be left."""
    side = style_side(max(picture_size), options)
    if options.style_aspect == "keep":
        return fitted(style, "style", side)
    width, height = (max(1, round(length * options.style_scale)) for length in picture_size)
    return _long_enough(style, "style", width, height)


def fitted(picture: Picture, role: str, longer_side: int) -> tuple[int, int]:
    """(width, height) at which a picture enters the network. Raises BadImage where too little of it would be left."""
    return _long_enough(picture, role, *fit_longer_side(*picture.size, longer_side))


def _long_enough(picture: Picture, role: str, width: int, height: int) -> tuple[int, int]:
    if min(width, height) < _SHORTEST_SIDE:
        raise BadImage(
            f"{role} {picture.name} would be {width}x{height} pixels; its shorter side must be at least {_SHORTEST_SIDE}: "
            f"raise {'size' if role == 'content' else 'size or style_scale'}, or crop it"
        )
    return width, height


# VGG19 halves a picture four times before block 5, whose 3 x 3 filters then still find two positions each way.
_SHORTEST_SIDE = 32


def painted_sides(content: Picture, styles: Sequence[tuple[Picture, float]], options: Options) -> list[int]:
    """The longer sides at which a pair is painted, the last being the result's."""
    size = result_size(content, options)
    shortest = min(*size, *(min(style_size(style, size, options)) for style, _share in styles))
    return pyramid_sides(max(size), options.scales, shortest)


def cuts(
    content: Picture, styles: Sequence[tuple[Picture, float]], options: Options, workshop: Workshop
) -> dict[str, Tiling]:
    """The tiles in which the evaluations of a pair are made, by what is evaluated; nothing where nothing is cut. Bytes depend
    on them, as sums add up in another order: pixels, and the losses that a picture says of itself."""
    sides = painted_sides(content, styles, options)
    found = {}
    for side, name, measured_in in (
        *((side, size_name(side), options.precision) for side in sides),
        (sides[-1], "finished", "float32"),
    ):
        size = fitted(content, "content", side)
        seen = {name: size} | {
            f"style {number} for {name}": style_size(style, size, options)
            for number, (style, _share) in enumerate(styles, start=1)
        }
        for what, (width, height) in seen.items():
            if cut := workshop.tiling(options, (height, width, 3), measured_in):
                found[what] = cut
    return found
