"""A painted clip as files: the clip itself, written whole from its kept frames, and its small
pictures: first photograph, a result, a strip of frames spread over it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from pipeline import clip_names
from pipeline.batch.clip_frames import KeptFrames
from pipeline.batch.clip_source import Clip
from pipeline.batch.clip_story import Times
from pipeline.batch.messages import Command
from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import WHOLE, Span
from pipeline.errors import BadImage, BadOutput, OutputError
from pipeline.images.encode import encode_picture, thumbnail, to_uint8
from pipeline.images.picture import Picture
from pipeline.images.print_size import print_dpi
from pipeline.images.scale import resize
from pipeline.job import Job
from pipeline.pictures import Pictures
from pipeline.store import previous
from pipeline.store.layout import MOST_STYLES, RESULT_SIDE, SOURCE_SIDE, STRIP, style_thumbnail, thumbnail_name
from pipeline.store.store import Store

_GOES_ON = 10  # frames that are written, between two words that it goes on
_GAP = 0.02  # between frames of a preview, of their shorter side: chosen by eye
STRIP_FRAMES = 8  # of a strip: a card of the page is a hand wide
_STRIP_HEIGHT = 96  # pixels
# Of a frame's time, by which the last one's may be off as files round theirs; chosen: a Matroska's
# milliseconds are a ninth of a frame at 120 a second.
_LIKE_OTHERS = Fraction(1, 4)


def write(
    command: Command,
    store: Store,
    clip: Clip,
    kept: KeptFrames,
    times: Times,
    settings: Mapping[str, Any],
    goes_on: Callable[[], object],
) -> tuple[str, ...]:
    """Write the clip under its final name, of those of its frames that have `times`; what its
    format could not hold is returned as notes. `goes_on` is called now and then. Raises
    DamagedFrame, and as `Store.write_by`, `previous.keep` and `write_clip` do."""
    from pipeline.clips.sound import SoundError

    job = command.job
    if job.options.frames == clip_names.PREVIEW:
        dpi = print_dpi(job.options.dpi, None)
        _put(command, store, lambda file: file.write(_sheet(kept, clip.numbers, settings, dpi)))
        return ()
    notes: list[str] = []

    def put(file: IO[bytes]) -> None:
        frames = partial(_frames, kept, clip.numbers, times, goes_on)
        try:
            notes[:] = _written(file, job, clip, frames(), times, settings, with_sound=clip.facts.kind == "video")
        except SoundError as error:
            file.seek(0)
            file.truncate()
            notes[:] = *_written(file, job, clip, frames(), times, settings, with_sound=False), str(error)

    _put(command, store, put)
    return tuple(notes)


def _written(
    file: IO[bytes],
    job: Job,
    clip: Clip,
    frames: Iterator[Any],
    times: Times,
    settings: Mapping[str, Any],
    *,
    with_sound: bool,
) -> tuple[str, ...]:
    from pipeline.clips.writing import write_clip

    return write_clip(
        cast("BinaryIO", file),
        Path(job.output).suffix,
        frames,
        quality=job.options.quality,
        rate=_even_rate(clip, job, times),
        has_alpha=clip.facts.has_alpha,
        sound_of=job.content if with_sound else None,
        home=job.home_of(job.content),
        span=_span(job, times),
        settings=settings,
        longest=max(_lasting(times, place) for place in range(len(times))),
    )


def facts_of(job: Job, facts: ClipFacts) -> ClipFacts:
    """A clip's facts, as they are for what is painted of it: another rate, perhaps no sound."""
    rate = None if facts.rate is None else facts.rate / clip_names.every(job.options.frames)
    return replace(
        facts, rate=rate, has_sound=facts.has_sound and job.output.lower().endswith(clip_names.VIDEO_SUFFIXES)
    )


def _put(command: Command, store: Store, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file, and keep what it replaces where the run is to."""
    output, most = command.job.output, command.keep_previous

    def put(file: IO[bytes]) -> None:
        write(file)
        if most is not None:
            file.flush()
            file.seek(0)
            previous.keep(store, output, hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest(), most)

    store.write_by(output, put)


def _even_rate(clip: Clip, job: Job, times: Times) -> Fraction | None:
    """Frames a second; None where they vary, as where the last one is shown longer or shorter than
    the others: an MP4 with a rate has no place for that."""
    rate = facts_of(job, clip.facts).rate
    if rate is None:
        return None
    _, last = times[len(times) - 1]
    return None if abs(last * rate - 1) > _LIKE_OTHERS else rate


def _span(job: Job, times: Times) -> Span:
    """The part of the clip whose sound is kept: all of it, or that of a range of frames."""
    if not isinstance(job.options.frames, tuple):
        return WHOLE
    time, duration = times[len(times) - 1]
    return Span(times[0][0], time + duration)


def _frames(kept: KeptFrames, numbers: Sequence[int], times: Times, goes_on: Callable[[], object]) -> Iterator[Any]:
    """The kept frames as they are written, each until the next one."""
    from pipeline.clips.frame import ClipFrame

    for place in range(len(times)):
        time, lasting = times[place][0], _lasting(times, place)
        picture = kept.shown(numbers[place])
        alpha = None if picture.alpha is None else np.rint(picture.alpha * 255).astype(np.uint8)
        if place % _GOES_ON == 0:
            goes_on()
        yield ClipFrame(place, time, lasting, to_uint8(picture.pixels), alpha)


def _lasting(times: Times, place: int) -> Fraction:
    """How long a frame is shown as it is written: to the next one."""
    time, duration = times[place]
    return times[place + 1][0] - time if place + 1 < len(times) else duration


def _sheet(kept: KeptFrames, numbers: Sequence[int], settings: Mapping[str, Any], dpi: int) -> bytes:
    """The frames of a preview in one PNG: high ones beside one another, others below, with white
    between them; opacity is laid over white."""
    shown = [to_uint8(_over_white(kept.shown(number))) for number in numbers]
    height, width = shown[0].shape[:2]
    axis, gap = int(height > width), max(2, round(min(height, width) * _GAP))
    white = np.full((height, gap, 3) if axis else (gap, width, 3), 255, np.uint8)
    strips = [strip for frame in shown for strip in (white, frame)][1:]
    return encode_picture(np.concatenate(strips, axis=axis), None, ".png", 100, settings, dpi=dpi)


def _over_white(picture: Picture) -> Any:
    if picture.alpha is None:
        return picture.pixels
    alpha = picture.alpha[..., np.newaxis]
    return picture.pixels * alpha + np.float32(255) * (1 - alpha)


def write_thumbnails(store: Store, output: str, pictures: Pictures, kept: KeptFrames, numbers: Sequence[int]) -> None:
    """The small pictures; `numbers` are those of its frames. What cannot be written is left out:
    the clip stands."""
    with suppress(OutputError, BadOutput, BadImage):
        middle = kept.shown(numbers[len(numbers) // 2])
        store.write(thumbnail_name(output, "result"), thumbnail(middle.pixels, middle.alpha, RESULT_SIDE))
        store.write(thumbnail_name(output, STRIP), _strip(kept, numbers))
        sources = {"content": pictures.content}
        sources |= {style_thumbnail(n): style for n, (style, _share) in enumerate(pictures.styles[:MOST_STYLES])}
        for which, source in sources.items():
            store.write(thumbnail_name(output, which), thumbnail(source.pixels, source.alpha, SOURCE_SIDE))


def _strip(kept: KeptFrames, numbers: Sequence[int]) -> bytes:
    """Frames beside one another, as a WebP; opacity is left out."""
    frames = []
    for place in clip_names.spread(len(numbers), STRIP_FRAMES):
        pixels = kept.shown(numbers[place]).pixels
        height, width = pixels.shape[:2]
        frames.append(resize(pixels, max(1, round(width * _STRIP_HEIGHT / height)), _STRIP_HEIGHT))
    whole = np.concatenate(frames, axis=1)
    return thumbnail(whole, longer_side=whole.shape[1])
