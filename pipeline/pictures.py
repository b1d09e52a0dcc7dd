"""The pictures of a pair, opened in one way for Python and for a night: none larger than needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadImage
from pipeline.options import Options
from pipeline.regions import (
    WITHOUT_MASKS,
    MaskSources,
    Part,
    Region,
    StyleIn,
    is_whole,
    mask_of,
    notes_of_regions,
    notes_of_unseen,
    parts_at,
    plain_areas,
    regions_of,
    regions_of_emptiness,
    regions_of_maps,
    with_a_share,
)
from pipeline.schedule import Machine, Schedule, Size, Sized, fine_side, painted_size, schedule, style_side
from pipeline.textures import TEXTURE

_MIDDLE_GREY = 127.5

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pipeline.images.masks import Mask
    from pipeline.images.picture import Picture
    from pipeline.images.region_maps import RegionMap

    Source = str | os.PathLike[str] | Image.Image | NDArray[np.uint8] | NDArray[np.floating[Any]]
    Opening = Callable[[Source], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """Earlier frames of a clip, as painted, carried to the frame that is painted, at the size at
    which it is: `pixels` float32 (height, width, 3), 0..255, how much each is to be held,
    `reliable` float32 (height, width), 0..1, and how firmly: `share` of the loss that the frame
    begins with, as losses have many units, is what a grey level squared costs."""

    pixels: NDArray[np.float32]
    reliable: NDArray[np.float32]
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The photograph, the style images with their shares, and the picture of `init` where it is a
    path. Shares need not sum to 1. `masks` are those files of masks that were opened, in the order
    of a job's; `regions` what they make of the styles, nothing without any; `kept` how much of the
    photograph is kept where, None for all. `empty` is how its empty areas are painted, as they can
    be here; `plain` where strokes are to grow, as the photograph has nothing there. `carried` is
    what a clip's frame takes over from earlier ones."""

    content: Picture
    styles: tuple[tuple[Picture, float], ...]
    start: Picture | None = None
    masks: tuple[Mask | RegionMap, ...] = ()
    regions: tuple[Region, ...] = ()
    kept: Mask | None = None
    mask_notes: tuple[str, ...] = ()
    mask_names: Mapping[str, Any] = field(default_factory=dict)
    empty: str = "alike"
    carried: Carried | None = None
    plain: Mask | None = None

    @property
    def apart(self) -> bool:
        """Are empty areas painted by themselves, as `regions` says unless there are none?"""
        return self.empty == "apart"

    @property
    def all(self) -> tuple[Picture | Mask | RegionMap, ...]:
        """In the order of a job's inputs: content, styles, start, masks."""
        start = () if self.start is None else (self.start,)
        return (self.content, *(style for style, _share in self.styles), *start, *self.masks)

    def scaled(self, options: Options) -> Pictures:
        """The same with the style images as they are looked at: each once for each of its scales,
        in the order of a stage's `style_sizes`."""
        count = len(options.style_scales)
        if count == 1:
            return self
        styles = tuple((style, share / count) for style, share in self.styles for _scale in range(count))
        return replace(self, styles=styles, regions=tuple(_at_scales(region, count) for region in self.regions))

    def schedule(self, options: Options, machine: Machine) -> Schedule:
        """The stages in which they are painted."""
        styles = [Sized(style.name, style.size) for style, _share in self.styles]
        return schedule(options, self.sized_content, styles, machine)

    @property
    def sized_content(self) -> Sized:
        """The photograph's name and sizes."""
        fine = self.content.fine
        return Sized(self.content.name, self.content.size, None if fine is None else fine.size)

    def hashes(self) -> dict[str, Any]:
        """The files' SHA-256, as outputs tell them."""
        styles = [style.sha256 for style, _share in self.styles]
        masks = {mask.name: mask.sha256 for mask in self.masks}
        return {"content": self.content.sha256, "style": styles} | ({"masks": masks} if masks else {})

    def shown_masks(self, number: int | None = None) -> dict[str, Any]:
        """What outputs say of the masks, by their files' names: of the style of this number, or,
        without one, of the content."""
        if number is None:
            return {name: shown for name, shown in self.mask_names.items() if name != "mask"}
        masks = self.mask_names.get("mask", {})
        return {"mask": masks[number]} if number in masks else {}

    def parts(self, width: int, height: int) -> tuple[Part, ...]:
        """The parts of the picture at this size that have styles of their own: one of all styles
        without masks. Styles that have no share are in none. Raises BadImage where no style is
        painted anywhere."""
        shares = [share for _, share in self.styles]
        regions = self.regions or regions_of([(None, None)] * len(self.styles), shares)
        return parts_at(with_a_share(regions, shares) if 0 in shares else regions, width, height)

    def style_map(self, width: int, height: int) -> NDArray[np.uint8]:
        """How much of each style is painted where, by its number: uint8 (height, width, styles).
        That empty areas are painted by themselves is no part of it."""
        import numpy as np

        found = np.zeros((height, width, len(self.styles)), np.float32)
        for part in (replace(self, regions=()) if self.apart else self).parts(width, height):
            whole = sum(self.styles[style.number][1] for style in part.styles)
            for style in part.styles:
                found[..., style.number] += (
                    (1 if part.mask is None else part.mask) * self.styles[style.number][1] / whole
                )
        return np.rint(255 * np.clip(found, 0, 1)).astype(np.uint8)


def _at_scales(region: Region, count: int) -> Region:
    """A region of styles that are each looked at so many times."""
    styles = (StyleIn(style.number * count + scale, style.own) for style in region.styles for scale in range(count))
    return replace(region, styles=tuple(styles))


def open_pictures(
    content: Source | Picture | None,
    styles: Sequence[tuple[Source, float]],
    options: Options,
    opening: Opening = lambda _: nullcontext(),
    home_of: Callable[[Source], str | None] = lambda _: None,
    masks: MaskSources = WITHOUT_MASKS,
) -> Pictures:
    """Open the pictures of a pair: a photograph of 100 megapixels would be 1.2 GB of floats. A
    texture has no content, and a plain grey in its place. A `content` that is open is taken as it
    is.

    `opening` is entered around each of them; `home_of` is the folder that a file has to lie in,
    where there is one. Raises BadImage for one that cannot be opened, for a style image that cannot
    be seen and for a mask that does not fit, OutOfMemory for one that does not fit into memory.
    """
    from pipeline.images import picture

    def open_any(source: Source, longer_side: int | None = None, fine_side: int | None = None) -> Picture:
        with opening(source):
            return picture.open_any(source, longer_side, home_of(source), fine_side)

    if options.is_texture or content is None:
        photograph = _plain(painted_size(options, Sized(TEXTURE, (1, 1))))
    elif isinstance(content, picture.Picture):
        photograph = content
    else:
        photograph = open_any(content, options.size if isinstance(options.size, int) else None, fine_side(options))
    longest = max(*photograph.size, *painted_size(options, Sized(photograph.name, photograph.size)))
    side = style_side(options, longest) if options.style_aspect == "keep" else None
    opened = Pictures(
        photograph,
        tuple((_seen(open_any(source, side)), share) for source, share in styles),
        open_any(options.init) if options.starts_from_file else None,
    )
    if masks:
        opened = with_masks(opened, masks, opening, home_of)
    return _with_empty_areas(set_apart(opened, options))


def open_content(source: Source, options: Options) -> Picture:
    """A photograph as `open_pictures` opens it."""
    from pipeline.images.picture import open_any

    return open_any(source, options.size if isinstance(options.size, int) else None, fine_side=fine_side(options))


def with_content(pictures: Pictures, content: Picture) -> Pictures:
    """The pictures with another photograph of the same size, and the parts that its own empty areas
    make, where these are painted by themselves; masks and maps stay."""
    changed = replace(pictures, content=content)
    if pictures.apart:
        changed = replace(changed, regions=(), mask_notes=())
    notes = tuple(note for note in changed.mask_notes if note != _NONE_PLAIN)
    return _with_empty_areas(replace(changed, mask_notes=notes))


def set_apart(pictures: Pictures, options: Options) -> Pictures:
    """The pictures, which say how empty areas are painted: by themselves only where nothing else
    divides the picture."""
    can_be = options.areas != "apart" or is_whole(pictures.regions)
    return replace(pictures, empty=options.areas if can_be else "alike")


def _with_empty_areas(opened: Pictures) -> Pictures:
    """The pictures with the parts that their empty areas make, or where strokes are to grow."""
    with_a_share = [(number, style) for number, (style, share) in enumerate(opened.styles) if share > 0]
    styles = [style for _number, style in with_a_share]
    if opened.empty == "stroked":
        plain = plain_areas(opened.content, styles)
        return replace(opened, plain=plain, mask_notes=(*opened.mask_notes, *(() if plain else (_NONE_PLAIN,))))
    if not opened.apart:
        return opened
    regions = regions_of_emptiness(opened.content, styles, [number for number, _style in with_a_share])
    notes = (*opened.mask_notes, *(() if regions else (_NONE_EMPTY,)))
    return replace(opened, regions=regions or opened.regions, mask_notes=notes)


_NONE_PLAIN = "empty_areas: alike, as no part of the photograph is plainer than the style"
_NONE_EMPTY = "empty_areas: alike, as photograph or style has next to none, or nothing else"


def with_shares(pictures: Pictures, shares: Sequence[float]) -> Pictures:
    """The pictures with other shares of their styles, of which some may be 0: those are painted
    nowhere."""
    styles = tuple((style, share) for (style, _share), share in zip(pictures.styles, shares, strict=True))
    return replace(pictures, styles=styles)


def with_masks(
    opened: Pictures, sources: MaskSources, opening: Opening, home_of: Callable[[Source], str | None]
) -> Pictures:
    """The pictures with these masks in the place of theirs, none larger than its picture; a mask
    that is open is taken as it is."""
    from pipeline.images.masks import Mask, open_mask

    def mask(source: Any, of: Picture) -> Mask | None:
        if source is None or isinstance(source, Mask):
            return source
        with opening(source):
            return open_mask(source, of.name, of.size, home_of(source))

    names = [style.name for style, _share in opened.styles]
    of_styles = [
        (mask(where, opened.content), mask_of(style, mask(own, style)))
        for (where, own), (style, _share) in zip(sources.styles, opened.styles, strict=True)
    ] or [(None, None)] * len(names)
    kept = mask(sources.content, opened.content)
    maps = _maps(opened, sources.maps, opening, home_of)
    if maps:
        alphas = [style.alpha for style, _share in opened.styles]
        regions = regions_of_maps(maps[0], maps[1:], alphas)
        notes = [*_notes_of(maps), *notes_of_unseen(list(zip(maps[1:], names, alphas, strict=True)))]
    else:
        regions = regions_of(of_styles, [share for _style, share in opened.styles])
        notes = notes_of_regions(regions, names, *opened.content.size)
    found: list[Mask | RegionMap | None] = [*(each for pair in of_styles for each in pair), kept, *maps]
    return replace(
        opened,
        masks=tuple(each for each in found if each is not None),
        regions=regions,
        kept=kept,
        mask_names=_shown(of_styles, kept, maps),
        mask_notes=tuple(notes),
    )


def _maps(
    opened: Pictures,
    sources: tuple[Any, Sequence[Any]] | None,
    opening: Opening,
    home_of: Callable[[Source], str | None],
) -> list[RegionMap]:
    """The maps of the content and of the styles; none without any."""
    from pipeline.images.region_maps import RegionMap, open_region_map

    found = []
    if sources is not None:
        pictures = (opened.content, *(style for style, _share in opened.styles))
        for source, picture in zip((sources[0], *sources[1]), pictures, strict=True):
            if isinstance(source, RegionMap):
                found.append(source)
                continue
            with opening(source):
                found.append(open_region_map(source, picture.name, picture.size, home_of(source)))
    return found


def _notes_of(maps: Sequence[RegionMap]) -> list[str]:
    from pipeline.images.colour_codes import notes_of_maps

    return notes_of_maps(maps[0].colours, [(each.name, each.colours) for each in maps[1:]])


def _shown(
    of_styles: Sequence[tuple[Mask | None, Mask | None]], kept: Mask | None, maps: Sequence[RegionMap]
) -> dict[str, Any]:
    """The names of masks as a pair in a manifest has them, `mask` by number of the style."""
    shown: dict[str, Any] = {"content_mask": kept.name} if kept else {}
    if maps:
        first, *others = (each.name for each in maps)
        shown["regions"] = {"content": first, "style": others[0] if len(others) == 1 else others}
    masks: dict[int, Any] = {}
    for number, (where, own) in enumerate(of_styles):
        given = {of: each.name for of, each in (("content", where), ("style", own)) if each is not None}
        if given:
            masks[number] = given["content"] if list(given) == ["content"] else given
    return shown | ({"mask": masks} if masks else {})


def _plain(size: Size) -> Picture:
    """A grey of this size."""
    import numpy as np

    from pipeline.images.picture import Picture

    width, height = size
    return Picture(np.full((height, width, 3), _MIDDLE_GREY, np.float32), None, "", TEXTURE)


def _seen(style: Picture) -> Picture:
    """The style image. Raises BadImage where there is nothing to learn from."""
    if not style.can_be_seen:
        raise BadImage(cannot_be_seen(style.name))
    return style


def cannot_be_seen(name: str) -> str:
    """Why a style image is refused."""
    return f"style {name} is completely transparent, so it shows no style; use one that can be seen"
