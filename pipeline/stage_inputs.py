"""What one stage of a pair is painted from: its pixels, what to compare with, where the descent
begins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.regions import Part, StyleIn
from pipeline.schedule import Size, Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.masks import Mask
    from pipeline.images.picture import Picture
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.terms.term import Sources

    Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StageInputs:
    """The pictures of one stage, at its size: pixels (height, width, 3). `photograph` and
    `style_images` are recoloured where the pair asks for it; `style_alphas` are their opacity
    (height, width), 0..1, None for those without. `parts` are those of the picture that have styles
    of their own: one without masks."""

    stage: Stage
    photograph: Pixels
    style_images: tuple[Pixels, ...]
    style_alphas: tuple[Pixels | None, ...] = ()
    parts: tuple[Part, ...] = ()

    def seen(self, style: StyleIn) -> Pixels | None:
        """How much of a style image can be seen in a region, (height, width); None for all."""
        alpha, own = self.style_alphas[style.number], style.own
        if own is None:
            return alpha
        height, width, _colours = self.style_images[style.number].shape
        levels = own.resized(width, height)
        return levels if alpha is None else alpha * levels

    def recoloured(
        self, pixels: Pixels, seen: Pixels | None, shares: Sequence[float], match: Callable[..., Pixels]
    ) -> Pixels:
        """`pixels` (height, width, 3), opacity `seen`, with the colours of each part's styles:
        `match` takes them, style images with their opacity and shares, and an opacity."""
        if len(self.parts) == 1 and self.parts[0].mask is None:
            return match(pixels, self._palette(self.parts[0], shares), seen)
        import numpy as np

        height, width, _colours = pixels.shape
        total, covered = np.zeros_like(pixels), np.zeros((height, width, 1), np.float32)
        for part in self.parts:
            mask = np.ones((height, width), np.float32) if part.mask is None else part.mask
            visible = mask if seen is None else mask * seen
            found = match(pixels, self._palette(part, shares), visible) if visible.any() else pixels
            total += mask[..., np.newaxis] * found
            covered += mask[..., np.newaxis]
        left = np.clip(1.0 - covered, 0.0, None)
        mixed: Pixels = (total + left * pixels) / (covered + left)
        return mixed

    def _palette(self, part: Part, shares: Sequence[float]) -> list[tuple[Pixels, Pixels | None, float]]:
        return [(self.style_images[each.number], self.seen(each), shares[each.number]) for each in part.styles]


@dataclass(frozen=True, slots=True, eq=False)
class StageResult:
    """A picture painted at one size, and the photograph at that size."""

    picture: Pixels
    photograph: Pixels


def stage_inputs(pictures: Pictures, options: Options, stage: Stage) -> StageInputs:
    """The pictures of a pair at the sizes of a stage."""
    from pipeline.images.colour import match_colours

    photograph, seen = pictures.content.resized(*stage.size)
    recoloured = _recolouring(options, photograph)
    shown = pictures.scaled(options)
    parts = shown.parts(*stage.size)
    styles = [style.resized(*size) for (style, _share), size in zip(shown.styles, stage.style_sizes, strict=True)]
    style_images = tuple(
        recoloured(pixels, alpha, _where_painted(parts, number, seen)) for number, (pixels, alpha) in enumerate(styles)
    )
    inputs = StageInputs(stage, photograph, style_images, tuple(alpha for _pixels, alpha in styles), parts)
    if options.match_color in ("before", "both"):
        match = functools.partial(match_colours, strength=options.match_strength)
        shares = [share for _style, share in shown.styles]
        return replace(inputs, photograph=inputs.recoloured(photograph, seen, shares, match))
    return inputs


def _where_painted(parts: Sequence[Part], number: int, seen: Pixels | None) -> Pixels | None:
    """How much of the photograph can be seen where a style is painted, (height, width); None for
    all of it."""
    import numpy as np

    masks = [part.mask for part in parts if number in [style.number for style in part.styles]]
    if not masks or any(mask is None for mask in masks):
        return seen
    mask = np.clip(np.sum([mask for mask in masks if mask is not None], 0), 0.0, 1.0).astype(np.float32)
    visible: Pixels = mask if seen is None else mask * seen
    return visible if visible.any() else seen


def sources(
    pictures: Pictures,
    inputs: StageInputs,
    options: Options,
    engine: TransferEngine,
    start: Pixels,
    place: tuple[int, int] = (0, 0),
) -> Sources:
    """What the targets of a stage are made from; `start` is the picture that it begins with, or a
    round of it; `place` says which stage, and after how many evaluations."""
    import numpy as np

    from pipeline.nst.engine import Setting
    from pipeline.nst.terms.term import Earlier, Plain, Region, Sources, Style

    stage, carried, plain = inputs.stage, pictures.carried, pictures.plain
    setting = Setting(options, stage.precision, stage.tiling, stage.last_pass)
    colours = _colours_from(pictures, options, stage.size)
    of_styles = replace(setting, options=replace(options, wrap="none"))

    shown = pictures.scaled(options)

    def style(seen: StyleIn) -> Style:
        image, share = shown.styles[seen.number]
        own = () if seen.own is None else (seen.own.sha256,)
        setting_of = replace(of_styles, tiling=stage.style_tilings[seen.number])
        pixels = inputs.style_images[seen.number]
        return Style(engine.image(setting_of, pixels, (*_seen(image), *colours, *own), inputs.seen(seen)), share)

    regions = [Region(part.mask, [style(seen) for seen in part.styles], part.strength) for part in inputs.parts]
    is_whole = len(regions) == 1 and regions[0].mask is None
    photograph = engine.image(
        setting, inputs.photograph, (*_seen(pictures.content), *_palette(pictures, options, stage))
    )
    guide = start if options.is_texture else inputs.photograph
    if setting.objective.needs_start and not options.is_texture:  # for others it is nobody's
        guide = _guide(inputs.photograph, start, options, _share_of_picture(pictures, stage, place[0]))
    return Sources(
        photograph,
        [style for region in regions for style in region.styles],
        start=engine.image(setting, start, None),
        guide=engine.image(setting, guide, None),  # what is measured of it is large, and of use once
        seed=int(np.random.SeedSequence((options.seed, *place)).generate_state(1)[0]),
        style_seed=options.seed,
        regions=() if is_whole else regions,
        kept=_kept(pictures, stage),
        earlier=None if carried is None else Earlier(carried.pixels, carried.reliable),
        plain=Plain(engine.image(setting, inputs.photograph, None), plain.resized(*stage.size)) if plain else None,
    )


def _kept(pictures: Pictures, stage: Stage) -> Pixels | None:
    """How much of the photograph is kept at each place, (height, width); None where all of it is
    kept."""
    kept = None if pictures.kept is None else pictures.kept.resized(*stage.size)
    return None if kept is None or kept.min() >= 1 else kept


def _names_of_masks(pictures: Pictures) -> tuple[Hashable, ...]:
    """The masks that recoloured pictures depend on: their colours can be those of a region of the
    photograph, and of a part of a style."""

    def name(mask: Mask | None) -> str | None:
        return None if mask is None else mask.sha256

    return tuple(
        (name(region.mask), *((style.number, name(style.own)) for style in region.styles))
        for region in pictures.regions
    )


# The share of the picture as it stands in what is to be painted, and how many times the photograph
# without its finest detail is smaller: Kolkin et al., "Neural Neighbor Style Transfer" (arXiv
# 2203.13215), α of their section 3.2 and the finest band of their pyramid.
_GUIDE_SHARE = 0.25
_FINEST_BAND = 2
# The same share in plain areas. Chosen by eye: with all of it roofs grew beside a tower.
_PLAIN_SHARE = 0.75


def _share_of_picture(pictures: Pictures, stage: Stage, number: int) -> float | Pixels:
    """The share of the picture as it stands, in stage `number`: of the first nothing, as it is the
    photograph blurred; in plain areas most, so that their strokes grow from size to size. A number,
    or (height, width, 1)."""
    import numpy as np

    share = _GUIDE_SHARE if number else 0.0
    if pictures.plain is None:
        return share
    shares: Pixels = np.maximum(np.float32(share), _PLAIN_SHARE * pictures.plain.resized(*stage.size))
    return shares[..., np.newaxis]


def _guide(photograph: Pixels, picture: Pixels, options: Options, share: float | Pixels) -> Pixels:
    """The photograph, mixed with the picture as it stands under the photograph's finest detail."""
    if isinstance(share, float) and share == 0:
        return photograph
    detail = photograph - _without_detail(photograph, _FINEST_BAND, options)
    return share * (picture + detail) + (1 - share) * photograph


def _without_detail(photograph: Pixels, band: int, options: Options) -> Pixels:
    """The photograph as it is once it was so many times smaller."""
    height, width, _ = photograph.shape
    coarse = _resized(photograph, max(1, width // band), max(1, height // band), options)
    return _resized(coarse, width, height, options)


def _resized(picture: Pixels, width: int, height: int, options: Options) -> Pixels:
    """A picture of a pair as (height, width, 3); one that wraps still does."""
    from pipeline.images.scale import resize_wrapped

    return resize_wrapped(picture, width, height, options.wraps)


def initial_image(pictures: Pictures, inputs: StageInputs, options: Options, before: StageResult | None) -> Pixels:
    """The picture a stage begins with (height, width, 3): the coarser stage's, `before`, enlarged,
    or at the first stage what `init` says. One of another shape than the photograph's is filled and
    cropped."""
    import numpy as np

    from pipeline.images.scale import cover

    if before is not None:
        return _upsampled(before, inputs.photograph, options)
    height, width, _ = inputs.photograph.shape
    if pictures.start is not None:
        return pictures.start.covering(width, height)
    if options.init == "style":
        first = next(number for number, (_style, share) in enumerate(pictures.scaled(options).styles) if share > 0)
        return cover(inputs.style_images[first], width, height)
    if options.init == "blurred":
        return _grained(_without_detail(inputs.photograph, _BLURRED, options), pictures, options)
    if options.init == "gray":
        return np.full_like(inputs.photograph, _MIDDLE_GREY)
    if options.init == "noise":
        random = np.random.default_rng(options.seed)
        noise = random.normal(_MIDDLE_GREY, options.noise_level, inputs.photograph.shape)
        mixed = options.noise_ratio * noise + (1 - options.noise_ratio) * inputs.photograph
        return np.clip(mixed, 0, 255).astype(np.float32)
    return inputs.photograph


def _grained(start: Pixels, pictures: Pictures, options: Options) -> Pixels:
    """With grain in plain areas. Without it a sky is alike everywhere, and all of it is most like
    one place of the style."""
    import numpy as np

    if pictures.plain is None:
        return start
    height, width, _ = start.shape
    grain = np.random.default_rng(options.seed).normal(0.0, _GRAIN, (height, width, 1))
    grained = start + grain * pictures.plain.resized(width, height)[..., np.newaxis]
    return np.clip(grained, 0.0, 255.0).astype(np.float32)


# Grey levels, standard deviation at the first size. Chosen by eye.
_GRAIN = 12.0
# By how much the photograph is made smaller for `init: blurred`: Kolkin et al. start without its
# three finest bands.
_BLURRED = 8
# The paper starts from "a white noise image" and gives no more; the default level of 40 stays
# mostly inside 0..255.
_MIDDLE_GREY = 127.5


def _upsampled(before: StageResult, photograph: Pixels, options: Options) -> Pixels:
    """A coarse picture at the next size. One that began as the photograph gets the detail of the
    photograph that it was too small to hold."""
    import numpy as np

    height, width, _ = photograph.shape
    enlarged = _resized(before.picture, width, height, options)
    if options.init != "content":
        return enlarged
    blurred = _resized(before.photograph, width, height, options)
    detailed: Pixels = np.clip(enlarged + photograph - blurred, 0, 255)
    return detailed


def _seen(picture: Picture) -> tuple[Hashable, ...]:
    """What decides a picture's pixels: the file, and the size it was opened at; large files are
    opened smaller."""
    return (picture.sha256, picture.size)


def _palette(pictures: Pictures, options: Options, stage: Stage) -> tuple[Hashable, ...]:
    """What a recoloured photograph depends on beside itself, likewise."""
    if options.match_color not in ("before", "both"):
        return ()
    styles = (
        (*_seen(style), share, size)
        for (style, share), size in zip(pictures.scaled(options).styles, stage.style_sizes, strict=True)
    )
    return (options.match_strength, options.preserve_color, *styles, *_names_of_masks(pictures))


def _recolouring(options: Options, photograph: Pixels) -> Callable[[Pixels, Pixels | None, Pixels | None], Pixels]:
    """What happens to the style images' colours beforehand, so that the result keeps the content's:
    Gatys et al., "Preserving Color in Neural Artistic Style Transfer" (arXiv 1606.05897), colour
    histogram matching. What is made takes a style image, its opacity, and the photograph's."""
    from pipeline.images.colour import match_covariance, match_histogram

    if options.preserve_color == "histogram":
        return lambda pixels, alpha, seen: match_histogram(pixels, photograph, alpha, seen)
    if options.preserve_color == "covariance":
        return lambda pixels, alpha, seen: match_covariance(pixels, photograph, alpha, seen)
    return lambda pixels, _alpha, _seen: pixels


def _colours_from(pictures: Pictures, options: Options, size: Size) -> tuple[Hashable, ...]:
    """What a recoloured style image depends on beside itself: part of the name under which what is
    measured of it is kept."""
    if options.preserve_color in ("histogram", "covariance"):
        return (options.preserve_color, *_seen(pictures.content), size, *_names_of_masks(pictures))
    return ()
