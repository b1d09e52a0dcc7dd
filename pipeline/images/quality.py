"""What can be said in numbers of a painted picture, from the picture, its photograph and its style
alone.

No network takes part, so that none of the figures is what a descent made small. Pictures are uint8
(height, width, 3); painted and photograph have one shape. Lengths are pixels of the painted
picture. A style is brought to its longer side before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float64]

# Karras et al., "Progressive Growing of GANs" (2018), section 5: patches of 7 x 7, projected on
# random directions.
PATCH, PROJECTIONS, LEVELS = 7, 256, 3
PATCHES = 4096  # of each picture and level
_BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16  # of the pyramid: Burt & Adelson 1983

_NEAR = 0.01  # of patches' standard deviation: a photograph nearer than this is the style itself

_SPECKLE = 12.0  # of CIELAB's L: what a pixel stands out by, to be seen at 100 %
_QUIET = 0.25  # of the photograph's places, those with the least in them, are its empty areas
_RING = 4  # pixels; as wide as a rim of a zero border was seen to be


@dataclass(frozen=True, slots=True)
class Quality:
    """`style`: how far the statistics of patches are from the style's, as a share of the
    photograph's own distance, mean of three scales (0: as the style, 1: as the photograph).
    `edges`: agreement of the directions of edges with the photograph's (1: all, 0: none).
    `empty`: how much stands in the photograph's empty areas, against the whole picture (0:
    nothing). `hue`: colour that follows the photograph's where its lightness does not explain
    it, in CIELAB units. `speckle`, `clipped`: share of pixels above the style's own. `rim`: how
    the outermost pixels differ from those inside, against pixels inside from those further
    inside (1: no more)."""

    style: float
    edges: float
    empty: float
    hue: float
    speckle: float
    clipped: float
    rim: float


def quality(painted: Pixels, photograph: Pixels, style: Pixels) -> Quality:
    """All figures of one picture."""
    return Quality(
        style=patch_distance(painted, style) / max(patch_distance(photograph, style), _NEAR),
        edges=edge_agreement(painted, photograph),
        empty=empty_areas(painted, photograph),
        hue=hue_left(painted, photograph),
        speckle=max(0.0, speckle(painted) - speckle(style)),
        clipped=max(0.0, clipped(painted) - clipped(style)),
        rim=rim(painted),
    )


def patch_distance(one: Pixels, other: Pixels) -> float:
    """Sliced Wasserstein distance of patches at three scales of a Laplacian pyramid, in standard
    deviations of `other`'s; mean of the scales. Places and directions are the same in every
    call."""
    return distance_of_patches(patches_seen(one), patches_seen(other))


def patches_seen(picture: Pixels) -> list[Plane]:
    """What `distance_of_patches` compares: by scale, patches along each direction, in order:
    (patches, directions)."""
    return [_along_directions(level) for level in _pyramid(picture)]


def distance_of_patches(ours: Sequence[Plane], theirs: Sequence[Plane]) -> float:
    """`patch_distance` of two pictures, of which these are the patches."""
    return float(np.mean([_apart(a, b) for a, b in zip(ours, theirs, strict=True)]))


def edge_agreement(painted: Pixels, photograph: Pixels) -> float:
    """Mean cosine of twice the angle between the edges of both, weighted by the photograph's: -1
    to 1."""
    one, other = _orientation(painted), _orientation(photograph)
    strength = np.abs(other)
    cosine = np.real(one * np.conj(other)) / np.maximum(np.abs(one) * strength, 1e-9)
    return float((strength * cosine).sum() / max(strength.sum(), 1e-9))


def empty_areas(painted: Pixels, photograph: Pixels) -> float:
    """What of large structure stands in the quarter of the photograph that has the least of it,
    against the whole."""
    there, here = _structure(photograph), _structure(painted)
    return float(here[there <= np.quantile(there, _QUIET)].mean() / max(here.mean(), 1e-9))


def hue_left(painted: Pixels, photograph: Pixels) -> float:
    """Root mean square of the part of a and b that is linear in the photograph's a and b, and
    not in its L. CIELAB units."""
    lightness_there, a, b = (smooth(plane, 4.0).ravel() for plane in np.moveaxis(to_lab(photograph), -1, 0))
    chroma = np.stack([smooth(plane, 4.0).ravel() for plane in np.moveaxis(to_lab(painted), -1, 0)[1:]], axis=1)
    lightness = np.stack([np.ones_like(lightness_there), lightness_there, lightness_there**2], axis=1)

    def part(columns: Plane, of: Plane) -> Plane:
        return columns @ np.linalg.lstsq(columns, of, rcond=None)[0]

    left = chroma - part(lightness, chroma)
    hues = np.stack([a, b], axis=1)
    return float(np.sqrt((part(hues - part(lightness, hues), left) ** 2).sum(axis=1).mean()))


def speckle(picture: Pixels) -> float:
    """Share of pixels that are lighter, or darker, than all eight around them by more than 12 of
    L."""
    light = np.pad(to_lab(picture)[..., 0], 1, mode="reflect")
    height, width = picture.shape[:2]
    around = np.stack([light[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)])
    here = light[1:-1, 1:-1]
    alone = (here - around.max(axis=0) > _SPECKLE) | (around.min(axis=0) - here > _SPECKLE)
    return float(alone.mean())


def clipped(picture: Pixels) -> float:
    """Share of pixels with a colour at 0 or 255."""
    return float(((picture == 0) | (picture == 255)).any(axis=-1).mean())


def rim(picture: Pixels) -> float:
    """Mean difference across 4 pixels from the edge inwards, against the same step further in."""
    lab = to_lab(picture)
    sides = [lab, lab[::-1], lab.swapaxes(0, 1), lab.swapaxes(0, 1)[::-1]]

    def step(at: int) -> float:
        return float(np.mean([np.linalg.norm(side[at] - side[at + _RING], axis=-1).mean() for side in sides]))

    inside = np.mean([step(_RING * place) for place in range(2, 6)])
    return step(0) / max(float(inside), 1e-9)


def to_lab(picture: NDArray[Any]) -> Plane:
    """sRGB to CIELAB, white D65 (IEC 61966-2-1; CIE 15; the matrix with Lindbloom's digits)."""
    coded = picture / 255.0
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    t = linear @ matrix.T / matrix.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def smooth(plane: NDArray[Any], sigma: float) -> Plane:
    """A Gauss filter of so many pixels, mirrored at the edge."""
    radius = min(int(3 * sigma + 0.5), min(plane.shape) - 1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return _filtered(_filtered(plane, weights / weights.sum(), 0), weights / weights.sum(), 1)


def _filtered(plane: Plane, weights: Plane, axis: int) -> Plane:
    radius = len(weights) // 2
    padded = np.pad(plane, [(radius, radius) if each == axis else (0, 0) for each in range(plane.ndim)], mode="reflect")
    length = plane.shape[axis]
    return sum(
        (weight * np.take(padded, range(at, at + length), axis=axis) for at, weight in enumerate(weights)),
        np.zeros_like(plane),
    )


def _pyramid(picture: Pixels) -> list[Plane]:
    """Levels of a Laplacian pyramid, fine to coarse, the last one low-pass: floats (height,
    width, 3)."""
    levels, plane = [], picture.astype(np.float64)
    for _ in range(LEVELS - 1):
        low = _filtered(_filtered(plane, _BINOMIAL, 0), _BINOMIAL, 1)
        levels.append(plane - low)
        plane = low[::2, ::2]
    return [*levels, plane]


def _along_directions(plane: Plane) -> Plane:
    random = np.random.default_rng(0)
    directions = random.normal(size=(PATCH * PATCH * 3, PROJECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    return np.sort(_patches(plane) @ directions, axis=0)


def _apart(ours: Plane, theirs: Plane) -> float:
    spread = np.maximum(theirs.std(axis=0), 1.0)  # a grey level: flat paper is not told apart further
    return float((np.abs(ours - theirs).mean(axis=0) / spread).mean())


def _patches(plane: Plane) -> Plane:
    """(PATCHES, 147) of a level, at places of chance, with repetition. What is narrower than a
    patch is continued by its edge."""
    lacks = [(0, max(0, PATCH - side)) for side in plane.shape[:2]]
    plane = np.pad(plane, [*lacks, (0, 0)], mode="edge")
    random = np.random.default_rng(1)
    top = random.integers(0, plane.shape[0] - PATCH + 1, PATCHES)
    left = random.integers(0, plane.shape[1] - PATCH + 1, PATCHES)
    windows = np.lib.stride_tricks.sliding_window_view(plane, (PATCH, PATCH), axis=(0, 1))
    return windows[top, left].reshape(PATCHES, -1)


def _orientation(picture: Pixels) -> NDArray[np.complex128]:
    """Squared gradients of L as complex numbers, smoothed: twice an edge's angle, and its
    strength (structure tensor)."""
    light = smooth(to_lab(picture)[..., 0], 1.5)
    down, right = np.gradient(light)
    squared = (right + 1j * down) ** 2
    real, imaginary = (smooth(np.asarray(part, np.float64), 2.0) for part in (np.real(squared), np.imag(squared)))
    return np.asarray(real + 1j * imaginary, np.complex128)


def _structure(picture: Pixels) -> Plane:
    """Strength of edges of L at a scale of 4 pixels, smoothed: where something stands."""
    down, right = np.gradient(smooth(to_lab(picture)[..., 0], 4.0))
    return smooth(np.hypot(down, right), 4.0)
