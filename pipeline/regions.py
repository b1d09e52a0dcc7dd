"""Which styles are painted in which parts of a picture, and how the parts come from masks.

Styles with one mask are one region, and blend there. Styles without a mask share what the masks of
the others leave. Where a mask is black everywhere there is no region; where it is white everywhere
it is as if there were none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.masks import Mask
    from pipeline.images.picture import Picture
    from pipeline.images.region_maps import RegionMap

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MaskSources:
    """Where the masks of a pair come from, each a path or, in Python, a picture: by style that on
    the content and that on the style image itself; the content's; the maps of content and styles.
    None for none."""

    styles: Sequence[tuple[Any, Any]] = ()
    content: Any = None
    maps: tuple[Any, Sequence[Any]] | None = None

    def __bool__(self) -> bool:
        """Is there any?"""
        of_styles = (mask for pair in self.styles for mask in pair)
        return any(each is not None for each in (*of_styles, self.content, self.maps))


WITHOUT_MASKS = MaskSources()


@dataclass(frozen=True, slots=True, eq=False)
class StyleIn:
    """A style in a region: its number, and the mask of what of it is looked at, None for all."""

    number: int
    own: Mask | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Styles that are painted where `mask` says, or, where it is None, where no other region is.
    `weight` is how strongly, beside other regions."""

    mask: Mask | None
    styles: tuple[StyleIn, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A region at one size: `mask` (height, width), 0..1, None for all of the picture. `strength`
    multiplies its distance: 1 is their mean over what all regions cover."""

    mask: Floats | None
    styles: tuple[StyleIn, ...]
    strength: float = 1.0


def regions_of(masks: Sequence[tuple[Mask | None, Mask | None]], weights: Sequence[float]) -> tuple[Region, ...]:
    """The regions of styles with these masks, on the content and their own, and these shares."""
    groups: dict[str, list[int]] = {}
    for number, (mask, _own) in enumerate(masks):
        groups.setdefault("" if mask is None else mask.sha256, []).append(number)
    return tuple(
        Region(
            masks[numbers[0]][0],
            tuple(StyleIn(number, masks[number][1]) for number in numbers),
            sum(weights[number] for number in numbers) / len(numbers),
        )
        for numbers in groups.values()
    )


def with_a_share(regions: Sequence[Region], shares: Sequence[float]) -> tuple[Region, ...]:
    """The regions without those styles that have no share, and only those that have any left."""
    left = (replace(each, styles=tuple(style for style in each.styles if shares[style.number] > 0)) for each in regions)
    return tuple(region for region in left if region.styles)


def is_whole(regions: Sequence[Region]) -> bool:
    """Is every style painted everywhere, from all of it: with no masks, or with white ones?"""
    masks = [mask for region in regions for mask in (region.mask, *(style.own for style in region.styles)) if mask]
    return len(regions) < 2 and all(mask.levels.min() >= 1 for mask in masks)


def regions_of_maps(
    content: RegionMap, styles: Sequence[RegionMap], alphas: Sequence[Floats | None] | None = None
) -> tuple[Region, ...]:
    """The regions of a content and its styles with these maps: a colour of the content's is painted
    in what has that colour in the styles, or in all of them where none has it. What was lost as a
    map was made as small as its picture, a line, nobody has, nor what cannot be seen in a style of
    this opacity."""
    from pipeline.images.colour_codes import APART, distance, nearest

    found = []
    for number, region in enumerate(content.colours):
        own = []
        for style, map_of in enumerate(styles):
            known = [each.colour for each in map_of.colours]
            closest = nearest(region.colour, known)
            alpha = None if alphas is None else alphas[style]
            if distance(region.colour, known[closest]) < APART and _is_seen(map_of, closest, alpha):
                own.append(StyleIn(style, map_of.mask(closest)))
        everything = tuple(StyleIn(style) for style in range(len(styles)))
        found.append(Region(content.mask(number), tuple(own) or everything))
    return tuple(found)


def _is_seen(map_of: RegionMap, number: int, alpha: Floats | None) -> bool:
    """Whether anything of a colour's region can be seen in a style of this opacity (height,
    width)."""
    if alpha is None:
        return bool((map_of.labels == number).any())
    height, width = alpha.shape
    return _is_seen(map_of, number, None) and bool((map_of.mask(number).resized(width, height) * alpha).any())


def notes_of_unseen(styles: Sequence[tuple[RegionMap, str, Floats | None]]) -> list[str]:
    """What to note of colours whose regions are wholly transparent in their styles, each with its
    map, name and opacity."""
    from pipeline.images.colour_codes import hexadecimal

    return [
        f"colour {hexadecimal(region.colour)} of map {map_of.name} lies where style {name} is transparent: not used"
        for map_of, name, alpha in styles
        for number, region in enumerate(map_of.colours)
        if _is_seen(map_of, number, None) and not _is_seen(map_of, number, alpha)
    ]


def regions_of_emptiness(
    content: Picture, styles: Sequence[Picture], numbers: Sequence[int] | None = None
) -> tuple[Region, ...]:
    """The content's empty areas, to be painted from those of the styles that are like them, and the
    rest, from their rest; nothing where the content has none or nothing else, or no style has
    any. `numbers` are those of the styles, where they are not all there are."""
    from pipeline.images.emptiness import empty_as_in, glance, is_part
    from pipeline.images.masks import mask_from_levels

    numbered = zip(range(len(styles)) if numbers is None else numbers, styles, strict=True)
    there = {number: glance(style.pixels, style.alpha) for number, style in numbered}
    some = {number: seen for number, seen in there.items() if seen.has_parts}
    if not some:
        return ()
    seen_of_content = glance(content.pixels, content.alpha)
    here = empty_as_in(seen_of_content, list(some.values()))
    if not is_part(here, seen_of_content.seen):
        return ()

    def styles_in(*, empty: bool) -> tuple[StyleIn, ...]:
        own = {
            number: mask_from_levels(seen.empty if empty else 1 - seen.empty, _EMPTY if empty else _BUSY)
            for number, seen in some.items()
        }
        return tuple(StyleIn(number, own.get(number)) for number in (some if empty else there))

    return (
        Region(mask_from_levels(here, _EMPTY), styles_in(empty=True)),
        Region(mask_from_levels(1 - here, _BUSY), styles_in(empty=False)),
    )


_EMPTY, _BUSY, _PLAIN = "empty areas", "all but empty areas", "plain areas"


def plain_areas(content: Picture, styles: Sequence[Picture]) -> Mask | None:
    """Where the content is plainer than anything in the styles; None where it nowhere is."""
    from pipeline.images.emptiness import glance, plainer_than
    from pipeline.images.masks import mask_from_levels

    seen = [glance(style.pixels, style.alpha) for style in styles]
    plain = plainer_than(glance(content.pixels, content.alpha), seen)
    return mask_from_levels(plain, _PLAIN) if plain.any() else None


def parts_at(regions: Sequence[Region], width: int, height: int) -> tuple[Part, ...]:
    """The regions of a picture of this size; those of nothing are left out. Raises BadImage where
    nothing is left."""
    import numpy as np

    masked = {number: each.mask.resized(width, height) for number, each in enumerate(regions) if each.mask}
    rest = _rest(list(masked.values()))
    found = []
    for number, region in enumerate(regions):
        mask = masked.get(number, rest)
        if mask is None or mask.any():
            found.append((region, None if mask is None or mask.min() >= 1 else mask))
    if not found:
        raise BadImage(nothing_painted([region.mask.name for region in regions if region.mask]))
    areas = [1.0 if mask is None else float(mask.mean(dtype=np.float64)) for _region, mask in found]
    whole = sum(area * region.weight for area, (region, _mask) in zip(areas, found, strict=True)) / sum(areas)
    return tuple(Part(mask, region.styles, region.weight / whole) for region, mask in found)


def _rest(masks: Sequence[Floats]) -> Floats | None:
    """What masks (height, width) leave; None where there are none."""
    import numpy as np

    if not masks:
        return None
    left: Floats = np.clip(1.0 - np.sum(masks, 0), 0.0, 1.0).astype(np.float32)
    return left


def never_nothing(regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions of a clip's frame: where all their masks are black, as what they show has left
    the picture, they have the least that a mask can say, so that the photograph is kept."""
    import numpy as np

    from pipeline.images.masks import mask_from_levels

    if any(each.mask is None or each.mask.levels.any() for each in regions):
        return tuple(regions)
    return tuple(
        replace(each, mask=mask_from_levels(np.full(each.mask.levels.shape, _LEAST), each.mask.name))
        for each in regions
        if each.mask is not None
    )


_LEAST = 1 / 255  # of 8 bits


def notes_of_regions(regions: Sequence[Region], names: Sequence[str], width: int, height: int) -> list[str]:
    """What is worth knowing of regions: styles that are painted nowhere."""
    masks = [region.mask.levels for region in regions if region.mask]
    notes = [
        painted_nowhere(region.mask.name, _named(region, names))
        for region in regions
        if region.mask and not region.mask.levels.any()
    ]
    rest = [region for region in regions if region.mask is None]
    if masks and rest:
        left = _rest([region.mask.resized(width, height) for region in regions if region.mask])
        if left is not None and not left.any():
            notes.append(f"the masks leave nothing for {_named(rest[0], names)}, which has none")
    return notes


def nothing_painted(masks: Sequence[str]) -> str:
    """Why a pair is refused whose styles have these masks, all of them black."""
    names = list(dict.fromkeys(masks))
    which = f"mask {names[0]} is" if len(names) == 1 else f"masks {', '.join(names)} are"
    return f"no style is painted anywhere, as {which} black everywhere; paint white where a style is to be"


def painted_nowhere(mask: str, style: str) -> str:
    """What to note of a style with a black mask."""
    return f"mask {mask} is black everywhere, so {style} is painted nowhere"


def mask_of(style: Picture, own: Mask | None) -> Mask | None:
    """The mask of a style image. Raises BadImage where it leaves nothing to learn from."""
    if own is None:
        return None
    if not own.levels.any():
        raise BadImage(shows_nothing(own.name, style.name))
    if style.alpha is not None and not (own.resized(*style.size) * style.alpha).any():
        raise BadImage(shows_what_is_transparent(own.name, style.name))
    return own


def shows_nothing(mask: str, style: str) -> str:
    """Why a style image with a black mask of its own is refused."""
    return f"mask {mask} of style {style} is black everywhere, so it shows no style; use one that can be seen"


def shows_what_is_transparent(mask: str, style: str) -> str:
    """Why a style image is refused whose mask shows of it what cannot be seen."""
    return (
        f"mask {mask} shows only what is transparent in style {style}, so it shows no style; use one that can be seen"
    )


def _named(region: Region, names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(names[style.number] for style in region.styles))
