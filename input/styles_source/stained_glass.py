"""Sunrise over a river valley in stained glass: a drawing in regions, each cut into relaxed Voronoi
panes and leaded.

Measures are pixels of the result unless they are said to be of the canvas. The numbers of the
composition were chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from PIL import Image

from .paint import SUPERSAMPLING, Array, Labels, Mask, blur, colours, finish, fractal, noise, ramp, smoothstep

WIDTH, HEIGHT = 720, 560
SUN = (470.0, 178.0, 66.0)  # x, y, radius
SPRING = 296.0  # y where the river comes into sight
REACH = 40  # canvas pixels: further from the lead than this a pane is all middle

SKY = colours("ffe9a0", "ffc04a", "f58a3c", "d9536a", "8a4aa8", "3f4fc0", "1f3f9a", "16307a")
SUNLIGHT = colours("fffbe0", "ffe36a", "ffb51e", "f58a10")
FAR = colours("3a6fb0", "4f9ab8", "7a78c0")
MIDDLE = colours("1f8f86", "48b06a", "a8c84a")
NEAR = colours("0f6a3c", "3f9a34", "9fc22e", "e0d040")
RIVER = colours("0f5fae", "2aa0d0", "7fdce0", "f4f0c0", "ffcf70")
PETALS = colours("a30f1e", "de2020", "f5482a", "ff8a3a")
HEARTS = colours("1a1030", "3a1a4a")
LEAVES = colours("0c5a34", "2a8a3a", "74b838")
PINKS = colours("8a1650", "d02a7a", "f26a8a", "ffb09a")
FLOWERS = (  # x, y, radius; turn in radians; colours of the petals
    ((98.0, 424.0, 80.0), 0.2, PETALS),
    ((226.0, 494.0, 58.0), 0.9, PINKS),
    ((640.0, 446.0, 72.0), 0.5, PETALS),
)


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 560 pixels."""
    y, x = np.mgrid[: HEIGHT * SUPERSAMPLING, : WIDTH * SUPERSAMPLING].astype(np.float32) / SUPERSAMPLING
    x, y = x + 2 * noise(x.shape, 60, rng), y + 2 * noise(x.shape, 60, rng)  # no line is ruled
    regions = _drawing(x, y)
    region_of = np.zeros(x.shape, dtype=np.int64)
    for number, region in enumerate(regions):
        region_of[region.where] = number
    pane_of = np.zeros(x.shape, dtype=np.int64)
    hues = np.zeros((0, 3), dtype=np.float32)
    for number in np.unique(region_of):
        seen = region_of == number
        panes, fresh = _cut(regions[number], seen, rng)
        pane_of[seen] = len(hues) + panes
        hues = np.concatenate([hues, fresh])
    narrow, wide = _distance(_edges(pane_of)), _distance(_edges(region_of))
    light = _glass(hues, pane_of, narrow, rng)
    return finish(_leaded(light, narrow, wide, _distance(_junctions(pane_of)), rng))


@dataclass(frozen=True)
class Region:
    """A part of the drawing; arrays are (height, width) of the canvas.

    where:   the points of the region
    u, v:    the plane its panes are round in; stretching a coordinate makes panes short that way
    pane:    breadth of a pane
    palette: colours (n, 3) of its glass
    tone:    the place of every point on the palette, 0..1; a pane takes the mean of its points
    spread:  deviation of the tone from pane to pane
    """

    where: Mask
    u: Array
    v: Array
    pane: float
    palette: Array
    tone: Array
    spread: float


def _drawing(x: Array, y: Array) -> list[Region]:
    """The regions from back to front: the first covers all, and later ones hide earlier ones."""
    sun_x, sun_y, radius = SUN
    away = np.hypot(x - sun_x, y - sun_y)
    # 0 upwards: the cut of the angle lies below, behind the hills
    bearing = np.arctan2(x - sun_x, sun_y - y)
    even = np.zeros_like(x)
    return [
        Region(away >= 0, 0.62 * away, bearing * (70 + 0.35 * away), 33, SKY, away / 520, 0.07),
        Region(away <= radius, 0.2 * away, 42 * bearing, 28, SUNLIGHT, even + 0.72, 0.2),
        Region(away <= 0.55 * radius, x, y, 2 * radius, SUNLIGHT, even + 0.10, 0.02),
        _hill(x, y - 268 + 34 * np.sin(x / 88 + 0.8) + 14 * np.sin(x / 37), 33, FAR),
        _hill(x, y - 312 + 40 * np.sin(x / 120 + 3.6) + 8 * np.sin(x / 41 + 1), 36, MIDDLE),
        _hill(x, y - 392 + 46 * np.sin(x / 150 + 1.4) - 10 * np.sin(x / 57), 34, NEAR),
        _river(x, y),
        *(part for flower in FLOWERS for part in _flower(x, y, *flower)),
    ]


def _hill(x: Array, below: Array, pane: float, palette: Array) -> Region:
    """All that lies `below` a crest: long panes that follow it, brightest at the top."""
    return Region(below > 0, 0.62 * x, 1.25 * below, pane, palette, 0.95 - below / 150, 0.15)


def _river(x: Array, y: Array) -> Region:
    """Winding and widening from the far hill to the lower edge; bright in its middle."""
    near = np.clip((y - SPRING) / (HEIGHT - SPRING), 0, 1.2)
    middle = 470 - 95 * np.sin(4.4 * near) * (0.35 + near) - 40 * near
    across = (x - middle) / (7 + 92 * near**1.4)
    tone = 0.75 - 0.55 * np.abs(across) - 0.25 * near
    return Region((np.abs(across) < 1) & (y > SPRING), 62 * across, 0.7 * y, 28, RIVER, tone, 0.14)


def _flower(x: Array, y: Array, place: tuple[float, float, float], turn: float, palette: Array) -> list[Region]:
    """Two leaves and a stem from the lower edge, six petals around `place` (x, y, radius), and the
    heart."""
    dx, dy, radius = x - place[0], y - place[1], place[2]
    above = y - HEIGHT - 6  # of the root, just below the edge
    away, bearing = np.hypot(dx, dy), np.arctan2(dy, dx) + turn
    even = np.zeros_like(x)
    parts = []
    for side in (-1.0, 1.0):
        along = 0.60 * side * dx - 0.80 * above
        across = 0.80 * side * dx + 0.60 * above + 9 * np.sin(along / 40)
        leaf = np.abs(across) < 17 * np.sin(np.pi * np.clip(along / 150, 0, 1))
        parts.append(Region(leaf, 0.45 * along, across, 24, LEAVES, 0.45 + 0.02 * side * across, 0.16))
    stem = (np.abs(dx - 10 * np.sin(dy / 60)) < 5) & (dy > 0)
    parts.append(Region(stem, dx, 0.3 * dy, 28, LEAVES, even + 0.5, 0.08))
    sixth = np.pi / 3
    petal, within = np.floor(bearing / sixth) % 6, np.mod(bearing, sixth) - sixth / 2
    inside = away < radius * (0.80 + 0.20 * np.abs(np.sin(3 * bearing)) ** 0.7)
    tone = 0.05 + 0.85 * away / radius
    parts += [Region(inside & (petal == k), 0.9 * within * away, 0.8 * away, 33, palette, tone, 0.1) for k in range(6)]
    parts.append(Region(away < 0.24 * radius, dx, dy, 17, HEARTS, even + 0.5, 0.4))
    return parts


def _cut(region: Region, seen: Mask, rng: np.random.Generator) -> tuple[Labels, Array]:
    """Panes by Lloyd's relaxation: the number of the pane at each seen pixel (in order), and the
    colour (n, 3) of each."""
    points = np.stack([region.u[seen], region.v[seen]], axis=1)
    sample = points[rng.permutation(len(points))[:9000]]  # enough to relax some hundred panes
    count = max(1, round(len(points) / (SUPERSAMPLING * region.pane) ** 2))
    seeds = sample[:count]
    # after six the panes no longer look like splinters and are not yet a honeycomb
    for _ in range(6):
        owner = _nearest(sample, seeds)
        seeds = np.stack([sample[owner == k].mean(axis=0) for k in range(count) if (owner == k).any()])
        count = len(seeds)
    panes = _nearest(points, seeds)
    tone = np.bincount(panes, region.tone[seen], count) / np.maximum(np.bincount(panes, minlength=count), 1)
    hues = ramp(region.palette, tone + rng.normal(0, region.spread, size=count))
    return panes, np.asarray(hues * rng.uniform(0.88, 1.12, size=(count, 1)), dtype=np.float32)


def _nearest(points: Array, seeds: Array) -> Labels:
    """The number of the nearest seed (k, 2) to each point (n, 2); one seed at a time, for memory's
    sake."""
    best = np.full(len(points), np.inf, dtype=np.float32)
    owner = np.zeros(len(points), dtype=np.int64)
    for number, (u, v) in enumerate(seeds):
        distance = (points[:, 0] - u) ** 2 + (points[:, 1] - v) ** 2
        closer = distance < best
        best[closer] = distance[closer]
        owner[closer] = number
    return owner


def _edges(labels: Labels) -> Mask:
    """Where a label differs from the one to the left or above."""
    edge = np.zeros(labels.shape, dtype=np.bool_)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    return edge


def _junctions(labels: Labels) -> Mask:
    """Where three or four panes meet."""
    corners = np.sort(np.stack([labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:]]), axis=0)
    meet = np.zeros(labels.shape, dtype=np.bool_)
    meet[:-1, :-1] = np.count_nonzero(np.diff(corners, axis=0), axis=0) >= 2
    return meet


def _distance(mask: Mask) -> Array:
    """Euclidean distance in canvas pixels to the nearest True, at most `REACH`.

    Squares of distances along one axis, then their least sum with squares along the other: exact
    within the reach.
    """
    squares = np.where(mask, 0, REACH**2).astype(np.float32)
    for _ in range(2):
        size = squares.shape[0]
        padded = np.pad(squares, ((REACH, REACH), (0, 0)), constant_values=REACH**2)
        shifted = (padded[REACH + k : REACH + k + size] + k * k for k in range(-REACH, REACH + 1))
        squares = np.ascontiguousarray(reduce(np.minimum, shifted).T)
    return np.asarray(np.sqrt(np.minimum(squares, REACH**2)))


def _glass(hues: Array, panes: Labels, to_lead: Array, rng: np.random.Generator) -> Array:
    """Light through the panes (height, width, 3), from the colour (n, 3) of each.

    What d sheets of a coloured glass let through is the colour to the power d: thin glass glows and
    thick glass deepens. Each pane is drawn out in a direction of its own, is thinnest in its
    middle, and holds bubbles under a wavy surface.
    """
    shape, count = panes.shape, len(hues)
    lying, standing = (fractal(size, 13, 3, rng, stretch=7) for size in (shape, shape[::-1]))
    clouds = fractal(shape, 50, 3, rng)
    kind, strength = rng.random(count)[panes], rng.uniform(0.06, 0.30, size=count)[panes]
    streaks = np.where(kind < 0.4, lying, np.where(kind < 0.75, standing.T, clouds))
    thickness = 1.75 - 0.95 * smoothstep(4, 34, to_lead) - strength * streaks - 0.20 * clouds
    light = np.clip(hues, 0.02, 1)[panes] ** np.clip(thickness, 0.3, 2.4)[..., None]
    milk = 1.3 * strength * smoothstep(0.8, 2.2, streaks)  # wisps of white glass
    light = light + milk[..., None] * (1 - light)
    surface = 0.7 * noise(shape, 9, rng) + 0.35 * noise(shape, 24, rng) + _bubbles(shape, rng)
    sparkle = np.clip(-np.sum(np.gradient(blur(surface, 1)), axis=0), -0.5, 1.2)[..., None]
    return np.asarray(np.clip(light * (1 + 0.20 * sparkle) + 0.10 * np.clip(sparkle, 0, 1), 0, 1.1), dtype=np.float32)


def _bubbles(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Air blown into the glass: the height (height, width) of small domes, in canvas pixels."""
    raised = np.zeros(shape, dtype=np.float32)
    dy, dx = np.mgrid[-10:11, -10:11]
    for _ in range(1300):
        half_width, half_height = rng.uniform(1.6, 3.6), rng.uniform(2.0, 8.0)
        dome = 2.2 * np.sqrt(np.clip(1 - (dx / half_width) ** 2 - (dy / half_height) ** 2, 0, 1))
        left, top = rng.integers(shape[1] - 21), rng.integers(shape[0] - 21)
        raised[top : top + 21, left : left + 21] += dome
    return raised


def _leaded(light: Array, narrow: Array, wide: Array, solder: Array, rng: np.random.Generator) -> Array:
    """Lead over the glass, from the distances to panes, regions and junctions: rounded, and lit
    from the upper left."""
    uneven = 1 + 0.14 * noise(narrow.shape, 40, rng)
    relief = np.zeros_like(narrow)
    for distance, half_width in ((narrow, 4.0), (wide, 7.0), (solder, 6.4)):  # canvas pixels
        dome = half_width * np.sqrt(np.clip(1 - (distance / (half_width * uneven)) ** 2, 0, 1))
        relief = np.maximum(relief, dome)
    relief = blur(relief, 1)
    slope_y, slope_x = np.gradient(blur(relief, 1) + 0.22 * noise(narrow.shape, 5, rng))
    facing = np.clip((0.55 - 0.5 * slope_x - 0.6 * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2), 0, 1.2)[..., None]
    dark, grey, shine = colours("08080d", "2c2f38", "5a6068")
    lead = dark + grey * facing**2 + shine * facing**9
    glow = blur(light, 10)  # light that spreads in the eye: it softens the lead and lifts the glass
    cover = smoothstep(0.4, 2.2, relief)[..., None]
    return np.asarray((0.94 * light + 0.12 * glow) * (1 - cover) + (lead + 0.09 * glow) * cover, dtype=np.float32)
