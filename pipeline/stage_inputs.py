"""What one stage of a pair is painted from: its pixels, what to compare with, where the descent
begins."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import Size, Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.picture import Picture
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.objective import LossWeights, Targets
    from pipeline.nst.terms.term import Sources

    Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StageInputs:
    """The pictures of one stage, at its size: pixels (height, width, 3). `photograph` and
    `style_images` are recoloured where the pair asks for it; `style_alphas` are their opacity
    (height, width), 0..1, None for those without."""

    stage: Stage
    photograph: Pixels
    style_images: tuple[Pixels, ...]
    style_alphas: tuple[Pixels | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StageResult:
    """A picture painted at one size, and the photograph at that size."""

    picture: Pixels
    photograph: Pixels


def stage_inputs(pictures: Pictures, options: Options, stage: Stage) -> StageInputs:
    """The pictures of a pair at the sizes of a stage."""
    from pipeline.images.colour import match_colours

    photograph, seen = pictures.content.resized(*stage.size)
    recoloured = _recolouring(options, photograph, seen)
    styles = [style.resized(*size) for (style, _share), size in zip(pictures.styles, stage.style_sizes, strict=True)]
    style_images = tuple(recoloured(pixels, alpha) for pixels, alpha in styles)
    style_alphas = tuple(alpha for _pixels, alpha in styles)
    if options.match_color in ("before", "both"):
        shares = (share for _style, share in pictures.styles)
        palette = list(zip(style_images, style_alphas, shares, strict=True))
        photograph = match_colours(photograph, palette, seen, options.match_strength)
    return StageInputs(stage, photograph, style_images, style_alphas)


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
    from pipeline.nst.terms.term import Sources, Style

    stage = inputs.stage
    setting = Setting(options, stage.precision, stage.tiling, stage.last_pass)
    colours = _colours_from(pictures.content, options, stage.size)
    of_styles = replace(setting, options=replace(options, wrap="none"))
    styles = [
        Style(
            engine.image(replace(of_styles, tiling=tiling), pixels, (*_seen(style), *colours), alpha),
            share,
        )
        for (style, share), pixels, alpha, tiling in zip(
            pictures.styles, inputs.style_images, inputs.style_alphas, stage.style_tilings, strict=True
        )
    ]
    photograph = engine.image(
        setting, inputs.photograph, (*_seen(pictures.content), *_palette(pictures, options, stage))
    )
    mixed = place[0] > 0 and setting.objective.needs_start  # for terms that ask for no start it is nobody's
    guide = _guide(inputs.photograph, start, options) if mixed else inputs.photograph
    return Sources(
        photograph,
        styles,
        start=engine.image(setting, start, None),
        guide=engine.image(setting, guide, None),  # what is measured of it is large, and of use once
        seed=int(np.random.SeedSequence((options.seed, *place)).generate_state(1)[0]),
    )


# The share of the picture as it stands in what is to be painted, and how many times the photograph
# without its finest detail is smaller: Kolkin et al., "Neural Neighbor Style Transfer" (arXiv
# 2203.13215), α of their section 3.2 and the finest band of their pyramid.
_GUIDE_SHARE = 0.25
_FINEST_BAND = 2


def _guide(photograph: Pixels, picture: Pixels, options: Options) -> Pixels:
    """The photograph, mixed with the picture as it stands under the photograph's finest detail."""
    detail = photograph - _without_detail(photograph, _FINEST_BAND, options)
    return _GUIDE_SHARE * (picture + detail) + (1 - _GUIDE_SHARE) * photograph


def _without_detail(photograph: Pixels, band: int, options: Options) -> Pixels:
    """The photograph as it is once it was so many times smaller."""
    height, width, _ = photograph.shape
    coarse = _resized(photograph, max(1, width // band), max(1, height // band), options)
    return _resized(coarse, width, height, options)


def _resized(picture: Pixels, width: int, height: int, options: Options) -> Pixels:
    """A picture of a pair as (height, width, 3); one that wraps still does."""
    from pipeline.images.scale import resize_wrapped

    return resize_wrapped(picture, width, height, options.wraps)


class Aim(NamedTuple):
    """What a round of a stage descends on. `start` is the picture that its targets were made from,
    where they depend on it."""

    targets: Targets
    weights: Mapping[str, LossWeights]
    start: Pixels | None


def aim_of(
    pictures: Pictures,
    inputs: StageInputs,
    options: Options,
    engine: TransferEngine,
    seen: Pixels,
    place: tuple[int, int],
) -> Aim:
    """The aim of the round that begins at `place`, stage and evaluations, with the picture
    `seen`."""
    from pipeline.nst.objective import objective_of, weights_of

    objective = objective_of(options, last_pass=inputs.stage.last_pass)
    targets = objective.targets(sources(pictures, inputs, options, engine, seen, place))
    return Aim(targets, weights_of(options), seen if objective.needs_start else None)


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
        return cover(inputs.style_images[0], width, height)
    if options.init == "blurred":
        return _without_detail(inputs.photograph, _BLURRED, options)
    if options.init == "gray":
        return np.full_like(inputs.photograph, _MIDDLE_GREY)
    if options.init == "noise":
        random = np.random.default_rng(options.seed)
        noise = random.normal(_MIDDLE_GREY, options.noise_level, inputs.photograph.shape)
        mixed = options.noise_ratio * noise + (1 - options.noise_ratio) * inputs.photograph
        return np.clip(mixed, 0, 255).astype(np.float32)
    return inputs.photograph


# By how much the photograph is made smaller for `init: blurred`: Kolkin et al. start without its
# three finest bands.
_BLURRED = 8
# The paper starts from "a white noise image" and gives no more; the default level of 40 stays
# mostly inside 0..255.
_MIDDLE_GREY = 127.5


def _upsampled(before: StageResult, photograph: Pixels, options: Options) -> Pixels:
    """A coarse picture at the next size. One that began as the photograph gets the detail of it
    that it could not hold."""
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
        (*_seen(style), share, size) for (style, share), size in zip(pictures.styles, stage.style_sizes, strict=True)
    )
    return (options.match_strength, options.preserve_color, *styles)


def _recolouring(
    options: Options, photograph: Pixels, seen: Pixels | None
) -> Callable[[Pixels, Pixels | None], Pixels]:
    """What happens to the style images' colours beforehand, so that the result keeps the content's:
    Gatys et al., "Preserving Color in Neural Artistic Style Transfer" (arXiv 1606.05897), colour
    histogram matching. `seen` is the photograph's opacity; what is made takes a style image with
    its own."""
    from pipeline.images.colour import match_covariance, match_histogram

    if options.preserve_color == "histogram":
        return lambda pixels, alpha: match_histogram(pixels, photograph, alpha, seen)
    if options.preserve_color == "covariance":
        return lambda pixels, alpha: match_covariance(pixels, photograph, alpha, seen)
    return lambda pixels, alpha: pixels


def _colours_from(content: Picture, options: Options, size: Size) -> tuple[Hashable, ...]:
    """What a recoloured style image depends on beside itself: part of the name under which what is
    measured of it is kept."""
    if options.preserve_color in ("histogram", "covariance"):
        return (options.preserve_color, *_seen(content), size)
    return ()
