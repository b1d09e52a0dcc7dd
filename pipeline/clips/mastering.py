"""How bright the brightest of an HDR clip is, by the figures that it carries (SMPTE ST 2086, and
MaxCLL of CTA-861.3), as FFmpeg hands them out beside a frame."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

USUAL_PEAK = 1000.0
"""cd/m2; what clips are mastered for that do not say it (ITU-R BT.2408-7, 2.1)."""

# Of what they say is believed no more than PQ can code, and no less than the darkest screen that is
# called HDR (VESA DisplayHDR 400): below, it is a figure that somebody forgot to fill in.
_DARKEST, _BRIGHTEST = 400.0, 10_000.0
_MASTERING, _LIGHT_LEVEL = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
# AVMasteringDisplayMetadata (libavutil/mastering_display_metadata.h): ten fractions, of which the
# last is the largest luminance, then two flags; of the second says whether luminances are there.
_DISPLAY = struct.Struct("=20i2i")
_CONTENT = struct.Struct("=2I")  # AVContentLightMetadata: MaxCLL, MaxFALL, cd/m2


def told_peak(frame: VideoFrame) -> float | None:
    """cd/m2 of the brightest there is: the content's own (MaxCLL) where it is said and the screen
    that it was mastered on could show it, else that screen's; None where nothing is said."""
    found = (_largest_of_screen(frame), _largest_of_content(frame))
    told = [each for each in found if each is not None and each > 0]
    return min(max(min(told), _DARKEST), _BRIGHTEST) if told else None


def _largest_of_screen(frame: VideoFrame) -> float | None:
    data = _side_data(frame, _MASTERING)
    if data is None or len(data) < _DISPLAY.size:
        return None
    *_, numerator, denominator, _has_primaries, has_luminance = _DISPLAY.unpack_from(data)
    return numerator / denominator if has_luminance and denominator else None


def _largest_of_content(frame: VideoFrame) -> float | None:
    data = _side_data(frame, _LIGHT_LEVEL)
    return float(_CONTENT.unpack_from(data)[0]) if data is not None and len(data) >= _CONTENT.size else None


def _side_data(frame: VideoFrame, kind: str) -> bytes | None:
    return next((bytes(each) for each in frame.side_data if each.type.name == kind), None)
