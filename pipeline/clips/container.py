"""Containers of video, opened so that nothing but the one file is ever read.

FFmpeg's libraries (by PyAV) get an open file, a demuxer chosen here by the first bytes, and no way
to open another file or a connection: a playlist, a script or a reference in a container leads
nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.errors import BadImage, EnvironmentProblem
from pipeline.images.file_bytes import open_regular
from pipeline.printable import printable

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# First bytes -> FFmpeg's demuxer. ISO/IEC 14496-12, QuickTime: a box's length and name; RFC 8794:
# EBML; the RIFF of AVI.
_DEMUXERS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"....(?:ftyp|moov|mdat|wide|free|skip|pnot)", re.DOTALL), "mov,mp4,m4a,3gp,3g2,mj2"),
    (re.compile(rb"\x1aE\xdf\xa3"), "matroska,webm"),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "avi"),
)
_HEAD = 16  # bytes, for the above

MAX_BYTES = 64 * 2**30
"""Of a video file; ten hours of a camera at 12 Mbit/s."""

TIME_UNIT = Fraction(1, 1_000_000)  # seconds; AV_TIME_BASE of FFmpeg


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """An open container and its picture. `start` is the clip's beginning on the container's clock,
    in seconds."""

    container: InputContainer
    stream: VideoStream
    shown: str
    start: Fraction


def load_av() -> Any:
    """The module `av`. Raises EnvironmentProblem where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise EnvironmentProblem(
            "videos need two packages more: install them (pip install av opencv-python-headless)"
        ) from error
    av.logging.set_level(None)  # what matters comes as an exception
    return av


def looks_like_video(head: bytes) -> bool:
    """Whether a file that begins with `head` is a container that is read here."""
    return _demuxer(head) is not None


@contextmanager
def open_video(path: str | os.PathLike[str], home: str | None = None) -> Iterator[OpenVideo]:
    """A container with a picture in it. Raises BadImage with the reason where there is none."""
    av = load_av()
    shown = printable(path)
    with open_regular(path, home, most=MAX_BYTES) as (file, _), opened(file, shown) as container:
        if not container.streams.video:
            raise BadImage(f"{shown} has no picture in it, only sound; name a video")
        stream = container.streams.best("video") or container.streams.video[0]
        assert isinstance(stream, av.video.stream.VideoStream)
        if stream.codec_context is None:
            raise BadImage(f"{shown} is coded in a way that is not read; convert it to H.264")
        yield OpenVideo(container, stream, shown, Fraction(container.start_time or 0) * TIME_UNIT)


@contextmanager
def opened(file: BinaryIO, shown: str) -> Iterator[InputContainer]:
    """The container in an open file. Raises BadImage where it is none of those that are read."""
    av = load_av()
    head = file.read(_HEAD)
    file.seek(0)
    name = _demuxer(head)
    if name is None:
        raise BadImage(f"{shown} is not a video this program reads (MP4, MOV, MKV, WebM, AVI); convert it to MP4")
    try:
        container = av.open(file, "r", format=name, metadata_errors="replace", io_open=_nothing_else)
    except av.FFmpegError as error:
        raise BadImage(f"{shown} is damaged or cut off ({said(error)}); copy it again") from error
    with container:
        yield container


def said(error: Exception) -> str:
    """FFmpeg's own words, without its numbers."""
    return printable(getattr(error, "strerror", None) or str(error))


def _demuxer(head: bytes) -> str | None:
    return next((name for beginning, name in _DEMUXERS if beginning.match(head)), None)


def _nothing_else(url: str, flags: int, options: dict[str, str]) -> BinaryIO:
    """What FFmpeg would open beside the file."""
    raise PermissionError(f"only the file itself is read, not {printable(url)}")
