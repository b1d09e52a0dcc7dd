"""The frames of a clip, painted one after the other so that they hold together.

    cut        the first frame of a shot is painted as a still picture is       clips/flow
    carry      earlier frames, as painted, along the flow to this one           clips/flow
    fresh      what was uncovered is painted anew, small                        stylize
    descent    from both, with what was carried as one more term                nst/terms/temporal

Ruder, Dosovitskiy, Brox (arXiv 1604.08610) with our network and descent. A frame depends on its
photograph, the options, the styles, and on those earlier frames that `wanted` names, in 8 bits, and
on nothing else: who gives these back goes on in the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.clip_names import CLOSING_FRAMES
from pipeline.clips.carrying import Earlier, Followed, closing, flicker, follow
from pipeline.clips.flow import softened
from pipeline.errors import BadImage
from pipeline.images.encode import to_uint8
from pipeline.images.picture import Picture
from pipeline.images.scale import resize
from pipeline.options import Options
from pipeline.pictures import Carried, Pictures, with_content
from pipeline.reading import Losses, Reading
from pipeline.schedule import SHORTEST, Machine, Schedule
from pipeline.stylization import Stylization
from pipeline.stylize import Progress, paint

if TYPE_CHECKING:
    from pipeline.nst.engine import TransferEngine

Levels = NDArray[np.uint8]
Floats = NDArray[np.float32]

TEMPORAL = "temporal"  # the name of the loss that only frames after the first have
# How many frames back is looked: Ruder et al., section 3.3, J = {1, 2, 4, ...}.
_BACK = (1, 2, 4, 8)
# Share of positions that were uncovered below which nothing is painted afresh: at 512 pixels a
# square of 23, spread along all edges; chosen by eye.
_NEARLY_NOTHING = 0.002
# Evaluations at full size that a frame takes after another: of neighbours, 128 px, a moving camera,
# losses are 1.00 of a still's after 15 (docs/method.md). More where more than a twentieth was
# uncovered, as what was painted small is brought to the full size.
_STEPS, _MANY, _MUCH = 15, 20, 0.05
# Where nothing reliable comes from before in as much of a frame as this, what was painted is held
# by so much of the weight: what is new must meet it, which costs both their loss. It is 1.076 of
# stills' with all of the weight and 1.047 with 0.3, with 16 % uncovered (docs/method.md).
_VERY_MUCH, _LOOSE = 0.15, 0.3
# Evaluations of a fresh painting where there is no last pass; with one, the share of a still's that
# each size takes: frames of a body that crosses lose 0.1 % more than with all of them, in 0.86 of
# the time (with half of them 0.07 %, in 0.77).
_FRESH_STEPS, _FRESH_SHARE = 20, 0.7
# In the place of a painting, where only the photograph is looked at.
_NOTHING = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class FrameIn:
    """A frame to be painted: its number, from 0 in the order shown, and its picture, whose `sha256`
    is that of its pixels. `pictures`, where it is given, has this frame's styles and masks."""

    number: int
    picture: Picture
    pictures: Pictures | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PaintedFrame:
    """A frame as it is shown, `pixels` uint8 (height, width, 3) with `alpha` (height, width), 0..1,
    or None; and how it came about.

    `painted` is what later frames follow, and `remember` takes back: the same array as `pixels`
    where the options do not blend, recolour or sharpen the result. `first` and `last` are losses by
    name, `total` with `temporal` where there is one. `evaluations` are of loss and gradient, each
    by its size: one of a quarter of the positions is a quarter. `reliable` is the share of
    positions that could be followed, `flicker` how much these differ from the frame before (grey
    levels, root mean square), and `own_flicker` how much the photograph's do: None at the first
    frame and at a `cut`, where a new shot begins.
    """

    number: int
    pixels: Levels
    painted: Levels
    alpha: Floats | None
    first: Losses
    last: Losses
    evaluations: float
    seconds: float
    flicker: float | None
    own_flicker: float | None
    reliable: float
    cut: bool
    notes: tuple[str, ...] = ()

    @property
    def loss(self) -> float:
        """The last loss without the temporal term's."""
        return self.last["total"] - self.last.get(TEMPORAL, 0.0)


Step = tuple[Reading, Callable[[], Progress]]
PaintingOfFrame = Generator[Step, object, PaintedFrame]


class Sequence:
    """Paints the frames of a clip in their order. It remembers no more than the frames that later
    ones ask for: memory does not grow with the clip."""

    def __init__(
        self,
        pictures: Pictures,
        options: Options,
        schedule: Schedule,
        engine: TransferEngine,
        *,
        frames: int,
        loop: bool = False,
        max_memory: int | None = None,
    ) -> None:
        """`pictures` hold styles and masks, and any frame as the content; `schedule` is of that,
        and of every frame, `frames` in all. With `loop` the first follows the last."""
        self._pictures, self._schedule, self._engine = pictures, schedule, engine
        # Frames are matched each by itself: what lies beside what would be another in the next.
        self._options = replace(options, coherence=0.0)
        self._frames, self._loop, self._max_memory = frames, loop, max_memory
        self._memory: dict[int, Earlier] = {}

    def wanted(self, number: int) -> list[int]:
        """The earlier frames that frame `number` looks at, the nearest first; of a loop its last
        ones look at the first too."""
        found = [number - back for back in _BACK if number >= back]
        return [*found, 0] if self._closes(number) and 0 not in found else found

    def remember(self, frame: FrameIn, painted: Levels) -> None:
        """Take back a frame that was painted by an earlier run: `PaintedFrame.painted`."""
        self._memory[frame.number] = replace(self._arrived(frame), painted=painted)

    def paint(self, frame: FrameIn) -> PaintingOfFrame:
        """Paint a frame. Yields as `stylize.paint` does; who ends it early gets no frame. Raises as
        that does."""
        began = time.perf_counter()
        self._check_size(frame.picture)
        here = self._arrived(frame)
        before = self._memory.get(frame.number - 1)
        followed = self._follow(frame.number, here)
        pictures = with_content(frame.pictures or self._pictures, frame.picture)
        walk = _Walk(self, pictures, followed, self._unchanged(frame, here.photograph))
        result = yield from walk.paint()
        pixels, alpha = walk.shown(result)
        here = replace(here, painted=result.pixels)
        self._forget(frame.number)
        self._memory[frame.number] = here
        change = None if followed is None or before is None else flicker(here, before)
        return PaintedFrame(
            number=frame.number,
            pixels=pixels,
            painted=result.pixels,
            alpha=alpha,
            first=result.first,
            last=result.last,
            evaluations=round(walk.evaluations, 2),
            seconds=time.perf_counter() - began,
            flicker=None if change is None else change.painted,
            own_flicker=None if change is None else change.own,
            reliable=followed.share if followed else 0.0,
            cut=followed is None and before is not None,
            notes=result.notes,
        )

    def _check_size(self, picture: Picture) -> None:
        size = self._pictures.content.size
        if picture.size != size:
            shown, first = ("{}x{} pixels".format(*each) for each in (picture.size, size))
            raise BadImage(f"{picture.name} is {shown}, other frames of the clip are {first}; all must have one size")

    def _arrived(self, frame: FrameIn) -> Earlier:
        """A frame as flow sees it: its photograph, at the size of the painting."""
        size = self._schedule.size
        styles = None if frame.pictures is None else frame.pictures.style_map(*size)
        return Earlier(to_uint8(frame.picture.resized(*size)[0]), _NOTHING, styles)

    def _follow(self, number: int, here: Earlier) -> Followed | None:
        """What is carried from earlier frames; None where a shot begins."""
        if number - 1 not in self._memory:
            return None
        known = [self._memory[other] for other in self.wanted(number) if other in self._memory]
        followed = follow(here.photograph, known, here.styles)
        if self._closes(number) and 0 in self._memory:
            return closing(followed, here.photograph, self._memory[0], 1 / (self._frames - number + 1), here.styles)
        return followed

    def _unchanged(self, frame: FrameIn, photograph: Levels) -> bool:
        """Does the frame show the same as the one before it? In drawn animation many do."""
        before = self._memory.get(frame.number - 1)
        alike = before is not None and np.array_equal(before.photograph, photograph)
        return alike and frame.pictures is None and not self._closes(frame.number)

    def _closes(self, number: int) -> bool:
        """Is the frame one of the last of a loop?"""
        return self._loop and number > 0 and number >= self._frames - CLOSING_FRAMES

    def _forget(self, number: int) -> None:
        """What no later frame asks for."""
        kept = {0} if self._loop else set()
        for other in list(self._memory):
            if other <= number - max(_BACK) and other not in kept:
                del self._memory[other]


@dataclass(slots=True, eq=False)
class _Walk:
    """A frame on its way."""

    sequence: Sequence
    pictures: Pictures
    followed: Followed | None
    unchanged: bool
    evaluations: float = 0.0

    @property
    def _size(self) -> tuple[int, int]:
        return self.sequence._schedule.size

    def paint(self) -> Generator[Step, object, Stylization]:
        """What later frames follow."""
        plain = replace(self.pictures, content=replace(self.pictures.content, fine=None))
        if self.followed is None:
            return (yield from self._counted(plain, as_painted(self.sequence._options), self.sequence._schedule))
        return (yield from self._onward(plain, self.followed))

    def _onward(self, pictures: Pictures, followed: Followed) -> Generator[Step, object, Stylization]:
        """A frame that follows others."""
        start, held = followed.pixels, softened(followed.covered) * followed.firm
        if 1 - followed.seen.mean() > _NEARLY_NOTHING:
            fresh, there = (yield from self._fresh(pictures)), softened(followed.seen)[..., np.newaxis]
            start = there * followed.pixels + (1 - there) * fresh
        schedule, options = self._short(), as_painted(self.sequence._options)
        if self.unchanged:  # its one evaluation is of the picture that stands
            options = replace(options, match_color=_BEFORE.get(options.match_color, "none"), average=0.0)
        carried = Carried(followed.pixels, held, options.temporal_weight * self._hold())
        onward = replace(pictures, start=Picture(start, None, "", "carried"), carried=carried)
        return (yield from self._counted(onward, _holding(options), schedule))

    def _fresh(self, pictures: Pictures) -> Generator[Step, object, Floats]:
        """The whole frame painted small, enlarged: (height, width, 3)."""
        options, schedule = self._small(pictures)
        if len(schedule.stages) > 1 and schedule.stages[-1].last_pass:
            schedule = replace(schedule, stages=schedule.stages[:-1])
        result = yield from self._counted(pictures, options, schedule)
        return resize(result.pixels, *self._size)

    def _small(self, pictures: Pictures) -> tuple[Options, Schedule]:
        """How a fresh painting is made: at half the size or, where that would leave too little of
        a picture, at all of it."""
        stage = self.sequence._schedule.stages[-1]
        most = self.sequence._options.most_steps
        steps = max(1, round(_FRESH_SHARE * most)) if stage.last_pass else min(_FRESH_STEPS, most)
        options = as_painted(replace(self.sequence._options, steps=steps))
        machine = Machine(precision=stage.precision, max_memory=self.sequence._max_memory)
        if min(min(size) for size in (self._size, *stage.style_sizes)) // 2 >= SHORTEST:
            half = replace(options, size=max(self._size) // 2, enlarge=False)
            with suppress(BadImage):  # sides are rounded, and those that wrap shortened
                return half, pictures.schedule(half, machine)
        return options, pictures.schedule(options, machine)

    @property
    def _new(self) -> float:
        """The share of the frame that no earlier one shows."""
        return 0.0 if self.followed is None else 1 - float(self.followed.seen.mean())

    def _hold(self) -> float:
        """What the temporal term's weight is multiplied by."""
        uncovered = 0.0 if self.followed is None else 1 - self.followed.share
        return float(np.interp(uncovered, (_MUCH, _VERY_MUCH), (1.0, _LOOSE)))

    def _short(self) -> Schedule:
        """The last stage alone."""
        schedule, options = self.sequence._schedule, self.sequence._options
        count = min(_MANY if self._new > _MUCH else _STEPS, options.most_steps)
        count = count if options.steps_per_frame == "auto" else int(options.steps_per_frame)
        count = 1 if self.unchanged else count
        return replace(schedule, stages=(replace(schedule.stages[-1], steps=count, until_still=False),))

    def _counted(
        self, pictures: Pictures, options: Options, schedule: Schedule
    ) -> Generator[Step, object, Stylization]:
        """A painting, its evaluations being counted."""
        painting = paint(pictures, options, schedule, self.sequence._engine)
        longest = max(self._size)
        while True:
            try:
                step = next(painting)
            except StopIteration as end:
                result: Stylization = end.value
                return result
            self.evaluations += (step[0].side / longest) ** 2
            yield step

    def shown(self, result: Stylization) -> tuple[Levels, Floats | None]:
        """Pixels and alpha, with what is done to a finished picture."""
        from pipeline.finishing import finished
        from pipeline.stage_inputs import stage_inputs

        options, pictures = self.sequence._options, self.pictures
        if pictures.content.fine is None and replace(as_painted(options), depth=options.depth) == options:
            return result.pixels, result.alpha
        coloured = replace(options, match_color="none", depth=8)  # the style's colours are there
        inputs = stage_inputs(pictures, coloured, self.sequence._schedule.finish)
        found = finished(pictures, inputs, coloured, result.pixels.astype(np.float32))
        return found.pixels, found.alpha


def as_painted(options: Options) -> Options:
    """The options of what later frames follow: what is done to a finished picture is left out, but
    for the style's colours."""
    luminance = options.preserve_color == "luminance"
    return replace(
        options,
        strength=1.0,
        preserve_color="none" if luminance else options.preserve_color,
        sharpen_to=None,
        depth=8,
    )


# What is left of `match_color` where the result is not to be matched.
_BEFORE = {"both": "before", "before": "before"}


def _holding(options: Options) -> Options:
    """The options with the temporal term, whose weight `aim` finds."""
    from pipeline.nst.own_terms import OptionsWithTerms, with_terms
    from pipeline.nst.terms.temporal import Temporal

    own = options.own_terms if isinstance(options, OptionsWithTerms) else ()
    return with_terms(options, [*own, (Temporal(), 0.0)])
