"""The colours of a video's frames as sRGB, and back.

A video says by numbers of ITU-T H.273 which matrix made brightness and colour of red, green and
blue, and whether black is 0 or 16. Where it says nothing, the usual is taken: BT.709 for pictures
of HD size, BT.601 for smaller ones; limited range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# H.273, table 4 -> libswscale's number of the same matrix.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_HD_WIDTH, _SD_HEIGHT = 1280, 576  # from which, and above which, a picture that says nothing is HD
_LIMITED, _FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
_BICUBIC, _FULL_CHROMA, _ACCURATE = 4, 0x2000, 0x40000  # SWS_BICUBIC, _FULL_CHR_H_INT, _ACCURATE_RND


def to_srgb(frame: VideoFrame, width: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Pixels (height, width, 3), and alpha (height, width) where the frame's format has one."""
    has_alpha = frame.format.name in ("pal8",) or any(component.is_alpha for component in frame.format.components)
    levels = frame.reformat(
        width=width,
        height=height,
        format="rgba" if has_alpha else "rgb24",
        src_colorspace=_matrix(frame),
        dst_colorspace=1,
        src_color_range=_range(frame),
        dst_color_range=_FULL,
        interpolation=_BICUBIC | _FULL_CHROMA | _ACCURATE,
        threads=1,
    ).to_ndarray()
    if not has_alpha:
        return np.ascontiguousarray(levels), None
    return np.ascontiguousarray(levels[..., :3]), np.ascontiguousarray(levels[..., 3])


def _matrix(frame: VideoFrame) -> int:
    said = _MATRICES.get(frame.colorspace)
    if said is not None:
        return said
    is_hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
    return 1 if is_hd else 5


def _range(frame: VideoFrame) -> int:
    if frame.format.is_rgb or frame.format.name.startswith("yuvj") or frame.color_range == _FULL:
        return _FULL
    return _LIMITED
