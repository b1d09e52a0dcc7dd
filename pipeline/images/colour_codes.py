"""What colour-coded maps of regions say of each other. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Colour = tuple[int, int, int]

APART = 32  # of a colour's channels, the largest difference: colours nearer than this are one


class RegionColour(NamedTuple):
    """A region's colour, its share of the pixels, and whether it lies flat nowhere."""

    colour: Colour
    share: float
    thin: bool = False


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of two colours' channels."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def nearest(colour: Sequence[float], others: Sequence[Sequence[float]]) -> int:
    """The number of that colour of others that is nearest."""
    return min(range(len(others)), key=lambda number: distance(colour, others[number]))


def hexadecimal(colour: Colour) -> str:
    """A colour as the web writes it."""
    return "#" + "".join(f"{level:02x}" for level in colour)


def notes_of_maps(content: Sequence[RegionColour], styles: Sequence[tuple[str, Sequence[RegionColour]]]) -> list[str]:
    """What is worth knowing of maps: a content's that divides nothing, and colours that only one
    side has, each with its share. Styles come with the names of their maps."""
    notes = [_ONE_COLOUR] if len(content) == 1 else []
    everywhere = [region.colour for _name, regions in styles for region in regions]
    here = [region.colour for region in content]
    notes += [
        f"colour {hexadecimal(region.colour)}, {_percent(region.share)} of the content's map, is in no style's:"
        " painted in all of the styles"
        for region in content
        if not has(everywhere, region.colour)
    ]
    return notes + [
        f"colour {hexadecimal(region.colour)}, {_percent(region.share)} of map {name}, is not in the content's: not used"
        for name, regions in styles
        for region in regions
        if not has(here, region.colour)
    ]


_ONE_COLOUR = f"the content's map makes no regions: its colours are all less than {APART} of 255 apart, and so one"


def has(colours: Sequence[Colour], colour: Colour) -> bool:
    """Whether one of the colours is this one."""
    return any(distance(colour, other) < APART for other in colours)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
