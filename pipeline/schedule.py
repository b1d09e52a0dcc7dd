"""The stages of a pair, decided once: at which sizes it is painted, in how many steps, in which
arithmetic, in which tiles. Standard library only.

Estimates, the look at the disk, the plan, the painter and its records read a `Schedule`; nobody
derives a size or a cut again.

Coarse to fine: the network sees 156 pixels at most at relu5_1, whatever the picture's size. Painted
at 2048 pixels at once, brush strokes are a quarter as large, in the picture, as at 512. Painted
small first and enlarged, the strokes are already there.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import BadImage
from pipeline.images.sizes import MAX_PIXELS, fit_longer_side
from pipeline.nst.tiling import Tiling, history_length, tiling
from pipeline.options import Options

Size = tuple[int, int]
"""(width, height) in pixels."""

# Of the coarsest size, in pixels: a picture is halved until it is nearer to this than its half
# would be. 512 is the default size. Looked at at 512, 1024 and 2048 px.
_SMALLEST = 512
# Shorter side, in pixels, of anything in the coarsest size: 4 positions at block 5.
_SHORTEST_COARSE = 64
# Evaluations at each coarser size, as a share of those at full size: an eighth more time, where all
# of them would cost a third.
_COARSE_SHARE = 0.5
# Nearest neighbours and transport begin where a picture is its composition alone: at 64 pixels, as
# Kolkin et al. (arXiv 2203.13215, 1904.12785) do at 512. Neighbours with as many evaluations at
# each size as they find enough in ours: the loss of 20 at 384 px is within a tenth of that of 30.
_SMALLEST_MATCHED = 64
_MATCHED_SHARE = 0.4
# Evaluations of the last pass for which a neighbour is taken for the nearest one.
_MATCHED_ANEW = 5
# Evaluations for which sampled places are kept.
_SAMPLED_ANEW = 5
# Sides that wrap are whole positions of every layer, to block 5, so that ends fit in all of them.
_WRAPPED = 16
# VGG halves a picture four times before block 5, whose 3 x 3 filters then still find two positions
# each way.
SHORTEST = 32
FINISHED = "finished"  # what the last measuring is called among the tilings


def stage_name(longer_side: int) -> str:
    """What the stage at this size is called."""
    return f"{longer_side} px"


class Sized(NamedTuple):
    """A picture's name, for messages, and its size. `fine` is the size of what is kept of it beside
    what was opened at `size`, where anything is."""

    name: str
    size: Size
    fine: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a schedule depends on beside the pair: the precision that `auto` means (`float32` or
    `bfloat16`), and how many bytes a worker may hold, None for what there is."""

    precision: str
    max_memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One descent of a pair. `style_sizes` are those of the styles, of each all its scales, and
    `content` is a factor of the content's weight. `steps` are evaluations; none where the picture
    is only measured. Where it goes on `until_still`, it ends before, when the picture comes no
    nearer to its styles. `history` is how many pairs L-BFGS remembers. Targets are made when it
    begins and, where `targets_every` is not 0, anew after so many evaluations. In the `last_pass`
    terms take the form that they have for it."""

    name: str  # `512 px`, or `finished`
    size: Size
    style_sizes: tuple[Size, ...]
    steps: int
    precision: str
    history: int
    tiling: Tiling | None
    style_tilings: tuple[Tiling | None, ...]
    targets_every: int = 0
    last_pass: bool = False
    until_still: bool = False
    content: float = 1.0

    @property
    def longer_side(self) -> int:
        """In pixels."""
        return max(self.size)

    def rounds(self, done: int) -> list[tuple[int, int]]:
        """The evaluations after which targets are made, and those before which they are made next,
        of a stage of which `done` evaluations were made before; at least one round."""
        every = self.targets_every or self.steps
        first = min(done, self.steps - 1) // every * every
        return [(begin, min(begin + every, self.steps)) for begin in range(first, self.steps, every)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The stages of a pair, coarse to fine, the last at full size; `finish` measures the finished
    picture in float32. `opened` is the size at which content and styles are opened: none larger
    than it is needed. `finished` is the size of the result, which is larger than the painting where
    that is sharpened."""

    stages: tuple[Stage, ...]
    finish: Stage
    opened: tuple[Size, ...]
    finished: Size

    @property
    def size(self) -> Size:
        """Of the painting."""
        return self.stages[-1].size

    def tilings(self) -> dict[str, Tiling]:
        """The tiles of every evaluation, by what is evaluated; nothing where nothing is cut. Bytes
        depend on them, as sums add up in another order."""
        return dict(_tilings((*self.stages, self.finish)))


def _tilings(stages: Sequence[Stage]) -> Iterator[tuple[str, Tiling]]:
    for stage in stages:
        if stage.tiling is not None:
            yield stage.name, stage.tiling
        for number, style in enumerate(stage.style_tilings, start=1):
            if style is not None:
                yield f"style {number} for {stage.name}", style


def schedule(options: Options, content: Sized, styles: Sequence[Sized], machine: Machine) -> Schedule:
    """The stages of a pair. Sizes are those of the files or, with the same result, as opened.

    Raises BadImage where too little would be left of a picture.
    """
    full, finished = painted_size(options, content), finished_size(options, content)
    beside = sharpening_bytes(options, finished) if finished != full else 0
    opened = [Sized(style.name, opened_style(options, style.size, max(full))) for style in styles]
    shortest = min(*full, *(min(each) for each in _style_sizes(options, opened, full)))
    matched = "neighbours" in options.style_losses
    from_small = matched or "transport" in options.style_losses
    coarsest = (_SMALLEST_MATCHED, SHORTEST) if from_small else (_SMALLEST, _SHORTEST_COARSE)

    def sizes(side: int) -> tuple[Size, tuple[Size, ...]]:
        size = _wrapped(options, _fitted(Sized(content.name, full), "content", side))
        return size, tuple(_style_sizes(options, opened, size))

    sides = _sides(max(full), options.scales, shortest, coarsest, sizes)
    usual = machine.precision if options.precision == "auto" else options.precision

    def stage(side: int, steps: int, *, name: str = "", precision: str = usual, last_pass: bool = False) -> Stage:
        size, style_sizes = sizes(side)
        tilings = [
            tiling(options, width * height, precision, machine.max_memory, beside)
            for width, height in (size, *style_sizes)
        ]
        return Stage(
            name=name or stage_name(side),
            size=size,
            style_sizes=style_sizes,
            steps=steps,
            precision=precision,
            history=history_length(options, size[0] * size[1]),
            tiling=tilings[0],
            style_tilings=tuple(tilings[1:]),
            targets_every=_MATCHED_ANEW if last_pass else _SAMPLED_ANEW if options.samples else 0,
            last_pass=last_pass,
            until_still=options.steps == "auto" and steps > 0,
            content=options.coarse_content ** (len(sides) - 1 - sides.index(side)) if options.content_weight else 1.0,
        )

    coarse = max(1, round(options.most_steps * (_MATCHED_SHARE if matched else _COARSE_SHARE)))
    before = [stage(side, coarse) for side in (sides if matched else sides[:-1])]
    return Schedule(
        stages=(*before, stage(sides[-1], options.most_steps, last_pass=matched)),
        finish=stage(sides[-1], 0, name=FINISHED, precision="float32", last_pass=matched),
        opened=(full, *(style.size for style in opened)),
        finished=finished,
    )


def finished_size(options: Options, content: Sized) -> Size:
    """The size of the picture that a photograph becomes: that at which it is painted, or a larger
    one to which it is sharpened, and which is never larger than the photograph. Raises BadImage."""
    painted = painted_size(options, content)
    side, own = fine_side(options), content.fine or content.size
    if side is None or not isinstance(options.size, int):
        return painted
    finished = min(side, max(own))
    return fit_longer_side(*own, finished) if finished > min(options.size, max(own)) else painted


def fine_side(options: Options) -> int | None:
    """The longer side, in pixels, that a photograph is kept at for its detail; None where it is
    not."""
    return sys.maxsize if options.sharpen_to == "original" else options.sharpen_to


# Of the photograph and the result in whole numbers, of Pillow's copy of it, four bytes a pixel, and
# of its file. Of 16 bits, the result before it is rounded, and two copies of it in whole numbers.
_SHARPENING_BYTES = {8: 3 + 3 + 4 + 3, 16: 3 + 3 + 12 + 2 * 6 + 6}


def sharpening_bytes(options: Options, finished: Size) -> int:
    """Bytes that are held beside the painting for a result of this size."""
    return _SHARPENING_BYTES[options.depth] * finished[0] * finished[1]


def painted_size(options: Options, content: Sized) -> Size:
    """The size at which a photograph is painted. It is opened at this size, or at its own where it
    has to be enlarged. Raises BadImage."""
    if isinstance(options.size, tuple):
        return _allowed(content, _wrapped(options, options.size))
    longest = max(content.size)
    if isinstance(options.size, str) or (longest < options.size and not options.enlarge):
        return _wrapped(options, _fitted(content, "content", longest))
    size = _wrapped(options, _fitted(content, "content", options.size))
    return _allowed(content, size) if longest < options.size else size


def _allowed(content: Sized, size: Size) -> Size:
    if size[0] * size[1] > MAX_PIXELS:
        raise BadImage(
            f"content {content.name} would be {size[0]}x{size[1]} pixels; at most {MAX_PIXELS // 10**6} million are"
            " allowed, so lower size"
        )
    return size


def notes_of_size(options: Options, content: Sized) -> list[str]:
    """What to say of a picture that has not the size that is asked for."""
    return [note for note in (_other_than_asked(options, content), _less_than_sharp(options, content)) if note]


def _less_than_sharp(options: Options, content: Sized) -> str:
    """What to say of a picture that `sharpen_to` does not bring to the size that it says, as its
    photograph has no more; else empty."""
    side, longest = fine_side(options), max(content.fine or content.size)
    if side is None or not isinstance(options.size, int):
        return ""
    if min(side, longest) <= options.size:
        return f"{content.name}: painted no smaller than 'sharpen_to' could make it, which does nothing"
    if longest < side != sys.maxsize:
        return f"{content.name}: {longest} px long, and so is the picture, not {side}"
    return ""


def _other_than_asked(options: Options, content: Sized) -> str:
    """What to say of a picture that becomes smaller than `size`, as its content is, or whose
    content is enlarged; else empty."""
    longest = max(content.size)
    if not isinstance(options.size, int) or longest >= options.size:
        return _shortened(options, content)
    if options.enlarge:
        return f"{content.name}: enlarged from {longest} to {options.size} px"
    return f"{content.name}: {longest} px long, and so is the picture, not {options.size}; 'enlarge: true' enlarges it"


def _shortened(options: Options, content: Sized) -> str:
    """What to say of a picture with a longer side that is not the one asked for, as it wraps."""
    width, height = options.size if isinstance(options.size, tuple) else content.size
    asked = options.size if isinstance(options.size, int) else max(width, height)
    longer = asked - (asked % _WRAPPED if options.wraps[width >= height] else 0)
    if longer == asked:
        return ""
    return f"{content.name}: {longer} px long, not {asked}: sides that wrap are multiples of {_WRAPPED}"


def _wrapped(options: Options, size: Size) -> Size:
    """The size, with sides that wrap a little shorter where they must be."""
    (down, across), (width, height) = options.wraps, size
    return width - (width % _WRAPPED if across else 0), height - (height % _WRAPPED if down else 0)


def opened_style(options: Options, size: Size, longer_side: int) -> Size:
    """The size at which a style image of `size` is opened for a result with this longer side. One
    that is squeezed into the content's shape needs more of one side than of the other: it is
    opened whole."""
    if options.style_aspect != "keep":
        return size
    return fit_longer_side(*size, min(max(size), style_side(options, longer_side)))


def style_side(options: Options, longer_side: int) -> int:
    """Longer side of the style images, at the largest of their scales, for a picture whose own
    longer side is `longer_side`."""
    return max(1, round(longer_side * max(options.style_scales)))


def _style_sizes(options: Options, styles: Sequence[Sized], size: Size) -> list[Size]:
    """The sizes of style images for a picture of `size`: of each style, all its scales."""
    return [_style_size(options, style, size, scale) for style in styles for scale in options.style_scales]


def _style_size(options: Options, style: Sized, size: Size, scale: float) -> Size:
    if options.style_aspect == "keep":
        return _fitted(style, "style", max(1, round(max(size) * scale)))
    width, height = (max(1, round(length * scale)) for length in size)
    return _long_enough(style.name, "style", (width, height))


def _fitted(picture: Sized, role: str, longer_side: int) -> Size:
    return _long_enough(picture.name, role, fit_longer_side(*picture.size, longer_side))


def _long_enough(name: str, role: str, size: Size) -> Size:
    if min(size) < SHORTEST:
        raise BadImage(
            f"{role} {name} would be {size[0]}x{size[1]} pixels; its shorter side must be at least "
            f"{SHORTEST}: raise {'size' if role == 'content' else 'size or style_scale'}, or crop it"
        )
    return size


def _sides(
    longer_side: int, scales: int | str, shortest: int, coarsest: tuple[int, int], sizes: Callable[[int], object]
) -> list[int]:
    """Longer sides in pixels, from coarse to fine, each half of the next, the last being
    `longer_side`.

    `scales` is their number or, with `auto`, as many as bring the longer side near to the first of
    `coarsest`. `shortest` is the shortest side of content and styles at full size: there are fewer
    sizes where it would become less than the second, or where `sizes` raises BadImage, as a side
    that wraps, or is rounded twice, can be a little less than that.
    """
    found, (smallest, shortest_coarse) = [longer_side], coarsest
    while (
        len(found) != scales
        and (scales != "auto" or found[0] > smallest * math.sqrt(2))
        and shortest >> len(found) >= shortest_coarse
    ):
        coarser = round(longer_side / 2 ** len(found))
        try:
            sizes(coarser)
        except BadImage:
            break
        found.insert(0, coarser)
    return found
