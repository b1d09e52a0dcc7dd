"""Frames to the bytes of a clip: H.264, FFV1 and VP9, with the sound of the clip that was painted;
GIF, animated PNG and WebP.

The same frames and settings give the same bytes: one encoding thread, no dates, no random numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from pipeline.clips.animated.gif import write_gif
from pipeline.clips.animated.png import write_png
from pipeline.clips.animated.webp import write_webp
from pipeline.clips.container import load_av, open_container, said
from pipeline.clips.encoding import BT709, ENCODINGS, FULL, LIMITED, Converter, quality_options, same_bytes_options
from pipeline.clips.facts import in_small_numbers
from pipeline.clips.frame import WHOLE, ClipFrame, Span
from pipeline.clips.sound import SoundCopy, SoundError
from pipeline.errors import PairError
from pipeline.images.encode import encode_picture
from pipeline.images.metadata import settings_json

ANIMATIONS = (".gif", ".webp", ".apng", ".png")
SUFFIXES = (*ENCODINGS, *ANIMATIONS)
"""Endings of clips that are written as one file."""

# Seconds: all usual clocks of videos are whole multiples of the first (1/15360, 1/12800, 1/90000,
# 1/600, 1/1000, 1/48000, and those of 1001/30000 a frame). An MP4 has the length of a frame in 31
# bits (libavformat's muxer): 6 minutes of the first, 6 hours of the second, 24 days of the third.
_CLOCKS = (Fraction(1, 5_760_000), Fraction(1, 90_000), Fraction(1, 1000))
_FINE = _CLOCKS[0]
_LONGEST = 2**31 - 2
# Without frames that are stored before others that are shown first: MP4 has lengths by the order in
# which frames are stored, and so could not say how long the last one is shown.
_IN_ORDER = {"bf": "0"}
_BITEXACT = 1 << 23  # AV_CODEC_FLAG_BITEXACT
_COMMENT = "comment"  # the entry of a video's metadata that has the settings
_MUXING = {"fflags": "+bitexact"}  # no random numbers, and no word of the muxer's version
_INDEX_FIRST = {"movflags": "faststart"}  # so that an MP4 plays while it is being loaded


def write_clip(
    file: BinaryIO,
    suffix: str,
    frames: Iterable[ClipFrame],
    *,
    quality: int,
    rate: Fraction | None = None,
    has_alpha: bool = False,
    sound_of: str | os.PathLike[str] | None = None,
    home: str | None = None,
    span: Span = WHOLE,
    settings: Mapping[str, Any] | None = None,
    longest: Fraction = Fraction(0),
) -> tuple[str, ...]:
    """Write frames, which come in their order, to an empty `file` open for reading and writing;
    what it could not hold is returned as notes.

    `quality` 1..100 decides over H.264, VP9 and WebP. `rate` is the clip's frames a second, None
    where they vary. `has_alpha`: frames may have opacity, which is kept where the format has it and
    laid over white elsewhere. `sound_of` is the clip whose sound, subtitles and chapters are
    copied, `home` the folder it has to lie in, `span` the part of it that is kept: frames' times
    are those of that clip, and `span.begin` becomes 0. `settings` are kept in the metadata.
    `longest` is the most seconds that a frame is shown, where that is more than 6 minutes. Raises
    PairError where the ending has no format, or cannot hold the frames, or there is none; BadImage
    where the sound cannot be read; SoundError where all could perhaps be written without it.
    """
    kind = suffix.lower()
    if kind not in SUFFIXES:
        raise PairError(f"no format for clips that end in {suffix!r}; use one of {', '.join(SUFFIXES)}")
    first, rest = _first(frames)
    with ExitStack() as stack:
        source = None if sound_of is None else stack.enter_context(open_container(sound_of, home))[0]
        if kind in ANIMATIONS:
            notes = _write_animation(
                file, kind, first, rest, quality=quality, has_alpha=has_alpha, settings=settings or {}
            )
            has_sound = source is not None and source.streams.audio
            return (*notes, f"a {kind} has no sound; its sound was left out") if has_sound else notes
        video = _Video(kind, first, quality=quality, rate=rate, has_alpha=has_alpha, span=span, longest=longest)
        return video.write(file, rest, source, None if settings is None else settings_json(settings))


def _first(frames: Iterable[ClipFrame]) -> tuple[ClipFrame, Iterator[ClipFrame]]:
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise PairError("the clip has no frames that are wanted; nothing was written")
    return first, rest


def _write_animation(
    file: BinaryIO,
    kind: str,
    first: ClipFrame,
    rest: Iterator[ClipFrame],
    *,
    quality: int,
    has_alpha: bool,
    settings: Mapping[str, Any],
) -> tuple[str, ...]:
    """The first frame is written as a still picture is, with its profile and settings. Returns
    notes."""
    frames = chain((first,), rest)
    if kind == ".gif":
        return write_gif(file, frames, has_alpha=has_alpha, comment=settings_json(settings) if settings else "")
    opacity = first.with_alpha()[..., 3].astype(np.float32) / np.float32(255)
    form = ".webp" if kind == ".webp" else ".png"
    head = encode_picture(first.pixels, opacity if has_alpha else None, form, quality, settings)
    if form == ".webp":
        write_webp(file, head, frames, quality=quality, has_alpha=has_alpha)
    else:
        write_png(file, head, frames, has_alpha=has_alpha)
    return ()


class _Video:
    """A video that is being written."""

    def __init__(
        self,
        suffix: str,
        first: ClipFrame,
        *,
        quality: int,
        rate: Fraction | None,
        has_alpha: bool,
        span: Span,
        longest: Fraction,
    ) -> None:
        self._suffix = suffix
        self._encoding = ENCODINGS[suffix]
        self._quality = quality
        self._convert = Converter(self._encoding, has_alpha=has_alpha)
        self._first = first
        self._rate = rate
        self._span = span
        self._begin = first.time - (span.begin or 0)  # seconds on the output's clock
        self._unit = _unit(rate, self._begin, longest)

    def write(self, file: BinaryIO, rest: Iterator[ClipFrame], source: Any, text: str | None) -> tuple[str, ...]:
        """All of it, with what is beside the pictures of the container `source`, if any. Raises
        SoundError where that may be why it cannot be written, else PairError."""
        av, watched = load_av(), OutputFile(file)
        frames = chain((self._first,), rest)
        try:
            with av.open(
                watched, "w", format=self._encoding.muxer, container_options=watched.muxing, io_open=watched.reread
            ) as output:
                stream = self._add_stream(output)
                if text is not None:
                    output.metadata[_COMMENT] = text
                sound = None if source is None else SoundCopy(source, output, self._suffix, self._span)
                if sound is not None and sound.is_all:
                    source.close()  # its index has tens of bytes of each frame
                for packets, time in self._encoded(stream, frames):
                    output.mux(packets)
                    if sound is not None:
                        sound.until(time)
        except av.FFmpegError as error:
            raise watched.failure or self._failure(error, source) from error
        return () if sound is None else tuple(sound.notes)

    def _failure(self, error: Exception, source: Any) -> Exception:
        why = f"cannot stand in a {self._suffix} ({said(error)})"
        if source is not None:
            return SoundError(f"what is beside its pictures, as sound, {why} and was left out")
        return PairError(f"the frames of the clip {why}; choose another ending for its output")

    def _add_stream(self, output: Any) -> Any:
        encoding = self._encoding
        options = encoding.options | quality_options(encoding, self._quality) | same_bytes_options(encoding)
        if self._rate is None and encoding.codec == "libx264":
            options |= _IN_ORDER
        rate = self._rate or in_small_numbers(1 / self._first.duration) or 1
        stream = output.add_stream(encoding.codec, rate=rate, options=options)
        stream.width, stream.height = self._convert.size(self._first)
        stream.pix_fmt = self._convert.pixels
        context = stream.codec_context
        context.time_base = self._unit
        context.thread_count = 1
        context.flags |= _BITEXACT
        context.color_range = LIMITED if encoding.halves_colour else FULL
        if encoding.halves_colour:
            context.colorspace = context.color_primaries = context.color_trc = BT709
        if self._convert.pixels == encoding.with_alpha and encoding.muxer == "webm":
            stream.metadata["alpha_mode"] = "1"
        return stream

    def _encoded(self, stream: Any, frames: Iterable[ClipFrame]) -> Iterator[tuple[list[Any], Fraction | None]]:
        """Packets of the encoder, and how far the frames have come; None: to the end."""
        lasting: dict[int, int] = {}
        last = -1
        for frame in frames:
            stamp = max(round(self._time(frame) / self._unit), last + 1)
            lasting[stamp] = max(1, round(frame.duration / self._unit))
            picture = self._convert(frame)
            picture.pts, picture.time_base = stamp, self._unit
            yield _lasting(stream.encode(picture), lasting), stamp * self._unit
            last = stamp
        yield _lasting(stream.encode(None), lasting), None

    def _time(self, frame: ClipFrame) -> Fraction:
        """Seconds on the output's clock; with a rate, on its grid, from which a file that counts in
        milliseconds is off."""
        since = frame.time - self._first.time
        return self._begin + (round(since * self._rate) / self._rate if self._rate else since)


def _unit(rate: Fraction | None, begin: Fraction, longest: Fraction) -> Fraction:
    """Seconds of the output's clock, in whole numbers of which frames begin."""
    if rate is None or (1 / rate / _FINE).denominator == 1 != (begin * rate).denominator:
        return next((clock for clock in _CLOCKS if longest / clock <= _LONGEST), _CLOCKS[-1])
    return 1 / rate


def _lasting(packets: list[Any], lasting: dict[int, int]) -> list[Any]:
    for packet in packets:
        packet.duration = lasting.pop(packet.pts, packet.duration)
    return packets


class OutputFile:
    """A file that remembers why it could not be written, which FFmpeg forgets. `muxing` are the
    muxer's options: to put an MP4's index first, it reads what it has written (`reread`), which
    needs a file of the system's."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None
        self.muxing = _MUXING | _INDEX_FIRST
        try:
            file.fileno()
        except OSError:  # io.UnsupportedOperation: in memory
            self.muxing = _MUXING

    def reread(self, _url: str, _flags: int, _options: dict[str, str]) -> Any:
        """The file once more, from its beginning."""
        return _Reread(self._file)

    def write(self, data: bytes) -> int:
        """As a file does."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = self.failure or error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file does."""
        return self._file.tell()


class _Reread:
    """What has been written to a file, read beside the writing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0

    def read(self, count: int) -> bytes:
        self._file.flush()
        data = os.pread(self._file.fileno(), count, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._file.fileno()).st_size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """The file stays open: it is its writer's."""
