"""One pair, from pixels to a painted picture. Start reading here.

    pictures    photograph and style images, opened no larger than needed            pictures
    schedule    the sizes they are painted at, coarse to fine, and how               schedule
    targets     what to keep of the one and take from the others                     nst/terms
    descent     the picture X that minimises their weighted sum, step by step        nst/descent
    finish      colours, strength, full size, whole numbers                          finishing

TensorFlow is imported when a pair is painted, not when this module is: `import pipeline` takes
milliseconds.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.aim import Aim, aim_of
from pipeline.finishing import distance_as_viewed, finished, notes_of
from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.reading import Losses, Reading, split_by_layer
from pipeline.schedule import Schedule
from pipeline.stage_inputs import StageInputs, StageResult, initial_image, sources, stage_inputs
from pipeline.stylization import Stylization

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.images.stillness import Stillness
    from pipeline.nst.descent import Descent
    from pipeline.nst.engine import Setting, TransferEngine
    from pipeline.nst.objective import LossWeights

    Pixels = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Progress:
    """Where the painting of a pair stands, to go on from there: `step` evaluations made in stage
    number `stage` of its schedule (0 the coarsest; `final` says whether it is the last), `seconds`
    spent in all, readings and the descent's arrays by name."""

    stage: int
    step: int
    seconds: float
    trace: tuple[Reading, ...]
    arrays: dict[str, NDArray[np.generic]]
    final: bool = True

    def hand_over(self) -> dict[str, NDArray[np.generic]]:
        """The arrays, which are gone here afterwards: gigabytes, of large pictures."""
        arrays, self.arrays = self.arrays, {}
        return arrays


Painting = Generator[tuple[Reading, Callable[[], Progress]], object, Stylization]
"""Readings, each with what takes a snapshot of where the painting stands; at last the result. Sent
False, it ends there and keeps the best picture."""


Result = TypeVar("Result")


def result_of(painting: Generator[Any, Any, Result]) -> Result:
    """What a painting comes to, without a look at its readings."""
    while True:
        try:
            next(painting)
        except StopIteration as end:
            result: Result = end.value
            return result


def paint(
    pictures: Pictures,
    options: Options,
    schedule: Schedule,
    engine: TransferEngine,
    *,
    resume: Progress | None = None,
) -> Painting:
    """Paint a pair, stage by stage.

    After each evaluation it yields the reading, and a function that takes a snapshot: given back as
    `resume`, with the same pair on the same machine, it ends in the same bytes. Returns the result.
    Paintings with one engine may be made in turns, step by step, also by several threads.
    """
    with closing(_painting(pictures, options, schedule, engine, resume)) as painting:
        del resume
        answer: object = None
        while True:
            with engine.lock:
                try:
                    step = painting.send(answer)
                except StopIteration as end:
                    result: Stylization = end.value
                    return result
            answer = yield step


def _painting(
    pictures: Pictures, options: Options, schedule: Schedule, engine: TransferEngine, resume: Progress | None
) -> Painting:
    walk = _Walk(pictures, options, schedule, engine)
    if resume is not None:
        # It may be anybody's: from step -1e12 on, a list of the rounds would fill the memory.
        is_ours = resume.stage in range(len(schedule.stages))
        if not is_ours or not 0 <= resume.step <= schedule.stages[resume.stage].steps:
            raise ValueError(f"there is no step {resume.step} of stage {resume.stage}")
        walk.began -= resume.seconds
        walk.trace += resume.trace
    before: StageResult | None = None
    for number in range(resume.stage if resume else 0, len(schedule.stages)):
        here = resume if resume and number == resume.stage else None
        before = yield from walk.stage(number, before, here)
        if walk.stopped:
            break
    assert before is not None  # there is at least one stage
    return walk.finish(before.picture)


@dataclass(slots=True, eq=False)
class _Walk:
    """A pair on its way. `opened`, and `began`, as if nobody had stopped it, are in seconds of
    `time.perf_counter`."""

    pictures: Pictures
    options: Options
    schedule: Schedule
    engine: TransferEngine
    began: float = field(default_factory=time.perf_counter)
    opened: float = field(default_factory=time.perf_counter)
    setup_seconds: float = 0.0
    trace: list[Reading] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    held: Mapping[str, LossWeights] = field(default_factory=dict)  # of a clip's frame: found as it began
    stopped: Reading | None = None  # where the caller ended it

    def stage(
        self, number: int, before: StageResult | None, resume: Progress | None
    ) -> Generator[tuple[Reading, Callable[[], Progress]], object, StageResult]:
        """Paint one stage, from the result of the one before or from where a snapshot was taken."""
        import tensorflow as tf

        from pipeline.nst.engine import Setting

        stage, options, done = self.schedule.stages[number], self.options, resume.step if resume else 0
        inputs = stage_inputs(self.pictures, options, stage)
        saved: dict[str, Any] = resume.hand_over() if resume else {}
        watch = self._watch(inputs, saved)
        start: Pixels | None = (
            saved.pop(_START, None) if resume else initial_image(self.pictures, inputs, options, before)
        )
        before = None  # pictures of millions of pixels, not needed again
        seen = inputs.photograph if start is None else start
        (begin, _), *_later = rounds = stage.rounds(done)
        aim_at = functools.partial(aim_of, self.pictures, inputs, options, self.engine)
        setting = Setting(options, stage.precision, stage.tiling, stage.last_pass)
        with self.engine.lent_descent(setting, inputs.photograph.shape, stage.history) as descent:
            with descent.made_ready():
                aim = aim_at(seen, (number, begin))
                self.held = aim.held
                descent.prepare(aim.targets, aim.weights)
            if resume:
                descent.restore(saved)
            else:
                descent.start(tf.constant(start))
            del start, seen, saved
            clock = time.perf_counter() - (self.trace[-1].seconds if self.trace else 0.0)
            self.setup_seconds = self.setup_seconds or time.perf_counter() - self.opened  # of the first stage here
            for begin, end in rounds:
                if (watch is not None and watch.still_at) or descent.is_flat(max(begin, done), self._patience(number)):
                    break
                if begin and done <= begin:  # a later round, or one that a snapshot was taken before
                    aim = aim_at(descent.turn(elsewhere=options.samples_style), (number, begin), held=self.held)
                yield from self._descend(number, descent, aim, setting, range(max(begin, done), end), clock, watch)
                if descent.flat_at or self.stopped:
                    break
            self._note(stage.longer_side, stage.steps, descent)
            return StageResult(descent.result, inputs.photograph)

    def _patience(self, number: int) -> int:
        """Of a stage's descent: the option is of evaluations at full size."""
        return self.options.patience if number == len(self.schedule.stages) - 1 else 0

    def _watch(self, inputs: StageInputs, saved: Mapping[str, Any]) -> Stillness | None:
        """Who says when the picture comes no nearer to its styles, where a stage ends by that."""
        from pipeline.images.stillness import Stillness

        if not inputs.stage.until_still:
            return None
        watch = Stillness(distance_as_viewed(self.pictures, inputs, self.options))
        if saved:
            watch.restore(saved)
        return watch

    def _descend(
        self,
        number: int,
        descent: Descent,
        aim: Aim,
        setting: Setting,
        steps: range,
        clock: float,
        watch: Stillness | None,
    ) -> Generator[tuple[Reading, Callable[[], Progress]], object, None]:
        """Evaluations number `steps` (from 0) of a stage."""
        stage, final = self.schedule.stages[number], number == len(self.schedule.stages) - 1
        for step, losses in descent.run(
            stage.steps,
            aim.targets,
            aim.weights,
            after=steps.start,
            until=steps.stop,
            patience=self._patience(number),
            diagnose=functools.partial(self.engine.first_not_finite, setting),
        ):
            seconds = time.perf_counter() - clock
            reading = Reading.of_evaluation(losses, step=step, seconds=seconds, side=stage.longer_side, final=final)
            if final:
                self.trace.append(reading)
            if watch is not None and watch.is_due(step):
                watch.look(step, descent.result)
            kept = functools.partial(self._kept, aim.start, watch)
            if (yield reading, functools.partial(self._snapshot, number, step, descent, kept)) is False:
                self.stopped = reading
                return
            if watch is not None and watch.still_at:
                return

    @staticmethod
    def _kept(start: Pixels | None, watch: Stillness | None) -> dict[str, NDArray[np.generic]]:
        """What a snapshot holds beside the descent."""
        kept: dict[str, NDArray[np.generic]] = {} if watch is None else watch.state()
        return kept if start is None else {**kept, _START: start}

    def _snapshot(
        self, number: int, step: int, descent: Descent, kept: Callable[[], dict[str, NDArray[np.generic]]]
    ) -> Progress:
        seconds = time.perf_counter() - self.began
        final = number == len(self.schedule.stages) - 1
        return Progress(number, step, seconds, tuple(self.trace), {**descent.state(), **kept()}, final)

    def _note(self, side: int, steps: int, descent: Descent) -> None:
        """What happened on the way."""
        self.notes += [f"step {step} at {side} px: {_SETBACK}" for step in descent.setbacks]
        if descent.flat_at:
            self.notes.append(f"stopped at step {descent.flat_at} of {steps}: {_FLAT}")
        if self.stopped:
            self.notes.append(f"stopped at step {self.stopped.step} of {steps} at {side} px, as the caller wished")

    def finish(self, best: Pixels) -> Stylization:
        """Whole numbers, their losses, and the colours that were asked for."""
        import numpy as np

        from pipeline.images.encode import to_uint8
        from pipeline.images.print_size import print_dpi
        from pipeline.images.scale import resize_wrapped
        from pipeline.nst.engine import Setting
        from pipeline.nst.objective import objective_of, weights_of

        stage, options = self.schedule.finish, self.options
        if self.stopped and not self.stopped.final:  # at a coarser size
            self.trace.append(self.stopped)
            best = resize_wrapped(best, *stage.size, options.wraps)
        rounded = to_uint8(best)
        inputs = stage_inputs(self.pictures, options, stage)
        picture = rounded.astype(np.float32)
        seen = sources(self.pictures, inputs, options, self.engine, picture)
        targets = objective_of(options, last_pass=stage.last_pass).targets(seen)
        setting = Setting(options, stage.precision, stage.tiling, stage.last_pass)
        measurer = self.engine.measurer(setting, picture.shape)
        found = measurer.losses(picture, targets, {**weights_of(options), **self.held})
        last, layers = split_by_layer({name: float(loss) for name, loss in found.items()})
        del picture, seen, targets
        # of what was found, not of its whole numbers: those of 8 bits are then 16 bits, rounded
        result = finished(self.pictures, inputs, options, np.clip(best, 0, 255))
        return Stylization(
            pixels=result.pixels,
            deep=result.deep,
            alpha=result.alpha,
            trace=tuple(self.trace),
            first=Losses(self.trace[0].losses),
            last=Losses(last),
            layer_losses={"first": dict(self.trace[0].layers), "last": layers},
            setup_seconds=self.setup_seconds,
            seconds=time.perf_counter() - self.began,
            precision=self.schedule.stages[-1].precision,
            notes=(*notes_of(self.pictures, options, stage.longer_side), *self.notes),
            dpi=print_dpi(options.dpi, self.pictures.content.dpi),
        )


_START = "stage_start"  # among the arrays of a snapshot, where a term's target depends on it
_FLAT = "the loss fell by less than a thousandth in as many steps as patience allows"
_SETBACK = "loss or gradient was not finite; went back to the best picture with half the step"
