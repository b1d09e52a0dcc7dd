"""The frames of a video: decoded one by one, upright, with square pixels, in sRGB."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.clips.colours import to_srgb
from pipeline.clips.container import OpenVideo, load_av, open_video, said
from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import ClipFrame
from pipeline.errors import BadImage
from pipeline.images.sizes import check_shape

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_MATRIX = struct.Struct("=9i")  # a display matrix of libavutil: 16.16 fixed point, the last column 2.30


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a stored picture becomes the shown one: `stretched` is (width, height) with square
    pixels, which is then mirrored left to right where `mirrored`, and turned by `turns` quarters
    counterclockwise."""

    stretched: tuple[int, int]
    turns: int
    mirrored: bool

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as it is shown."""
        width, height = self.stretched
        return (height, width) if self.turns % 2 else (width, height)


def video_facts(path: str | os.PathLike[str], sha256: str, home: str | None = None) -> ClipFacts:
    """What a video is; frames are counted by their packets, and the first one is decoded. Raises
    BadImage with the reason where it cannot be painted from."""
    with open_video(path, home) as video:
        first = next(_decoded(video), None)
        if first is None:
            raise BadImage(f"{video.shown} has no frames; record it again")
        geometry = geometry_of(first, video.stream.sample_aspect_ratio)
        check_shape(video.shown, *geometry.size)
        pixel_format = first.format
        has_alpha = any(component.is_alpha for component in pixel_format.components)
    with open_video(path, home) as video:
        times = _packet_times(video)
        has_sound = bool(video.container.streams.audio)
        base = video.stream.time_base or Fraction(1, 1000)
        usual = video.stream.average_rate
    rate, seconds = _rate_and_length(times, base, usual)
    return ClipFacts(geometry.size, len(times), rate, seconds, has_sound, has_alpha, "video", sha256)


def video_frames(
    path: str | os.PathLike[str],
    *,
    wanted: Callable[[int], bool] | None = None,
    start: int = 0,
    home: str | None = None,
) -> Iterator[ClipFrame]:
    """The frames from number `start` on for which `wanted` says so. Raises BadImage, with the time
    of the first frame that cannot be decoded, after the good ones before it."""
    with open_video(path, home) as video:
        held: ClipFrame | None = None
        step = Fraction(1, 25)
        if video.stream.average_rate:
            step = 1 / Fraction(video.stream.average_rate)
        aspect = video.stream.sample_aspect_ratio
        for number, frame in enumerate(_decoded(video)):
            time = _time(frame, video, number, step)
            if held is not None:
                yield _lasting(held, time - held.time)
                held = None
            if number < start or (wanted is not None and not wanted(number)):
                continue
            geometry = geometry_of(frame, aspect)
            check_shape(video.shown, *geometry.size)
            duration = Fraction(frame.duration or 0) * (frame.time_base or 0) or step
            held = shown_frame(frame, geometry, number, time, duration)
        if held is not None:
            yield held


def shown_frame(frame: VideoFrame, geometry: Geometry, number: int, time: Fraction, duration: Fraction) -> ClipFrame:
    """A decoded frame as it is shown."""
    pixels, alpha = to_srgb(frame, *geometry.stretched)
    if geometry.mirrored:
        pixels, alpha = pixels[:, ::-1], None if alpha is None else alpha[:, ::-1]
    pixels = np.ascontiguousarray(np.rot90(pixels, geometry.turns))
    alpha = None if alpha is None else np.ascontiguousarray(np.rot90(alpha, geometry.turns))
    return ClipFrame(number, time, duration, pixels, alpha)


def geometry_of(frame: VideoFrame, aspect: Fraction | None) -> Geometry:
    """How a frame is shown, whose pixels are `aspect` times as wide as they are high. The side
    that is too short is made longer, so that nothing is lost."""
    width, height = frame.width, frame.height
    if aspect and aspect > 1:
        width = max(1, round(width * aspect))
    elif aspect and aspect > 0:
        height = max(1, round(height / aspect))
    turns, mirrored = _orientation(frame)
    return Geometry((width, height), turns, mirrored)


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Quarters counterclockwise after a mirroring left to right. The matrix [a b; c d] takes a
    row (x, y) to (a x + c y, b x + d y), y downwards."""
    from av.sidedata.sidedata import Type

    side_data: Any = frame.side_data
    data = side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return 0, False
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    turns = {(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}.get((_sign(a, b), _sign(b, a)), 0)
    return turns, mirrored


def _sign(value: int, other: int) -> int:
    return 0 if abs(value) <= abs(other) else (1 if value > 0 else -1)


def _decoded(video: OpenVideo) -> Iterator[VideoFrame]:
    av = load_av()
    video.stream.thread_type = "NONE"
    last: Fraction | None = None
    try:
        for packet in video.container.demux(video.stream):
            for frame in packet.decode():
                if frame.pts is not None and frame.time_base is not None:
                    last = frame.pts * frame.time_base - video.start
                yield frame
    except av.FFmpegError as error:
        after = "its first frame" if last is None else f"the frame after {float(last):.2f} s"
        raise BadImage(f"{video.shown}: {after} cannot be decoded ({said(error)}); copy or export it again") from error


def _time(frame: VideoFrame, video: OpenVideo, number: int, step: Fraction) -> Fraction:
    if frame.pts is None or frame.time_base is None:
        return number * step
    return frame.pts * frame.time_base - video.start


def _lasting(frame: ClipFrame, duration: Fraction) -> ClipFrame:
    if duration <= 0:
        return frame
    return ClipFrame(frame.number, frame.time, duration, frame.pixels, frame.alpha)


def _packet_times(video: OpenVideo) -> list[int]:
    return sorted(
        packet.pts if packet.pts is not None else packet.dts or 0
        for packet in video.container.demux(video.stream)
        if packet.size
    )


def _rate_and_length(times: list[int], base: Fraction, usual: Fraction | None) -> tuple[Fraction | None, float]:
    """Frames a second where all last as long, within the clock's unit; and seconds of the whole."""
    steps = [after - before for before, after in pairwise(times)]
    if not steps:
        return usual, float(1 / usual) if usual else 0.0
    mean = Fraction(sum(steps), len(steps))
    whole = float((times[-1] - times[0] + mean) * base)
    if max(steps) - min(steps) > 1:
        return None, whole
    rate = 1 / (mean * base)
    if usual and abs(rate - usual) < usual / 100:
        return usual, whole
    return rate, whole
