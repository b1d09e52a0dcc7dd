"""`python -m docs.print` paints a pair at a third of its photograph's size, and lays a part of it
out as docs/print.jpg: the photograph, the painting enlarged, and the painting sharpened."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pipeline import Stylizer

_ROOT = Path(__file__).resolve().parent.parent
_CONTENT, _STYLE = _ROOT / "input/content/coffee.jpg", _ROOT / "input/style/palette-knife.jpg"
_SIZE = 200
_PART = (140, 30, 420, 310)  # of the photograph: left, top, right, bottom
_GAP = 6
_QUALITY = 88  # of JPEG


def main() -> None:
    """Paint it twice, which gives one painting, and lay out the strip."""
    with Stylizer(size=_SIZE, seed=7) as paint:
        small = paint(_CONTENT, _STYLE).image
        large = paint(_CONTENT, _STYLE, sharpen_to="original").image
    enlarged = small.resize(large.size, Image.Resampling.LANCZOS)
    parts = [picture.convert("RGB").crop(_PART) for picture in (Image.open(_CONTENT), enlarged, large)]
    width, height = parts[0].size
    strip = Image.new("RGB", (len(parts) * (width + _GAP) - _GAP, height), "white")
    for number, part in enumerate(parts):
        strip.paste(part, (number * (width + _GAP), 0))
    strip.save(_ROOT / "docs/print.jpg", quality=_QUALITY, optimize=True)


if __name__ == "__main__":
    main()
