"""Nearest neighbours: every place of the picture looks like some place of the style.

Kolkin, Kucera, Paris, Sykora, Shechtman, Shakhnarovich, "Neural Neighbor Style Transfer" (arXiv
2203.13215), with our network and descent. F_p is what the network says of position p, S_q of
position q of the style, f̄ a set's mean, cos the cosine between two vectors:

    E      = 1000 · mean over p of 1 - cos(F_p, S_n(p))          a thousand for nothing in common
    n(p)   = argmax over q of cos(G_p - ḡ, S_q - s̄)

`Neighbours`, their section 3.2: F are hypercolumns at a quarter of the picture's resolution, each
layer divided by its number of channels. n is found when a size begins, for G of the photograph with
a quarter of the picture as it stands then, and holds while the size lasts.

`NeighboursByLayer`, their section 3.3, for the last pass, makes strokes crisp: each layer is
matched by itself, on a grid of about 64 positions along the longer side, F and S being centred; n
is found anew every few evaluations, for the picture as it stands. E is the mean over layers.

Where we differ: layers are those of VGG19; a neighbour is kept for some evaluations, as theirs is
found anew in each; what moves is the picture itself, by any optimizer, and not a Laplacian pyramid
by Adam. Of several styles, each gives as many positions as its share says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.nst.network import NETWORKS, reduction
from pipeline.nst.terms.matching import centred, directions, nearest
from pipeline.nst.terms.sums import NOTHING
from pipeline.nst.terms.term import CONCATENATE, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options

_THOUSAND = 1000.0
_BLOCKS = 4  # the paper's: conv1_1 to conv4_3 of VGG16
_QUARTER = 4  # by how much hypercolumns are fewer than pixels, along a side
# Hypercolumns of styles that are looked at: all of 512 x 512 pixels. Twice as many bring nothing
# that is seen, and products take twice as long.
_MOST = 128 * 128
_OPACITY = 2  # axes of a map of opacity; one of a target has three
_GRID = 64  # positions along the longer side in the last pass, the paper's


class Alike(NamedTuple):
    """Of a layer, at a quarter of the picture's resolution, float32 (height, width): the product
    with its part of the style's hypercolumn, which is of length 1, and the squared length."""

    product: tf.Tensor
    squares: tf.Tensor


@dataclass(frozen=True)
class Neighbours:
    """Distance to the nearest hypercolumns of the style."""

    layers: tuple[str, ...]
    name: ClassVar[str] = "style"
    combine: ClassVar[Combine] = CONCATENATE
    needs_start: ClassVar[bool] = True

    def target(self, sources: Sources) -> Target:
        """Maps of the style's hypercolumns, each of length 1, where their neighbours stand."""
        parts = sources.guide.measured(self)
        guide = _columns(self.layers, parts)
        # a layer's positions differ; the finest one says what is seen
        finest = parts[self.layers[0]].shape[-1]
        columns = [_seen(_flat(_columns(self.layers, style.image.measured(self))), finest) for style in sources.styles]
        style = _shared(columns, sources, _MOST)
        kind = parts[self.layers[0]].dtype
        where = nearest(tf.cast(centred(_flat(guide)), kind), tf.cast(centred(style), kind))
        matched = tf.reshape(tf.gather(tf.cast(directions(style), kind), where), guide.shape)
        sizes = [parts[layer].shape[-1] for layer in self.layers]
        return Target(dict(zip(self.layers, tf.split(matched, sizes, -1), strict=True)), ())

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Alike | tf.Tensor:
        """What `Alike` says; without a target's map the layer's own part of hypercolumns, (height,
        width, channels) at a quarter of the picture's resolution, of block 4 at an eighth."""
        factor = max(1, _QUARTER // reduction(layer))
        pooled = _pooled(features, factor) / features.shape[-1]
        if target is None:
            return pooled
        if target.shape.rank == _OPACITY:
            return pooled * _visible(_pooled(target[..., tf.newaxis], factor), pooled.dtype)
        column, target = _resized(pooled, tf.shape(target)), tf.cast(target, tf.float32)
        return Alike(tf.reduce_sum(column * target, -1), tf.reduce_sum(tf.square(column), -1))

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Mean of 1 - cos over positions, in thousandths."""
        product = tf.add_n([measured[layer].product for layer in self.layers])
        squares = tf.add_n([measured[layer].squares for layer in self.layers])
        return _THOUSAND * (1.0 - tf.reduce_mean(product * tf.math.rsqrt(squares + NOTHING)))


class Matched(NamedTuple):
    """What a layer of the picture is compared with: its positions on a grid that begins at `offset`
    (int32, (2,)), less `mean` (channels,), with `style` (positions, channels), each of length
    1."""

    offset: tf.Tensor
    mean: tf.Tensor
    style: tf.Tensor


@dataclass(frozen=True)
class NeighboursByLayer:
    """Distance to the nearest features of the style, layer by layer."""

    layers: tuple[str, ...]
    name: ClassVar[str] = "style"
    combine: ClassVar[Combine] = CONCATENATE
    needs_start: ClassVar[bool] = True

    def target(self, sources: Sources) -> Target:
        """By layer what `Matched` says, for the picture as it stands."""
        random = np.random.default_rng(sources.seed)
        start = sources.start.measured(self)
        styles = [style.image.measured(self) for style in sources.styles]

        def matched(layer: str) -> Matched:
            offset = _offset(start[layer], random)
            here = _on_grid(start[layer], offset)
            grids = [_seen(_on_grid(style[layer], _offset(style[layer], random))) for style in styles]
            style, kind = centred(_shared(grids, sources, _GRID * _GRID)), start[layer].dtype
            where = nearest(tf.cast(centred(here), kind), tf.cast(style, kind))
            return Matched(offset, tf.reduce_mean(here, 0), tf.gather(style, where))

        return Target({layer: matched(layer) for layer in self.layers}, ())

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> tf.Tensor:
        """Mean of 1 - cos over the grid's positions, a float32 scalar; without a target's map the
        features themselves."""
        if target is None:
            return features
        if not isinstance(target, Matched):
            return features * _visible(target[..., tf.newaxis], features.dtype)
        here = directions(_on_grid(features, target.offset) - target.mean)
        return 1.0 - tf.reduce_mean(tf.reduce_sum(here * target.style, -1))

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The mean over layers, in thousandths."""
        return _THOUSAND * tf.add_n([measured[layer] for layer in self.layers]) / len(self.layers)


def _visible(opacity: tf.Tensor, kind: tf.DType) -> tf.Tensor:
    """1 for positions that show at least half of what the clearest shows, 0 for the others."""
    return tf.cast(opacity >= 0.5 * tf.reduce_max(opacity), kind)


def _seen(vectors: tf.Tensor, channels: int | None = None) -> tf.Tensor:
    """Those of `vectors` (positions, channels) that are not nothing in their first `channels`: a
    style's invisible positions are no neighbours."""
    return tf.boolean_mask(vectors, tf.reduce_any(vectors[:, :channels] != 0, -1))


def _pooled(features: tf.Tensor, factor: int) -> tf.Tensor:
    """Features (height, width, channels) by means of `factor` x `factor` positions; a last strip of
    fewer is continued by its mirror image."""
    if factor == 1:
        return features
    height, width = tf.unstack(tf.shape(features)[:2])
    whole = tf.pad(features, [[0, -height % factor], [0, -width % factor], [0, 0]], "SYMMETRIC")
    return tf.nn.avg_pool2d(whole[tf.newaxis], factor, factor, "VALID")[0]


def _resized(features: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Features (height, width, channels) in float32, brought to the height and width of `shape`."""
    features = tf.cast(features, tf.float32)
    return tf.cond(
        tf.reduce_all(tf.shape(features)[:2] == shape[:2]),
        lambda: features,
        lambda: tf.image.resize(features, shape[:2]),
    )


def _columns(layers: Sequence[str], parts: Measured) -> tf.Tensor:
    """Hypercolumns (height, width, channels) in float32, of the parts of the layers."""
    shape = tf.shape(parts[layers[0]])
    return tf.concat([_resized(parts[layer], shape) for layer in layers], -1)


def _flat(columns: tf.Tensor) -> tf.Tensor:
    """By position: (positions, channels), float32."""
    return tf.cast(tf.reshape(columns, (-1, columns.shape[-1])), tf.float32)


def _shared(sets: Sequence[tf.Tensor], sources: Sources, most: int) -> tf.Tensor:
    """Of each style's vectors (positions, channels) as many as its share of `most` says, taken by
    chance; all of a single style that has no more."""
    whole = sum(style.share for style in sources.styles)
    random = np.random.default_rng(sources.seed)
    taken = []
    for vectors, style in zip(sets, sources.styles, strict=True):
        count, there = max(1, round(most * style.share / whole)), vectors.shape[0]
        if there > count:
            vectors = tf.gather(vectors, np.sort(random.choice(there, count, replace=False)))
        taken.append(vectors)
    return tf.concat(taken, 0)


def _step(length: tf.Tensor) -> tf.Tensor:
    """Every so many positions of a side this long are on the grid."""
    return tf.maximum(1, length // _GRID)


def _offset(features: tf.Tensor, random: np.random.Generator) -> tf.Tensor:
    """Where a grid of features (height, width, channels) begins: row and column, int32."""
    step = int(_step(max(features.shape[:2])))
    return tf.constant(random.integers(0, step, 2), tf.int32)


def _on_grid(features: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Features (height, width, channels) on a grid of about 64 positions along the longer side:
    (positions, channels), float32."""
    shape = tf.shape(features)
    step = _step(tf.reduce_max(shape[:2]))
    there = tf.maximum(shape[:2] // step - tf.cast(step > 1, tf.int32), 1) * step
    whole = tf.slice(features, tf.concat([offset, [0]], 0), tf.concat([there, shape[2:]], 0))
    return _flat(whole[::step, ::step])


def from_options(options: Options) -> Weighted:
    """The term that a pair asks for, of the convolutions of blocks 1 to 4."""
    network = NETWORKS[options.network]
    layers = tuple(layer for layer in network.convolutions if reduction(layer) < 2**_BLOCKS)
    return Weighted(Neighbours(layers), options.style_weight, {}, NeighboursByLayer(layers))
