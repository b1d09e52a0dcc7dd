"""Autumn evening over a lake: thick slabs of paint set down, dragged and scraped with a palette
knife.

Measures are pixels of the result, angles are radians with y downwards, and places on a palette run
from 0 to 1. All the numbers of the composition were chosen by eye.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .paint import SUPERSAMPLING, Array, Canvas, colours, finish, fractal, noise, ramp

WIDTH, HEIGHT = 720, 540
MARGIN = 50  # painted outside the frame and cut off, so that slabs run out of the picture
OUTSIDE = 40  # how far outside the frame a slab may have its middle
SHORE = 318.0  # y of the far shore
SUN = (455.0, 232.0)
# x of the foot, y of the top, lean, half breadth
BIRCHES = ((58, 20, 34, 10), (142, 96, -16, 8), (236, 150, 20, 6.5))
FOOT = 505  # y where the birches stand

SKY = colours("fff0b8", "ffd267", "fba63a", "ef6f2e", "cf3f33", "8f2f4a", "4a3560")
HILLS = colours("1c2450", "24406a", "2b6f86", "6b4b5e", "a8443a")
WATER = colours("0c2d3b", "14515e", "1f7a80", "58a59b", "e9a24a", "ffd983")
LEAVES = colours("5a1620", "a52a22", "dc5324", "f28a22", "fbc23c", "fff0a0")
BARK = colours("3a2f50", "8a7796", "e6cdb0", "fff2d6")
BANK = colours("140f1c", "2a1a2a", "4a2530", "7d3a2c", "1b4a50")


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 540 pixels."""
    knife = Knife(rng)
    _sky(knife, rng)
    _sun(knife)
    _hills(knife, rng)
    _water(knife, rng)
    for foot, top, lean, breadth in BIRCHES:
        _trunk(knife, foot, top, lean, breadth, rng)
        _crown(knife, foot + lean, top, reach=92 - 0.17 * foot, rng=rng)
    _bank(knife, rng)
    return finish(knife.canvas.lit(depth=1.15, gloss=0.35, sharpness=40), MARGIN * SUPERSAMPLING)


class Knife:
    """A palette knife over its canvas."""

    def __init__(self, rng: np.random.Generator) -> None:
        """A warm ground, and a slow unevenness that sky and water share."""
        shape = ((HEIGHT + 2 * MARGIN) * SUPERSAMPLING, (WIDTH + 2 * MARGIN) * SUPERSAMPLING)
        self.canvas = Canvas(SKY[3] + 0.03 * noise(shape, 8, rng)[..., None], rng)
        self._drift = fractal(shape, 110, 3, rng)
        self._rng = rng

    def pull(self, middle: tuple[float, float], angle: float, length: float, half_width: float, tints: Array) -> None:
        """One pull: straight or slightly bent, blunt at its ends, thick at its edges; `tints` (k,
        3) lie across the blade."""
        t = np.linspace(-0.5, 0.5, 12)
        bend = self._rng.normal(0, 0.07) * length
        along = np.stack([t * length, bend * (t**2 - 0.25) * 4], axis=1)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        path = (along @ turn + np.array(middle) + MARGIN) * SUPERSAMPLING
        height, width = self.canvas.relief.shape
        column, row = np.clip(path[0], 0, (width - 1, height - 1)).astype(np.int64)
        tints = tints.copy()
        # One edge of the blade drags along what lies where the pull begins.
        tints[-1] = 0.55 * tints[-1] + 0.45 * self.canvas.colour[row, column]
        self.canvas.stroke(
            path,
            half_width * SUPERSAMPLING,
            np.clip(tints, 0, 1),
            body=3.4,
            taper=self._rng.uniform(0.01, 0.12),
            ridge=self._rng.uniform(0.7, 2.0),
            dryness=self._rng.uniform(0.0, 0.5),
            streak=0.05,
            # most pulls leave the paint smooth, a few scrape it
            furrow=float(self._rng.choice([0.05, 0.12, 0.28])),
        )

    def load(self, palette: Array, place: float, spread: float) -> Array:
        """Three colours (3, 3) half mixed on the blade: neighbours on the palette around
        `place`."""
        places = np.clip(place + self._rng.normal(0, spread, size=3), 0, 1)
        return np.asarray(ramp(palette, places) * (1 + self._rng.normal(0, 0.04)))

    def drift(self, x: float, y: float) -> float:
        """The unevenness at a point: mean 0, deviation 1."""
        return float(self._drift[int((y + MARGIN) * SUPERSAMPLING), int((x + MARGIN) * SUPERSAMPLING)])


def _sky(knife: Knife, rng: np.random.Generator) -> None:
    """Slabs around the sun near it and in slanting sheets further off, from yellow to violet, with
    a few cold ones."""
    for half_width, count in ((30, 260), (20, 380), (11, 260)):
        for _ in range(count):
            x, y = rng.uniform(-OUTSIDE, WIDTH + OUTSIDE), rng.uniform(-OUTSIDE, SHORE)
            away = np.hypot((x - SUN[0]) / 1.5, y - SUN[1]) / 265
            drift = knife.drift(x, y)
            angle = np.arctan2(y - SUN[1], x - SUN[0]) + np.pi / 2 if away < 0.35 else -0.28 + 0.35 * drift
            tints = knife.load(SKY, 0.05 + 0.85 * away + 0.10 * drift, 0.07)
            if away > 0.3 and rng.random() < 0.10:
                tints = 0.35 * tints + 0.65 * HILLS[2]
            length, breadth = half_width * rng.uniform(2.5, 5), half_width * rng.uniform(0.6, 1.1)
            knife.pull((x, y), angle + rng.normal(0, 0.22), length, breadth, tints)


def _sun(knife: Knife) -> None:
    for radius in (20, 10, 2):
        for turn in np.arange(0, 2 * np.pi, 0.8):
            middle = (SUN[0] + radius * np.cos(turn), SUN[1] + radius * np.sin(turn))
            knife.pull(middle, turn + np.pi / 2, 22, 8, knife.load(SKY, 0.02, 0.04))


def _hills(knife: Knife, rng: np.random.Generator) -> None:
    """Three ranges from far to near, colder and darker the nearer."""
    for base, height, phase, place in ((-44, 37, 0.4, 0.75), (-24, 30, 2.2, 0.45), (-14, 18, 4.0, 0.15)):
        for _ in range(330):
            x = rng.uniform(-OUTSIDE, WIDTH + OUTSIDE)
            top = SHORE + base - height * (np.sin(x / 130 + phase) + 0.5 * np.sin(x / 53 + 2 * phase))
            slope = -height * (np.cos(x / 130 + phase) / 130 + 0.5 * np.cos(x / 53 + 2 * phase) / 53)
            y = rng.uniform(min(top, SHORE), SHORE + 4)
            depth = (y - top) / max(SHORE - top, 1)
            tints = knife.load(HILLS, place + 0.15 * (1 - depth), 0.10)
            knife.pull((x, y), slope + rng.normal(0, 0.25), rng.uniform(28, 60), rng.uniform(6, 12), tints)


def _water(knife: Knife, rng: np.random.Generator) -> None:
    """Level slabs, smaller ones over larger, with the road of light below the sun and scraps of the
    sky."""
    for half_width, count in ((20, 240), (12, 380), (6.5, 330)):
        for _ in range(count):
            x, y = rng.uniform(-OUTSIDE, WIDTH + OUTSIDE), rng.uniform(SHORE + 6, HEIGHT + OUTSIDE)
            near = (y - SHORE) / (HEIGHT - SHORE)
            drift = knife.drift(x, y)
            light = np.exp(-(((x - SUN[0] - 14 * drift) / (26 + 70 * near)) ** 2)) * rng.uniform(0.3, 1)
            tints = knife.load(WATER, 0.52 - 0.42 * near + 0.14 * drift + 0.75 * light, 0.08)
            if rng.random() < 0.13:
                tints = 0.3 * tints + 0.7 * SKY[rng.integers(2, 6)]
            length, breadth = half_width * rng.uniform(3, 7), half_width * rng.uniform(0.5, 1.0)
            knife.pull((x, y), rng.normal(0, 0.07), length, breadth, tints)


def _trunk(knife: Knife, foot: float, top: float, lean: float, breadth: float, rng: np.random.Generator) -> None:
    """White bark in the light from the right, in four long pulls, and its dark scars."""

    def place(part: float, scatter: float) -> tuple[float, float]:
        return foot + lean * part + rng.normal(0, scatter), FOOT + (top - FOOT) * part

    bark = ramp(BARK, np.array([0.1, 0.55, 1.0]))
    upwards = -np.pi / 2 + lean / (FOOT - top)
    for part in (0.06, 0.30, 0.54, 0.74):
        knife.pull(place(part, 1), upwards, 0.27 * (FOOT - top), breadth * (1.15 - 0.75 * part), bark)
    for part in rng.uniform(0, 0.8, size=16):
        scar = knife.load(BANK, 0.2, 0.1)
        knife.pull(place(part, 3), rng.normal(0.1, 0.2), rng.uniform(6, 15), rng.uniform(1.4, 3.0), scar)


def _crown(knife: Knife, middle: float, top: float, reach: float, rng: np.random.Generator) -> None:
    """Leaves in short dabs, gathered in clumps, brighter towards the sun."""
    for _ in range(10):
        cx, cy = middle + reach * rng.normal(0, 0.45), top + 58 + reach * rng.normal(0, 0.55)
        for _ in range(26):
            dx, dy = rng.normal(0, 0.24 * reach, size=2)
            leaves = knife.load(LEAVES, 0.47 + 0.7 * (dx - dy) / reach + 0.003 * (cx - middle), 0.13)
            knife.pull((cx + dx, cy + dy), rng.normal(-0.7, 0.5), rng.uniform(14, 32), rng.uniform(4.5, 10), leaves)


def _bank(knife: Knife, rng: np.random.Generator) -> None:
    """Dark earth under fallen leaves."""
    for _ in range(260):
        x = rng.uniform(-OUTSIDE, WIDTH + OUTSIDE)
        top = 472 + 0.07 * x + 12 * np.sin(x / 60)
        y = rng.uniform(top, HEIGHT + OUTSIDE)
        fallen = rng.random() < 0.45
        tints = knife.load(LEAVES, rng.uniform(0, 0.8), 0.12) if fallen else knife.load(BANK, rng.random(), 0.12)
        knife.pull((x, y), rng.normal(0.12, 0.25), rng.uniform(30, 75), rng.uniform(7, 15), tints)
