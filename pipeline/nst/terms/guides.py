"""Regions: where in the picture which style counts, and how much.

Gatys, Ecker, Bethge, Hertzmann, Shechtman, "Controlling Perceptual Factors in Neural Style
Transfer" (arXiv 1611.07865), section 4.1. T_r are the guides of region r at the positions k of a
layer, F its features:

    G_r = Σ_k T_rk² F_k F_kᵀ        with Σ_k T_rk² = 1
    E   = Σ_r λ_r E_r               E_r: the distance of G_r from the same of the region's style

Here T_rk² = w_rk / Σ_k w_rk, where w is the mask's grey, 0..1, as the mean of the pixels of
position k: so a soft mask counts as its grey says, and a distance is that of the region by itself,
however large it is. λ_r is the region's share of the picture's area, times how strong its style is
to be: then a pixel of a region is drawn to its style as a pixel of a picture without masks is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.network import reduction
from pipeline.nst.terms.term import Probe, Region, Sources, Style, Target

Floats = NDArray[np.float32]


class Guided(NamedTuple):
    """What one region is compared with, and λ_r, a float32 scalar."""

    target: Any
    share: tf.Tensor


def guided_target(
    sources: Sources, term: Probe, layers: Sequence[str], mean: Callable[[list[tuple[Any, float]]], Any]
) -> Target:
    """The target of a term that knows the styles by a statistic of each layer: `mean` makes it of
    what the term measures there of each style, with shares that sum to 1. With regions maps are
    tuples of w_r (height, width), and statistics tuples of `Guided`."""

    def of_styles(styles: Sequence[Style]) -> dict[str, Any]:
        whole = sum(style.share for style in styles)
        found = [(style.image.measured(term), style.share / whole) for style in styles]
        return {layer: mean([(measured[layer], share) for measured, share in found]) for layer in layers}

    if not sources.regions:
        return Target({}, of_styles(sources.styles))
    found = [(of_styles(region.styles), area_share(region)) for region in sources.regions]
    size = sources.content.size
    return Target(
        {
            layer: tuple(tf.constant(at_layer(region.mask, layer, size)) for region in sources.regions)
            for layer in layers
        },
        {layer: tuple(Guided(each[layer], tf.constant(share)) for each, share in found) for layer in layers},
    )


def over_regions(measured: Any, statistic: Any, distance: Callable[[Any, Any], tf.Tensor]) -> tf.Tensor:
    """Σ_r λ_r E_r of what was measured in each region; without regions the distance itself."""
    if not is_guided(statistic):
        return distance(measured, statistic)
    return tf.add_n(
        [guided.share * distance(here, guided.target) for here, guided in zip(measured, statistic, strict=True)]
    )


def is_guided(value: Any) -> bool:
    """Is it one thing for each region? What is of one region are tensors and named tuples."""
    return type(value) is tuple


def area_share(region: Region) -> float:
    """λ_r: the region's share of the picture, times its strength."""
    return region.strength * (1.0 if region.mask is None else float(region.mask.mean(dtype=np.float64)))


def at_layer(mask: Floats | None, layer: str, size: tuple[int, int]) -> Floats:
    """w (height, width) of a layer's whole positions, for a picture of `size` (height, width)."""
    factor = reduction(layer)
    height, width = (length // factor for length in size)
    if mask is None:
        return np.ones((height, width), np.float32)
    return _of_some(means_of_cells(mask[: height * factor, : width * factor], factor), mask, factor)


def at_cells(mask: Floats | None, cell: int, size: tuple[int, int]) -> Floats:
    """The same of cells of so many pixels, the last ones cut off by the border."""
    if mask is None:
        return np.ones([-(-length // cell) for length in size], np.float32)
    return means_of_cells(mask, cell)


def _of_some(means: Floats, mask: Floats, factor: int) -> Floats:
    """A region that lies in the strip that a layer cuts off counts at the nearest position: a mean
    over nothing is none."""
    if means.any() or not mask.any():
        return means
    row, column = (int(places.mean()) // factor for places in np.nonzero(mask))
    means[min(row, means.shape[0] - 1), min(column, means.shape[1] - 1)] = mask.max() / factor**2
    return means


def means_of_cells(levels: Floats, cell: int) -> Floats:
    """The mean of each `cell` x `cell` pixels; the last ones go on as the picture ends."""
    whole = np.pad(levels, [(0, -length % cell) for length in levels.shape], "edge")
    height, width = (length // cell for length in whole.shape)
    means: Floats = whole.reshape(height, cell, width, cell).mean((1, 3), dtype=np.float32)
    return means


def claims(weights: Sequence[Floats]) -> list[NDArray[np.bool_]]:
    """Which positions belong to each region, by its w (height, width): those that it claims at
    least half as much as the region that claims them most. A position can belong to several, or to
    none."""
    most = np.max(weights, 0)
    return [(each > 0) & (each >= 0.5 * most) for each in weights]


def strengths(weights: Sequence[Floats], regions: Sequence[Region]) -> Floats:
    """How much each position counts: the mean of its regions' strengths, by their w; less where all
    of them claim it less than wholly."""
    total = np.sum(weights, 0)
    counted = sum(region.strength * each for region, each in zip(regions, weights, strict=True))
    found: Floats = np.asarray(counted / np.maximum(total, 1.0), np.float32)
    return found
