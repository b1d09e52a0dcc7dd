"""Leaves, trees and grass for a pen drawing: scribbled loops, clump before clump.

Measures are pixels of the result, angles are radians with y downwards, and the numbers were chosen
by eye.
"""

from __future__ import annotations

import numpy as np

from .paint import Array, between, noise, smoothstep, spline
from .pen import LIGHT, Sheet, moved, points


def tree(sheet: Sheet) -> None:
    """An old tree: a twisted trunk with furrowed bark, limbs, and a crown of scribbled leaves."""
    rng = sheet.rng
    left = spline(points((534, 478), (566, 462), (578, 430), (577, 380), (568, 340), (556, 300), (540, 262)), 60)
    right = spline(points((652, 476), (618, 460), (606, 428), (606, 380), (612, 340), (626, 300), (650, 262)), 60)
    _blobs(sheet, [(586, 246, 46), (540, 262, 34), (636, 262, 36)], (590, 200), 130, 0.55)
    trunk = np.concatenate([left, right[::-1]])
    sheet.cover(trunk)
    u = np.clip((sheet.x - 592) / 20, -2, 2)
    tone = 0.2 + 0.7 * smoothstep(-0.9, 0.9, u) + 0.9 * smoothstep(345, 290, sheet.y)
    tone = np.clip(tone + 0.12 * noise(sheet.x.shape, 8, rng), 0, 1) * sheet.mask(trunk)
    bark = [between(left, right, part) for part in np.arange(0.04, 1, 0.055)]
    sheet.hatch([furrow + 1.2 * noise((1, 60), 1.5, rng, stretch=6).T for furrow in bark], tone, 0.24, 1.0)
    across = []
    for k in np.arange(2, 59, 1.1):
        a, b = left[int(k)], right[int(k)]
        s = np.linspace(0, 1, 16)[:, None]
        across.append(a + (b - a) * s + (0, 5.0) * (4 * s * (1 - s)))
    sheet.hatch(across, tone, 0.58, 0.9)
    sheet.hatch(sheet.parallels(trunk, 0.9, 3.0), tone, 0.78, 0.9)
    sheet.contour(left, 1.9, lost=0.03)
    sheet.contour(right, 2.3, lost=0.02)
    sheet.contour(moved(right, -0.8, 0.3), 1.6, lost=0.1)
    ground = points((560, 468), (640, 462), (716, 472), (716, 490), (620, 492), (560, 482))
    sheet.shade(
        ground, 0.8 - 0.0035 * np.abs(sheet.x - 610) + 0.12 * noise(sheet.x.shape, 9, rng, stretch=4), 0.08, 2.8
    )
    crown = []
    for radius, count in ((112, 15), (78, 12), (40, 8)):
        for turn in np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 1):
            x, y = 592 + 0.92 * radius * np.cos(turn), 186 + 0.78 * radius * np.sin(turn)
            crown.append((x + rng.normal(0, 6), y + rng.normal(0, 6), rng.uniform(22, 34)))
    crown = [leaf for leaf in crown if not (leaf[1] > 256 and abs(leaf[0] - 592) < 30)]
    crown += [(560, 262, 24), (622, 266, 22), (590, 250, 23)]
    _blobs(sheet, sorted(crown, key=lambda leaf: leaf[1]), (592, 188), 128, 0.0)


def bushes(sheet: Sheet, clumps: list[tuple[float, float, float]], deeper: float) -> None:
    """A few round bushes, the first ones behind."""
    x, y, size = np.array(clumps).T
    _blobs(sheet, clumps, (float(x.mean()), float(y.mean())), float(np.ptp(x) / 2 + size.max()), deeper)


def _blobs(
    sheet: Sheet, clumps: list[tuple[float, float, float]], middle: tuple[float, float], reach: float, deeper: float
) -> None:
    """Clumps of leaves (x, y, radius), one in front of the other; darker below and away from the
    light, in themselves and in the whole of radius `reach` about `middle`."""
    rng = sheet.rng
    whole = ((sheet.x - middle[0]) * LIGHT[0] + (sheet.y - middle[1]) * LIGHT[1]) / reach
    for x, y, radius in clumps:
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        lumps = radius * (1 + 0.09 * np.sin(5 * turn + rng.uniform(0, 6)) + 0.06 * np.sin(9 * turn + rng.uniform(0, 6)))
        ring = np.stack([x + lumps * np.cos(turn), y + 0.85 * lumps * np.sin(turn)], axis=1)
        sheet.cover(ring)
        own = ((sheet.x - x) * LIGHT[0] + (sheet.y - y) * LIGHT[1]) / radius
        tone = np.clip(0.46 + deeper - 0.44 * own - 0.34 * whole, 0, 1)
        size = np.clip(0.1 * radius, 1.5, 2.9)
        inside = tone * sheet.mask(ring)
        sheet.hatch(sheet.parallels(ring, 0.95, 3.1), inside, 0.5, 0.8)
        sheet.hatch(sheet.parallels(ring, -0.25, 3.1), inside, 0.8, 0.8)
        for shell in (0.25, 0.45, 0.62, 0.76, 0.88):
            for first in range(0, 40, 5):
                part = np.take(ring, range(first, first + int(rng.integers(4, 8))), axis=0, mode="wrap")
                part = (x, y) + (part - (x, y)) * (shell + rng.normal(0, 0.05))
                px, py = np.clip(part.mean(axis=0), 0, np.array(sheet.size) - 1).astype(int)
                if rng.random() < 1.6 * tone[py, px] - 0.2:
                    leaves(sheet, part, size, 0.8 + 0.5 * float(tone[py, px]))
        for first in range(0, 40, 6):  # the rim
            part = np.take(ring, range(first, first + 7), axis=0, mode="wrap")
            lit = float(-((part.mean(axis=0) - (x, y)) / radius) @ LIGHT)
            if rng.random() < 0.86:
                leaves(sheet, part, size, 1.05 + 0.35 * lit)


def leaves(sheet: Sheet, path: Array, size: float, width: float) -> None:
    """Scribble along a path: loops of about `size` pixels that lie now here, now there."""
    rng = sheet.rng
    length = float(np.hypot(*np.diff(path, axis=0).T).sum())
    loops = max(int(length / (1.45 * size)), 2)
    s = np.linspace(0, 1, 11 * loops)
    knots = np.linspace(0, 1, loops + 2)
    at = np.stack([np.interp(s, np.linspace(0, 1, len(path)), path[:, axis]) for axis in (0, 1)], axis=1)
    turn = 2 * np.pi * loops * (s + 0.3 / loops * np.interp(s, knots, rng.normal(size=loops + 2))) + rng.uniform(0, 6)
    radius = size * np.interp(s, knots, rng.uniform(0.35, 1.15, loops + 2))
    off = np.interp(s, knots, rng.normal(0, 0.45 * size, loops + 2))
    tilt = rng.normal(0, 0.5)
    a, b = radius * np.cos(turn), 0.7 * radius * np.sin(turn)
    loop = np.stack([a * np.cos(tilt) - b * np.sin(tilt), a * np.sin(tilt) + b * np.cos(tilt) + off], axis=1)
    sheet.stroke(at + loop, width, shake=0.15)


def tuft(sheet: Sheet, root: Array, high: float) -> None:
    """A tuft of grass: a few blades that bend to their own sides."""
    rng = sheet.rng
    s = np.linspace(0, 1, 9)
    for lean in rng.normal(0, 0.45, size=int(rng.integers(3, 7))):
        blade = high * rng.uniform(0.5, 1.1)
        x = root[0] + 2.5 * lean + blade * lean * (0.3 * s + 0.7 * s**2)
        sheet.stroke(np.stack([x, root[1] - blade * s * (1 - 0.25 * abs(lean) * s)], axis=1), 1.0, shake=0.1)


def grass(sheet: Sheet) -> None:
    """Tufts over the foreground, larger and closer together towards the lower edge, and some
    stones."""
    rng = sheet.rng
    spots = rng.uniform((15, 466), (sheet.size[0] - 15, 528), size=(260, 2))
    for spot in spots[np.argsort(spots[:, 1])]:
        if rng.random() < 0.3 + 0.7 * abs(spot[0] - 350) / 350:
            tuft(sheet, spot, 6 + 15 * (spot[1] - 466) / 62)
    for x, y, size in ((398, 500, 11), (418, 507, 7), (474, 516, 14), (332, 520, 8)):
        turn = np.linspace(0, 2 * np.pi, 9)
        stone = np.stack([x + size * np.cos(turn), y + 0.6 * size * np.sin(turn)], axis=1)
        stone += rng.normal(0, 0.07 * size, (9, 2))
        stone[-1] = stone[0]
        stone = spline(stone, 30)
        sheet.cover(stone)
        lit = ((sheet.x - x) * LIGHT[0] + (sheet.y - y) * LIGHT[1]) / size
        sheet.shade(stone, 0.45 - 0.6 * lit, 0.9, 2.4)
        for _ in range(2):
            sheet.contour(stone, 1.6, lost=0)
        sheet.shade(moved(stone, 0.5 * size, 0.55 * size), 0.6 * (sheet.y > y + 0.5 * size), 0.1, 2.5)
