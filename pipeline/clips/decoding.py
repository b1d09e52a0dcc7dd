"""Frames of a video as they are decoded, with their times, up to the first that is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.clips.container import OpenVideo, load_av, said
from pipeline.clips.frame import DamageError
from pipeline.clips.geometry import Fields
from pipeline.clips.listing import MAX_FRAMES
from pipeline.clips.structure import MATROSKA
from pipeline.errors import BadImage
from pipeline.images.sizes import MAX_PIXELS
from pipeline.printable import printable

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_MICROSECONDS = 1_000_000  # of a second: the clock of a container
_MILLISECOND = Fraction(1, 1000)  # the clock of a file that says none
_USUAL_STEP = Fraction(1, 25)  # seconds a frame, where a file says nothing of it
# Of the time that a file whose end is missing says that it lasts: less is not worth a word.
MISSED_FRAMES = Fraction(3, 2)


class Decoded(NamedTuple):
    """A frame and when it is shown, in seconds from the clip's beginning; how long, if the file
    says it; and whether its frames are of two fields."""

    frame: VideoFrame
    time: Fraction
    duration: Fraction
    is_interlaced: bool


def decoded(video: OpenVideo, since: int | None = None) -> Iterator[Decoded]:
    """The frames of a video in the order shown, at times that rise; after a seek those whose stamp
    is `since` or later. Raises DamageError after the last good one, where there are others; its
    time is that one's end."""
    step = usual_step(video)
    last = end = None
    fields = Fields()
    try:
        for count, frame in enumerate(fields.joined(_frames(video, since))):
            _bounded(video, count)
            base = frame.time_base or video.stream.time_base or _MILLISECOND
            stamp = None if frame.pts is None else frame.pts * base - video.start
            time = stamp if stamp is not None and (last is None or stamp > last) else (end or Fraction(0))
            duration = frame.duration * base if frame.duration and frame.duration > 0 else step
            yield Decoded(frame, time, duration, fields.were_seen)
            last, end = time, time + duration
    except DamageError as error:
        raise DamageError(error.time if end is None else end, error.why) from error
    _check_end(video, end, step)


def usual_step(video: OpenVideo) -> Fraction:
    """Seconds a frame, as the file has it on the average."""
    rate = video.stream.average_rate or video.stream.guessed_rate
    return 1 / Fraction(rate) if rate else _USUAL_STEP


def packet_times(video: OpenVideo) -> Iterator[Fraction]:
    """When the frames of a video are shown, by their packets, in the order of the file; nothing is
    decoded. Raises DamageError where the file ends early."""
    step = usual_step(video)
    base = video.stream.time_base or step
    latest = None
    count = 0
    for packet in _packets(video):
        if not packet.size or packet.is_discard:
            continue
        if packet.is_corrupt:
            raise DamageError(latest or Fraction(0), "the file is damaged there")
        stamp = packet.pts if packet.pts is not None else packet.dts
        time = stamp * base - video.start if stamp is not None else count * step
        _bounded(video, count)
        count += 1
        yield time
        latest = time if latest is None else max(latest, time)
    _check_end(video, None if latest is None else latest + step, step)


def _bounded(video: OpenVideo, count: int) -> None:
    if count >= MAX_FRAMES:
        raise BadImage(f"{video.shown} has more than {MAX_FRAMES:,} frames; cut out the part that is to be painted")


def _check_end(video: OpenVideo, end: Fraction | None, step: Fraction) -> None:
    """Raise DamageError where the file is cut off and frames are missing."""
    if end is None or not video.cut_off:
        return
    container, stream = video.container, video.stream
    says = Fraction(0)
    if stream.duration is not None and stream.time_base is not None:
        says = stream.duration * stream.time_base
    elif container.duration is not None:
        says = Fraction(container.duration, _MICROSECONDS)
    if not says or says - end > MISSED_FRAMES * step:
        raise DamageError(end, f"the file is cut off: {video.cut_off:,} bytes are missing")


def _frames(video: OpenVideo, since: int | None) -> Iterator[VideoFrame]:
    """Frames as they are stored. After one that cannot be decoded come those that were already
    decoded and are shown before it, then DamageError. What is shown before the key frame that was
    sought may refer to others, and is not looked at."""
    av: Any = load_av()
    decoder = _decoder(video)
    due: set[int] = set()  # stamps of packets whose frames are yet to come
    packets, stamp = _packets(video), None
    while True:
        try:
            if (packet := next(packets, None)) is None:
                return
            stamp = packet.pts
            if packet.size and stamp is not None and not packet.is_discard and _is_due(packet, since):
                due.add(stamp)
            if packet.is_corrupt:
                raise DamageError(_at(stamp, due, video), "the file is damaged or cut off there")
            frames = _checked(decoder, packet) if decoder.name == "ffv1" else decoder.decode(packet)
            yield from _sound_ones([frame for frame in frames if _is_due(frame, since)], due, video)
        except MemoryError:
            raise
        except (av.FFmpegError, DamageError) as error:
            yield from _held(decoder, due)
            why = error.why if isinstance(error, DamageError) else said(error)
            raise DamageError(_at(stamp, due, video), why) from error


def _packets(video: OpenVideo) -> Iterator[Packet[Any]]:
    """Packets as the container has them. Raises DamageError where it cannot be read any further, or
    frames are missing: of a damaged place FFmpeg's reader of Matroska says a word in its log, and
    goes on behind it, up to five seconds later."""
    av: Any = load_av()
    packets, base = video.container.demux(video.stream), video.stream.time_base or _MILLISECOND
    step = usual_step(video)
    end = video.start  # when the last of them so far is shown no longer
    while True:
        try:
            with _heard() as words:
                packet = next(packets, None)
        except av.FFmpegError as error:
            raise DamageError(end - video.start, said(error)) from error
        frame = packet if packet is not None and packet.size else None
        if frame is None:
            time = Fraction(video.container.duration or 0, _MICROSECONDS)
        else:
            time = end if frame.pts is None else frame.pts * base
        if time - end > step / 2 and any(kind == MATROSKA for _level, kind, _text in words):
            raise DamageError(end - video.start, "the file is damaged there, and frames are missing")
        if packet is None:
            return
        end = end if frame is None else max(end, time + step)
        yield packet


@contextmanager
def _heard() -> Iterator[list[tuple[int, str, str]]]:
    """What FFmpeg says of errors in its log: level, of what, words."""
    av: Any = load_av()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as words:
            yield words
    finally:
        av.logging.set_level(None)


def _is_due(found: Any, since: int | None) -> bool:
    """Is a packet or a frame shown at `since` or later?"""
    return since is None or (found.pts is not None and found.pts >= since)


def _checked(decoder: Any, packet: Any) -> list[VideoFrame]:
    """Frames of FFV1, of whose wrong checksums FFmpeg says a word in its log and nothing else."""
    with _heard() as words:
        frames: list[VideoFrame] = decoder.decode(packet)
    if words:
        raise DamageError(Fraction(0), printable(str(words[0][2]).strip()))
    return frames


def _sound_ones(frames: list[VideoFrame], due: set[int], video: OpenVideo) -> Iterator[VideoFrame]:
    for frame in frames:
        if frame.is_corrupt:
            raise DamageError(_at(frame.pts, due, video), "its data is damaged")
        yield frame
        if frame.pts is not None:
            due.difference_update([stamp for stamp in due if stamp <= frame.pts])


def _held(decoder: Any, due: set[int]) -> Iterator[VideoFrame]:
    """Frames that a decoder still has, as long as none between them is missing."""
    av: Any = load_av()
    try:
        held = decoder.decode(None)
    except av.FFmpegError:
        return
    for frame in held:
        if frame.is_corrupt or frame.pts is None or not due or frame.pts != min(due):
            return
        due.discard(frame.pts)
        yield frame


def _at(stamp: int | None, due: set[int], video: OpenVideo) -> Fraction:
    first = min(due, default=stamp)
    return Fraction(0) if first is None else first * (video.stream.time_base or _MILLISECOND) - video.start


def _decoder(video: OpenVideo) -> Any:
    """FFmpeg's decoder, of one thread, so that what is damaged is told at once, and for no frame
    that is larger than a picture may be, whatever the container says. VP8 and VP9 with opacity are
    decoded by libvpx, as FFmpeg's own leaves it out."""
    av: Any = load_av()
    context = video.stream.codec_context
    tags = {name.lower(): text for name, text in video.stream.metadata.items()}
    if tags.get("alpha_mode") == "1" and context.name in ("vp8", "vp9"):
        context = av.CodecContext.create({"vp8": "libvpx", "vp9": "libvpx-vp9"}[context.name], "r")
        context.thread_count = 1
    else:
        context.thread_type = "NONE"
    context.options = {**context.options, "max_pixels": str(MAX_PIXELS)}
    return context
