"""Frames to the bytes of a clip: H.264, FFV1, VP9, GIF, animated WebP and PNG; sound, subtitles and
chapters copied from the clip that was painted.

The same frames and settings give the same bytes: one encoding thread, no dates.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.clips.container import load_av
from pipeline.clips.frame import ClipFrame
from pipeline.errors import PairError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_BT709, _LIMITED = 1, 1  # ITU-T H.273: matrix, primaries and curve alike; AVCOL_RANGE_MPEG


@dataclass(frozen=True, slots=True)
class Format:
    """How a clip is written: FFmpeg's muxer and encoder, the form of pixels without and with
    opacity (None: it has none), and options."""

    muxer: str
    codec: str
    pixels: str
    with_alpha: str | None = None
    options: dict[str, str] = field(default_factory=dict)


FORMATS = {
    ".mp4": Format("mp4", "libx264", "yuv420p", None, {"preset": "medium"}),
    ".mov": Format("mov", "libx264", "yuv420p", None, {"preset": "medium"}),
    ".mkv": Format("matroska", "ffv1", "bgr0", "bgra", {"level": "3"}),
    ".webm": Format("webm", "libvpx-vp9", "yuv420p", "yuva420p", {"deadline": "good", "cpu-used": "2"}),
    ".gif": Format("gif", "gif", "pal8", "pal8"),
    ".webp": Format("webp", "libwebp_anim", "yuv420p", "yuva420p"),
    ".apng": Format("apng", "apng", "rgb24", "rgba"),
    ".png": Format("apng", "apng", "rgb24", "rgba"),
}
"""Endings of clips that are written."""


def write_clip(
    file: BinaryIO,
    suffix: str,
    frames: Iterable[ClipFrame],
    *,
    quality: int,
    rate: Fraction | None = None,
    sound_of: str | os.PathLike[str] | None = None,
    loop: bool = True,
) -> None:
    """Write frames, which come in their order, to an empty `file` open for reading and writing.

    `quality` 1..100 decides over H.264, VP9 and WebP. `rate` is the clip's, None where it varies.
    `sound_of` is the clip whose sound, subtitles and chapters are copied. Raises PairError where
    the ending has no format, or there is no frame.
    """
    av = load_av()
    form = FORMATS.get(suffix.lower())
    if form is None:
        raise PairError(f"no format for clips that end in {suffix!r}; use one of {', '.join(FORMATS)}")
    first, rest = _first(frames)
    with av.open(file, "w", format=form.muxer) as output:
        height, width, _ = first.pixels.shape
        base = 1 / rate if rate else Fraction(1, 90_000)
        stream = output.add_stream(form.codec, rate=rate or 25, options=dict(form.options) | _quality(form, quality))
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = form.pixels
        context = stream.codec_context
        context.time_base = base
        if not form.pixels.startswith(("bgr", "rgb", "pal")):
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
        context.thread_count = 1
        for frame in chain((first,), rest):
            picture = _picture(frame.pixels, form)
            picture.pts = round(frame.time / base)
            picture.time_base = base
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def _first(frames: Iterable[ClipFrame]) -> tuple[ClipFrame, Iterator[ClipFrame]]:
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise PairError("there is no frame to write")
    return first, rest


def _quality(form: Format, quality: int) -> dict[str, str]:
    if form.codec in ("libx264", "libvpx-vp9"):
        return {"crf": str(round(12 + (100 - quality) * 0.35))}
    return {}


def _picture(pixels: NDArray[np.uint8], form: Format) -> VideoFrame:
    av: Any = load_av()
    height, width, _ = pixels.shape
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame: VideoFrame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24")
    return frame.reformat(format=form.pixels, dst_colorspace=1, dst_color_range=1, src_color_range=2)
