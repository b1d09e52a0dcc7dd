"""A frame in 255 colours that stay the same from frame to frame as long as they fit.

Where nothing moves nothing may flicker: the palette is made anew only where the one before would
show much more error, and dithering follows the place in the picture, not what was left over of
neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOURS = 255
"""Of a palette; one number is left for what is transparent."""

# Mean squared error with the kept palette, over that with a quick one of the frame's own, from
# which it is made anew; and grey levels squared that are nothing. Chosen by eye, on a camera that
# moves: at 1.3 colours change every few frames, which is seen.
_WORSE, _NOTHING = 2.0, 4.0
_ROUNDS = 4  # of refining; measured: a painting's error falls from 36 to 28, and no further by 8
_FITTED_ON = 40_000  # pixels that errors are measured on
# Grey levels between the darkest and the brightest place of the pattern; chosen by eye: bands
# vanish in a sky, grain is not seen at arm's length.
_DITHER = 12.0

# The ordered pattern of Bayer (1973) of 8 x 8 places, 0 to 63.
_BAYER2 = np.array([[0, 2], [3, 1]])
_BAYER4 = np.block([[4 * _BAYER2, 4 * _BAYER2 + 2], [4 * _BAYER2 + 3, 4 * _BAYER2 + 1]])
_BAYER8 = np.block([[4 * _BAYER4, 4 * _BAYER4 + 2], [4 * _BAYER4 + 3, 4 * _BAYER4 + 1]])


class Palettes:
    """Palettes for the frames of a clip in their order."""

    def __init__(self) -> None:
        self._kept: Image.Image | None = None

    def indexed(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Numbers of colours (height, width), and the colours (255, 3)."""
        sample = Image.fromarray(_sample(pixels))
        own = sample.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        if self._kept is None or _error(sample, self._kept) > _WORSE * _error(sample, own) + _NOTHING:
            self._kept = _refined(sample, own)
        dithered = np.clip(pixels + _pattern(pixels.shape[0], pixels.shape[1]), 0, 255).astype(np.uint8)
        return _numbers(Image.fromarray(dithered), self._kept), _colours(self._kept)


def _refined(image: Image.Image, palette: Image.Image) -> Image.Image:
    """A palette whose colours are the means of what they stand for (Lloyd 1982)."""
    levels = np.asarray(image, np.float64).reshape(-1, 3)
    for _ in range(_ROUNDS):
        numbers, colours = _numbers(image, palette).ravel(), _colours(palette).astype(np.float64)
        counts = np.bincount(numbers, minlength=COLOURS)
        sums = np.stack([np.bincount(numbers, levels[:, c], COLOURS) for c in range(3)], 1)
        colours[counts > 0] = sums[counts > 0] / counts[counts > 0, np.newaxis]
        palette = Image.new("P", (1, 1))
        palette.putpalette(np.rint(colours).astype(np.uint8).tobytes())
    return palette


def _numbers(image: Image.Image, palette: Image.Image) -> NDArray[np.uint8]:
    """The number of the nearest colour, for each pixel."""
    mapped = np.asarray(image.quantize(palette=palette, dither=Image.Dither.NONE))
    numbers: NDArray[np.uint8] = np.minimum(mapped, COLOURS - 1)
    return numbers


def _colours(palette: Image.Image) -> NDArray[np.uint8]:
    colours = np.zeros((COLOURS, 3), np.uint8)
    told = np.asarray(palette.getpalette("RGB") or [], np.uint8).reshape(-1, 3)[:COLOURS]
    colours[: len(told)] = told
    return colours


def _error(image: Image.Image, palette: Image.Image) -> float:
    shown = _colours(palette)[_numbers(image, palette)]
    return float(np.mean((np.asarray(image, np.float32) - shown) ** 2))


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / _FITTED_ON) ** 0.5))
    return np.ascontiguousarray(pixels[::step, ::step])


def _pattern(height: int, width: int) -> NDArray[np.float32]:
    """(height, width, 1), of mean 0."""
    tile = ((_BAYER8 + 0.5) / 64 - 0.5) * _DITHER
    tiled = np.tile(tile, (-(-height // 8), -(-width // 8)))[:height, :width]
    pattern: NDArray[np.float32] = tiled.astype(np.float32)[..., np.newaxis]
    return pattern
