"""How densely a picture wants to be printed, in dots per inch. No NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from PIL import Image

from pipeline.option_field import USUAL_DPI

# Exif (CIPA DC-008, 4.6.4 A, XResolution): "When the image resolution is unknown, 72 [dpi] shall be
# designated." So who says 72 says nothing.
_UNKNOWN = 72
_HIGHEST = 10_000  # finer than any printer


# Exif (CIPA DC-008, 4.6.4 A): XResolution, YResolution, ResolutionUnit; its units in inches.
_ACROSS, _DOWN, _UNIT = 0x011A, 0x011B, 0x0128
_UNITS = {2: 1.0, 3: 2.54}


def own_dpi(image: Image.Image) -> int | None:
    """What a file says, by its own header or else by EXIF; None where it says nothing, or nothing
    that can be. The file may come from anywhere."""
    if (found := _dpi(lambda: image.info["dpi"])) is not None:
        return found

    def of_exif() -> Iterator[float]:
        exif = Image.Image.getexif(image)
        unit = _UNITS[exif.get(_UNIT, 2)]
        return (float(exif[tag]) * unit for tag in (_ACROSS, _DOWN))

    return _dpi(of_exif)


def _dpi(stored: Callable[[], Iterable[float]]) -> int | None:
    try:
        across, down = (round(float(value)) for value in stored())
    except Exception:  # EXIF is whatever the camera, or somebody after it, wrote
        return None
    return across if across == down and across != _UNKNOWN and 1 <= across <= _HIGHEST else None


def print_dpi(asked: int | str, own: int | None) -> int:
    """What an output says, of the option `dpi` and of the content's own."""
    return (own or USUAL_DPI) if isinstance(asked, str) else asked
