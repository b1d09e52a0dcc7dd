"""Videos as clips: what they are, and their frames upright, with square pixels, in sRGB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from pipeline.clips.colours import Colours, colour_notes, has_alpha
from pipeline.clips.container import OpenVideo, open_video
from pipeline.clips.decoding import MISSED_FRAMES, Decoded, decoded, packet_times, usual_step
from pipeline.clips.facts import ClipFacts, even_rate
from pipeline.clips.frame import ClipFrame, DamageError
from pipeline.clips.geometry import INTERLACED, Geometry, geometry_of, upright
from pipeline.clips.seeking import UnsureError, WayIn, seek, way_in
from pipeline.clips.structure import AVI
from pipeline.errors import BadImage
from pipeline.images.sizes import check_shape

# Pixels of a whole clip up to which every frame is decoded to say what it is: half a minute of
# 1920x1080 at 25. Of a longer one packets are counted, and damage is found when its frame is due.
# Measured (one core of an AMD EPYC, processor time, million pixels a second): H.264 200 to 370, VP9
# 240, FFV1 in RGB 15; so 4 to 8 seconds, and 100.
DECODED_PIXELS = 1_500_000_000


def video_facts(path: str | os.PathLike[str], sha256: str, home: str | None = None) -> ClipFacts:
    """What a video is. Raises BadImage with the reason where it cannot be painted from."""
    with open_video(path, home) as video:
        first, times, last, damage = _looked_at(video)
        geometry = geometry_of(first.frame, video.stream.sample_aspect_ratio)
        check_shape(video.shown, *geometry.size)
        usual = 1 / usual_step(video)
        unit = video.stream.time_base or Fraction(1, 1000)
        has_sound = bool(video.container.streams.audio)
        seen_through, notes = has_alpha(first.frame), _notes(first)
        says = _seconds_of_avi(video)
        whole = len(times) * first.frame.width * first.frame.height < DECODED_PIXELS
    if not whole:
        with open_video(path, home) as video:
            times, last, damage = _counted(video)
    end = times[-1] + last
    if not damage and says - end > MISSED_FRAMES / usual:
        notes += (f"says that it lasts {float(says):.2f} s and has frames for {float(end):.2f} s: some may be missing",)
    return ClipFacts(
        geometry.size,
        len(times),
        even_rate(times, unit, usual),
        float(end - times[0]),
        has_sound,
        seen_through,
        "video",
        sha256,
        notes,
        damage,
    )


def video_frames(
    path: str | os.PathLike[str],
    *,
    wanted: Callable[[int], bool] | None = None,
    start: int = 0,
    home: str | None = None,
) -> Iterator[ClipFrame]:
    """The frames from number `start` on for which `wanted` says so, all at the first one's size.
    Where a key frame before `start` serves (`seeking`), nothing before that is decoded. Raises
    BadImage, with the time of the first frame that cannot be decoded, after the good ones before
    it."""
    if start:
        try:
            for frame in _from_key_frame(path, start, wanted, home):
                start = frame.number + 1
                yield frame
            return
        except UnsureError:
            pass
    with open_video(path, home) as video:
        yield from _frames(video, enumerate(decoded(video)), start, wanted, None)


def _from_key_frame(
    path: str | os.PathLike[str], start: int, wanted: Callable[[int], bool] | None, home: str | None
) -> Iterator[ClipFrame]:
    """The same, decoded from a key frame on. Raises UnsureError where that may be another."""
    with open_video(path, home) as video:
        entry = way_in(video, start)
    if entry is None:
        raise UnsureError
    with open_video(path, home) as video:
        first = next(decoded(video), None)
        if first is None or first.is_interlaced:
            raise UnsureError
    with open_video(path, home) as video:
        seek(video, entry)
        yield from _frames(video, _numbered(video, entry), start, wanted, first)


def _numbered(video: OpenVideo, entry: WayIn) -> Iterator[tuple[int, Decoded]]:
    """Frames from a key frame on with their numbers, as long as they are what was expected."""
    stamps = iter(entry.stamps)
    number = entry.number
    try:
        for number, found in enumerate(decoded(video, entry.stamps[0]), entry.number):
            due = next(stamps, None)
            if found.is_interlaced or (due is not None and found.frame.pts != due):
                raise UnsureError
            yield number, found
    except DamageError as error:
        if next(stamps, None) is not None:
            raise UnsureError from error
        raise
    if next(stamps, None) is not None:
        raise UnsureError


def _frames(
    video: OpenVideo,
    numbered: Iterable[tuple[int, Decoded]],
    start: int,
    wanted: Callable[[int], bool] | None,
    first: Decoded | None,
) -> Iterator[ClipFrame]:
    """What is shown of decoded frames; `first` is the clip's first, where that is not among
    them."""
    colours: Colours | None = None
    size = None
    held: ClipFrame | None = None
    number = -1
    try:
        for number, found in numbered:
            if held is not None:
                yield replace(held, duration=found.time - held.time)
                held = None
            geometry = geometry_of(found.frame, video.stream.sample_aspect_ratio)
            if size is None or colours is None:
                first = first or found
                size = geometry_of(first.frame, video.stream.sample_aspect_ratio).size
                colours = Colours(first.frame)
            if number >= start and (wanted is None or wanted(number)):
                held = _shown(found, number, _of_size(geometry, size), colours, video.shown)
    except DamageError as error:
        if held is not None:
            yield replace(held, duration=max(error.time - held.time, Fraction(0)) or held.duration)
        raise BadImage(_damage(video, error, number + 1)) from error
    if held is not None:
        yield held


def _looked_at(video: OpenVideo) -> tuple[Decoded, list[Fraction], Fraction, str]:
    """The first frame, the times of all, how long the last is shown, and what is damaged; no more
    frames than DECODED_PIXELS allow."""
    frames = decoded(video)
    try:
        first = next(frames, None)
    except DamageError as error:
        raise BadImage(f"{video.shown}: its first frame cannot be decoded ({error.why}); copy it again") from error
    if first is None:
        raise BadImage(f"{video.shown} has no frames; record or export it again")
    times, last, damage = [first.time], first.duration, ""
    most = max(1, DECODED_PIXELS // (first.frame.width * first.frame.height))
    try:
        for found in islice(frames, most):
            times.append(found.time)
            last = found.duration
    except DamageError as error:
        damage = _damage(video, error, len(times))
    return first, times, last, damage


def _seconds_of_avi(video: OpenVideo) -> Fraction:
    """How long the picture of an AVI lasts by its header, which has no times of frames: FFmpeg
    leaves out what is damaged without a word, and all that follows comes too early. 0 of others,
    whose word for it need not be that of their frames."""
    stream = video.stream
    if video.container.format.name != AVI or not stream.duration or not stream.time_base:
        return Fraction(0)
    seconds: Fraction = stream.duration * stream.time_base
    return seconds


def _notes(first: Decoded) -> tuple[str, ...]:
    return colour_notes(first.frame) + ((INTERLACED,) if first.is_interlaced else ())


def _counted(video: OpenVideo) -> tuple[list[Fraction], Fraction, str]:
    times: list[Fraction] = []
    damage = ""
    try:
        times.extend(packet_times(video))
    except DamageError as error:
        damage = _damage(video, error, len(times))
    return sorted(times), usual_step(video), damage


def _damage(video: OpenVideo, error: DamageError, good: int) -> str:
    keep = f", or paint those before it (frames: [0, {good - 1}])" if good else ""
    return (
        f"{video.shown}: the frame at {float(error.time):.2f} s cannot be decoded ({error.why});"
        f" copy or export it again{keep}"
    )


def _of_size(geometry: Geometry, size: tuple[int, int]) -> Geometry:
    """A frame of another size than the first is brought to it, as players do."""
    width, height = size
    return replace(geometry, stretched=(height, width) if geometry.turns % 2 else (width, height))


def _shown(found: Decoded, number: int, geometry: Geometry, colours: Colours, shown: str) -> ClipFrame:
    check_shape(shown, *geometry.size)
    pixels, alpha = colours.to_srgb(found.frame, *geometry.stretched)
    return ClipFrame(
        number,
        found.time,
        found.duration,
        upright(pixels, geometry),
        None if alpha is None else upright(alpha, geometry),
    )
