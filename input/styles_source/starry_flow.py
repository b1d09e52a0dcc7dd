"""Night over the hills: thousands of short bristled strokes along the streamlines of a sky of
vortices.

Measures are pixels of the result, and the numbers of the composition were chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .paint import SUPERSAMPLING, Array, Canvas, Mask, colours, finish, follow, fractal, noise, ramp, smoothstep

WIDTH, HEIGHT = 720, 560
MARGIN = 40  # painted outside the frame and cut off, so that strokes run out of the picture
STRIDE = 4.0  # canvas pixels a stroke walks before it looks again which way the field runs

NIGHT = colours("071133", "0d2260", "1a3f96", "2a66b8", "5a9cc9", "a5cfcb", "e8e6b4")
DUSK = colours("0a0d30", "1f1a5e", "33388f", "3f6fa8", "57a8a8", "a9cfae", "efe3a6")
FIRE = colours("2f7fae", "63b8ae", "c9d98a", "f3cf4a", "f7dd6b", "fff4cf")
LAND = colours("071026", "0b2a4a", "0f4f5a", "2f7a5a", "8fa04a", "e0b850", "f2dc8a")
CYPRESS = colours("03070d", "08181c", "10302e", "1f4a34", "4f6030", "a0702c")
SKY_ACCENTS = colours("7a6fc0", "46b3a5", "d0a04a", "c7dbe0")
LAND_ACCENTS = colours("5a4a9a", "b0662a", "2a8a8a")

# x, y, radius, turn
VORTICES = ((300, 180, 105, 1.0), (478, 268, 72, -1.0), (84, 336, 55, -0.8), (700, 372, 50, 0.8))
STARS = (  # x, y, radius
    (612, 92, 60),
    (118, 74, 32),
    (450, 58, 27),
    (34, 208, 24),
    (196, 336, 21),
    (655, 238, 25),
    (362, 372, 18),
    (238, 40, 17),
)
HILLS = (  # mean height of the crest, height and length of its waves, their phase, lightness
    (418, 30, 120, 0.6, 0.52),
    (452, 34, 150, 2.4, 0.40),
    (500, 30, 110, 4.6, 0.50),
)
TREES = ((548, 150, 40), (602, 268, 30))  # x of the foot, y of the top, half breadth


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 560 pixels."""
    shape = ((HEIGHT + 2 * MARGIN) * SUPERSAMPLING, (WIDTH + 2 * MARGIN) * SUPERSAMPLING)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / SUPERSAMPLING - MARGIN
    canvas = Canvas(NIGHT[1] + 0.02 * noise(shape, 8, rng)[..., None], rng)
    sky = Field(np.ones(shape, dtype=bool), *_sky(x, y, rng), SKY_ACCENTS)
    _brush(canvas, sky, ((7.0, 60, 3200), (4.4, 44, 6000), (2.8, 32, 7000)), rng)
    _rings(canvas, rng)
    for hill in _hills(x, y, rng):
        _brush(canvas, hill, ((5.5, 46, 2600), (3.2, 30, 5600)), rng)
    _brush(canvas, _cypresses(x, y, rng), ((5.0, 56, 2600), (2.8, 40, 6000)), rng)
    return finish(canvas.lit(depth=1.35, gloss=0.26), MARGIN * SUPERSAMPLING)


@dataclass(frozen=True)
class Field:
    """A part of the picture as the brush sees it: where it lies, which way its strokes run, their
    colour, stray colours.

    Shapes: (height, width), (height, width, 2) of unit length, (height, width, 3), (n, 3).
    """

    where: Mask
    direction: Array
    colour: Array
    accents: Array


def _brush(canvas: Canvas, field: Field, coats: tuple[tuple[float, float, int], ...], rng: np.random.Generator) -> None:
    """Coats of (half width, length, how many strokes a full frame would take); strokes begin inside
    the field."""
    places = np.argwhere(field.where[::4, ::4]) * 4
    for half_width, length, full in coats:
        count = int(full * len(places) * 16 / field.where.size)
        starts = places[rng.integers(len(places), size=count)][:, ::-1] + rng.uniform(0, 3, size=(count, 2))
        steps = int(length * SUPERSAMPLING / STRIDE)
        for (x, y), path in zip(starts, follow(field.direction, starts, steps, STRIDE), strict=True):
            trim = int(rng.integers(0, steps // 3))  # so that strokes differ in length
            tint = field.colour[int(y), int(x)]
            if rng.random() < 0.03:
                tint = 0.45 * tint + 0.55 * field.accents[rng.integers(len(field.accents))]
            tint = tint + rng.normal(0, 0.035) + rng.normal(0, 0.018, size=3)
            canvas.stroke(
                path[trim : steps - trim // 2],
                half_width * SUPERSAMPLING * rng.uniform(0.7, 1.25),
                np.clip([tint, tint + rng.normal(0, 0.05)], 0, 1),
                body=half_width * 0.55,
                dryness=rng.uniform(0.1, 0.45),
                streak=0.10,
            )


def _rings(canvas: Canvas, rng: np.random.Generator) -> None:
    """Broken rings of dabs around each star, from the rim inwards, and a thick bright core."""
    for x, y, radius in STARS:
        middle = np.array([x, y]) + MARGIN
        for ring in np.arange(1.45, 0.0, -0.21 - 1.2 / radius):
            away = ring * radius * 0.8
            dabs = max(int(2 * np.pi * away / 15), 3)
            for turn in np.linspace(0, 2 * np.pi, dabs, endpoint=False) + rng.uniform(0, 6):
                if rng.random() < 0.25 + 0.35 * ring:
                    continue  # the strokes below are to be seen between
                arc = turn + np.linspace(-0.5, 0.5, 9) * min(20 / max(away, 4), 2.4)
                path = middle + (away + rng.normal(0, 0.8)) * np.stack([np.cos(arc), np.sin(arc)], axis=1)
                tints = ramp(FIRE, 1.1 - 0.62 * ring + rng.normal(0, 0.07, size=2))
                canvas.stroke(path * SUPERSAMPLING, rng.uniform(4.6, 7.0), tints, body=3.4, dryness=0.15)
        core = middle + np.array([(-0.1 * radius, -1), (0, -2), (0.1 * radius, 1)])
        canvas.stroke(core * SUPERSAMPLING, radius * 0.20 + 4, FIRE[-1:], body=5.0, dryness=0.0)


def _sky(x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Direction and colour of the sky: the air drifts to the right, spirals into vortices and
    circles stars."""
    flow_x = np.ones_like(x)
    flow_y = 0.28 * np.cos(x / 95 + y / 70) + 0.18 * noise(x.shape, 260, rng)
    whirls = [(*vortex, 0.20) for vortex in VORTICES] + [(cx, cy, radius * 0.95, 1.0, 0.0) for cx, cy, radius in STARS]
    for cx, cy, radius, turn, inward in whirls:
        dx, dy = x - cx, y - cy
        distance = np.sqrt(dx**2 + dy**2) + 1e-3
        pull = 5.0 * np.exp(-((distance / radius) ** 2) * 0.8)
        flow_x += pull * (-turn * dy - inward * dx) / distance
        flow_y += pull * (turn * dx - inward * dy) / distance
    speed = np.sqrt(flow_x**2 + flow_y**2) + 1e-6
    direction = np.stack([flow_x / speed, flow_y / speed], axis=-1).astype(np.float32)
    bands = _comb(fractal(x.shape, 44, 2, rng), direction)
    light = 0.35 + 0.10 * noise(x.shape, 300, rng) + 0.0006 * (y - 150) + 0.17 * bands
    for cx, cy, radius, _ in VORTICES:
        light += 0.20 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2)
    dusk = smoothstep(-0.3, 1.3, noise(x.shape, 230, rng) + 0.3 * bands)[..., None]
    colour = ramp(NIGHT, light) * (1 - dusk) + ramp(DUSK, light) * dusk
    for cx, cy, radius in STARS:
        distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2) / radius
        fire = np.clip(1.12 - 0.66 * distance + 0.10 * np.cos(distance * 11) + 0.06 * bands, 0, 1)
        colour += smoothstep(1.75, 0.6, distance)[..., None] * (ramp(FIRE, fire) - colour)
    return direction, colour


def _comb(image: Array, direction: Array) -> Array:
    """Noise (height, width) drawn out along a field: the mean over 35 steps of 3 pixels either way,
    deviation 1.

    Worked out at half size, which is as fine as bands of colour need.
    """
    rows, columns = (a.astype(np.float32) for a in np.mgrid[: image.shape[0] : 2, : image.shape[1] : 2])
    total = np.zeros_like(rows)
    for sign in (-3.0, 3.0):
        px, py = columns.copy(), rows.copy()
        for _ in range(35):
            ix = np.clip(px, 0, image.shape[1] - 1).astype(np.int64)
            iy = np.clip(py, 0, image.shape[0] - 1).astype(np.int64)
            total += image[iy, ix]
            px += sign * direction[iy, ix, 0]
            py += sign * direction[iy, ix, 1]
    total = (total - total.mean()) / total.std()
    return np.asarray(Image.fromarray(total).resize(image.shape[::-1], Image.Resampling.BILINEAR))


def _hills(x: Array, y: Array, rng: np.random.Generator) -> list[Field]:
    """Ranges from far to near, ploughed along their slopes, their crests in the light of the
    sky."""
    fields = []
    for top, amplitude, wave, phase, bright in HILLS:
        crest = top - amplitude * (np.sin(x / wave + phase) + 0.35 * np.sin(x / wave * 2.3 + 2 * phase))
        slope = -amplitude / wave * (np.cos(x / wave + phase) + 0.8 * np.cos(x / wave * 2.3 + 2 * phase))
        depth = np.clip((y - crest) / 80, 0, 1)
        lean = slope * (1 - 0.4 * depth) + 0.30 * np.sin(x / 37 + y / 23 + phase) * depth
        length = np.sqrt(1 + lean**2)
        direction = np.stack([1 / length, lean / length], axis=-1).astype(np.float32)
        rows = np.sin((y - crest) / 6.5 + 0.8 * noise(x.shape, 90, rng))
        glow = 0.34 * np.exp(-(((y - crest) / 10) ** 2)) * np.clip(0.75 + 0.5 * noise(x.shape, 110, rng), 0.1, 1.2)
        light = bright + glow - 0.26 * depth + 0.13 * rows + 0.10 * noise(x.shape, 50, rng)
        fields.append(Field(y > crest + 3, direction, ramp(LAND, light), LAND_ACCENTS))
    return fields


def _cypresses(x: Array, y: Array, rng: np.random.Generator) -> Field:
    """Two dark trees like flames, their strokes curling upwards and out."""
    inside = np.zeros(x.shape, dtype=bool)
    lean, side = np.zeros_like(x), np.zeros_like(x)
    for foot, top, breadth in TREES:
        height = np.clip((HEIGHT + 20 - y) / (HEIGHT + 20 - top), 0, 1)
        axis = foot + 7 * np.sin(height * 6) + 12 * height
        body = np.clip(np.sin(np.pi * (0.16 + 0.84 * height)), 0, 1) ** 0.8 * (1 - 0.35 * height)
        tongues = np.sin(height * 24 + 0.5 * np.sign(x - axis)) * (1 - height)
        half = breadth * body + 5 * tongues
        here = (np.abs(x - axis) < half) & (y > top)
        inside |= here
        side = np.where(here, (x - axis) / (half + 1), side)
        lean = np.where(here, 0.34 * np.sin(y / 26 + x / 17) + 0.42 * side * (0.8 - height), lean)
    length = np.sqrt(1 + lean**2)
    direction = np.stack([lean / length, -1 / length], axis=-1).astype(np.float32)
    light = 0.34 - 0.18 * side + 0.20 * noise(x.shape, 26, rng)
    return Field(inside, direction, ramp(CYPRESS, light), LAND_ACCENTS)
