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
_ITU709, _ITU601 = 1, 5  # SWS_CS_ITU709, SWS_CS_ITU601
_OPAQUE = 255
_LIMITED, _FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
_BICUBIC, _FULL_CHROMA, _ACCURATE = 4, 0x2000, 0x40000  # SWS_BICUBIC, _FULL_CHR_H_INT, _ACCURATE_RND


class Colours:
    """Converts the frames of one clip."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def to_srgb(self, frame: VideoFrame, width: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Pixels (height, width, 3), and alpha (height, width) where the frame has one."""
        levels = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgba" if has_alpha(frame) else "rgb24",
            src_colorspace=_matrix(frame),
            dst_colorspace=_ITU709,
            src_color_range=_range(frame),
            dst_color_range=_FULL,
            interpolation=_BICUBIC | _FULL_CHROMA | _ACCURATE,
            threads=1,
        ).to_ndarray()
        if levels.shape[2] == 3:
            return levels, None
        alpha = levels[..., 3]
        return levels[..., :3], None if bool((alpha == _OPAQUE).all()) else alpha

    def notes(self, frame: VideoFrame) -> tuple[str, ...]:
        """What is worth knowing of a clip's colours, by its first frame."""
        return ()


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the form of a frame's pixels has room for opacity."""
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)


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
