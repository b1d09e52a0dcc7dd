"""Waves under a low sun, as a woodblock print: washes of indigo, a bold key line, claws of foam.

Measures are pixels of the result, angles are radians with y downwards, and the numbers of the
composition were chosen by eye.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .paint import SUPERSAMPLING, Array, between, colours, finish, fractal, ramp, spline
from .woodblock import Print

WIDTH, HEIGHT = 720, 540
HORIZON = 340.0  # y where the wash of the sky ends
SUN = (530.0, 196.0, 88.0)  # x, y, radius

FOAM, SHADE = colours("f7f0dc", "b9d0d4")
SKY = colours("35557f", "86a3ab", "cfcdb2", "efdcb0", "f1c596", "e59f7c")
SUN_WASH = colours("d9553a", "e8854f")
SEA = colours("0e2350", "1c3f7c", "3a6da3", "7ba6bd", "c4d6cf")

# The breaker, in units of its height with y upwards: the outside from the foot of its back over the
# top to the tip, and the hollow face from its own foot up to the same tip.
BACK = np.array(
    [(-1.15, -0.1), (-0.72, 0.16), (-0.40, 0.44), (-0.16, 0.74), (0.08, 0.95), (0.36, 1.03), (0.62, 0.94), (0.80, 0.74)]
)
FACE = np.array(
    [(1.15, -0.1), (0.72, -0.01), (0.40, 0.12), (0.22, 0.32), (0.20, 0.54), (0.32, 0.72), (0.54, 0.80), (0.80, 0.74)]
)


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 540 pixels."""
    sheet = Print(WIDTH, HEIGHT, rng)
    y, x = np.mgrid[: sheet.shape[0], : sheet.shape[1]].astype(np.float32) / SUPERSAMPLING
    _sky(sheet, x, y, rng)
    _mist(sheet, y, rng)
    _swell(sheet, y, 318, 16, 96, 0.3, 0.30, rng)
    _swell(sheet, y, 352, 24, 130, 1.9, 0.20, rng)
    _breaker(sheet, y, (640, 520), 250, rng)
    _swell(sheet, y, 424, 30, 170, 4.0, 0.15, rng)
    _breaker(sheet, y, (190, 560), 450, rng)
    _swell(sheet, y, 486, 30, 210, 5.2, 0.05, rng)
    _spray(sheet, rng)
    return finish(sheet.pulled())


def _sky(sheet: Print, x: Array, y: Array, rng: np.random.Generator) -> None:
    """A wash from indigo to peach, the sun, and thin lines of wind."""
    sun_x, sun_y, radius = SUN
    sheet.colour[:] = ramp(SKY, y / HORIZON + 0.04 * fractal(sheet.shape, 200, 2, rng, stretch=3))
    sun = np.hypot(x - sun_x, y - sun_y) < radius
    sheet.colour[sun] = ramp(SUN_WASH, (y[sun] - sun_y + radius) / (2 * radius))
    along = np.linspace(-20, WIDTH + 20, 240)
    for height in np.arange(6, 330, 9.0):
        drift = 6 * np.sin(along / 83 + height / 31) + 4 * np.sin(along / 37 - height / 17)
        wind = np.stack([along, height + drift], axis=1)
        for first in range(int(rng.integers(-40, 10)), 230, 76):
            part = wind[max(first, 0) : first + int(rng.integers(34, 72))]
            if len(part) > 12:  # shorter ones would be specks
                sheet.line(part, 0.9)


def _mist(sheet: Print, y: Array, rng: np.random.Generator) -> None:
    """Banks of mist: long bars with round ends, two to four together, and fewer of them before the
    sun."""
    sun_x, sun_y, radius = SUN
    wash = 0.45 * ramp(SKY, y / HORIZON - 0.1) + 0.55 * FOAM
    for row, top in enumerate(np.arange(28, 320, 54)):
        for middle in np.arange(-40 + 150 * (row % 2), WIDTH + 80, 300) + rng.normal(0, 40):
            for height in top + 12 * np.arange(rng.integers(2, 5)):
                middle, half_length = middle + rng.normal(0, 55), rng.uniform(45, 130)
                before_sun = abs(middle - sun_x) < 2 * radius and abs(height - sun_y) < radius
                if before_sun and rng.random() < 0.65:
                    continue
                bar = _bar(middle - half_length, middle + half_length, height, rng.uniform(4.5, 6.6))
                sheet.block(bar, wash)
                sheet.line(bar[:64], 1.8, swell=0.4)
                sheet.line(np.concatenate([bar[52:], bar[:8]]), 1.3, swell=0.6)


def _bar(left: float, right: float, height: float, half: float) -> Array:
    """The outline (100, 2) of a bank of mist, from its right end round: swelling and sagging on its
    way."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 16)
    x = [
        right + half * np.cos(turn),
        np.linspace(right, left, 34),
        left - half * np.cos(turn),
        np.linspace(left, right, 34),
    ]
    y = [half * np.sin(turn), np.full(34, half), -half * np.sin(turn), np.full(34, -half)]
    across, up = np.concatenate(x), np.concatenate(y)
    swelling = 0.85 + 0.25 * np.sin(across / 41 + height)
    return np.stack([across, height + up * swelling + 4 * np.sin(across / 90 + height / 40)], axis=1)


def _swell(
    sheet: Print, y: Array, base: float, height: float, wave: float, phase: float, pale: float, rng: np.random.Generator
) -> None:
    """A long swell from side to side: sharp crests of uneven height, stripes that follow its back,
    a fringe of foam."""
    x = np.linspace(-30, WIDTH + 30, 300)
    turn = x / wave * 2 * np.pi + phase + 0.6 * np.sin(x / 140 + phase)
    uneven = 1 + 0.35 * np.sin(x / 117 + 3 * phase)
    crest = base - height * uneven * (1.7 * (0.5 + 0.5 * np.cos(turn)) ** 2.2 - 0.4)
    upper = np.stack([x + 0.25 * (base - crest), crest], axis=1)  # the crests lean forward
    lower = np.stack([x + 12, base + 60 + 0.35 * (crest - base)], axis=1)
    floor = np.array([[WIDTH + 30, HEIGHT + 40], [-30, HEIGHT + 40]])
    sheet.block(np.concatenate([upper, floor]), ramp(SEA, pale + 0.10 + (y - base + height) / 150))
    for number in range(1, 10):
        a, b = between(upper, lower, number / 10 - 0.025), between(upper, lower, number / 10 + 0.025)
        if number % 2:
            sheet.block(np.concatenate([a, b[::-1]]), ramp(SEA, pale + 0.45 + (y - base + height) / 220))
        for start in range(int(rng.integers(0, 20)), len(x) - 30, 62):
            sheet.line(a[start : start + int(rng.integers(36, 60))], 1.8)
    sheet.line(upper, 3.2, swell=0.2)
    for k in range(2, len(x) - 2, 2):
        rise = (base - crest[k]) / height
        if rise <= 0.45:
            continue  # foam lies on the crests only
        _scallop(
            sheet,
            upper[k] + rng.normal(0, 1, size=2) + (0, 2.5),
            1.5 + 0.15 * height * rise * rng.uniform(0.7, 1.3),
            rng,
        )
        if k % 6 == 0:
            _finger(sheet, upper[k] + (0, 3), rng.normal(0.9, 0.3), height * rng.uniform(0.35, 0.6), rng, branches=2)


def _breaker(sheet: Print, y: Array, foot: tuple[float, float], size: float, rng: np.random.Generator) -> None:
    """A great wave `size` pixels high, about to fall to the right: stripes run from its foot into
    its tip."""
    back, face = (spline(knots, 160) * (size, -size) + foot for knots in (BACK, FACE))
    top = foot[1] - size
    sheet.block(np.concatenate([back, face[::-1]]), ramp(SEA, (y - top) / size * 0.38))
    stripes = 15
    for number in range(1, stripes):
        part = number / stripes
        a, b = between(back, face, part - 0.021), between(back, face, part + 0.021)
        if number % 2:
            sheet.block(np.concatenate([a, b[::-1]]), ramp(SEA, 0.62 + 0.38 * part + (top - y) / size * 0.25))
        else:
            for _ in range(3):  # finer lines in the dark stripes, each a part of the way
                first = int(rng.integers(5, 90))
                fine = between(back, face, part + rng.uniform(-0.018, 0.018))
                sheet.line(fine[first : first + int(rng.integers(25, 60))], 1.1)
        sheet.line(a[4:-6], 2.2, swell=0.8)
        sheet.line(b[4:-6], 1.6, swell=0.8)
    sheet.line(face, 3.4, swell=0.4)
    sheet.line(back, 4.0, swell=0.4)
    _claws(sheet, back[56:], face[112:], size, rng)


def _claws(sheet: Print, outer: Array, under: Array, size: float, rng: np.random.Generator) -> None:
    """Foam from shoulder to tip and beneath it: a bed of scallops, and curled fingers that reach
    forward and down."""

    def near(point: Array) -> Array:
        return np.asarray(point + rng.normal(0, 0.011 * size, size=2))

    for rim in (under, outer):
        for k in range(0, len(rim), 3):
            growth = min(0.45 + k / 40, 1.0)  # small where the foam begins
            _scallop(sheet, near(rim[k]), growth * size * rng.uniform(0.018, 0.036), rng)
    for k in range(0, len(under), 4):
        _finger(sheet, near(under[k]), rng.normal(1.2, 0.25), size * rng.uniform(0.07, 0.12), rng)
    for k in range(4, len(outer) - 2, 4):
        tangent = outer[k + 2] - outer[k - 2]
        bearing = np.arctan2(tangent[1], tangent[0]) + rng.normal(0.45, 0.25)
        _finger(sheet, near(outer[k]), bearing, min(0.5 + k / 50, 1.0) * size * rng.uniform(0.08, 0.15), rng)


def _scallop(sheet: Print, middle: Array, radius: float, rng: np.random.Generator) -> None:
    """One lump of foam, three quarters of its rim drawn."""
    turn = np.linspace(0, 2 * np.pi, 26)
    lumps = radius * (1 + 0.10 * np.sin(3 * turn + rng.uniform(0, 6)))
    ring = middle + np.stack([lumps * np.cos(turn), 0.85 * lumps * np.sin(turn)], axis=1)
    sheet.block(ring, FOAM)
    sheet.line(np.roll(ring[:-1], -int(rng.integers(26)), axis=0)[:20], 1.5, swell=0.7)


def _finger(
    sheet: Print, root: Array, bearing: float, length: float, rng: np.random.Generator, branches: int = 3
) -> None:
    """One finger of foam: a tapering arm that curls ever more, and smaller ones from its outer
    side."""
    s = np.linspace(0, 1, 22)
    heading = bearing + 0.5 * s + 2.0 * s**3
    arm = root + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * length / len(s)
    side = np.stack([-np.sin(heading), np.cos(heading)], axis=1) * (length * 0.17 * (1 - s) ** 0.7 + 0.4)[:, None]
    for k in (5, 9, 13)[:branches]:
        _finger(sheet, arm[k] - 0.5 * side[k], heading[k] - 0.9, length * rng.uniform(0.36, 0.5), rng, branches=0)
    outer, inner = arm - side, (arm + side)[::-1]
    sheet.block(np.concatenate([outer, inner]), FOAM)
    sheet.block(np.concatenate([arm + 0.25 * side, inner]), SHADE)
    sheet.line(outer, 1.6, swell=0.3)
    sheet.line(inner, 1.4, swell=0.3)


def _spray(sheet: Print, rng: np.random.Generator) -> None:
    """Drops thrown off the breakers; the larger ones have a rim."""
    turn = np.linspace(0, 2 * np.pi, 14)
    for middle, reach in (((400, 190), 55), ((300, 120), 45), ((650, 300), 30)):
        for _ in range(60):
            place, radius = middle + rng.normal(0, reach, size=2), rng.uniform(0.9, 3.0)
            drop = place + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
            sheet.block(drop, FOAM)
            if radius > 1.8:
                sheet.line(drop, 1.0, swell=0)
