"""The colours of styles carried into a picture one by one: its blues become their blue.

A linear map of RGB (`colour.match_colours`) turns all colours together: between a blue sky and a
yellow field it finds a grey. Here each goes its own way, by optimal transport between the palettes,
in Oklab (Ottosson, "A perceptual color space for image processing", 2020), where distances are as
large as they look, and counts hue for more than lightness.

With cost c, colours x of the picture with shares p and y of the styles with shares q, the plan is

    P_xy = u_x K_xy v_y    K = exp(-c / ε)    u = p / K v    v = (q / K'u)^(ρ / (ρ + ε))

(Cuturi, "Sinkhorn Distances", arXiv 1306.0895; Chizat, Peyre, Schmitzer & Vialard, "Scaling
algorithms for unbalanced optimal transport problems", arXiv 1607.05816, the styles' side alone). ε
keeps the map smooth; ρ lets a style's colour be used less or more than the style has of it, as a
picture that is all meadow need not get a blue one. Any colour x goes to Σ_y K_xy v_y y / Σ_y K_xy
v_y (Pooladian & Niles-Weed, "Entropic estimation of optimal transport maps", arXiv 2109.12004),
a mean of style's colours, which has less of lightness and chroma than they have. What was lost,
the plan says: Σ_x P_xy of each y is used, so lightness, and a and b by one factor, are spread about
their mean as those are. A factor turns no hue; the style's mean and covariance in RGB, brought here
before, made peaches of a starry night's yellow stars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.images.colour import blend, match_tones
from pipeline.images.scale import Floats

Colours = NDArray[np.float64]
Styles = Sequence[tuple[Floats, Floats | None, float]]

# Ottosson's: linear sRGB to cones' responses, and their cube roots to L, a, b.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

# Chosen by eye with a castle in brush strokes, a heron in a woodcut, the Colosseum in pen, a cat in
# a wash, at 512 px. How much a and b count beside L: with 1 a grey sky became sand, with 3 blue.
_HUE = 3.0
_EPSILON, _RHO = 2 * 0.15**2, 0.02  # ε with 2 · 0.1²: grain of a sky grew; ρ with 0.1: part of a sky became cream
# More than was ever lost: 1.13 to 1.35 with stained glass, a starry night and a woodcut.
_MOST_SPREAD = 2.0
_NO_VARIANCE = 1e-8  # of Oklab: a fortieth of a grey level
_ITERATIONS = 60  # after which no share moves by a thousandth
_LEVELS = 12  # of each channel, into which colours are sorted: some hundreds are there
_NODES = 17  # of each channel, of the table that pixels are looked up in: a colour grader's
_AT_ONCE = 2**18  # pixels, 50 MB


def match_each_colour(result: Floats, styles: Styles, alpha: Floats | None = None, strength: float = 1.0) -> Floats:
    """`result` (height, width, 3), 0..255, with opacity `alpha`, in the palette of the style
    images, each with its opacity, of several by their shares: lights and darks (`match_tones`), as
    cosines know none; then colour by colour; then lights and darks again. With less `strength` so
    much of all."""
    moved = match_tones(transported(match_tones(result, styles, alpha), styles, alpha), styles, alpha)
    return moved if strength == 1.0 else blend(result, moved, strength)


def transported(result: Floats, styles: Styles, alpha: Floats | None = None) -> Floats:
    """`result` with each colour where the plan takes it."""
    whole = sum(share for _pixels, _alpha, share in styles)
    palettes = [(*palette_of(pixels, seen), share / whole) for pixels, seen, share in styles]
    goal = np.concatenate([colours for colours, _shares, _share in palettes])
    shares = np.concatenate([shares * share for _colours, shares, share in palettes])
    return _looked_up(result, _transport(*palette_of(result, alpha), goal, shares))


def palette_of(pixels: Floats, alpha: Floats | None = None) -> tuple[Colours, Colours]:
    """The colours of a picture, sorted into cells: their means in Oklab (n, 3), and their shares of
    all pixels, or of what can be seen of them (n,)."""
    flat = np.clip(pixels.reshape(-1, 3), 0.0, 255.0)
    cells = (flat * (_LEVELS / 256)).astype(np.intp) @ (_LEVELS**2, _LEVELS, 1)
    weights = np.ones(len(flat)) if alpha is None or not alpha.any() else alpha.ravel().astype(np.float64)
    counts = np.bincount(cells, weights, _LEVELS**3)
    there = counts > 0
    sums = [np.bincount(cells, weights * flat[:, channel], _LEVELS**3)[there] for channel in range(3)]
    return oklab(np.stack(sums, -1) / counts[there, np.newaxis]), counts[there] / counts.sum()


def oklab(pixels: Colours) -> Colours:
    """sRGB (..., 3), 0..255, to L, 0..1, a, b."""
    coded = pixels / 255.0
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    found: Colours = np.cbrt(linear @ _CONES.T) @ _OPPONENTS.T
    return found


def from_oklab(colours: Colours) -> Colours:
    """L, a, b (..., 3) to sRGB, 0..255 where it has them."""
    linear = (colours @ np.linalg.inv(_OPPONENTS).T) ** 3 @ np.linalg.inv(_CONES).T
    light = np.abs(linear)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    found: Colours = np.sign(linear) * coded * 255.0
    return found


def _transport(here: Colours, shares: Colours, goal: Colours, goal_shares: Colours) -> Callable[[Colours], Colours]:
    """Where any colours (n, 3) go, all in Oklab."""
    kernel, used = _kernel(here, goal), np.ones(len(goal))
    for _ in range(_ITERATIONS):
        given = shares / (kernel @ used)
        used = (goal_shares / (kernel.T @ given)) ** (_RHO / (_RHO + _EPSILON))

    def smooth(colours: Colours) -> Colours:
        weights = _kernel(colours, goal) * used
        found: Colours = weights @ goal / weights.sum(-1, keepdims=True)
        return found

    plan = kernel * used
    plan *= (shares / plan.sum(-1))[:, np.newaxis]
    mean = plan.sum(0) @ goal
    factors = _lost(_variances(smooth(here), shares, mean), _variances(goal, plan.sum(0), mean))
    return lambda colours: mean + (smooth(colours) - mean) * factors


def _variances(colours: Colours, shares: Colours, mean: Colours) -> Colours:
    """Of L, and of a and b together, in that order, about `mean`."""
    squares = shares @ (colours - mean) ** 2
    return np.array([squares[0], squares[1] + squares[2]])


def _lost(left: Colours, there: Colours) -> Colours:
    """By how much L, a, b that have the variances `left` are to be spread to have those that are
    `there`; by nothing where none is left."""
    ratios = there / np.maximum(left, _NO_VARIANCE)
    lightness, chroma = np.where(left > _NO_VARIANCE, np.clip(np.sqrt(ratios), 1.0, _MOST_SPREAD), 1.0)
    return np.array([lightness, chroma, chroma])


def _kernel(here: Colours, goal: Colours) -> Colours:
    """K (n, m)."""
    one, other = (colours * (1.0, _HUE, _HUE) for colours in (here, goal))
    squares = (one**2).sum(-1)[:, np.newaxis] + (other**2).sum(-1) - 2 * one @ other.T
    found: Colours = np.exp(-squares / _EPSILON)
    return found


def _looked_up(pixels: Floats, move: Callable[[Colours], Colours]) -> Floats:
    """`pixels` moved as a table of RGB says, linearly between its nodes; what lies outside of it as
    its nearest colour."""
    axis = np.linspace(0.0, 255.0, _NODES)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    table = (from_oklab(move(oklab(nodes))) - nodes).astype(np.float32)
    flat, moved = pixels.reshape(-1, 3), np.empty((pixels.size // 3, 3), np.float32)
    for first in range(0, len(flat), _AT_ONCE):
        piece = slice(first, first + _AT_ONCE)
        moved[piece] = flat[piece] + _between(table, np.clip(flat[piece], 0.0, 255.0) * np.float32((_NODES - 1) / 255))
    return moved.reshape(pixels.shape)


def _between(table: Floats, places: Floats) -> Floats:
    """What a table (nodes³, 3) has at `places` (n, 3), in nodes."""
    low = np.minimum(places.astype(np.intp), _NODES - 2)
    part = places - low.astype(np.float32)
    found = np.zeros_like(places)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), -1, keepdims=True)
        found += weight * table[(low + corner) @ (_NODES**2, _NODES, 1)]
    return found
