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
from pipeline.clips.container import load_av, open_container
from pipeline.clips.encoding import BT709, ENCODINGS, FULL, LIMITED, Converter, Encoding, quality_options
from pipeline.clips.frame import ClipFrame
from pipeline.clips.sound import SoundCopy
from pipeline.clips.span import WHOLE, Span
from pipeline.errors import PairError
from pipeline.images.encode import encode_picture
from pipeline.images.metadata import settings_json

ANIMATIONS = (".gif", ".webp", ".apng", ".png")
SUFFIXES = (*ENCODINGS, *ANIMATIONS)
"""Endings of clips that are written as one file."""

# Seconds: all usual clocks of videos are whole multiples of it (1/15360, 1/12800, 1/90000, 1/600,
# 1/1000, 1/48000, and those of 1001/30000 a frame), and 12 minutes of it fit into 32 bits.
_FINE = Fraction(1, 5_760_000)
_COMMENT = "comment"  # the entry of a video's metadata that has the settings


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
) -> tuple[str, ...]:
    """Write frames, which come in their order, to an empty `file` open for reading and writing;
    what it could not hold is returned as notes.

    `quality` 1..100 decides over H.264, VP9 and WebP. `rate` is the clip's frames a second, None
    where they vary. `has_alpha`: frames may have opacity, which is kept where the format has it and
    laid over white elsewhere. `sound_of` is the clip whose sound, subtitles and chapters are
    copied, `home` the folder it has to lie in, `span` the part of it that is kept: frames' times
    are those of that clip, and `span.begin` becomes 0. `settings` are kept in the metadata. Raises
    PairError where the ending has no format, or there is no frame; BadImage where the sound cannot
    be read.
    """
    kind = suffix.lower()
    if kind not in SUFFIXES:
        raise PairError(f"no format for clips that end in {suffix!r}; use one of {', '.join(SUFFIXES)}")
    first, rest = _first(frames)
    if kind in ANIMATIONS:
        _write_animation(file, kind, first, rest, quality=quality, has_alpha=has_alpha, settings=settings or {})
        return ()
    text = None if settings is None else settings_json(settings)
    with ExitStack() as stack:
        source = None if sound_of is None else stack.enter_context(open_container(sound_of, home))[0]
        return _write_video(file, ENCODINGS[kind], first, rest, source, quality, rate, has_alpha, span, text)


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
) -> None:
    """The first frame is written as a still picture is, with its profile and settings."""
    frames = chain((first,), rest)
    if kind == ".gif":
        write_gif(file, frames, has_alpha=has_alpha, comment=settings_json(settings) if settings else "")
        return
    alpha = np.ones(first.pixels.shape[:2], np.float32) if first.alpha is None else first.alpha / np.float32(255)
    form = ".webp" if kind == ".webp" else ".png"
    head = encode_picture(first.pixels, alpha if has_alpha else None, form, quality, settings)
    if form == ".webp":
        write_webp(file, head, frames, quality=quality, has_alpha=has_alpha)
    else:
        write_png(file, head, frames, has_alpha=has_alpha)


def _write_video(
    file: BinaryIO,
    encoding: Encoding,
    first: ClipFrame,
    rest: Iterator[ClipFrame],
    source: Any,
    quality: int,
    rate: Fraction | None,
    has_alpha: bool,
    span: Span,
    text: str | None,
) -> tuple[str, ...]:
    av = load_av()
    convert = Converter(encoding, has_alpha=has_alpha)
    with av.open(file, "w", format=encoding.muxer, container_options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(
            encoding.codec,
            rate=rate or 1 / first.duration,
            options=encoding.options | quality_options(encoding, quality),
        )
        base = 1 / rate if rate else _FINE
        _set_up(stream, encoding, convert, first, base)
        if text is not None:
            output.metadata[_COMMENT] = text
        sound = None if source is None else SoundCopy(source, output, span)
        for packets, time in _encoded(stream, convert, chain((first,), rest), base, span.begin or Fraction(0)):
            output.mux(packets)
            if sound is not None:
                sound.until(time)
        if sound is not None:
            sound.until(None)
    return () if sound is None else tuple(sound.notes)


def _set_up(stream: Any, encoding: Encoding, convert: Converter, first: ClipFrame, base: Fraction) -> None:
    stream.width, stream.height = convert.size(first)
    stream.pix_fmt = convert.pixels
    context = stream.codec_context
    context.time_base = base
    context.thread_count = 1
    context.flags |= _BITEXACT
    if encoding.halves_colour:
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
    else:
        context.color_range = FULL
    if convert.pixels == encoding.with_alpha and encoding.muxer == "webm":
        stream.metadata["alpha_mode"] = "1"


_BITEXACT = 1 << 23  # AV_CODEC_FLAG_BITEXACT


def _encoded(
    stream: Any, convert: Converter, frames: Iterable[ClipFrame], base: Fraction, begin: Fraction
) -> Iterator[tuple[list[Any], Fraction | None]]:
    """Packets of the encoder with their durations, and how far the frames have come."""
    lasting: dict[int, int] = {}
    last = None
    for frame in frames:
        stamp = round((frame.time - begin) / base)
        stamp = stamp if last is None else max(stamp, last + 1)
        lasting[stamp] = max(1, round(frame.duration / base))
        picture = convert(frame)
        picture.pts, picture.time_base = stamp, base
        yield _lasting(stream.encode(picture), lasting), frame.time - begin
        last = stamp
    yield _lasting(stream.encode(None), lasting), None


def _lasting(packets: list[Any], lasting: dict[int, int]) -> list[Any]:
    for packet in packets:
        packet.duration = lasting.pop(packet.pts, packet.duration)
    return packets
