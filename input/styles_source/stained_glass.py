"""Sunrise over a river valley in stained glass: regions of a drawing, each cut into relaxed Voronoi panes and leaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .paint import SUPERSAMPLING, Array, Mask, blur, colours, finish, fractal, noise, ramp, smoothstep

WIDTH, HEIGHT = 720, 560  # pixels of the result
SUN = (470.0, 178.0, 66.0)  # x, y, radius

SKY = colours("ffe9a0", "ffc04a", "f58a3c", "d9536a", "8a4aa8", "3f4fc0", "1f3f9a", "16307a")
SUNLIGHT = colours("fffbe0", "ffe36a", "ffb51e", "f58a10")
FAR, MIDDLE, NEAR = (
    colours("3a6fb0", "4f9ab8", "7a78c0"),
    colours("1f8f86", "48b06a", "a8c84a"),
    colours("0f6a3c", "3f9a34", "9fc22e", "e0d040"),
)
RIVER = colours("0f5fae", "2aa0d0", "7fdce0", "f4f0c0", "ffcf70")
PETALS = colours("a30f1e", "de2020", "f5482a", "ff8a3a")
HEARTS = colours("1a1030", "3a1a4a")
LEAVES = colours("0c5a34", "2a8a3a", "74b838")
PINKS = colours("8a1650", "d02a7a", "f26a8a", "ffb09a")
# x, y, radius in pixels of the result, turn in radians, colours of the petals; placed by eye
FLOWERS = ((98.0, 424.0, 80.0, 0.2, PETALS), (226.0, 494.0, 58.0, 0.9, PINKS), (640.0, 446.0, 72.0, 0.5, PETALS))


@dataclass(frozen=True)
class Region:
    """A part of the drawing: where it lies, the plane its panes are relaxed in, how large they are, and their colours.

    `u`, `v` are coordinates in pixels: panes are round in them, so stretching one stretches the panes the other way.
    `tone` is the place of each point on `palette`, 0..1, and `spread` how far one pane may stray from it.
    """

    where: Mask
    u: Array
    v: Array
    pane: float
    palette: Array
    tone: Array
    spread: float = 0.08


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 560 pixels."""
    y, x = np.mgrid[: HEIGHT * SUPERSAMPLING, : WIDTH * SUPERSAMPLING].astype(np.float32) / SUPERSAMPLING
    wobble = 2.0
    x, y = x + wobble * noise(x.shape, 60, rng), y + wobble * noise(x.shape, 60, rng)  # no line is ruled
    region_of = np.zeros(x.shape, dtype=np.int32)
    pane_of = np.zeros(x.shape, dtype=np.int32)
    glass = np.zeros((*x.shape, 3), dtype=np.float32)
    first = 1
    regions = _drawing(x, y)
    for number, region in enumerate(regions, start=1):
        region_of[region.where] = number
    for number, region in enumerate(regions, start=1):
        seen = region_of == number
        if not seen.any():
            continue
        panes, hues = _cut(region, seen, rng)
        pane_of[seen] = first + panes
        glass[seen] = hues[panes]
        first += int(panes.max()) + 1
    thin, thick = _distance(_edges(pane_of), 40), _distance(_edges(region_of), 40)
    light = _glass(glass, pane_of, np.minimum(thin, thick), rng)
    return finish(_leaded(light, thin, thick, _distance(_junctions(pane_of), 14), rng))


def _drawing(x: Array, y: Array) -> list[Region]:
    """The regions from back to front; later ones hide earlier ones."""
    from_sun = np.hypot(x - SUN[0], y - SUN[1])
    bearing = np.arctan2(x - SUN[0], SUN[1] - y)  # 0 upwards: the cut of the angle lies below, behind the hills
    everywhere = np.ones(x.shape, dtype=bool)
    regions = [Region(everywhere, from_sun * 0.62, bearing * (70 + 0.35 * from_sun), 30, SKY, from_sun / 520, 0.07)]
    halo, disc = from_sun <= SUN[2], from_sun <= SUN[2] * 0.55
    regions.append(Region(halo, from_sun * 0.2, bearing * 42, 11.5, SUNLIGHT, 0.72 + 0 * x, 0.2))
    regions.append(Region(disc, x, y, SUN[2] * 2, SUNLIGHT, 0.12 + 0 * x, 0.02))
    for palette, crest, pane in (
        (FAR, 268 - 34 * np.sin(x / 88 + 0.8) - 14 * np.sin(x / 37), 30),
        (MIDDLE, 312 - 40 * np.sin(x / 120 + 3.6) - 8 * np.sin(x / 41 + 1), 33),
        (NEAR, 392 - 46 * np.sin(x / 150 + 1.4) + 10 * np.sin(x / 57), 36),
    ):
        below = y - crest
        regions.append(Region(below > 0, x * 0.62, below * 1.25, pane, palette, 0.95 - below / 150, 0.15))
    regions.append(_river(x, y))
    for cx, cy, radius, turn, palette in FLOWERS:
        regions.extend(_flower(x - cx, y - cy, HEIGHT - cy, radius, turn, palette))
    return regions


def _river(x: Array, y: Array) -> Region:
    depth = np.clip((y - 296) / (HEIGHT - 296), 0, 1.2)
    middle = 470 - 95 * np.sin(depth * 4.4) * (0.35 + depth) - 40 * depth
    half = 7 + 92 * depth**1.4
    inside = (np.abs(x - middle) < half) & (y > 296)
    across = (x - middle) / half
    return Region(inside, across * 62, y * 0.7, 26, RIVER, 0.75 - 0.55 * np.abs(across) - 0.25 * depth, 0.14)


def _flower(dx: Array, dy: Array, ground: float, radius: float, turn: float, palette: Array) -> list[Region]:
    """Around the heart at (0, 0): a stem down to `ground`, two leaves from its foot, six petals and the heart itself."""
    away, bearing = np.hypot(dx, dy), np.arctan2(dy, dx) + turn
    parts = []
    for side in (-1.0, 1.0):
        along = dx * side * 0.60 - (dy - ground - 6) * 0.80
        across = dx * side * 0.80 + (dy - ground - 6) * 0.60 + 9 * np.sin(along / 40)
        leaf = (np.abs(across) < 17 * np.sin(np.clip(along / 150, 0, 1) * np.pi)) & (along > 0) & (along < 150)
        parts.append(Region(leaf, along * 0.45, across, 20, LEAVES, 0.45 + 0.02 * across * side, 0.16))
    stem = (np.abs(dx - 10 * np.sin(dy / 60)) < 5) & (dy > 0)
    parts.append(Region(stem, dx, dy * 0.3, 22, LEAVES, 0.5 + 0 * dx))
    reach = radius * (0.80 + 0.20 * np.abs(np.sin(bearing * 3)) ** 0.7)
    petal = np.floor(bearing / (np.pi / 3)).astype(np.int64) % 6
    for number in range(6):
        middle = (np.mod(bearing, np.pi / 3) - np.pi / 6) * away
        parts.append(
            Region(
                (away < reach) & (petal == number),
                middle * 0.9,
                away * 0.8,
                30,
                palette,
                0.05 + 0.85 * away / radius,
                0.1,
            )
        )
    parts.append(Region(away < radius * 0.24, dx, dy, 15, HEARTS, 0.5 + 0 * dx, 0.4))
    return parts


def _cut(region: Region, seen: Mask, rng: np.random.Generator) -> tuple[Mask, Array]:
    """Panes of a region by Lloyd's relaxation: the number of the pane at each seen pixel, and the colour (n, 3) of each pane."""
    points = np.stack([region.u[seen], region.v[seen]], axis=1).astype(np.float32)
    sample = points[rng.permutation(len(points))[:9000]]
    spread_u, spread_v = np.ptp(points, axis=0)
    area = max(spread_u * spread_v, 1.0) * min(1.0, 4 * len(points) / SUPERSAMPLING**2 / max(spread_u * spread_v, 1.0))
    count = max(1, round(min(area, len(points) / SUPERSAMPLING**2 * 0.8) / region.pane**2))
    seeds = sample[rng.permutation(len(sample))[:count]]
    for _ in range(6):  # after six the panes no longer look like splinters and are not yet a honeycomb
        owner = _nearest(sample, seeds)
        seeds = np.stack(
            [sample[owner == k].mean(axis=0) if (owner == k).any() else seeds[k] for k in range(len(seeds))]
        )
    panes = _nearest(points, seeds)
    size = np.maximum(np.bincount(panes, minlength=len(seeds)), 1)
    tone = np.bincount(panes, weights=region.tone[seen], minlength=len(seeds)) / size
    tone = tone + rng.normal(0, region.spread, size=len(seeds))
    return panes, ramp(region.palette, tone.astype(np.float32)) * rng.uniform(0.88, 1.12, size=(len(seeds), 1)).astype(
        np.float32
    )


def _nearest(points: Array, seeds: Array) -> Mask:
    best = np.full(len(points), np.inf, dtype=np.float32)
    owner = np.zeros(len(points), dtype=np.int64)
    for number, (u, v) in enumerate(seeds):
        distance = (points[:, 0] - u) ** 2 + (points[:, 1] - v) ** 2
        closer = distance < best
        best[closer] = distance[closer]
        owner[closer] = number
    return owner


def _edges(labels: Mask) -> Mask:
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    return edge


def _junctions(labels: Mask) -> Mask:
    """Where three or four panes meet."""
    corner = np.sort(np.stack([labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:]]), axis=0)
    meet = np.zeros(labels.shape, dtype=bool)
    meet[:-1, :-1] = (np.diff(corner, axis=0) != 0).sum(axis=0) >= 2
    return meet


def _distance(mask: Mask, reach: int) -> Array:
    """Euclidean distance in canvas pixels to the nearest True, at most `reach`: squares along x first, then along y."""
    far = float(reach * reach)
    squares = np.where(mask, 0.0, far).astype(np.float32)
    for axis in (1, 0):
        size = squares.shape[axis]
        padded = np.pad(squares, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], constant_values=far)
        best = squares.copy()
        for shift in range(-reach, reach + 1):
            part = (
                padded[:, reach + shift : reach + shift + size]
                if axis == 1
                else padded[reach + shift : reach + shift + size]
            )
            np.minimum(best, part + shift * shift, out=best)
        squares = best
    return np.asarray(np.sqrt(squares), dtype=np.float32)


def _glass(hue: Array, panes: Mask, inside: Array, rng: np.random.Generator) -> Array:
    """Light through the panes: a colour let through d-fold is the colour to the power d, so thin glass glows and thick glass deepens.

    Each pane is drawn out in a direction of its own, is thinnest in its middle, and holds bubbles under a wavy surface.
    """
    height, width = panes.shape
    lying = fractal((height, width), 13, 3, rng, stretch=7)
    standing = fractal((width, height), 13, 3, rng, stretch=7).T
    clouds = fractal((height, width), 50, 3, rng)
    count = int(panes.max()) + 1
    turn = rng.random(count).astype(np.float32)[panes]
    streaks = np.where(turn < 0.4, lying, np.where(turn < 0.75, standing, clouds))
    strength = rng.uniform(0.06, 0.30, size=count).astype(np.float32)[panes]
    thickness = 1.75 - 0.95 * smoothstep(4, 34, inside) - strength * streaks - 0.20 * clouds
    light = np.clip(hue, 0.02, 1) ** np.clip(thickness, 0.3, 2.4)[..., None]
    milk = smoothstep(0.8, 2.2, streaks)[..., None] * (1.6 * strength[..., None])
    light = light + milk * (1 - light) * 0.8
    surface = (
        0.7 * noise((height, width), 9, rng) + 0.35 * noise((height, width), 24, rng) + _bubbles((height, width), rng)
    )
    slope_y, slope_x = np.gradient(blur(surface, 1))
    sparkle = np.clip(-(slope_x + slope_y), -0.5, 1.2)[..., None]
    return np.asarray(np.clip(light * (1 + 0.20 * sparkle) + 0.10 * np.clip(sparkle, 0, 1), 0, 1.1), dtype=np.float32)


def _bubbles(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Seeds of air blown into the glass: small raised ellipses."""
    raised = np.zeros(shape, dtype=np.float32)
    for _ in range(1300):
        rx, ry = rng.uniform(1.6, 3.6), rng.uniform(2.0, 8.0)
        cx, cy = int(rng.integers(12, shape[1] - 12)), int(rng.integers(12, shape[0] - 12))
        dy, dx = np.mgrid[-10:11, -10:11]
        dome = np.sqrt(np.clip(1 - (dx / rx) ** 2 - (dy / ry) ** 2, 0, 1))
        raised[cy - 10 : cy + 11, cx - 10 : cx + 11] += (2.2 * dome).astype(np.float32)
    return raised


def _leaded(light: Array, thin: Array, thick: Array, solder: Array, rng: np.random.Generator) -> Array:
    """Lead cames over the glass, wide around regions and narrow between panes, rounded and lit from the upper left."""
    wide = 1 + 0.14 * noise(thin.shape, 40, rng)
    cames = [
        np.sqrt(np.clip(1 - (d / (w * wide)) ** 2, 0, 1)) * w for d, w in ((thin, 4.0), (thick, 7.0), (solder, 6.4))
    ]
    relief = blur(np.max(cames, axis=0), 1)
    cover = smoothstep(0.4, 2.2, relief)[..., None]
    slope_y, slope_x = np.gradient(blur(relief, 1) + 0.22 * noise(thin.shape, 5, rng))
    facing = np.clip((0.55 - 0.5 * slope_x - 0.6 * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2), 0, 1.2)[..., None]
    lead = colours("08080d")[0] + facing**2 * colours("2c2f38")[0] + facing**9 * colours("5a6068")[0]
    glow = blur(light, 10)  # light that spreads in the eye: it softens the lead and lifts the glass
    return np.asarray((light * 0.94 + 0.12 * glow) * (1 - cover) + (lead + 0.09 * glow) * cover, dtype=np.float32)
