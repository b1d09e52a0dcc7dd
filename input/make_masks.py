"""Draws input/masks: what the recipes of docs/cookbook.md say where by.

    python input/make_masks.py              # draws them again
    python input/make_masks.py /tmp/masks   # or somewhere else

Shapes are in pixels of the pictures that they belong to; masks are 256 pixels long.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_HERE = Path(__file__).resolve().parent
_SIDE = 256
_RED, _GREEN = (230, 25, 75), (60, 180, 75)


def face(draw: ImageDraw.ImageDraw) -> None:
    """Of content/astronaut.jpg."""
    draw.ellipse((182, 52, 270, 172), fill=255)


def person(draw: ImageDraw.ImageDraw) -> None:
    """Of the same: hair, suit, helmet."""
    draw.ellipse((151, 10, 300, 165), fill=255)
    left = [(15, 512), (23, 410), (30, 320), (80, 240), (115, 195), (155, 150)]
    right = [(262, 150), (285, 185), (325, 240), (358, 280), (364, 340), (384, 350), (467, 384), (497, 448), (502, 512)]
    draw.polygon(left + right, fill=255)


def saucer(draw: ImageDraw.ImageDraw) -> None:
    """Of content/coffee.jpg: cup and saucer."""
    draw.ellipse((76, 80, 480, 388), fill=255)
    draw.ellipse((174, 16, 412, 200), fill=255)


def sky(draw: ImageDraw.ImageDraw) -> None:
    """Of style/starry-flow.jpg: what is above the hills, left of the cypress."""
    draw.polygon([(0, 0), (720, 0), (720, 390), (640, 390), (600, 240), (560, 120), (520, 390), (0, 380)], fill=255)


def drawn(picture: str, draw: Callable[[ImageDraw.ImageDraw], None], soft: float) -> Image.Image:
    """A mask of a picture, its edges as soft as so many pixels."""
    mask = Image.new("L", Image.open(_HERE / picture).size)
    draw(ImageDraw.Draw(mask))
    mask = mask.filter(ImageFilter.GaussianBlur(soft))
    mask.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return mask


def sea() -> Image.Image:
    """Of style/ink-waves.jpg: what is blue, below the upper sky."""
    picture = Image.open(_HERE / "style/ink-waves.jpg").convert("RGB")
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(picture, int)
    blue = (pixels[..., 2] > pixels[..., 0] + 10) & (np.arange(len(pixels)) > len(pixels) / 5)[:, np.newaxis]
    return Image.fromarray(blue).convert("L").filter(ImageFilter.ModeFilter(9))


def regions(mask: Image.Image) -> Image.Image:
    """A map of two colours: red where the mask is white."""
    red, green = (Image.new("RGB", mask.size, colour) for colour in (_RED, _GREEN))
    return Image.composite(red, green, mask.point(lambda level: 255 if level > 127 else 0))


def main() -> None:
    """Draw all of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _HERE / "masks"
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "astronaut-face": drawn("content/astronaut.jpg", face, 10),
        "astronaut-person": drawn("content/astronaut.jpg", person, 4),
        "coffee-map": regions(drawn("content/coffee.jpg", saucer, 0)),
        "ink-waves-map": regions(sea()),
        "starry-flow-sky": drawn("style/starry-flow.jpg", sky, 4),
    }
    for name, mask in made.items():
        mask.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
