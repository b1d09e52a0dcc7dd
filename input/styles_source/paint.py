"""Paint, brush and light: what the pictures share.

Every picture is painted on a canvas `SUPERSAMPLING` times as large as the result and made smaller
at the end, so no edge is drawn with hard pixels. Colours are float32 RGB (height, width, 3) in
0..1; the relief is the thickness of the paint, float32 (height, width). Points are (x, y). Here
every length is in canvas pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Labels = NDArray[np.integer[Any]]

SPACING = 0.7  # between the samples of a stroke: under 1, so that no pixel of it is missed
# where the light comes from: x, y downwards, z out of the picture; chosen by eye
LAMP = (-0.6, -0.7, 0.9)
SUPERSAMPLING = 2  # 2 x 2 samples a pixel: enough, because every edge is already soft
# bytes: the pictures live in the repository, where 150 kB is the most a demo input may take
LARGEST_FILE = 149_000
QUALITIES = range(92, 50, -1)  # of JPEG; the first that fits is taken


def noise(shape: tuple[int, ...], cell: float, rng: np.random.Generator, stretch: float = 1.0) -> Array:
    """Smooth noise (height, width) with mean 0 and deviation 1.

    Random values every `cell` pixels along y and every `cell * stretch` along x, joined
    bicubically.
    """
    height, width = shape
    grid = rng.normal(size=(int(height / cell) + 3, int(width / (cell * stretch)) + 3)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6), dtype=np.float32)


def fractal(shape: tuple[int, ...], cell: float, octaves: int, rng: np.random.Generator, stretch: float = 1.0) -> Array:
    """Noise of several sizes: each octave is half as large and half as strong. Deviation about
    1."""
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
    """The colour at `value` in 0..1 along a palette, linear between neighbours; shape of value +
    (3,)."""
    place = np.clip(value, 0, 1) * (len(palette) - 1)
    low = np.minimum(place.astype(np.int64), len(palette) - 2)
    part = (place - low)[..., None]
    return np.asarray(palette[low] * (1 - part) + palette[low + 1] * part, dtype=np.float32)


def blur(image: Array, radius: int) -> Array:
    """A soft copy of (height, width) or (height, width, 3), about a Gaussian of deviation `radius`;
    edges repeated.

    Three box means along each axis: they tend to a Gaussian and cost the same at every radius.
    """
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0)] * image.ndim
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
            size = image.shape[axis]
            upper = np.take(total, range(2 * radius + 1, 2 * radius + 1 + size), axis=axis)
            image = (upper - np.take(total, range(size), axis=axis)) / (2 * radius + 1)
    return image.astype(np.float32)


def follow(direction: Array, starts: Array, steps: int, stride: float) -> Array:
    """Walk both ways along unit vectors (height, width, 2): paths (n, steps, 2) with their middles
    at `starts` (n, 2)."""
    height, width = direction.shape[:2]
    halves: list[list[Array]] = []
    for sign in (-1.0, 1.0):
        here: Array = starts.astype(np.float32)
        walked: list[Array] = []
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
        self.colour = ground.astype(np.float32)
        self.relief: Array = np.zeros(ground.shape[:2], dtype=np.float32)
        self._bristles = _bristles(rng)
        self._rng = rng

    def stroke(
        self,
        path: Array,
        half_width: float,
        tints: Array,
        *,
        body: float,
        taper: float = 0.25,
        ridge: float = 0.5,
        dryness: float = 0.3,
        streak: float = 0.08,
        furrow: float = 0.3,
    ) -> None:
        """Lay one loaded brush along `path` (n, 2); the colour runs through `tints` (k, 3) across
        its width.

        `body` is the thickness of the paint, `taper` the part of each end over which the stroke
        narrows, `ridge` how much paint is squeezed to its sides and its end, `dryness` (0..1) how
        early the bristles run out. From bristle to bristle lightness differs by `streak` and
        thickness by `furrow`, which is large for a brush and small for a knife.
        """
        centre, normal = resample(path, SPACING)
        count, across = len(centre), max(int(2 * half_width / SPACING) + 2, 5)
        s = np.linspace(0, 1, count, dtype=np.float32)[:, None]
        t = np.linspace(-1, 1, across, dtype=np.float32)[None, :]
        to_end, hair = np.minimum(s, 1 - s), self._hair(count, across)
        narrowing = np.clip(to_end / taper, 0, 1)
        # round, from a quarter of the width
        widths = half_width * (0.25 + 0.75 * np.sqrt(narrowing * (2 - narrowing)))
        points = centre[:, None, :] + normal[:, None, :] * (widths * t)[..., None]
        sides = smoothstep(0, 0.25, 1 - np.abs(t) + 0.12 * hair)
        ends = smoothstep(0, 0.06, to_end + 0.03 * hair)
        wet = smoothstep(-0.6, 0.1, 1 - dryness * (1 + 2.2 * s**2) + 0.55 * hair)
        # on the tints; the bristles carry the colours a little over each other
        place = (t + 1) / 2 + 0.1 * hair
        tint = ramp(tints, place) if len(tints) > 1 else np.broadcast_to(tints[0], (count, across, 3))
        paint = body * (0.7 + furrow * hair + ridge * np.abs(t) ** 3 + 0.3 * ridge * s**6)
        self._blend(points, sides * ends * wet, tint * (1 + streak * hair[..., None]), paint)

    def lit(self, *, depth: float, gloss: float, sharpness: float = 24) -> Array:
        """The picture (height, width, 3) under a lamp at the upper left.

        `depth` exaggerates the relief; `gloss` is the strength of the shine on wet ridges and
        `sharpness` its exponent.
        """
        lamp = np.array(LAMP) / np.linalg.norm(LAMP)
        # half way between the lamp and the eye, which looks straight down
        mirror = np.add(lamp, (0, 0, 1))
        mirror = mirror / np.linalg.norm(mirror)
        slope_y, slope_x = np.gradient(blur(self.relief, 1) * depth)
        normal = np.stack([-slope_x, -slope_y, np.ones_like(slope_x)]) / np.sqrt(slope_x**2 + slope_y**2 + 1)
        diffuse, shine = (np.tensordot(towards, normal, axes=1) for towards in (lamp, mirror))
        shade = np.clip(0.35 + 0.65 * diffuse / lamp[2], 0.3, 1.5)  # 1 where the paint lies flat
        # 0 where it lies flat
        spark = np.clip(np.clip(shine, 0, 1) ** sharpness - mirror[2] ** sharpness, 0, 1)
        return np.asarray(self.colour * shade[..., None] + gloss * spark[..., None], dtype=np.float32)

    def _hair(self, count: int, across: int) -> Array:
        """A piece (count, across) of what the bristles leave, from a random place."""
        length, width = self._bristles.shape
        top, left = int(self._rng.integers(length - count)), int(self._rng.integers(width - across))
        return self._bristles[top : top + count, left : left + across]

    def _blend(self, points: Array, cover: Array, tint: Array, paint: Array) -> None:
        """Samples (along, across) onto the pixels they fall on; what falls outside the canvas is
        lost."""
        height, width = self.relief.shape
        x, y = np.rint(points[..., 0]).astype(np.int64), np.rint(points[..., 1]).astype(np.int64)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y, cover, tint, paint = x[inside], y[inside], cover[inside], tint[inside], paint[inside]
        self.colour[y, x] += cover[:, None] * (tint - self.colour[y, x])
        # wet paint below gives way, but not all of it
        self.relief[y, x] += cover * (paint - 0.65 * self.relief[y, x])


def between(upper: Array, lower: Array, part: float) -> Array:
    """A curve between two curves of as many points."""
    return np.asarray(upper * (1 - part) + lower * part)


def spline(knots: Array, count: int) -> Array:
    """The Catmull-Rom curve through `knots` (k, 2): (count, 2)."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    place = np.linspace(0, len(knots) - 1 - 1e-6, count)
    k, t = place.astype(np.int64), (place % 1)[:, None]
    a, b, c, d = (padded[k + i] for i in range(4))
    return np.asarray(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))


def resample(path: Array, spacing: float) -> tuple[Array, Array]:
    """A path at equal distances of `spacing`, and its unit normals: both (n, 2)."""
    steps = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, along[-1], max(int(along[-1] / spacing), 4))
    points = np.stack([np.interp(wanted, along, path[:, axis]) for axis in (0, 1)], axis=1)
    tangent = np.gradient(points, axis=0)
    tangent /= np.sqrt((tangent**2).sum(axis=1, keepdims=True)) + 1e-6
    return points.astype(np.float32), np.stack([-tangent[:, 1], tangent[:, 0]], axis=1).astype(np.float32)


def finish(picture: Array, margin: int = 0) -> Image.Image:
    """Cut `margin` off every side, clip to 0..1, and make the picture smaller by
    `SUPERSAMPLING`."""
    height, width = picture.shape[:2]
    cut = picture[margin : height - margin, margin : width - margin]
    pixels = (np.clip(cut, 0, 1) * 255 + 0.5).astype(np.uint8)
    size = (pixels.shape[1] // SUPERSAMPLING, pixels.shape[0] // SUPERSAMPLING)
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)


def save(picture: Image.Image, path: Path) -> int:
    """Write a JPEG at the best quality of `QUALITIES` that stays under `LARGEST_FILE`; gives its
    bytes."""
    for quality in QUALITIES:
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= LARGEST_FILE:
            break
    return path.stat().st_size


def _bristles(rng: np.random.Generator) -> Array:
    """What a brush leaves (along, across): streaks of coarse hairs and of fine ones; larger than
    the largest stroke."""
    shape = (600, 1500)
    streaks = 0.75 * noise(shape, 6, rng, stretch=30) + 0.55 * noise(shape, 2.2, rng, stretch=40)
    return np.ascontiguousarray(streaks.T)
