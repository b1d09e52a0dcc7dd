"""Waves under a low sun, as a woodblock print: washes of indigo, a bold key line, claws of foam, the grain of wood and paper."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .paint import SUPERSAMPLING, Array, blur, colours, finish, fractal, noise, ramp, smoothstep

WIDTH, HEIGHT = 720, 540  # pixels of the result

INK = colours("101c3c")[0]
PAPER = colours("f2e6c8")[0]
FOAM = colours("f7f0dc", "b9d0d4")
SKY = colours("35557f", "86a3ab", "cfcdb2", "efdcb0", "f1c596", "e59f7c")
SUN = colours("d9553a", "e8854f")
SUN_PLACE = (530.0, 196.0, 88.0)  # x, y, radius in pixels of the result
SEA = colours("0e2350", "1c3f7c", "3a6da3", "7ba6bd", "c4d6cf")


class Print:
    """A sheet being printed: colour blocks one over another, and the key block of ink lines kept apart until the end."""

    def __init__(self, rng: np.random.Generator) -> None:
        """An empty sheet of paper."""
        self.shape = (HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING)
        self.colour = np.broadcast_to(PAPER, (*self.shape, 3)).copy()
        self.key = Image.new("L", self.shape[::-1], 0)
        self._pen = ImageDraw.Draw(self.key)
        self._rng = rng

    def block(self, outline: Array, wash: Array) -> None:
        """Print a wash, (height, width, 3) or one colour, inside an outline (n, 2) in pixels of the result; wipes the key lines below."""
        mask = Image.new("L", self.shape[::-1], 0)
        polygon = [(float(x), float(y)) for x, y in outline * SUPERSAMPLING]
        ImageDraw.Draw(mask).polygon(polygon, fill=255)
        self._pen.polygon(polygon, fill=0)
        inside = np.asarray(mask) > 0
        self.colour[inside] = wash[inside] if wash.ndim == 3 else wash

    def line(self, path: Array, width: float, swell: float = 1.0) -> None:
        """An ink line along `path` (n, 2), `width` pixels at its middle; `swell` 0 keeps it even, 1 lets both ends run out."""
        path = path.astype(np.float64)
        tangent = np.gradient(path, axis=0)
        tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None] + 1e-6
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        s = np.linspace(0, 1, len(path))
        tremble = 1 + 0.18 * np.interp(s * 6, np.arange(7), self._rng.normal(size=7))
        half = 0.5 * width * tremble * (1 - swell + swell * np.sin(np.pi * np.clip(s, 0.02, 0.98)) ** 0.6)
        sides = np.concatenate([path + normal * half[:, None], (path - normal * half[:, None])[::-1]]) * SUPERSAMPLING
        self._pen.polygon([(float(x), float(y)) for x, y in sides], fill=255)


def paint(rng: np.random.Generator) -> Image.Image:
    """The picture, 720 x 540 pixels."""
    sheet = Print(rng)
    y, x = np.mgrid[: sheet.shape[0], : sheet.shape[1]].astype(np.float32) / SUPERSAMPLING
    _sky(sheet, x, y, rng)
    _swell(sheet, y, 318, 16, 96, 0.3, 0.30, rng)
    _swell(sheet, y, 352, 24, 130, 1.9, 0.20, rng)
    _breaker(sheet, y, (640, 520), 250, rng)
    _swell(sheet, y, 424, 30, 170, 4.0, 0.15, rng)
    _breaker(sheet, y, (190, 560), 450, rng)
    _swell(sheet, y, 486, 30, 210, 5.2, 0.05, rng)
    _spray(sheet, rng)
    return finish(_pulled(sheet, rng))


def _sky(sheet: Print, x: Array, y: Array, rng: np.random.Generator) -> None:
    """A wash from indigo to peach, the sun, lines of wind, and banks of mist: long bars with round ends, two or three together."""
    wash = ramp(SKY, y / 340 + 0.04 * fractal(sheet.shape, 200, 2, rng, stretch=3))
    sheet.colour[:] = wash
    sun = np.hypot(x - SUN_PLACE[0], y - SUN_PLACE[1]) < SUN_PLACE[2]
    sheet.colour[sun] = ramp(SUN, (y[sun] - SUN_PLACE[1] + SUN_PLACE[2]) / (2 * SUN_PLACE[2]))
    along = np.linspace(-20, WIDTH + 20, 240)
    for top in np.arange(6, 330, 9.0):
        drift = 6 * np.sin(along / 83 + top / 31) + 4 * np.sin(along / 37 - top / 17)
        for first in range(int(rng.integers(-40, 10)), 230, 76):
            part = slice(max(first, 0), first + int(rng.integers(34, 72)))
            if len(along[part]) > 12:
                sheet.line(np.stack([along, top + drift], axis=1)[part], 0.9)
    mist = 0.45 * ramp(SKY, np.clip(y / 340 - 0.1, 0, 1)) + 0.55 * FOAM[0]
    for row, cy in enumerate(np.arange(28, 320, 54)):
        for cx in np.arange(-40 + 150 * (row % 2), WIDTH + 80, 300) + rng.normal(0, 40):
            middle = cx
            for part in range(int(rng.integers(2, 5))):
                middle, half_length = middle + rng.normal(0, 55), rng.uniform(45, 130)
                if (
                    abs(middle - SUN_PLACE[0]) < 170
                    and abs(cy + 12 * part - SUN_PLACE[1]) < SUN_PLACE[2]
                    and rng.random() < 0.65
                ):
                    continue  # the sun is to be seen
                bar = _bar(middle - half_length, middle + half_length, cy + 12.0 * part, rng.uniform(4.5, 6.6))
                sheet.block(bar, mist)
                sheet.line(bar[:64], 1.8, swell=0.4)
                sheet.line(np.concatenate([bar[52:], bar[:8]]), 1.3, swell=0.6)


def _bar(left: float, right: float, height: float, half: float) -> Array:
    """The outline (100, 2) of a bank of mist: round at its ends, swelling and sagging on its way."""
    turn = np.concatenate([np.linspace(-np.pi / 2, np.pi / 2, 16), np.linspace(np.pi / 2, 3 * np.pi / 2, 16)])
    ends = np.where(np.arange(32) < 16, right, left)
    x, y = ends + half * np.cos(turn), half * np.sin(turn)
    x = np.concatenate([x[:16], np.linspace(right, left, 34), x[16:], np.linspace(left, right, 34)])
    y = np.concatenate([y[:16], np.full(34, half), y[16:], np.full(34, -half)])
    swelling = 0.85 + 0.25 * np.sin(x / 41 + height)
    return np.stack([x, height + y * swelling + 4 * np.sin(x / 90 + height / 40)], axis=1)


def _family(upper: Array, lower: Array, part: float) -> Array:
    """A curve between two curves of as many points."""
    return upper * (1 - part) + lower * part


def _swell(
    sheet: Print, y: Array, base: float, height: float, wave: float, phase: float, pale: float, rng: np.random.Generator
) -> None:
    """A long swell from side to side: sharp crests of uneven height, stripes that follow its back, a fringe of foam."""
    x = np.linspace(-30, WIDTH + 30, 300)
    turn = x / wave * 2 * np.pi + phase + 0.6 * np.sin(x / 140 + phase)
    uneven = 1 + 0.35 * np.sin(x / 117 + 3 * phase)
    crest = base - height * uneven * (1.7 * (0.5 + 0.5 * np.cos(turn)) ** 2.2 - 0.4)
    upper = np.stack([x + 0.25 * (base - crest), crest], axis=1)  # the crests lean forward
    lower = np.stack([x + 12, base + 60 + 0.35 * (crest - base)], axis=1)
    floor = np.array([[WIDTH + 30, HEIGHT + 40], [-30, HEIGHT + 40]])
    sheet.block(np.concatenate([upper, floor]), ramp(SEA, pale + 0.10 + (y - base + height) / 150))
    for number in range(1, 10):
        a, b = _family(upper, lower, number / 10 - 0.025), _family(upper, lower, number / 10 + 0.025)
        if number % 2:
            sheet.block(np.concatenate([a, b[::-1]]), ramp(SEA, pale + 0.45 + (y - base + height) / 220))
        for start in range(int(rng.integers(0, 20)), len(x) - 30, 62):
            sheet.line(a[start : start + int(rng.integers(36, 60))], 1.8)
    sheet.line(upper, 3.2, swell=0.2)
    for k in range(2, len(x) - 2, 2):
        if base - crest[k] > 0.45 * height:
            rise = (base - crest[k]) / height
            _scallop(
                sheet,
                upper[k] + rng.normal(0, 1.0, size=2) + [0, 2.5],
                height * 0.22 * rng.uniform(0.5, 0.9) * rise + 1.5,
                rng,
            )
            if k % 6 == 0:
                _finger(
                    sheet, upper[k] + [0, 3], rng.normal(0.9, 0.3), height * rng.uniform(0.35, 0.6), rng, branches=2
                )


def _scallop(sheet: Print, middle: Array, radius: float, rng: np.random.Generator) -> None:
    turn = np.linspace(0, 2 * np.pi, 26)
    lumps = radius * (1 + 0.10 * np.sin(3 * turn + rng.uniform(0, 6)))
    ring = np.stack([middle[0] + lumps * np.cos(turn), middle[1] + 0.85 * lumps * np.sin(turn)], axis=1)
    sheet.block(ring, FOAM[0])
    first = int(rng.integers(26))
    sheet.line(np.roll(ring[:-1], -first, axis=0)[:20], 1.5, swell=0.7)


def _spline(knots: Array, count: int) -> Array:
    """Catmull-Rom through `knots` (k, 2): (count, 2)."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    place = np.linspace(0, len(knots) - 1 - 1e-6, count)
    k, t = place.astype(np.int64), (place % 1)[:, None]
    p0, p1, p2, p3 = (padded[k + i] for i in range(4))
    return 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)


# The breaker, in units of its height with y upwards: the outside from the foot of its back over the top to the tip,
# and the hollow face from its foot up to the same tip.
BACK = np.array(
    [[-1.15, -0.1], [-0.72, 0.16], [-0.40, 0.44], [-0.16, 0.74], [0.08, 0.95], [0.36, 1.03], [0.62, 0.94], [0.80, 0.74]]
)
FACE = np.array(
    [[1.15, -0.1], [0.72, -0.01], [0.40, 0.12], [0.22, 0.32], [0.20, 0.54], [0.32, 0.72], [0.54, 0.80], [0.80, 0.74]]
)


def _breaker(sheet: Print, y: Array, foot: tuple[float, float], size: float, rng: np.random.Generator) -> None:
    """A great wave about to fall to the right, clawed with foam; `foot` and its height `size` in pixels of the result."""
    back, face = (_spline(knots, 160) * [size, -size] + foot for knots in (BACK, FACE))
    top = foot[1] - size
    sheet.block(np.concatenate([back, face[::-1]]), ramp(SEA, (y - top) / size * 0.38))
    stripes = 15
    for number in range(1, stripes):
        part = number / stripes
        a, b = _family(back, face, part - 0.021), _family(back, face, part + 0.021)
        if number % 2:
            sheet.block(np.concatenate([a, b[::-1]]), ramp(SEA, 0.62 + 0.38 * part + (top - y) / size * 0.25))
        else:
            for _ in range(3):  # finer lines in the dark stripes, each a part of the way
                first = int(rng.integers(5, 90))
                fine = _family(back, face, part + rng.uniform(-0.018, 0.018))
                sheet.line(fine[first : first + int(rng.integers(25, 60))], 1.1)
        sheet.line(a[4:-6], 2.2, swell=0.8)
        sheet.line(b[4:-6], 1.6, swell=0.8)
    sheet.line(face, 3.4, swell=0.4)
    sheet.line(back, 4.0, swell=0.4)
    _claws(sheet, back[56:], face[112:], size, rng)


def _claws(sheet: Print, outer: Array, under: Array, size: float, rng: np.random.Generator) -> None:
    """Foam from the shoulder to the tip and beneath it: a bed of scallops, and curled fingers that reach forward and down."""
    for rim in (under, outer):
        for k in range(0, len(rim), 3):
            growth = min(0.45 + k / 40, 1.0)  # small where the foam begins
            _scallop(
                sheet, rim[k] + rng.normal(0, 0.011 * size, size=2), growth * size * rng.uniform(0.018, 0.036), rng
            )
    for k in range(0, len(under), 4):
        _finger(
            sheet,
            under[k] + rng.normal(0, 0.010 * size, size=2),
            rng.normal(1.2, 0.25),
            size * rng.uniform(0.07, 0.12),
            rng,
        )
    for k in range(4, len(outer) - 2, 4):
        tangent = outer[k + 2] - outer[k - 2]
        bearing = np.arctan2(tangent[1], tangent[0]) + rng.normal(0.45, 0.25)
        _finger(
            sheet,
            outer[k] + rng.normal(0, 0.012 * size, size=2),
            bearing,
            min(0.5 + k / 50, 1.0) * size * rng.uniform(0.08, 0.15),
            rng,
        )


def _finger(
    sheet: Print, root: Array, bearing: float, length: float, rng: np.random.Generator, branches: int = 3
) -> None:
    """One finger of foam: a tapering arm that curls ever more, and smaller ones from its outer side."""
    s = np.linspace(0, 1, 22)
    heading = bearing + 0.5 * s + 2.0 * s**3
    arm = root + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * length / len(s)
    normal = np.stack([-np.sin(heading), np.cos(heading)], axis=1)
    half = (length * 0.17 * (1 - s) ** 0.7 + 0.4)[:, None]
    outline = np.concatenate([arm - normal * half, (arm + normal * half)[::-1]])
    for number in range(branches):
        k = 5 + 4 * number
        _finger(
            sheet,
            arm[k] - normal[k] * half[k] * 0.5,
            heading[k] - 0.9,
            length * rng.uniform(0.36, 0.5),
            rng,
            branches=0,
        )
    sheet.block(outline, FOAM[0])
    sheet.block(
        np.concatenate([arm + normal * half * 0.25, (arm + normal * half)[::-1]]), FOAM[1]
    )  # its inner side lies in shade
    sheet.line(outline[:22], 1.6, swell=0.3)
    sheet.line(outline[22:], 1.4, swell=0.3)


def _spray(sheet: Print, rng: np.random.Generator) -> None:
    for cx, cy, reach in ((400, 190, 110), (300, 120, 90), (650, 300, 60)):
        for _ in range(60):
            middle = np.array([cx, cy]) + rng.normal(0, reach * 0.5, size=2)
            turn = np.linspace(0, 2 * np.pi, 14)
            radius = rng.uniform(0.9, 3.0)
            dot = np.stack([middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn)], axis=1)
            sheet.block(dot, FOAM[0])
            if radius > 1.8:
                sheet.line(dot, 1.0, swell=0)


def _pulled(sheet: Print, rng: np.random.Generator) -> Array:
    """The finished print: grain of the block in the washes, worn ink, fibres of the paper, the key block a hair out of place."""
    grain = fractal(sheet.shape, 7, 3, rng, stretch=34)
    rings = np.sin(noise(sheet.shape, 150, rng, stretch=3) * 9 + 0.6 * grain)
    washed = sheet.colour * (1 + 0.045 * grain + 0.035 * rings)[..., None]
    blotches = smoothstep(1.2, 2.4, fractal(sheet.shape, 26, 3, rng))[..., None] * 0.09
    washed = washed + blotches * (PAPER - washed)
    key = blur(np.asarray(sheet.key, dtype=np.float32) / 255, 1)
    key = np.pad(key, ((1, 0), (2, 0)), mode="edge")[:-1, :-2]  # canvas pixels: half a pixel down and one to the right
    worn = 0.95 - 0.35 * smoothstep(0.9, 2.2, grain + 0.4 * noise(sheet.shape, 4, rng))
    ink = (smoothstep(0.25, 0.75, key) * worn)[..., None]
    printed = washed * (1 - ink) + INK * ink
    fibres = noise(sheet.shape, 4, rng, stretch=5) + 0.5 * noise(sheet.shape[::-1], 4, rng, stretch=3).T
    return np.asarray(printed * (1 + 0.010 * fibres[..., None]), dtype=np.float32)
