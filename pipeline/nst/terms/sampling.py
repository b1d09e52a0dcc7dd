"""Hypercolumns at sampled positions: what all layers say of the same places of an image.

A hypercolumn is the features of several layers at one pixel, side by side. They are taken at the
position of each layer in whose cell the pixel lies, where Kolkin et al. (arXiv 1904.12785)
interpolate: so a pixel belongs to one tile alone, and those of tiles add up. A pixel that a layer
cuts off, as its last position is not a whole one, is taken at the position before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.network import reduction
from pipeline.nst.terms.sums import NOTHING
from pipeline.nst.terms.term import PICTURE, Image, Indexed

# Steps down and to the right, as shares of the sides, that fill a rectangle evenly after any number
# of them: 1/g and 1/g² for g³ = g + 1 (Roberts, "The Unreasonable Effectiveness of Quasirandom
# Sequences", 2018).
_STEPS = np.array([0.7548776662466927, 0.5698402909980532])
# Times as many places that are looked at where not all of a style can be seen.
_TRIED = 32
# Places that are looked at for those of a part of an image: 32 times as many as are sampled of a
# whole one. A part with more than a 32nd of the pixels is filled evenly.
_CANDIDATES = 2**15


class Lookup(NamedTuple):
    """Rows and columns (n,) of a layer's positions, and how many a row of them has: int32."""

    rows: tf.Tensor
    columns: tf.Tensor
    width: tf.Tensor


def places(image: Image, count: int, seed: int, weights: NDArray[np.float32] | None = None) -> NDArray[np.int32]:
    """Row and column in pixels of so many places of an image, (count, 2), evenly spread and begun
    by chance; only of what can be seen of it, or with `weights` (height, width), 0..1, as often as
    these say."""
    opacity = image.opacity(1) if weights is None else weights
    if opacity is None:
        return _spread(image.size, count, np.random.default_rng(seed))
    if weights is not None:
        return _weighted(weights, count, seed)
    spread = _spread(image.size, count * _TRIED, np.random.default_rng(seed))
    enough = 0.5 * opacity.max()  # by half, as neighbours are
    seen = spread[opacity[spread[:, 0], spread[:, 1]] >= enough]
    if not len(seen):  # too little can be seen to be found so
        seen = np.argwhere(opacity >= enough)
    return np.resize(seen, (count, 2)).astype(np.int32)


def _spread(size: tuple[int, ...], count: int, random: np.random.Generator) -> NDArray[np.int32]:
    """So many places of a picture of this size, evenly spread and begun by chance."""
    places = np.floor((random.random(2) + np.arange(count)[:, np.newaxis] * _STEPS) % 1 * size)
    return np.asarray(places, np.int32)


def _weighted(weights: NDArray[np.float32], count: int, seed: int) -> NDArray[np.int32]:
    """Places (count, 2) of a map of weights that are not all 0."""
    random = np.random.default_rng(seed)
    tried = _spread(weights.shape, _CANDIDATES, random)
    taken = tried[random.random(_CANDIDATES) * weights.max() < weights[tried[:, 0], tried[:, 1]]]
    if len(taken) < count:  # too small a part to be found so: each of its pixels may come more than once
        chances = weights.ravel().astype(np.float64)
        found = random.choice(weights.size, count, p=chances / chances.sum())
        taken = np.stack(np.unravel_index(found, weights.shape), -1)
    return np.asarray(taken[:count], np.int32)


def lookups(layers: Sequence[str], size: tuple[int, int], at: NDArray[np.int32]) -> dict[str, Indexed]:
    """What `sampled` needs to know of network layers of an image of a size (height, width), to find
    the places `at`: maps that say where a tile stands, with a table of positions."""
    found = {}
    for layer in layers:
        factor = reduction(layer)
        height, width = (length // factor for length in size)
        here = tf.reshape(tf.range(height * width), (height, width))
        whole = np.minimum(at // factor, (height - 1, width - 1))
        rows, columns = (tf.constant(places, tf.int32) for places in whole.T)
        found[layer] = Indexed(here, Lookup(rows, columns, tf.constant(width)))
    return found


def sampled(features: tf.Tensor, target: Indexed) -> tf.Tensor:
    """A layer's part of hypercolumns, (places, channels), float32, of a tile's features (height,
    width, channels); zeros for places that lie elsewhere, so that tiles add up."""
    rows, columns, across = target.table
    height, width = tf.unstack(tf.shape(features)[:2])
    row, column = rows - target.map[0, 0] // across, columns - target.map[0, 0] % across
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    where = tf.where(inside, row * width + column, 0)
    found = tf.gather(tf.reshape(features, (-1, features.shape[-1])), where)
    return tf.where(inside[:, tf.newaxis], tf.cast(found, tf.float32), 0.0)


def colours(picture: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Colours (places, 3), 0..1, of a picture (height, width, 3) in 0..255."""
    return tf.gather_nd(picture, at) / 255.0


def scaled(parts: Mapping[str, tf.Tensor], scales: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Hypercolumns (places, channels) of their parts, each times its scale."""
    return tf.concat([parts[layer] * scales[layer] for layer in scales], -1)


def scales_of(parts: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """What brings a channel of each layer to a mean square of 1: layers then count by their number
    of channels, where activations of the network differ by a hundred times between layers. Theirs,
    of another training, differ less and are taken as they are."""
    return {
        layer: tf.math.rsqrt(tf.reduce_mean(tf.square(part)) + NOTHING)
        for layer, part in parts.items()
        if layer != PICTURE
    }
