"""Paint, brush and light: what the four pictures share.

Every picture is painted on a canvas `SUPERSAMPLING` times as large as the result and made smaller at the end, so no edge is
ever drawn with a hard pixel. Colours are float32 RGB (height, width, 3) in 0..1; the relief is the thickness of the paint in
canvas pixels, float32 (height, width). Points are (x, y) in canvas pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

SUPERSAMPLING = 2  # 2 x 2 samples a pixel: enough, because every edge is already soft
LARGEST_FILE = 149_000  # bytes; the pictures live in the repository
QUALITIES = range(92, 50, -1)  # of JPEG; the first that fits is taken


def noise(shape: tuple[int, ...], cell: float, rng: np.random.Generator, stretch: float = 1.0) -> Array:
    """Smooth noise with mean 0 and deviation 1: random values every `cell` pixels, `cell * stretch` along x, joined bicubically."""
    height, width = shape
    grid = rng.normal(size=(int(height / cell) + 3, int(width / (cell * stretch)) + 3)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6), dtype=np.float32)


def fractal(shape: tuple[int, ...], cell: float, octaves: int, rng: np.random.Generator, stretch: float = 1.0) -> Array:
    """Noise of several sizes: each octave is half as large and half as strong. Deviation about 1."""
    layers = [noise(shape, cell / 2**k, rng, stretch) / 2**k for k in range(octaves)]
    total = np.sum(layers, axis=0, dtype=np.float32)
    return np.asarray(total / (total.std() + 1e-6), dtype=np.float32)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, a smooth rise between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def colours(*codes: str) -> Array:
    """A palette (n, 3) from hexadecimal codes such as `0b1f4d`."""
    return np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in codes], dtype=np.float32)


def ramp(palette: Array, value: Array) -> Array:
    """The colour at `value` in 0..1 along a palette, linear between neighbours; shape of value + (3,)."""
    place = np.clip(value, 0, 1) * (len(palette) - 1)
    low = np.minimum(place.astype(np.int64), len(palette) - 2)
    part = (place - low)[..., None]
    return np.asarray(palette[low] * (1 - part) + palette[low + 1] * part, dtype=np.float32)


def blur(image: Array, radius: int) -> Array:
    """About a Gaussian of deviation `radius` pixels: three box means along each axis, edges repeated."""
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0)] * image.ndim
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
            size = image.shape[axis]
            upper = np.take(total, range(2 * radius + 1, 2 * radius + 1 + size), axis=axis)
            image = ((upper - np.take(total, range(size), axis=axis)) / (2 * radius + 1)).astype(np.float32)
    return image


def follow(direction: Array, starts: Array, steps: int, stride: float) -> Array:
    """Walk along a field of unit vectors (height, width, 2) from `starts` (n, 2): paths (n, steps, 2), middle at the start."""
    height, width = direction.shape[:2]
    halves = []
    for sign in (-1.0, 1.0):
        here, walked = starts.astype(np.float32), []
        for _ in range(steps // 2):
            x = np.clip(here[:, 0], 0, width - 1).astype(np.int64)
            y = np.clip(here[:, 1], 0, height - 1).astype(np.int64)
            here = here + sign * stride * direction[y, x]
            walked.append(here)
        halves.append(walked)
    return np.stack([*halves[0][::-1], *halves[1]], axis=1)


class Canvas:
    """Wet paint: a colour and a thickness at every pixel, and strokes laid over them."""

    def __init__(self, ground: Array, rng: np.random.Generator) -> None:
        """Start from a ground colour (height, width, 3)."""
        self.colour = ground.copy()
        self.relief = np.zeros(ground.shape[:2], dtype=np.float32)
        self._bristles = bristles(rng)
        self._rng = rng

    def stroke(
        self,
        path: Array,
        half_width: float,
        tints: Array,
        *,
        body: float = 1.0,
        taper: float = 0.25,
        ridge: float = 0.5,
        dryness: float = 0.3,
        streak: float = 0.08,
        furrow: float = 0.3,
    ) -> None:
        """Lay one loaded brush along `path` (n, 2).

        The ribbon runs through `tints` (k, 3) across its width. `body` is the thickness of the paint, `taper` the part of each
        end over which it narrows, `ridge` how much paint is squeezed to its sides, `dryness` how early the bristles run out
        `streak` how much lightness differs from bristle to bristle and `furrow` how much thickness does: little for a knife.
        """
        spacing = 0.7  # canvas pixels between samples: under 1, so that no pixel of the ribbon is missed
        centre, normal = _resample(path, spacing)
        count, across = len(centre), max(int(2 * half_width / spacing) + 2, 5)
        s = np.linspace(0, 1, count, dtype=np.float32)[:, None]
        t = np.linspace(-1, 1, across, dtype=np.float32)[None, :]
        ends = np.clip(np.minimum(s, 1 - s) / max(taper, 1e-3), 0, 1)
        widths = half_width * (0.25 + 0.75 * np.sqrt(ends * (2 - ends)))
        points = centre[:, None, :] + normal[:, None, :] * (widths * t)[..., None]
        hair = self._hair(count, across)
        cover = smoothstep(0, 0.25, 1 - np.abs(t) + 0.12 * hair) * smoothstep(
            0, 0.06, np.minimum(s, 1 - s) + 0.03 * hair
        )
        cover = cover * smoothstep(-0.6, 0.1, 1 - dryness * (1 + 2.2 * s * s) + 0.55 * hair)
        tint = (
            ramp(tints, (t + 1) / 2 + 0.1 * hair) if len(tints) > 1 else np.broadcast_to(tints[0], (count, across, 3))
        )
        tint = tint * (1 + streak * hair[..., None])
        paint = body * (0.7 + furrow * hair + ridge * np.abs(t) ** 3 + 0.3 * ridge * s**6)
        self._blend(points, cover, tint, paint)

    def _hair(self, count: int, across: int) -> Array:
        top = int(self._rng.integers(self._bristles.shape[0] - count)) if count < self._bristles.shape[0] else 0
        left = int(self._rng.integers(self._bristles.shape[1] - across))
        return self._bristles[top : top + count, left : left + across]

    def _blend(self, points: Array, cover: Array, tint: Array, paint: Array) -> None:
        height, width = self.relief.shape
        x, y = np.rint(points[..., 0]).astype(np.int64), np.rint(points[..., 1]).astype(np.int64)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y, cover, tint, paint = x[inside], y[inside], cover[inside], tint[inside], paint[inside]
        self.colour[y, x] += cover[:, None] * (tint - self.colour[y, x])
        self.relief[y, x] += cover * (paint + 0.35 * self.relief[y, x] - self.relief[y, x])  # wet paint below gives way

    def lit(
        self,
        *,
        depth: float = 1.0,
        gloss: float = 0.25,
        sharpness: float = 24.0,
        towards: tuple[float, float] = (-0.6, -0.7),
    ) -> Array:
        """The picture under one lamp from the side `towards` (x, y; y downwards), with shine on the wet ridges; (height, width, 3)."""
        slope_y, slope_x = np.gradient(blur(self.relief, 1) * depth)
        lamp = np.array([*towards, 0.9], dtype=np.float32)
        lamp /= np.linalg.norm(lamp)
        half = lamp + np.array([0, 0, 1], dtype=np.float32)
        half /= np.linalg.norm(half)
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        diffuse = (-slope_x * lamp[0] - slope_y * lamp[1] + lamp[2]) / length
        shine = np.clip((-slope_x * half[0] - slope_y * half[1] + half[2]) / length, 0, 1) ** sharpness
        shade = np.clip(0.35 + 0.65 * diffuse / lamp[2], 0.3, 1.5)[..., None]
        flat = half[2] ** sharpness
        return np.asarray(self.colour * shade + gloss * np.clip(shine - flat, 0, 1)[..., None], dtype=np.float32)


def bristles(rng: np.random.Generator, length: int = 1500, width: int = 600) -> Array:
    """What a brush leaves: streaks along the stroke (first axis), coarse hairs and fine ones; deviation about 1."""
    coarse = noise((width, length), 6, rng, stretch=30)
    fine = noise((width, length), 2.2, rng, stretch=40)
    return np.ascontiguousarray((0.75 * coarse + 0.55 * fine).T)


def finish(picture: Array, margin: int = 0) -> Image.Image:
    """Cut `margin` canvas pixels off every side, clip, and make the picture smaller by `SUPERSAMPLING`."""
    height, width = picture.shape[:2]
    cut = picture[margin : height - margin, margin : width - margin]
    pixels = (np.clip(cut, 0, 1) * 255 + 0.5).astype(np.uint8)
    size = (pixels.shape[1] // SUPERSAMPLING, pixels.shape[0] // SUPERSAMPLING)
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)


def save(picture: Image.Image, path: Path) -> int:
    """Write a JPEG at the best quality of `QUALITIES` that stays under `LARGEST_FILE`; gives its bytes."""
    for quality in QUALITIES:
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= LARGEST_FILE:
            break
    return path.stat().st_size


def _resample(path: Array, spacing: float) -> tuple[Array, Array]:
    """A path at equal distances of `spacing` pixels, and its unit normals: both (n, 2)."""
    steps = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, along[-1], max(int(along[-1] / spacing), 4))
    points = np.stack([np.interp(wanted, along, path[:, axis]) for axis in (0, 1)], axis=1)
    tangent = np.gradient(points, axis=0)
    tangent /= np.sqrt((tangent**2).sum(axis=1, keepdims=True)) + 1e-6
    return points.astype(np.float32), np.stack([-tangent[:, 1], tangent[:, 0]], axis=1).astype(np.float32)
