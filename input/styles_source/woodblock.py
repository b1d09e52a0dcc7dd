"""A woodblock print in the making: blocks of colour, one key block of ink lines, and the marks of
wood, ink and paper."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .paint import SUPERSAMPLING, Array, blur, colours, fractal, noise, smoothstep

INK = colours("101c3c")[0]
PAPER = colours("f2e6c8")[0]


class Print:
    """A sheet being printed: washes one over another, and the ink lines kept apart until the sheet
    is pulled.

    Outlines and paths are (n, 2) in pixels of the result.
    """

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        """An empty sheet of `width` x `height` pixels of the result."""
        self.shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
        self.colour = np.broadcast_to(PAPER, (*self.shape, 3)).copy()
        self._key = Image.new("L", self.shape[::-1], 0)
        self._pen = ImageDraw.Draw(self._key)
        self._rng = rng

    def block(self, outline: Array, wash: Array) -> None:
        """Print a wash, (height, width, 3) of the canvas or one colour (3,), inside an outline; it
        hides the lines below."""
        outline = outline * SUPERSAMPLING
        self._pen.polygon(_corners(outline), fill=0)
        left, top = np.maximum(np.floor(outline.min(axis=0)), 0).astype(np.int64)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0)) + 1, self.shape[::-1]).astype(np.int64)
        if right <= left or bottom <= top:
            return  # all of it lies outside the sheet
        mask = Image.new("1", (int(right - left), int(bottom - top)), 0)
        ImageDraw.Draw(mask).polygon(_corners(outline - (left, top)), fill=1)
        inside = np.asarray(mask)
        here = self.colour[top:bottom, left:right]
        here[inside] = wash[top:bottom, left:right][inside] if wash.ndim == 3 else wash

    def line(self, path: Array, width: float, swell: float = 1.0) -> None:
        """Cut an ink line, `width` pixels at its middle; `swell` 0 keeps it even, 1 lets both its
        ends run out."""
        tangent = np.gradient(path, axis=0)
        tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None] + 1e-6
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        s = np.linspace(0, 1, len(path))
        tremble = 1 + 0.18 * np.interp(s * 6, np.arange(7), self._rng.normal(size=7))  # of the hand
        half = 0.5 * width * tremble * (1 - swell + swell * np.sin(np.pi * np.clip(s, 0.02, 0.98)) ** 0.6)
        sides = [path + normal * half[:, None], (path - normal * half[:, None])[::-1]]
        self._pen.polygon(_corners(np.concatenate(sides) * SUPERSAMPLING), fill=255)

    def pulled(self) -> Array:
        """The finished print (height, width, 3): grain in the washes, worn ink, the key block a
        hair out of place."""
        rng = self._rng
        grain = fractal(self.shape, 7, 3, rng, stretch=34)
        rings = np.sin(noise(self.shape, 150, rng, stretch=3) * 9 + 0.6 * grain)
        washed = self.colour * (1 + 0.045 * grain + 0.035 * rings)[..., None]
        bare = smoothstep(1.2, 2.4, fractal(self.shape, 26, 3, rng))[..., None] * 0.09
        washed = washed + bare * (PAPER - washed)
        key = blur(np.asarray(self._key, dtype=np.float32) / 255, 1)
        # half a pixel of the result down, one to the right
        key = np.pad(key, ((1, 0), (2, 0)), mode="edge")[:-1, :-2]
        worn = 0.95 - 0.35 * smoothstep(0.9, 2.2, grain + 0.4 * noise(self.shape, 4, rng))
        ink = (smoothstep(0.25, 0.75, key) * worn)[..., None]
        printed = washed * (1 - ink) + INK * ink
        fibres = noise(self.shape, 4, rng, stretch=5) + 0.5 * noise(self.shape[::-1], 4, rng, stretch=3).T
        return np.asarray(printed * (1 + 0.010 * fibres[..., None]), dtype=np.float32)


def _corners(outline: Array) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in outline]
