"""Containers of video, opened so that nothing but the one file is ever read.

FFmpeg's libraries (by PyAV) get an open file, a demuxer chosen here by the first bytes, and no way
to open another file or a connection: a playlist, a script or a reference in a container leads
nowhere. What is read ends where the file ended when it was opened, however it grows.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.clip_names import MOST_BYTES
from pipeline.clips.structure import HEAD, container_kind, missing_bytes
from pipeline.errors import BadImage, EnvironmentProblem, OutOfMemory
from pipeline.images.file_bytes import open_regular
from pipeline.images.refusals import UnfitError, why_no_picture
from pipeline.images.sizes import MAX_PIXELS
from pipeline.printable import printable

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

PACKAGES = ("av", "opencv-python-headless")
"""The extra `video` of setup.cfg."""

MAX_BYTES = MOST_BYTES
"""Of a video file; ten hours of a camera at 12 Mbit/s."""

# What is decoded, by FFmpeg's names. Of its 250 decoders of video most are for games and machines
# of the last century, and were read by few who look for errors.
CODECS = (
    *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg4", "msmpeg4v3", "h263"),
    *("mpeg1video", "mpeg2video", "vc1", "wmv3", "theora", "dvvideo", "mjpeg", "prores", "dnxhd", "cfhd"),
    *("ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "png", "qtrle", "rawvideo", "v210", "svq3", "cinepak"),
)
# How far into a file its streams are looked for: FFmpeg's own defaults (5 MB, 5 s) written out, as
# many streams, each of them nothing, could be looked for long.
_LOOK_BYTES, _LOOK_MICROSECONDS, _MOST_STREAMS = 5_000_000, 5_000_000, 50


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """An open container and its picture. `start` is the clip's beginning on the container's clock,
    in seconds; `cut_off` says how many bytes are missing at the file's end."""

    container: InputContainer
    stream: VideoStream
    shown: str
    start: Fraction
    cut_off: int


def load_av() -> Any:
    """The module `av`. Raises EnvironmentProblem where it is not installed."""
    try:
        import av
    except ImportError as error:
        command = shlex.join([sys.executable, "-m", "pip", "install", *PACKAGES])
        raise EnvironmentProblem(f"clips need two packages more; install them (make video, or {command})") from error
    av.logging.set_level(None)  # what matters comes as an exception too
    av.logging.set_skip_repeated(False)  # or is heard, in a file that is read twice as well
    return av


def is_video(path: str | os.PathLike[str], home: str | None = None) -> bool:
    """Whether a file begins as a container that is read here. Raises BadImage for what is no
    file."""
    with open_regular(path, home, most=MAX_BYTES) as (file, _):
        return container_kind(file.read(HEAD)) is not None


@contextmanager
def open_video(path: str | os.PathLike[str], home: str | None = None) -> Iterator[OpenVideo]:
    """A container with a picture in it. Raises BadImage with the reason where there is none,
    OutOfMemory where this machine is too small."""
    with open_container(path, home) as (container, cut_off):
        shown = printable(path)
        stream = _picture(container)
        if stream is None:
            raise BadImage(f"{shown} has no moving picture in it; name a video")
        if stream.codec_context is None or stream.codec_context.name not in CODECS:
            coded = printable(stream.codec_context.name) if stream.codec_context is not None else "a way unknown here"
            raise BadImage(f"{shown} is coded in {coded}, which is not read; convert it to H.264 (MP4)")
        yield OpenVideo(container, stream, shown, beginning(container), cut_off)


@contextmanager
def open_container(path: str | os.PathLike[str], home: str | None = None) -> Iterator[tuple[InputContainer, int]]:
    """The container in a file, and how many bytes are missing at its end. FFmpeg's errors become
    BadImage or OutOfMemory, as do those of the block."""
    av, shown = load_av(), printable(path)
    with open_regular(path, home, most=MAX_BYTES) as (file, status), ffmpeg_errors(shown):
        head = file.read(HEAD)
        kind = container_kind(head)
        if kind is None:
            raise BadImage(f"{shown} {why_no_picture(head)}")
        cut_off = missing_bytes(file, kind)
        bounded = _Bounded(file, status.st_size)
        settings = {
            "probesize": str(_LOOK_BYTES),
            "analyzeduration": str(_LOOK_MICROSECONDS),
            "max_streams": str(_MOST_STREAMS),
            "codec_whitelist": ",".join(CODECS),
            "format_whitelist": kind,
            "protocol_whitelist": "none",
        }
        pixels = {"max_pixels": str(MAX_PIXELS)}
        with av.open(
            bounded,
            "r",
            format=kind,
            options=pixels,
            container_options=settings,
            metadata_errors="replace",
            io_open=_nothing_else,
        ) as container:
            yield container, cut_off


@contextmanager
def ffmpeg_errors(shown: str) -> Iterator[None]:
    """Around FFmpeg at work on untrusted bytes."""
    av = load_av()
    try:
        yield
    except UnfitError as error:
        raise BadImage(f"{shown} {error}") from error
    except MemoryError as error:
        raise OutOfMemory(f"{shown} does not fit into this machine's memory; make it smaller first") from error
    except av.error.EOFError as error:
        raise BadImage(f"{shown} has no frames; record or export it again") from error
    except av.FFmpegError as error:
        raise BadImage(f"{shown} is damaged or cut off ({said(error)}); copy it again") from error


def said(error: Exception) -> str:
    """FFmpeg's own words, without its numbers."""
    return printable(getattr(error, "strerror", None) or str(error))


def beginning(container: InputContainer) -> Fraction:
    """When the first of pictures and sound begins, in seconds on the container's clock."""
    starts = [
        stream.start_time * stream.time_base
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=Fraction(0))


def _picture(container: InputContainer) -> VideoStream | None:
    """The video that a player shows; a cover picture is none."""
    av = load_av()
    best = container.streams.best("video")
    moving = [
        stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    return best if best in moving else next(iter(moving), None)


def _nothing_else(url: str, flags: int, options: dict[str, str]) -> BinaryIO:
    """What FFmpeg would open beside the file."""
    raise PermissionError(f"only the file itself is read, not {printable(url)}")


class _Bounded:
    """The first bytes of a file, as FFmpeg reads them."""

    name = "clip"  # what FFmpeg calls it: no path, so that nothing is looked for beside it

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, count: int) -> bytes:
        return self._file.read(max(0, min(count, self._size - self._file.tell())))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            offset, whence = self._size + offset, os.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
