"""The colours of a video's frames as sRGB, and back.

A video says by numbers of ITU-T H.273 which matrix made brightness and colour of red, green and
blue, and whether black is 0 or 16. Where it says nothing, the usual is taken: BT.709 for pictures
of HD size, BT.601 for smaller ones; limited range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.clips import hdr
from pipeline.clips.hdr import USUAL_PEAK, told_peak
from pipeline.images.colour_space import CODED
from pipeline.images.convert import to_canonical

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# H.273, table 4 -> libswscale's number of the same matrix.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_UNSPECIFIED, _COLOURS = 2, 3
_LIKE_SRGB = (1, 2)  # primaries: BT.709, unspecified
# Curves of cameras, which screens show alike, and unspecified (H.273, table 3): gamma 2.2 and 2.8
# of old television, BT.601, SMPTE 240M, xvYCC, BT.1361, sRGB, BT.2020 of 10 and 12 bits.
_VIDEO_CURVES = (1, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15)
_AS_SRGB = 1
_HD_WIDTH, _SD_HEIGHT = 1280, 576  # from which, and above which, a picture that says nothing is HD
_ITU709, _ITU601 = 1, 5  # SWS_CS_ITU709, SWS_CS_ITU601
_OPAQUE = 255
_LIMITED, _FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
_BICUBIC, _FULL_CHROMA, _ACCURATE = 4, 0x2000, 0x40000  # SWS_BICUBIC, _FULL_CHR_H_INT, _ACCURATE_RND


class Colours:
    """Converts the frames of one clip, of which `first` is the first: what that says of the
    brightest there is counts for all, so that none flickers."""

    def __init__(self, first: VideoFrame) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._peak = told_peak(first) or USUAL_PEAK

    def to_srgb(self, frame: VideoFrame, width: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Pixels (height, width, 3), and alpha (height, width) where a pixel is not opaque."""
        if frame.color_trc in hdr.NAMES:
            levels = self._levels(frame, width, height, "rgb48le")
            return hdr.to_screen(levels, frame.color_trc, self._peak), None
        levels = self._levels(frame, width, height, "rgba" if has_alpha(frame) else "rgb24")
        pixels = _in_srgb(levels[..., :3], frame)
        alpha = levels[..., 3] if levels.shape[2] == 4 else None
        return pixels, None if alpha is None or bool((alpha == _OPAQUE).all()) else alpha

    def _levels(self, frame: VideoFrame, width: int, height: int, form: str) -> NDArray[Any]:
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=form,
            src_colorspace=_matrix(frame),
            dst_colorspace=_ITU709,
            src_color_range=_range(frame),
            dst_color_range=_FULL,
            interpolation=_BICUBIC | _FULL_CHROMA | _ACCURATE,
            threads=1,
        )
        levels: NDArray[Any] = converted.to_ndarray()
        return levels


def colour_notes(frame: VideoFrame) -> tuple[str, ...]:
    """What is worth knowing of a clip's colours, by its first frame."""
    if name := hdr.NAMES.get(frame.color_trc):
        peak = told_peak(frame) if frame.color_trc == hdr.PQ else None
        up_to = f", up to {peak:,.0f} cd/m2," if peak else ""
        told = f"its colours are HDR ({name}){up_to} and were brought to those of a screen (ITU-R BT.2390)"
        return (told, *_rare_matrix(frame))
    notes = _rare_matrix(frame)
    if _is_wide(frame):
        to_canonical(_coded(np.zeros((1, 1, 3), np.uint8), frame), "", notes)
    return tuple(notes)


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the form of a frame's pixels has room for opacity."""
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)


def _rare_matrix(frame: VideoFrame) -> list[str]:
    """A note of a matrix that libswscale does not know, as those of YCgCo and ICtCp."""
    number = frame.colorspace
    if number in (*_MATRICES, _UNSPECIFIED) or frame.format.is_rgb or len(frame.format.components) < _COLOURS:
        return []
    taken = "BT.709" if _matrix(frame) == _ITU709 else "BT.601"
    return [f"its colours are of a rare kind (matrix {number}) and were taken as {taken}"]


def _matrix(frame: VideoFrame) -> int:
    said = _MATRICES.get(frame.colorspace)
    if said is not None:
        return said
    is_hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
    return _ITU709 if is_hd else _ITU601


def _range(frame: VideoFrame) -> int:
    if frame.format.is_rgb or frame.format.name.startswith("yuvj") or frame.color_range == _FULL:
        return _FULL
    return _LIMITED


def _is_wide(frame: VideoFrame) -> bool:
    """Whether its colours are others than those of BT.709, by primaries or curve."""
    return frame.color_primaries not in _LIKE_SRGB or frame.color_trc not in _VIDEO_CURVES


def _coded(pixels: NDArray[np.uint8], frame: VideoFrame) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    curve = frame.color_trc
    image.info[CODED] = (frame.color_primaries, _AS_SRGB if curve in _VIDEO_CURVES else curve)
    return image


def _in_srgb(pixels: NDArray[np.uint8], frame: VideoFrame) -> NDArray[np.uint8]:
    """Pixels with the colours of BT.2020, P3, BT.601 and others brought to those of sRGB, as a
    picture's are."""
    if not _is_wide(frame):
        return pixels
    return np.asarray(to_canonical(_coded(pixels, frame), "", []).convert("RGB"))
