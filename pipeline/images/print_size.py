"""How densely a picture wants to be printed, in dots per inch. No NumPy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

USUAL_DPI = 300  # what printers ask for
# Exif (CIPA DC-008, 4.6.4 A, XResolution): "When the image resolution is unknown, 72 [dpi] shall be
# designated." So who says 72 says nothing.
_UNKNOWN = 72
_HIGHEST = 10_000  # finer than any printer


def own_dpi(info: Mapping[Any, Any]) -> int | None:
    """What a file says, by Pillow's `info` of it; None where it says nothing, or nothing that can
    be. The file may come from anywhere."""
    try:
        across, down = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not (math.isfinite(across) and across == down and 1 <= round(across) <= _HIGHEST):
        return None
    return None if round(across) == _UNKNOWN else round(across)


def print_dpi(asked: int | str, own: int | None) -> int:
    """What an output says, of the option `dpi` and of the content's own."""
    return (own or USUAL_DPI) if isinstance(asked, str) else asked
