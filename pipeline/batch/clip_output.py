"""A painted clip as files: the clip itself, written whole from its kept frames, and its small
pictures: first photograph, a result, a strip of frames spread over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from pipeline import clip_names
from pipeline.batch.clip_frames import KeptFrames
from pipeline.batch.clip_walk import Clip, Shown
from pipeline.clips.span import WHOLE, Span
from pipeline.errors import BadImage, BadOutput, OutputError
from pipeline.images.encode import thumbnail, to_uint8
from pipeline.images.scale import resize
from pipeline.job import Job
from pipeline.pictures import Pictures
from pipeline.store.layout import MOST_STYLES, STRIP, style_thumbnail, thumbnail_name
from pipeline.store.store import Store

RESULT_SIDE = 448  # as of a picture (batch/painter)
STRIP_FRAMES = 8  # of a strip: a card of the page is a hand wide
_STRIP_HEIGHT = 96  # pixels


def write(
    store: Store,
    job: Job,
    clip: Clip,
    kept: KeptFrames,
    shown: Sequence[Shown],
    settings: Mapping[str, Any],
) -> tuple[str, ...]:
    """Write the clip under its final name; what its format could not hold is returned as notes.
    Raises DamagedFrame, and as `Store.write_by` and `write_clip` do."""
    from pipeline.clips.writing import write_clip

    suffix = Path(job.output).suffix
    rate = clip.facts.rate

    notes: list[str] = []

    def put(file: IO[bytes]) -> None:
        notes[:] = write_clip(
            cast("BinaryIO", file),
            suffix,
            _frames(kept, shown),
            quality=job.options.quality,
            rate=None if rate is None else rate / clip_names.every(job.options.frames),
            has_alpha=clip.facts.has_alpha,
            sound_of=job.content if clip.facts.kind == "video" else None,
            home=job.home_of(job.content),
            span=_span(job, shown),
            settings=settings,
        )

    store.write_by(job.output, put)
    return tuple(notes)


def _span(job: Job, shown: Sequence[Shown]) -> Span:
    """The part of the clip whose sound is kept: all of it, or that of a range of frames."""
    if not isinstance(job.options.frames, tuple):
        return WHOLE
    return Span(shown[0].time, shown[-1].time + shown[-1].duration)


def _frames(kept: KeptFrames, shown: Sequence[Shown]) -> Iterator[Any]:
    """The kept frames as they are written, each until the next one."""
    from pipeline.clips.frame import ClipFrame

    for number, each in enumerate(shown):
        end = shown[number + 1].time if number + 1 < len(shown) else each.time + each.duration
        picture = kept.shown(each.number)
        alpha = None if picture.alpha is None else np.rint(picture.alpha * 255).astype(np.uint8)
        yield ClipFrame(number, each.time, Fraction(end - each.time), to_uint8(picture.pixels), alpha)


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
            store.write(thumbnail_name(output, which), thumbnail(source.pixels, source.alpha))


def _strip(kept: KeptFrames, numbers: Sequence[int]) -> bytes:
    """Frames beside one another, as a WebP; opacity is left out."""
    frames = []
    for place in clip_names.spread(len(numbers), STRIP_FRAMES):
        pixels = kept.shown(numbers[place]).pixels
        height, width = pixels.shape[:2]
        frames.append(resize(pixels, max(1, round(width * _STRIP_HEIGHT / height)), _STRIP_HEIGHT))
    whole = np.concatenate(frames, axis=1)
    return thumbnail(whole, longer_side=whole.shape[1])
