"""Colours of one picture brought into another.

Source: L. A. Gatys, M. Bethge, A. Hertzmann, E. Shechtman, "Preserving Color in Neural Artistic
Style Transfer", 2016, arXiv 1606.05897. It describes two ways: luminance-only transfer keeps the
content's colours after painting; colour matching gives the style picture the content's colours
before painting. All pixels here are float32 RGB (height, width, 3), 0..255.

A picture with opacity (height, width), 0..1, counts for what can be seen of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.images.scale import Floats

# Luminance Y of YIQ: Rec. ITU-R BT.601, 2.5.1.
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)

_TONES = np.arange(256.0)
# Of a curve of tones. A sky keeps a quarter of its contrast. With 1.25 ink is the style's ink; with
# 2 the grain of paper shows. Looked at with a pen drawing, a woodcut and a painting at 512 px.
_LEAST_SLOPE, _MOST_SLOPE = 0.25, 1.25
_FAINT = 1e-6  # share of a tone that no pixel has: it follows its neighbours
_ITERATIONS = 400  # after which no tone moves by a hundredth of a level any more

# Variance, in grey levels squared, below which a colour direction counts as empty. Rounding to 8
# bits alone gives 1/12 per channel; a direction with a thousandth of that holds no colour, only the
# noise of arithmetic.
_NO_VARIANCE = 1e-4


def transfer_luminance(result: Floats, content: Floats) -> Floats:
    """The luminance Y of `result` with the chroma I, Q of `content`.

    Both are (H, W, 3); what overshoots is cut off at 0 and 255. In the inverse of YIQ each of R, G,
    B is Y plus a sum of I and Q alone, so to exchange Y is to add the difference of the two
    luminances to each channel. The paper may also match the style's luminance to the content's
    before painting; that is a step of its own and no part of this function.
    """
    difference = (result - content) @ LUMINANCE
    return np.clip(content + difference[..., np.newaxis], 0.0, 255.0)


def match_histogram(
    style: Floats, content: Floats, style_alpha: Floats | None = None, content_alpha: Floats | None = None
) -> Floats:
    """`style` with each channel's grey levels distributed as in `content`, of any size.

    A level goes to the content's level of the same rank, ranks being taken in the middle of equal
    levels: a channel of one level goes to the content's median. Channel by channel, so the
    relations between channels are not matched; for those see `match_covariance`.
    """
    matched = np.empty_like(style)
    for channel in range(3):
        _, where, counts = _levels(style[..., channel], style_alpha)
        goal_levels, _, goal_counts = _levels(content[..., channel], content_alpha)
        there = goal_counts > 0
        moved = np.interp(_ranks(counts), _ranks(goal_counts[there]), goal_levels[there])
        matched[..., channel] = moved[where].reshape(style.shape[:2])
    return matched


def match_covariance(
    style: Floats, content: Floats, style_alpha: Floats | None = None, content_alpha: Floats | None = None
) -> Floats:
    """`style` moved linearly in RGB to the mean and covariance of `content`.

    What overshoots is cut off at 0 and 255. x ↦ A (x - μ_style) + μ_content with A = Σ_content^½
    Σ_style^-½, both roots symmetric: of the paper's solutions of A Σ_style Aᵀ = Σ_content the one
    taken from "Image Analogies", which does not depend on the order of the channels. Directions in
    which the style does not vary (two of three of a grey picture) stay without variance: nothing is
    divided by zero.
    """
    style_mean, style_covariance = _moments(style, style_alpha)
    content_mean, content_covariance = _moments(content, content_alpha)
    matrix = _root(content_covariance) @ _inverse_root(style_covariance)
    moved = (style - style_mean) @ matrix.T + content_mean
    return np.clip(moved, 0.0, 255.0).astype(np.float32)


def match_colours(
    result: Floats,
    styles: Sequence[tuple[Floats, Floats | None, float]],
    alpha: Floats | None = None,
    strength: float = 1.0,
) -> Floats:
    """`result`, with opacity `alpha`, moved linearly in RGB to the mean and covariance of the style
    images, each with its opacity, of several by their shares. With less `strength` every colour
    goes only so much of its way.

    What overshoots is cut off at 0 and 255. x ↦ A (x - μ) + μ_style with A = Σ^-½ (Σ^½ Σ_style
    Σ^½)^½ Σ^-½: of all matrices that bring Σ to Σ_style the one that moves colours least (Monge and
    Kantorovich; Pitie & Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping", 2007).
    """
    whole = sum(share for _pixels, _alpha, share in styles)
    found = [(*_moments(pixels, seen), share / whole) for pixels, seen, share in styles]
    goal_mean = sum(mean * share for mean, _covariance, share in found)
    goal = sum(covariance * share for _mean, covariance, share in found)
    mean, covariance = _moments(result, alpha)
    root, inverse = _root(covariance), _inverse_root(covariance)
    matrix = inverse @ _root(root @ goal @ root) @ inverse
    moved = (result - mean) @ matrix.T + goal_mean
    return np.clip((1 - strength) * result + strength * moved, 0.0, 255.0).astype(np.float32)


def match_palette(
    result: Floats,
    styles: Sequence[tuple[Floats, Floats | None, float]],
    alpha: Floats | None = None,
    strength: float = 1.0,
) -> Floats:
    """`match_colours` and then `match_tones`; with less `strength` so much of both."""
    moved = match_tones(match_colours(result, styles, alpha), styles, alpha)
    return moved if strength == 1.0 else blend(result, moved, strength)


def match_tones(
    result: Floats, styles: Sequence[tuple[Floats, Floats | None, float]], alpha: Floats | None = None
) -> Floats:
    """`result`, with opacity `alpha`, with its lights and darks spread as in the style images, each
    with its opacity, of several by their shares: paper is the style's paper, ink its ink.

    Luminance alone is moved, by one rising curve, as when a histogram is matched (Gonzalez & Woods,
    "Digital Image Processing", 3.3.2). Its slope is kept between `_LEAST_SLOPE` and `_MOST_SLOPE`,
    so that a sky does not break into bands or noise; among such curves it is the one nearest to the
    exact one, in the mean square over all pixels.
    """
    whole = sum(share for _pixels, _alpha, share in styles)
    counts = _tones(result, alpha)
    goal = sum(_tones(pixels, seen) * (share / whole) for pixels, seen, share in styles)
    curve = _bounded_curve(counts, np.asarray(goal))
    luminance = result @ LUMINANCE
    difference = np.interp(luminance, _TONES, curve).astype(np.float32) - luminance
    moved: Floats = np.clip(result + difference[..., np.newaxis], 0.0, 255.0).astype(np.float32)
    return moved


def blend(content: Floats, result: Floats, strength: float) -> Floats:
    """(1 - strength) · content + strength · result; exactly `content` at 0, `result` at 1."""
    weight = np.float32(strength)
    return (1 - weight) * content + weight * result


def _levels(
    channel: Floats, alpha: Floats | None
) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp] | NDArray[np.float64]]:
    """The grey levels of a channel, rising; which of them each pixel has; how many pixels have
    each, or how much opacity."""
    levels, where, counts = np.unique(channel, return_inverse=True, return_counts=True)
    if alpha is None or not alpha.any():
        return levels, where, counts
    return levels, where, np.bincount(where.ravel(), alpha.ravel(), len(levels))


def _ranks(counts: NDArray[np.intp] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of all pixels below the middle of each level, 0..1, rising."""
    ranks: NDArray[np.float64] = (np.cumsum(counts) - counts / 2) / counts.sum()
    return ranks


def _tones(pixels: Floats, alpha: Floats | None) -> NDArray[np.float64]:
    """The share of all pixels, or of what can be seen of them, at each of `_TONES`."""
    weights = None if alpha is None or not alpha.any() else alpha.ravel()
    nearest = np.rint(np.clip(pixels @ LUMINANCE, 0, 255)).astype(np.intp).ravel()
    counts = np.bincount(nearest, weights, len(_TONES)).astype(np.float64)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _bounded_curve(shares: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each of `_TONES` goes: least squares by shares, with bounds on each slope, by Beck &
    Teboulle's accelerated projected gradient (FISTA, 2009)."""
    present = shares > 0
    # a tone's share of all ranks, and the mean of the goal's tones there
    ranks = np.concatenate([[0.0], np.cumsum(goal)])
    below = np.interp(
        np.concatenate([[0.0], np.cumsum(shares)]), ranks, np.concatenate([[0.0], np.cumsum(goal * _TONES)])
    )
    exact = np.interp(_TONES, _TONES[present], np.diff(below)[present] / shares[present])
    weights = shares + _FAINT
    weights = weights / weights.sum()
    sums = np.tril(np.ones((len(_TONES), len(_TONES) - 1)), -1)  # tones are sums of slopes
    centred = sums - weights @ sums
    hessian = centred.T @ (weights[:, np.newaxis] * centred)
    pull = centred.T @ (weights * (exact - weights @ exact))
    steepest = np.linalg.norm(hessian, 2)
    slopes = ahead = np.ones(len(_TONES) - 1)
    momentum = 1.0
    for _ in range(_ITERATIONS):
        before = slopes
        slopes = np.clip(ahead - (hessian @ ahead - pull) / steepest, _LEAST_SLOPE, _MOST_SLOPE)
        faster = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = slopes + (momentum - 1) / faster * (slopes - before)
        momentum = faster
    curve = sums @ slopes
    found: NDArray[np.float64] = curve + weights @ (exact - curve)
    return found


def _moments(pixels: Floats, alpha: Floats | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (3,) and covariance (3, 3) over all pixels, or over what can be seen of them.

    In float64: sums over millions of squares need the digits.
    """
    colours = pixels.reshape(-1, 3).astype(np.float64)
    if alpha is None or not alpha.any():
        mean = colours.mean(axis=0)
        centred = colours - mean
        return mean, centred.T @ centred / len(colours)
    weights = alpha.reshape(-1, 1).astype(np.float64) / alpha.sum(dtype=np.float64)
    mean = (weights * colours).sum(axis=0)
    centred = colours - mean
    return mean, (weights * centred).T @ centred


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    variances, directions = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (directions * np.sqrt(np.maximum(variances, 0.0))) @ directions.T
    return root


def _inverse_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of the symmetric root on the directions that have variance, zero on the others."""
    variances, directions = np.linalg.eigh(covariance)
    present = variances > _NO_VARIANCE
    scales = np.where(present, 1 / np.sqrt(np.where(present, variances, 1.0)), 0.0)
    inverse: NDArray[np.float64] = (directions * scales) @ directions.T
    return inverse
