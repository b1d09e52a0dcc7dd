"""A pen drawing in the making: one hand, one nib, dark ink on rough paper.

Paths and outlines are (n, 2) in pixels of the result; a tone is float32 (height, width) of the
result, 0 where the paper stays empty and 1 in the deepest shadow.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .paint import Array, Mask, blur, colours, fractal, noise, resample, smoothstep

INK = colours("2a1f1a")[0]
PAPER = colours("f4eee0")[0]
SCALE = 3  # samples a pixel along each axis: the finest lines are thinner than a pixel
STEP = 1.5  # pixels between the points of a line: finer than any tremble
LIGHT = np.array([-0.64, -0.77])  # towards the light: the upper left
EDGE = 0.3  # pixels: a filled polygon takes its own rim of one sample, so lines are drawn thinner


class Sheet:
    """A sheet of paper under the pen. What lies in front covers what was drawn before."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        """An empty sheet of `width` x `height` pixels of the result."""
        self.size = (width, height)
        self.rng = rng
        self._ink = Image.new("L", (width * SCALE, height * SCALE), 0)
        self._pen = ImageDraw.Draw(self._ink)
        self.y, self.x = np.mgrid[:height, :width].astype(np.float32)  # of every pixel of the result
        x, y = self.x, self.y
        to_side = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
        # the lines stop short of the edge of the sheet, some earlier and some later
        self._drawn_on: Mask = to_side > 14 + 5 * np.clip(noise((height, width), 14, rng), -1.2, 2)

    def mask(self, outline: Array) -> Array:
        """1 inside an outline and 0 outside: (height, width)."""
        image = Image.new("L", self.size, 0)
        ImageDraw.Draw(image).polygon(_corners(outline), fill=1)
        return np.asarray(image, dtype=np.float32)

    def cover(self, outline: Array) -> None:
        """Give the inside of an outline back to the paper."""
        self._pen.polygon(_corners(outline * SCALE), fill=0)

    def stroke(self, path: Array, width: float, shake: float = 0.32) -> None:
        """One movement of the pen: it lands quickly, trembles by `shake` pixels and is lifted
        slowly."""
        points, normal = resample(path, STEP)
        count = len(points)
        length = count * STEP
        off = shake * self._wander(count, 7) + 0.012 * min(length, 60) * self._wander(count, 45)
        points = points + normal * off[:, None]
        s = np.arange(count) * STEP
        landing, lifting = np.clip((s + 1) / min(5, 0.3 * length), 0, 1), (length - s) / min(16, 0.5 * length)
        pressure = landing**0.6 * np.clip(lifting, 0, 1) ** 0.7 * (1 + 0.17 * self._wander(count, 9))
        half = np.maximum(0.5 * (width * pressure - EDGE), 0.06)[:, None]
        for first, last in _runs(self._at(self._drawn_on, points) > 0):
            if last - first > 1:
                p, n, h = points[first:last], normal[first:last], half[first:last]
                self._pen.polygon(_corners(np.concatenate([p + n * h, (p - n * h)[::-1]]) * SCALE), fill=255)

    def contour(self, path: Array, width: float, lost: float = 0.1) -> None:
        """An outline in several movements: each of its own pressure, some drawn twice, a part
        `lost` left out."""
        points, _ = resample(path, STEP)
        first = 0
        while first < len(points) - 3:
            count = int(self.rng.uniform(22, 70))
            drawn = self.rng.random() > lost
            count = count if drawn else count // 4  # a gap is shorter than a line
            piece = points[first : first + count]
            if drawn and len(piece) > 3:
                # pressed harder where the line runs downwards: away from the light at the left
                down = abs(piece[-1] - piece[0])[1] / (count * STEP)
                self.stroke(piece, width * self.rng.uniform(0.75, 1.2) * (0.9 + 0.35 * down))
                if self.rng.random() < 0.22:
                    part = piece[len(piece) // 4 :]
                    self.stroke(part + self.rng.normal(0, 0.7, size=2), 0.55 * width)
            first += count - int(self.rng.integers(-2, 5))

    def hatch(self, lines: list[Array], tone: Array, above: float, width: float = 0.85) -> None:
        """Draw the parts of `lines` where the tone is `above`; the darker the tone, the wider."""
        for line in lines:
            points, _ = resample(line, STEP)
            here = self._at(tone, points)
            wanted = (here > above + 0.07 * self._wander(len(points), 10)) & (here > 0)
            lift = int(self.rng.uniform(14, 40))
            while lift < len(points):  # the hand is moved on, and does not meet its own line
                wanted[lift : lift + int(self.rng.integers(1, 4))] = False
                lift += int(self.rng.uniform(22, 55))
            for first, last in _runs(wanted):
                if last - first > 2 and self.rng.random() > 0.04:
                    press = 0.8 + 0.5 * float(here[first:last].mean())
                    self.stroke(points[first:last], width * press * self.rng.uniform(0.8, 1.2))

    def shade(self, outline: Array, tone: Array, angle: float, spacing: float, width: float = 0.85) -> None:
        """Hatch the inside of an outline; a second and a third layer cross the first in the
        shadows."""
        inside = tone * self.mask(outline)
        for turn, above, wider in ((0.0, 0.14, 1.0), (0.85, 0.5, 1.1), (-0.6, 0.76, 1.0)):
            self.hatch(self.parallels(outline, angle + turn, spacing * wider), inside, above, width)

    def parallels(self, outline: Array, angle: float, spacing: float) -> list[Array]:
        """Lines at `angle` (radians, y downwards) across an outline, bowed as a hand draws from the
        wrist."""
        low, high = outline.min(axis=0), outline.max(axis=0)
        middle, reach = (low + high) / 2, 0.5 * float(np.hypot(*(high - low))) + 4
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        s = np.linspace(-1, 1, 24)[:, None]
        lines = []
        place = -reach
        while place < reach:
            tilt, bow = self.rng.normal(0, 0.018), self.rng.normal(0.02, 0.008)
            lines.append(middle + s * reach * along + (place + reach * (tilt * s + bow * s**2)) * across)
            place += spacing * max(self.rng.normal(1, 0.24), 0.4)
        return lines

    def dots(self, tone: Array, count: int, radius: float = 0.62) -> None:
        """Stipple: `count` touches of the nib at random, kept as often as the tone says."""
        spots = self.rng.uniform((0, 0), self.size, size=(count, 2))
        kept = self.rng.random(count) < self._at(tone, spots) * self._at(self._drawn_on, spots)
        for x, y in spots[kept] * SCALE:
            a, b = SCALE * radius * self.rng.uniform(0.6, 1.35, size=2)
            self._pen.ellipse((x - a, y - b, x + a, y + b), fill=255)

    def pulled(self) -> Image.Image:
        """The finished drawing: ink that soaked into the paper, flowing now more and now less."""
        rng, shape = self.rng, (self._ink.height, self._ink.width)
        soaked = blur(np.asarray(self._ink, dtype=np.float32) / 255, 1)
        fibres = noise(shape, 4, rng)
        edge = 0.06 * fibres
        flow = 0.93 - 0.10 * smoothstep(0.2, 2.0, fractal(shape, 90, 4, rng)) - 0.04 * np.abs(fibres)
        ink = (smoothstep(0.16, 0.74, soaked + edge * (soaked > 0.05)) * flow)[..., None]
        sheet = PAPER * (1 + 0.005 * fibres + 0.010 * fractal(shape, 420, 3, rng))[..., None]
        pixels = (np.clip(sheet * (1 - ink) + INK * ink, 0, 1) * 255 + 0.5).astype(np.uint8)
        return Image.fromarray(pixels).resize(self.size, Image.Resampling.LANCZOS)

    def _wander(self, count: int, every: float) -> Array:
        """Smooth noise (count,) along a line, a new value about every `every` pixels."""
        knots = int(count * STEP / every) + 2
        return np.interp(np.linspace(0, knots - 1, count), np.arange(knots), self.rng.normal(size=knots))

    def _at(self, values: Array | Mask, points: Array) -> Array:
        """The values (n,) under points; 0 outside the sheet."""
        x, y = np.floor(points).astype(np.int64).T
        width, height = self.size
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        found = values[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
        return np.where(inside, found, 0).astype(np.float32)


def points(*pairs: tuple[float, float]) -> Array:
    """A path or an outline (n, 2) from its points."""
    return np.array(pairs, dtype=np.float64)


def moved(path: Array, x: float, y: float) -> Array:
    """A path, or one point, moved to the right and down."""
    return np.asarray(path + np.array([x, y]))


def _runs(wanted: Mask) -> list[tuple[int, int]]:
    """Where True stands, as pairs (first, behind the last)."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in steps.reshape(-1, 2)]


def _corners(outline: Array) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in outline]
