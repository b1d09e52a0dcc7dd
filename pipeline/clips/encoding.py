"""How videos are written: which encoder, with which settings, in which form of pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.clips.container import load_av
from pipeline.clips.frame import ClipFrame
from pipeline.processor import processor_flags

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass(frozen=True, slots=True)
class Encoding:
    """FFmpeg's muxer and encoder; the form of pixels without opacity, and with it (None: it has
    none); options of the encoder."""

    muxer: str
    codec: str
    pixels: str
    with_alpha: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def halves_colour(self) -> bool:
        """Whether colour has half the resolution, so that sides have to be even."""
        return "420" in self.pixels


_H264 = {"preset": "medium"}
ENCODINGS = {
    ".mp4": Encoding("mp4", "libx264", "yuv420p", None, _H264),
    ".mov": Encoding("mov", "libx264", "yuv420p", None, _H264),
    # Version 3 with checksums, each frame by itself (RFC 9043): damage shows, and is one frame's.
    ".mkv": Encoding("matroska", "ffv1", "bgr0", "bgra", {"level": "3", "slicecrc": "1", "slices": "4", "g": "1"}),
    ".webm": Encoding("webm", "libvpx-vp9", "yuv420p", "yuva420p", {"deadline": "good", "cpu-used": "3"}),
}
"""Endings of videos that are written."""

BT709, LIMITED, FULL = 1, 1, 2
"""ITU-T H.273: matrix, primaries and curve alike; AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG."""

_WHITE = 255
_BICUBIC, _FULL_CHROMA, _ACCURATE = 4, 0x2000, 0x40000  # SWS_BICUBIC, _FULL_CHR_H_INT, _ACCURATE_RND


# Where the mean error of a painting that a camera pans over is that of a JPEG of that quality
# (measured: docs/gallery/brush.jpg, 256x160, 12 frames; 26.9, 28.6, 31.0, 34.9 dB at 30, 50, 75 and
# 90). Above, half the colour's resolution is most of the error, and the ends are chosen by eye.
_QUALITIES = (1.0, 30.0, 50.0, 75.0, 90.0, 95.0, 100.0)
_H264_CRF = (42.0, 32.0, 29.0, 25.0, 19.0, 15.0, 8.0)
_VP9_CRF = (63.0, 54.0, 50.0, 44.0, 35.0, 28.0, 10.0)


def same_bytes_options(encoding: Encoding) -> dict[str, str]:
    """Options with which the same frames give the same bytes on this machine. By AVX-512 x264 (core
    165) reads memory that nobody wrote, of pictures of 48 x 36 px by test; by AVX2, which all
    processors with AVX-512 have, its bytes are those of plain C."""
    if encoding.codec == "libx264" and "avx512f" in processor_flags():
        return {"x264-params": "asm=avx2"}
    return {}


def quality_options(encoding: Encoding, quality: int) -> dict[str, str]:
    """Options for a `quality` of 1..100, which means the error that a JPEG of it has; FFV1 has
    none, being lossless."""
    if encoding.codec == "libx264":
        return {"crf": f"{np.interp(quality, _QUALITIES, _H264_CRF):.1f}"}
    if encoding.codec == "libvpx-vp9":
        return {"crf": f"{np.interp(quality, _QUALITIES, _VP9_CRF):.0f}", "b": "0"}
    return {}


class Converter:
    """Makes frames of a video from those of a clip."""

    def __init__(self, encoding: Encoding, *, has_alpha: bool) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._encoding = encoding
        self.pixels = encoding.with_alpha if has_alpha and encoding.with_alpha else encoding.pixels
        self._keeps_alpha = self.pixels == encoding.with_alpha

    def size(self, frame: ClipFrame) -> tuple[int, int]:
        """(width, height) in the file."""
        width, height = frame.size
        return (width + width % 2, height + height % 2) if self._encoding.halves_colour else (width, height)

    def __call__(self, frame: ClipFrame) -> VideoFrame:
        """A frame in the encoder's form: an odd side is made even by its last row or column,
        opacity where there is no room for it is laid over white."""
        av: Any = load_av()
        if self._keeps_alpha:
            levels = frame.with_alpha()
        else:
            levels = frame.pixels if frame.alpha is None else _over_white(frame.pixels, frame.alpha)
        width, height = self.size(frame)
        more = ((0, height - levels.shape[0]), (0, width - levels.shape[1]), (0, 0))
        levels = np.ascontiguousarray(np.pad(levels, more, mode="edge"))
        stored = av.VideoFrame.from_ndarray(levels, "rgba" if self._keeps_alpha else "rgb24")
        converted: VideoFrame = self._reformatter.reformat(
            stored,
            format=self.pixels,
            dst_colorspace=BT709,
            src_color_range=FULL,
            dst_color_range=LIMITED if self._encoding.halves_colour else FULL,
            interpolation=_BICUBIC | _FULL_CHROMA | _ACCURATE,
            threads=1,
        )
        return converted


def _over_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    opacity = alpha[..., np.newaxis].astype(np.float32) / 255
    laid: NDArray[np.uint8] = np.rint(opacity * pixels + (1 - opacity) * _WHITE).astype(np.uint8)
    return laid
