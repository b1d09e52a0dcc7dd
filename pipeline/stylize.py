"""One pair, from pixels to a painted picture. Start reading here.

    photograph, paintings   pixels, made the size the pair asks for                              images/
    targets                 what to keep of the one and take from the others                     nst/objective
    descent                 the picture X that minimises their weighted sum, step by step        nst/descent
    finish                  colours, strength, whole numbers                                     images/

TensorFlow is imported when a pair is painted, not when this module is: `import pipeline` takes milliseconds.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import OptionError
from pipeline.job import Losses, Reading
from pipeline.nst.pyramid import coarse_steps
from pipeline.options import Options
from pipeline.sizes import fitted, painted_sides, result_size, style_side
from pipeline.stage_inputs import Coarse, beginning, scene_of, step_up

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pipeline.images.picture import Picture
    from pipeline.nst.descent import Descent
    from pipeline.nst.engine import Workshop
    from pipeline.nst.weights import Weights as NetworkWeights

    Pixels = NDArray[np.float32]
    Source = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stylization:
    """A painted picture and how it came about.

    `pixels` are uint8 (height, width, 3), sRGB; `alpha` is float32 (height, width), 0..1, or None. `first` and `last` are the
    losses at the start and of the painting in whole numbers, before `preserve_color` and `strength`; `trace` holds one
    reading per evaluation. `precision` is the arithmetic of the descent; `last` is measured in float32 always. Times are in
    seconds: `setup_seconds` until the first evaluation, `seconds` in all.
    `deep`, for `depth: 16` alone, is the picture before it was rounded to `pixels`: float32 (height, width, 3), 0..255.
    """

    pixels: NDArray[np.uint8]
    alpha: Pixels | None
    trace: tuple[Reading, ...]
    first: Losses
    last: Losses
    setup_seconds: float
    seconds: float
    precision: str
    notes: tuple[str, ...] = ()
    deep: Pixels | None = None

    @property
    def image(self) -> Image.Image:
        """The picture as a Pillow image, RGB or, where the content was transparent, RGBA."""
        from pipeline.images.encode import to_pillow

        return to_pillow(self.pixels, self.alpha)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """Where the painting of a pair stands, to go on from there: `step` evaluations made at the size `stage` of its pyramid (0
    the coarsest), `seconds` spent in all, readings and the descent's arrays by name."""

    stage: int
    step: int
    seconds: float
    trace: tuple[Reading, ...]
    arrays: dict[str, NDArray[np.generic]]


Painting = Generator[tuple[Reading, Callable[[], Progress]], None, Stylization]
"""Readings, each with what takes down where the walk stands, and at last the finished picture."""


def stylize(content: Source, style: Source | list[Source | tuple[Source, float]], **options: Any) -> Stylization:
    """Paint one picture: `stylize("photo.jpg", "starry.jpg", size=512, steps=300, seed=7).image.save("out.png")`.

    `content` and `style` are paths, Pillow images or uint8 arrays (height, width, 3), RGB. `style` may be a list of them, or
    of pairs with their share in the blend: `[("kandinsky.jpg", 2), ("wave.jpg", 1)]`. Every option of a manifest's pair is a
    keyword. Raises OptionError, a ValueError, naming a wrong option and what it may be; BadImage for a picture that cannot be
    opened; WeightsError where the network is missing; Diverged where the loss became infinite.
    """
    from pipeline.images.picture import open_any
    from pipeline.manifest import options_from_python
    from pipeline.nst.weights import locate

    wanted = options_from_python(options)
    styles = _shares(style)
    painting = paint(
        open_any(content),
        [(open_any(source), share) for source, share in styles],
        wanted,
        _workshop(locate(wanted.weights)),
        start=open_any(wanted.init) if wanted.starts_from_file else None,
    )
    return finished(painting)


def _shares(style: Source | list[Source | tuple[Source, float]]) -> list[tuple[Source, float]]:
    """One style or a list of them as pairs of source and share."""
    entries = style if isinstance(style, list) else [style]
    if not entries:
        raise OptionError("style must be a picture or a list of at least one. Received: []")
    pairs = [entry if isinstance(entry, tuple) else (entry, 1.0) for entry in entries]
    for pair in pairs:
        share = pair[1] if len(pair) == 2 else None
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < math.inf:
            raise OptionError(f"a style with a share must be (picture, number above 0). Received the share: {share!r}")
    return pairs


@functools.lru_cache(maxsize=1)
def _workshop(weights: NetworkWeights) -> Workshop:
    """The network of the last call, for callers that paint many pictures from Python."""
    from pipeline.nst.engine import Workshop

    return Workshop(weights)


def finished(painting: Painting) -> Stylization:
    """What a painting comes to, without a look at its readings."""
    while True:
        try:
            next(painting)
        except StopIteration as end:
            result: Stylization = end.value
            return result


def paint(
    content: Picture,
    styles: Sequence[tuple[Picture, float]],
    options: Options,
    workshop: Workshop,
    *,
    start: Picture | None = None,
    resume: Progress | None = None,
) -> Painting:
    """The walk of one pair. `styles` are pictures with their shares; `start` is the picture of `init`, where it is a path.

    After each evaluation it yields the reading, and a function that takes down where the walk stands: given back as
    `resume`, with the same pair on the same machine, it ends in the same bytes. Returns the finished picture.
    """
    import numpy as np
    import tensorflow as tf

    from pipeline.images.encode import to_uint8
    from pipeline.images.scale import resize_alpha
    from pipeline.nst.objective import Weights
    from pipeline.nst.precision import effective_precision

    began = time.perf_counter() - (resume.seconds if resume else 0.0)
    size = result_size(content, options)
    sides = painted_sides(content, styles, options)
    precision = effective_precision(options.precision)
    weights = Weights.of(options)
    trace = list(resume.trace) if resume else []
    coarse: Coarse | None = None
    setup_seconds = 0.0
    notes: list[str] = []

    for stage in range(resume.stage if resume else 0, len(sides)):
        side, final = sides[stage], stage == len(sides) - 1
        fit = size if final else fitted(content, "content", side)
        scene = scene_of(content, styles, options, workshop, fit, precision)
        steps = options.steps if final else coarse_steps(options.steps)
        descent = workshop.descent(options, scene.photograph.shape)
        descent.prepare(scene.targets, weights)
        if resume and stage == resume.stage:
            descent.restore(resume.arrays)
            resume.arrays.clear()  # gigabytes, for large pictures: once is enough
            done = resume.step
        else:
            descent.start(
                tf.constant(beginning(options, scene, start) if coarse is None else step_up(coarse, scene, options))
            )
            done = 0
        coarse = None  # pictures of millions of pixels, not needed again
        clock = time.perf_counter() - (trace[-1].seconds if trace else 0.0)
        setup_seconds = clock - began
        diagnose = functools.partial(workshop.first_not_finite, options)
        patience = options.patience if final else 0
        walk = descent.run(steps, scene.targets, weights, after=done, patience=patience, diagnose=diagnose)
        for step, distances in walk:
            reading = _reading(step, side, time.perf_counter() - clock, *distances)
            if final:
                trace.append(reading)
            yield reading, functools.partial(_progress, stage, step, began, trace, descent)
        notes += [f"step {step} at {side} px: {_SETBACK}" for step in descent.setbacks]
        notes += [f"stopped at step {descent.flat_at} of {steps}: {_FLAT}"] if descent.flat_at else []
        coarse = Coarse(descent.best.numpy(), scene.photograph)
        del descent, walk, scene  # before the next size is made room for

    assert coarse is not None  # there is at least one size
    painted = to_uint8(coarse.picture)
    best = coarse.picture if options.depth == 16 else None
    del coarse
    exact = scene_of(content, styles, options, workshop, size, "float32")
    last = workshop.loss(options, painted.astype(np.float32), exact.targets, weights)
    return Stylization(
        pixels=_finished(painted, exact.photograph, options),
        deep=None if best is None else _blended(np.clip(best, 0, 255), exact.photograph, options),
        alpha=None if content.alpha is None else resize_alpha(content.alpha, *size),
        trace=tuple(trace),
        first=_losses(trace[0]),
        last=Losses(**{name: float(distance) for name, distance in last._asdict().items()}),
        setup_seconds=setup_seconds,
        seconds=time.perf_counter() - began,
        precision=precision,
        notes=(*_notes(content, styles, style_side(max(size), options), start), *notes),
    )


_FLAT = "the loss fell by less than a thousandth in as many steps as patience allows"
_SETBACK = "loss or gradient was not finite; went back to the best picture with half the step"


def _progress(stage: int, step: int, began: float, trace: Sequence[Reading], descent: Descent) -> Progress:
    return Progress(stage, step, time.perf_counter() - began, tuple(trace), dict(descent.state()))


def _blended(pixels: Pixels, photograph: Pixels, options: Options) -> Pixels:
    """Pixels with the content's colours and blended with the content, as asked for."""
    from pipeline.images.colour import blend, transfer_luminance

    if options.preserve_color == "luminance":
        pixels = transfer_luminance(pixels, photograph)
    return blend(photograph, pixels, options.strength)


def _finished(painted: NDArray[np.uint8], photograph: Pixels, options: Options) -> NDArray[np.uint8]:
    """The painting with the content's colours and blended with the content, as asked for."""
    from pipeline.images.encode import to_uint8

    if options.preserve_color == "none" and options.strength == 1.0:
        return painted
    return to_uint8(_blended(painted.astype("float32"), photograph, options))


def _notes(
    content: Picture, styles: Sequence[tuple[Picture, float]], side: int, start: Picture | None
) -> tuple[str, ...]:
    """What the pictures' own notes say, and which style images had to be enlarged."""
    pictures = [content, *(style for style, _share in styles), *([start] if start else [])]
    notes = [f"{picture.name}: {note}" for picture in pictures for note in picture.notes]
    for style, _share in styles:
        if max(style.size) < side:
            notes.append(
                f"{style.name}: enlarged from {max(style.size)} to {side} px; its strokes are softer than the picture"
            )
    return tuple(dict.fromkeys(notes))


def _reading(step: int, side: int, seconds: float, total: float, content: float, style: float, tv: float) -> Reading:
    return Reading(step=step, seconds=seconds, total=total, content=content, style=style, tv=tv, side=side)


def _losses(reading: Reading) -> Losses:
    return Losses(total=reading.total, content=reading.content, style=reading.style, tv=reading.tv)
