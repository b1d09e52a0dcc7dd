"""What one size of a pair is painted from: its pixels, what to make of them, and where the descent begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.options import Options
from pipeline.sizes import style_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.picture import Picture
    from pipeline.nst.engine import Workshop
    from pipeline.nst.objective import Targets

    Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What one size of the pyramid is painted from: pixels (height, width, 3) of that size, and what to make of them."""

    photograph: Pixels
    painting: Pixels | None  # the first style image, where the descent starts from it
    targets: Targets


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """A picture painted at a smaller size, and the photograph at that size."""

    picture: Pixels
    photograph: Pixels


def scene_of(
    content: Picture,
    styles: Sequence[tuple[Picture, float]],
    options: Options,
    workshop: Workshop,
    size: tuple[int, int],
    precision: str,
) -> Scene:
    """A pair at one size (width, height), its targets measured in `precision`, `float32` or `bfloat16`. Raises BadImage where
    too little would be left of a style image."""
    from pipeline.nst.objective import Targets, blend

    photograph = _resized(content, size)
    recoloured = _recolouring(options, photograph)
    paintings = [recoloured(_resized(style, style_size(style, size, options))) for style, _share in styles]
    measured = [
        workshop.style_targets(options, (*_seen(style), *_colours_from(content, options, size)), painting, precision)
        for (style, _share), painting in zip(styles, paintings, strict=True)
    ]
    targets = Targets(
        workshop.content_targets(options, _seen(content), photograph, precision),
        blend(measured, [share for _style, share in styles]),
    )
    return Scene(photograph, paintings[0] if options.init == "style" else None, targets)


def _resized(picture: Picture, size: tuple[int, int]) -> Pixels:
    """Its pixels at a size (width, height), not to be written to: as they are where they have it, large ones need not be held
    twice."""
    from pipeline.images.scale import resize

    return picture.pixels if picture.size == size else resize(picture.pixels, *size)


def _seen(picture: Picture) -> tuple[object, ...]:
    """What decides a picture's pixels: the file, and the size at which it was opened, which a large one's is not its own."""
    return (picture.sha256, picture.size)


def step_up(coarse: Coarse, scene: Scene, options: Options) -> Pixels:
    """A coarse picture at the next size; one that began as the photograph gets the detail of it that it could not hold."""
    import numpy as np

    from pipeline.images.scale import resize

    height, width, _ = scene.photograph.shape
    enlarged: Pixels = resize(coarse.picture, width, height)
    if options.init != "content":
        return enlarged
    detailed: Pixels = np.clip(enlarged + scene.photograph - resize(coarse.photograph, width, height), 0, 255)
    return detailed


def beginning(options: Options, scene: Scene, start: Picture | None) -> Pixels:
    """The picture the descent starts from (height, width, 3); another shape than the photograph's is filled and cropped."""
    import numpy as np

    from pipeline.images.scale import cover

    height, width, _ = scene.photograph.shape
    if start is not None:
        return cover(start.pixels, width, height)
    if scene.painting is not None:
        return cover(scene.painting, width, height)
    if options.init == "noise":
        noise = np.random.default_rng(options.seed).normal(_MIDDLE_GREY, options.noise_level, scene.photograph.shape)
        mixed = options.noise_ratio * noise + (1 - options.noise_ratio) * scene.photograph
        return np.clip(mixed, 0, 255).astype(np.float32)
    return scene.photograph


# The paper starts from "a white noise image" and gives no more; the default level of 40 stays mostly inside 0..255.
_MIDDLE_GREY = 127.5


def _recolouring(options: Options, photograph: Pixels) -> Callable[[Pixels], Pixels]:
    """What happens to the style images' colours beforehand, so that the painting keeps the content's: Gatys et al.,
    "Preserving Color in Neural Artistic Style Transfer" (arXiv 1606.05897), colour histogram matching."""
    from pipeline.images.colour import match_covariance, match_histogram

    if options.preserve_color == "histogram":
        return lambda painting: match_histogram(painting, photograph)
    if options.preserve_color == "covariance":
        return lambda painting: match_covariance(painting, photograph)
    return lambda painting: painting


def _colours_from(content: Picture, options: Options, size: tuple[int, int]) -> tuple[object, ...]:
    """What a recoloured style image depends on beside itself: part of the name under which its targets are kept."""
    if options.preserve_color in ("histogram", "covariance"):
        return (options.preserve_color, *_seen(content), size)
    return ()
