"""A tower and an old tree in the hills, in pen and ink: outlines, hatching that follows the form,
crossed in the shadows, stipple, scribbled leaves, and a sky of bare paper.

Measures are pixels of the result, angles are radians with y downwards, the light comes from the
upper left, and the numbers of the composition were chosen by eye.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from .paint import between, noise, smoothstep, spline
from .pen import Sheet, moved, points
from .pen_plants import bushes, grass, leaves, tree, tuft

WIDTH, HEIGHT = 720, 540


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 540 pixels."""
    sheet = Sheet(WIDTH, HEIGHT, rng)
    _clouds(sheet)
    _mountains(sheet)
    _far_hills(sheet)
    _hill(sheet, [(-20, 352), (70, 338), (170, 322), (300, 318), (420, 326), (520, 352), (620, 372), (740, 378)], 0.0)
    bushes(sheet, [(158, 318, 17), (180, 326, 13), (138, 330, 14), (482, 340, 15), (504, 348, 11)], 0.15)
    _tower(sheet)
    _house(sheet)
    bushes(sheet, [(196, 340, 11), (212, 345, 8), (448, 340, 10), (462, 345, 8)], 0.25)
    _meadow(sheet)
    _hill(sheet, [(-20, 452), (90, 436), (200, 446), (300, 470), (420, 474), (540, 458), (640, 448), (740, 452)], 0.12)
    _fence(sheet)
    tree(sheet)
    grass(sheet)
    bushes(sheet, [(22, 486, 36), (64, 498, 30), (104, 514, 24), (36, 520, 34), (76, 528, 26)], 0.35)
    return sheet.pulled()


def _clouds(sheet: Sheet) -> None:
    """Heaps of cloud: the rim in short arcs, a little hatching under them, and birds."""
    rng = sheet.rng
    for middle_x, base, wide, high in ((446, 118, 92, 46), (118, 150, 66, 30), (74, 66, 42, 16)):
        turns = np.linspace(np.pi * 1.02, np.pi * 1.98, int(wide / 9) + 4) + rng.normal(0, 0.05, int(wide / 9) + 4)
        rim = np.stack([middle_x + wide * np.cos(turns), base + high * np.sin(turns) * rng.uniform(0.75, 1.1)], axis=1)
        rim[1:-1] += rng.normal(0, 3.5, size=(len(rim) - 2, 2))
        edge = []
        for a, b in pairwise(rim):
            out = np.array([b[1] - a[1], -(b[0] - a[0])])
            s = np.linspace(-0.06, 1.12, 14)[:, None]
            arc = a + (b - a) * s + out * rng.uniform(0.32, 0.55) * 4 * s * (1 - s)
            edge.append(arc)
            sheet.contour(arc, 1.25, lost=0.06)
            if rng.random() < 0.6:  # a fold inside the heap
                sheet.stroke(arc[6:] * 0.72 + 0.28 * np.array([middle_x, base]) + rng.normal(0, 2, size=2), 0.8)
        outline = np.concatenate([*edge, points((middle_x + wide, base + 3), (middle_x - wide, base + 3))])
        shadow = smoothstep(-0.2, 0.9, (sheet.x - middle_x) / wide * 0.45 + (sheet.y - base + high * 0.8) / high)
        sheet.hatch(sheet.parallels(outline, -0.35, 4.6), 0.42 * shadow * sheet.mask(outline), 0.26, 0.75)
        for row in range(5):
            left, right = np.sort(middle_x + wide * rng.uniform(-1.15, 1.2, size=2))
            sheet.stroke(points((left, base + 3 + 3.4 * row), (right, base + 2 + 3.4 * row)), 0.9)
    for x, y, size in ((330, 92, 7), (350, 82, 5.5), (316, 80, 5), (362, 95, 4.5)):
        wing = np.linspace(0, 1, 10)
        for side in (-1, 1):
            up = size * (0.9 * np.sin(np.pi * wing * 0.8) - 0.25 * wing)
            sheet.stroke(np.stack([x + side * size * wing, y - up], axis=1), 1.3, shake=0.1)


def _mountains(sheet: Sheet) -> None:
    """Two far ranges in thin lines; only the sides away from the light are hatched."""
    rng = sheet.rng
    for heights, base, width in (
        ([264, 240, 252, 214, 236, 200, 226, 246, 232, 252, 226, 262], 300, 0.95),
        ([286, 278, 262, 276, 268, 284, 262, 274, 246, 268, 258, 280], 320, 1.05),
    ):
        x = np.linspace(-30, WIDTH + 30, len(heights))
        rough = spline(np.stack([x, heights], axis=1), 170)
        rough[:, 1] += 2.2 * np.cumsum(rng.normal(0, 0.32, 170)) * 0.5
        sheet.cover(np.concatenate([rough, points((WIDTH + 30, HEIGHT), (-30, HEIGHT))]))
        sheet.contour(rough, width, lost=0.08)
        slope = np.gradient(rough[:, 1]) / np.gradient(rough[:, 0])
        for k in range(2, len(rough) - 2):
            falling = float(slope[k - 2 : k + 3].mean())
            for _ in range(3 if falling > 0.08 else 0):
                start = rough[k] + (rng.uniform(0, 4), rng.uniform(1, 4))
                long = (base - start[1]) * rng.uniform(0.2, 0.9) * min(1.0, 2.0 * falling + 0.2)
                bend = np.linspace(0, 1, 12)[:, None]
                sheet.stroke(start + long * np.concatenate([0.55 * bend + 0.15 * bend**2, bend], axis=1), 0.72)


def _far_hills(sheet: Sheet) -> None:
    """Fields and hedges between the mountains and the knoll."""
    rng = sheet.rng
    for row, (left, bump, right) in enumerate(((304, 292, 312), (330, 312, 318), (340, 346, 330))):
        ridge = spline(points((-20, left), (180, bump + 4), (420, bump), (600, right - 6), (740, right)), 150)
        ridge[:, 1] += 2 * noise((1, 150), 1.5, rng, stretch=22)[0]
        sheet.cover(np.concatenate([ridge, points((WIDTH + 20, HEIGHT), (-20, HEIGHT))]))
        sheet.contour(ridge, 1.1, lost=0.12)
        below = moved(ridge, 0, 40)
        tone = 0.18 + 0.22 * noise((HEIGHT, WIDTH), 40, rng, stretch=2.5)
        sheet.hatch([between(ridge, below, part) for part in np.arange(0.08, 0.9, 0.085)], tone, 0.24, 0.75)
        for k in rng.choice(150, size=26, replace=False):  # trees so far away that they are a few loops
            size = rng.uniform(2.2, 4.6) * (0.8 + 0.25 * row)
            run = ridge[k] + np.linspace(0, 1, 8)[:, None] * (rng.uniform(6, 22), 0.5) - (0, 0.4 * size)
            for _ in range(4):
                leaves(sheet, run + rng.normal(0, 0.25 * size, size=2), size, 0.95)
            for at in run[1::2]:
                sheet.stroke(at + points((0.4 * size, -0.5 * size), (0, 1.1 * size)), 0.9)


def _hill(sheet: Sheet, knots: list[tuple[float, float]], deeper: float) -> None:
    """A bare hill: its ridge, and hatching that runs down its slopes, thick where they turn from
    the light."""
    rng = sheet.rng
    ridge = spline(np.array(knots, dtype=np.float64), 240)
    ridge[:, 1] += 1.2 * noise((1, 240), 1.5, rng, stretch=14)[0]
    sheet.cover(np.concatenate([ridge, points((WIDTH + 30, HEIGHT + 30), (-30, HEIGHT + 30))]))
    sheet.contour(ridge, 1.5, lost=0.12)
    depth = sheet.y - np.interp(sheet.x[0], ridge[:, 0], ridge[:, 1])[None, :]
    slope = np.interp(sheet.x[0], ridge[:, 0], np.gradient(ridge[:, 1]) / np.gradient(ridge[:, 0]))[None, :]
    patches = noise(sheet.x.shape, 34, rng, stretch=2.2)
    tone = 0.42 + deeper + 0.9 * slope + 0.18 * patches - 0.0022 * np.abs(depth - 14)
    tone = np.clip(tone, 0, 1) * (depth > 1)
    lines = []
    place = -60.0
    while place < WIDTH + 40:
        k = min(int(np.searchsorted(ridge[:, 0], place)), 239)
        s = np.linspace(0, 1, 40)
        fall = float(np.gradient(ridge[:, 1])[k] / np.gradient(ridge[:, 0])[k])
        sway = (0.45 + 1.6 * fall) * s + rng.normal(0, 0.03)
        lines.append(np.stack([place + 70 * sway, ridge[k, 1] + 110 * s**1.15], axis=1))
        place += rng.uniform(1.9, 4.4)
    sheet.hatch(lines, tone, 0.34, 0.75)
    floor = np.concatenate([ridge, moved(ridge[::-1], 0, 110)])
    sheet.hatch(sheet.parallels(floor, 0.35, 3.5), tone, 0.6, 0.7)
    sheet.dots(np.clip(0.24 - np.abs(tone - 0.28), 0, 1) * (depth > 4) * (depth < 120), 40000, 0.55)


def _tower(sheet: Sheet) -> None:
    """A round tower of rough stones with a pointed roof."""
    rng = sheet.rng
    left, right, top, foot = 212.0, 284.0, 158.0, 344.0
    middle, half = (left + right) / 2, (right - left) / 2
    body = points((left, top), (right, top), (right + 3, foot), (left - 3, foot))
    sheet.cover(body)
    around = (sheet.x - middle) / half
    tone = np.clip(0.16 + 0.95 * smoothstep(-0.55, 0.85, around) + 0.12 * noise(sheet.x.shape, 16, rng), 0, 1)
    tone = np.maximum(tone, 0.95 * smoothstep(16, 2, sheet.y - top - 4)) * sheet.mask(body)
    u = np.linspace(-1, 1, 30)
    sag = 7 * np.sqrt(np.clip(1 - u**2, 0, 1))
    heights = np.arange(top - 8, foot, 3.1)
    heights += rng.normal(0, 0.5, len(heights))
    sheet.hatch([np.stack([middle + half * u * 1.02, y + sag], axis=1) for y in heights], tone, 0.42)
    sheet.hatch(sheet.parallels(body, 1.05, 4.0), tone, 0.68)
    sheet.hatch(sheet.parallels(body, 1.55, 4.2), tone, 0.86)
    for row, y in enumerate(np.arange(top + 8, foot - 6, 9.5)):
        joints = np.arcsin(np.clip(np.linspace(-1, 1, 8) + (row % 2) * 0.13, -1, 1)) / (np.pi / 2)
        for a, b in pairwise(joints):
            if rng.random() < 0.66:
                at = np.linspace(a + 0.02, b - 0.02, 8)
                bed = np.stack([middle + half * at, y + 7 * np.sqrt(1 - at**2) + rng.normal(0, 0.5)], axis=1)
                sheet.stroke(bed, rng.uniform(0.8, 1.35))
                if rng.random() < 0.6:
                    sheet.stroke(bed[-1:] + np.linspace(0, 1, 5)[:, None] * (0.4, -8.0), 0.95)
    sheet.contour(points((left, top + 4), (left - 1, (top + foot) / 2), (left - 3, foot)), 1.4, lost=0.04)
    for _ in range(2):
        sheet.contour(points((right, top + 4), (right + 1, (top + foot) / 2), (right + 3, foot)), 1.9, lost=0.03)
    for x, y, wide, high in ((236, 196, 8, 17), (246, 262, 7, 15), (264, 226, 6, 14)):
        _opening(sheet, x, y, wide, high, arch=True)
    roof = points((middle - half - 9, top + 4), (middle - 2, 72), (middle + half + 9, top + 4))
    eaves = np.stack([middle + (half + 9) * u, top + 4 + 8 * np.sqrt(np.clip(1 - u**2, 0, 1))], axis=1)
    sheet.cover(np.concatenate([roof, eaves[::-1]]))
    cone = np.concatenate([roof[1:2], eaves])
    slant = (sheet.x - middle) / (half * np.clip((sheet.y - 72) / (top - 72), 0.05, 2))
    dark = np.clip(0.3 + 0.75 * smoothstep(-0.5, 0.7, slant) + 0.08 * noise(sheet.x.shape, 9, rng), 0, 1)
    dark = dark * sheet.mask(cone)
    fall = np.linspace(0.05, 1, 30)[:, None]
    ribs = [
        roof[1] + (between(eaves[int(k)], eaves[int(k) + 1], k % 1) - roof[1]) * fall for k in rng.uniform(0, 29, 44)
    ]
    sheet.hatch(ribs, dark, 0.4, 0.9)
    for part in np.arange(0.14, 1.0, 0.072):
        course = roof[1] + (eaves - roof[1]) * (part + rng.normal(0, 0.006))
        sheet.hatch([course], np.maximum(dark, 0.3 * sheet.mask(cone)), 0.28, 1.0)
    sheet.hatch(sheet.parallels(cone, -0.5, 3.6), dark, 0.8)
    for line in (eaves, moved(eaves, 0, 1.2), roof[:2], roof[1:], moved(roof[1:], -0.8, 0.4)):
        sheet.contour(line, 1.6, lost=0.03)
    sheet.stroke(points((middle - 2, 74), (middle - 1.5, 54)), 1.7)
    sheet.stroke(points((middle - 1, 56), (middle + 9, 59), (middle - 1, 63)), 1.2)


def _house(sheet: Sheet) -> None:
    """The house at the foot of the tower: a lit wall, a dark gable, a roof of tiles and a smoking
    chimney."""
    rng = sheet.rng
    wall = points((283, 266), (392, 266), (392, 345), (283, 345))
    gable = points((392, 264), (415, 209), (440, 266), (440, 338), (392, 345))
    roof = points((278, 268), (393, 269), (416, 205), (300, 205))
    stack = points((330, 182), (345, 182), (345, 212), (330, 212))
    for outline in (wall, gable, roof, stack):
        sheet.cover(outline)
    under_eaves = 0.85 * smoothstep(13, 3, sheet.y - 268)
    beside_tower = 0.6 * smoothstep(20, 4, sheet.x - 284 - 0.12 * (sheet.y - 268))
    sheet.shade(wall, np.maximum(under_eaves, beside_tower), 1.2, 3.2)
    sheet.dots(0.35 * sheet.mask(wall), 30000, 0.5)
    for _ in range(22):  # stones that show through the plaster
        at = rng.uniform((300, 280), (384, 338))
        sheet.stroke(at + points((0, 0), (rng.uniform(4, 8), 0.3), (rng.uniform(4, 8), 4)), 0.85)
    sheet.shade(gable, 0.74 + 0.16 * noise(sheet.x.shape, 18, rng), 1.5, 2.9)
    tiles = 0.36 + 0.2 * noise(sheet.x.shape, 14, rng, stretch=2) + 0.25 * smoothstep(330, 420, sheet.x)
    down = (roof[0] - roof[3]) / np.hypot(*(roof[0] - roof[3]))
    sheet.hatch(sheet.parallels(roof, float(np.arctan2(down[1], down[0])), 2.9), tiles * sheet.mask(roof), 0.3)
    for part in np.arange(0.1, 1, 0.115):
        course = between(roof[[3, 2]], roof[[0, 1]], part + rng.normal(0, 0.008))
        sheet.hatch([course], 0.45 + 0.3 * noise(sheet.x.shape, 12, rng), 0.3, 1.1)
    sheet.shade(stack, 0.3 + 0.7 * smoothstep(335, 344, sheet.x), 1.57, 2.6)
    for outline in (roof, gable[1:], stack, points((326, 182), (349, 182)), wall[2:], points((392, 269), (392, 345))):
        sheet.contour(outline if len(outline) < 4 else np.concatenate([outline, outline[:1]]), 1.6, lost=0.02)
    for x in (302, 368):
        _opening(sheet, x, 290, 13, 18, arch=False)
    _opening(sheet, 334, 312, 17, 33, arch=True)
    _opening(sheet, 412, 276, 10, 15, arch=False)
    for curl in range(4):
        s = np.linspace(0, 1, 40)
        path = np.stack(
            [
                337 + 2 * curl + 34 * s**1.4 + (2 + 7 * s) * np.sin(8 * s + 0.55 * curl) + 5 * curl * s,
                179 - (50 + 7 * curl) * s,
            ],
            axis=1,
        )
        sheet.contour(path, 0.9, lost=0.2)


def _opening(sheet: Sheet, x: float, y: float, wide: float, high: float, *, arch: bool) -> None:
    """A window or a door at its left top: frame, dark glass in crossed lines, and a sill."""
    top = [(x, y), (x + wide / 2, y - 0.4 * wide if arch else y), (x + wide, y)]
    frame = points((x, y + high), *top, (x + wide, y + high))
    middle = frame.mean(axis=0)
    sheet.cover(middle + (frame - middle) * (1.32, 1.16))  # a rim of light stones
    dark = sheet.mask(frame)
    for angle in (1.4, -0.7, 0.5):
        sheet.hatch(sheet.parallels(frame, angle, 1.9), dark, 0.4, 1.0)
    sheet.contour(np.concatenate([frame, frame[:1]]), 1.4, lost=0)
    sheet.stroke(points((x - 3, y + high + 1), (x + wide + 3, y + high + 1.3)), 1.5)
    if not arch:
        sheet.cover(points((x + wide / 2 - 0.6, y), (x + wide / 2 + 0.6, y), (x + wide / 2 + 0.6, y + high)))
        sheet.cover(points((x, y + high / 2 - 0.6), (x + wide, y + high / 2 - 0.4), (x + wide, y + high / 2 + 0.5)))


def _meadow(sheet: Sheet) -> None:
    """The cast shadow of the house, and a path that winds from its door to the foreground."""
    shadow = points((286, 346), (392, 346), (440, 338), (540, 356), (590, 372), (470, 372), (400, 362))
    sheet.shade(shadow, 0.62 + 0.2 * noise(sheet.x.shape, 12, sheet.rng, stretch=4), 0.12, 2.9)
    down = np.linspace(0, 1, 60)
    middle = 342 - 60 * np.sin(2.6 * down) + 26 * np.sin(5.2 * down)
    half = 5 + 20 * down**1.6
    y = 347 + 120 * down
    left, right = np.stack([middle - half, y], axis=1), np.stack([middle + half, y], axis=1)
    lane = np.concatenate([left, right[::-1]])
    sheet.cover(lane)
    for side in (left, right):
        sheet.contour(side, 1.2, lost=0.25)
        for k in range(3, 60, 2):
            tuft(sheet, side[k] + sheet.rng.normal(0, 1.2, size=2), 2.5 + 4 * k / 60)
    sheet.dots(0.5 * sheet.mask(lane) * (0.5 + 0.5 * noise(sheet.x.shape, 9, sheet.rng)), 24000, 0.55)
    ruts = [between(left, right, part) for part in (0.28, 0.33, 0.7, 0.74, 0.8)]
    sheet.hatch(ruts, 0.4 + 0.3 * noise(sheet.x.shape, 10, sheet.rng), 0.45, 0.9)


def _fence(sheet: Sheet) -> None:
    """Leaning posts along the foreground, with two rails."""
    rng = sheet.rng
    feet = points((136, 452), (182, 461), (226, 474), (266, 490), (300, 508))
    tops = feet + np.stack([rng.normal(0, 2.5, 5), -np.array([30, 33, 36, 40, 44.0])], axis=1)
    for part in (0.25, 0.6):
        rail = between(tops, feet, part) + rng.normal(0, 1, size=(5, 2))
        for a, b in pairwise(rail):
            bar = np.stack([a, b])
            sheet.cover(np.concatenate([moved(bar, 0, -2.6), moved(bar, 0, 2.6)[::-1]]))
            for off in (-2.4, 2.4):
                sheet.contour(moved(bar, rng.normal(0, 1), off), 1.3, lost=0.03)
            sheet.stroke(moved(between(bar[[0, 0]], bar, 0.9), 2, 0.5), 0.8)
    for top, foot in zip(tops, feet, strict=True):
        post = np.stack([moved(top, -3, 0), moved(top, 3, -1.5), moved(foot, 3.6, 2), moved(foot, -3.6, 2)])
        sheet.cover(post)
        sheet.shade(post, smoothstep(-3, 3, sheet.x - float(top[0] + foot[0]) / 2), 1.5, 1.9)
        sheet.contour(np.concatenate([post, post[:1]]), 1.5, lost=0.03)
        for _ in range(4):
            tuft(sheet, moved(foot, rng.normal(0, 4), 3), 9)
