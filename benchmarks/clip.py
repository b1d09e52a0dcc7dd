"""Frames that hold together, against the same frames painted one by one: default options, default style distance.

Two clips with exact motion: a camera that pans, turns and comes nearer, and a body that crosses a background and uncovers it.
Flicker is the root mean square, over the positions that can be followed, of the difference to the frame before, carried along;
the photograph's own is what remains of the interpolation that made the clip. Losses are without the temporal term, after the
first frame. An evaluation at half the size is a quarter of one. Times are the processor's, of frames after the second, as the
second one is traced.

Then a camera that stands, 300 frames with noise of 2 grey levels, small: what becomes of brightness and contrast, and of the
process's memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

import numpy as np
import psutil

from benchmarks.figures import Figure, Section, significant, table
from benchmarks.moving import Frames, body, camera, standing
from benchmarks.pictures import photograph
from pipeline.clips.carrying import Earlier, flicker
from pipeline.images.picture import picture_from_array
from pipeline.manifest import options_from_python
from pipeline.nst.engine import TransferEngine
from pipeline.nst.precision import automatic_precision
from pipeline.nst.weights import locate
from pipeline.pictures import open_pictures, with_content
from pipeline.schedule import Machine
from pipeline.sequence import FrameIn, PaintedFrame, Sequence
from pipeline.stylize import paint

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Compared:
    """A clip, held together and frame by frame: of frames after the first, but for `cost`."""

    held: float  # flicker above the clip's own, over that of frames painted one by one
    loss: float  # over that of frames painted one by one
    evaluations: float
    most: float
    cost: float  # of a frame's seconds over a still's
    uncovered: float
    rows: tuple[float, float, float]  # flicker: the photograph's, held together, one by one


def measure(quick: bool) -> Section:
    # no smaller: half of 64 x 48 pixels is no picture, and what was uncovered would be painted at full size
    width, height, frames, long = (96, 72, 3, 10) if quick else (128, 96, 5, 300)
    clips = {
        "a camera": (camera("coffee", width, height, frames), "ink-waves"),
        "a body": (body("cat", "coffee", width, height, frames), "stained-glass"),
    }
    found = {name: _compared(pictures, style) for name, (pictures, style) in clips.items()}
    brightness, contrast, memory = _drift(standing("cat", 48, 36, long, 2.0))
    calm = min(found.values(), key=lambda each: each.uncovered)
    figures = [
        Figure("flicker above the clip's own / one by one", max(each.held for each in found.values()), "at most", 0.15),
        Figure("loss / one by one", max(each.loss for each in found.values()), "at most", 1.05),
        Figure("evaluations a frame", max(each.most for each in found.values()), "at most", 40),
        Figure("evaluations a frame, little uncovered", calm.evaluations, "at most", 25),
        Figure("seconds a frame / a still", max(each.cost for each in found.values()), "at most", 0.6),
        Figure(f"brightness drift over {long} frames", brightness, "at most", 0.5, " grey levels"),
        Figure(f"memory after {long} frames / after a tenth", memory, "at most", 1.05),
    ]
    rows = [
        (
            name,
            *(f"{value:.2f}" for value in each.rows),
            significant(each.loss),
            each.evaluations,
            f"{each.uncovered:.1%}",
        )
        for name, each in found.items()
    ]
    head = ["clip", "its own", "held together", "one by one", "loss / one by one", "evaluations", "uncovered"]
    text = f"""{__doc__}
{width} x {height} px, {frames} frames.

{table(head, rows)}

{long} frames of a camera that stands: brightness moved by {brightness:.2f} grey levels, contrast (standard deviation) by \
{contrast:.2f}.
"""
    return Section(name="clip", title="Frames that hold together", text=text, figures=figures)


def _compared(frames: Frames, style: str) -> Compared:
    pictures, options, schedule, engine = _opened(frames, style)
    stills, seconds, losses = [], [], []
    for number, frame in enumerate(frames):
        content = with_content(pictures, picture_from_array(frame, f"frame {number}"))
        result, took = _timed(paint(content, options, schedule, engine))
        stills.append(result.pixels)
        losses.append(result.last["total"])
        seconds.append(took)
    held, held_seconds = _held(frames, style)
    own, together, alone = (
        fmean(found)
        for found in zip(
            *(_changes(frames, [frame.painted for frame in held], stills, number) for number in range(1, len(frames))),
            strict=True,
        )
    )
    later = held[1:]
    return Compared(
        held=(together - own) / (alone - own),
        loss=fmean(frame.loss for frame in later) / fmean(losses[1:]),
        evaluations=round(fmean(frame.evaluations for frame in later), 1),
        most=max(frame.evaluations for frame in later),
        cost=fmean(held_seconds[2:]) / fmean(seconds[1:]),
        uncovered=1 - fmean(frame.reliable for frame in later),
        rows=(own, together, alone),
    )


def _changes(frames: Frames, held: Frames, stills: Frames, number: int) -> tuple[float, float, float]:
    """Flicker from the frame before to this one: the photograph's, held together, one by one."""
    together, alone = (
        flicker(Earlier(frames[number], painted[number]), Earlier(frames[number - 1], painted[number - 1]))
        for painted in (held, stills)
    )
    if together is None or alone is None:
        raise RuntimeError(f"frame {number} begins a shot, where there is one alone")
    return together.own, together.painted, alone.painted


def _drift(frames: Frames) -> tuple[float, float, float]:
    """How far the mean and the standard deviation of all pixels went from the first frame's at most, and what the process
    holds at the end over what it held after a tenth of the frames."""
    process, held = psutil.Process(), []

    def remember() -> None:
        held.append(process.memory_info().rss)

    painted, _seconds = _held(frames, "ink-waves", remember)
    means, spreads = ([float(of(frame.pixels)) for frame in painted] for of in (np.mean, np.std))
    drifts = (max(abs(value - values[0]) for value in values) for values in (means, spreads))
    return (*drifts, held[-1] / held[max(2, len(held) // 10)])  # type: ignore[return-value]


def _held(
    frames: Frames, style: str, after_each: Callable[[], None] = lambda: None
) -> tuple[list[PaintedFrame], list[float]]:
    """The frames held together, and the processor's seconds of each."""
    clip = Sequence(*_opened(frames, style), frames=len(frames))
    found = []
    for number, pixels in enumerate(frames):
        found.append(_timed(clip.paint(FrameIn(number, picture_from_array(pixels, f"frame {number}")))))
        after_each()
    return [frame for frame, _seconds in found], [seconds for _frame, seconds in found]


_engines: list[TransferEngine] = []


def _opened(frames: Frames, style: str) -> Any:
    """What a frame is painted from with default options."""
    options = options_from_python({"weights": "imagenet-8bit", "size": max(frames[0].shape)})
    pictures = open_pictures(frames[0], [(photograph(f"style/{style}.jpg", 512), 1.0)], options)
    if not _engines:
        _engines.append(TransferEngine(locate(options.weights), options))
    return pictures, options, pictures.schedule(options, Machine(precision=automatic_precision()[0])), _engines[0]


def _timed(painting: Generator[Any, Any, Result]) -> tuple[Result, float]:
    """What a painting comes to, and the processor's seconds."""
    began = time.process_time()
    while True:
        try:
            next(painting)
        except StopIteration as end:
            return end.value, time.process_time() - began
