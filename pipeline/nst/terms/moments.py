"""Moments: the picture's features have the style's mean and covariance.

The squared 2-Wasserstein distance between two normal distributions, one for each layer, as in
Crowson's style-transfer-pytorch. μ, Σ: mean (N,) and covariance (N, N) of N channels over positions
of the picture, μ̂, Σ̂ of the style:

    W² = mean (μ - μ̂)² + mean of the diagonal of Σ + Σ̂ - 2 (Σ̂^½ Σ Σ̂^½)^½

A Gram matrix is Σ + μμᵀ: where brightness and contrast of a channel may stand for each other there,
they are told apart here. Square roots are found by Newton and Schulz's iteration.

    unit              per layer
    normalized        1000 · W² / (mean μ̂² + mean of the diagonal of Σ̂)    a thousand for nothing
    all others        W²

Several styles are one by the weighted means of their μ̂ and Σ̂. With regions (`guides`) μ and Σ are
those of each by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from pipeline.nst.terms.gram import gram_matrix, guided_gram
from pipeline.nst.terms.guides import guided_target, is_guided, over_regions
from pipeline.nst.terms.sums import NOTHING, Distances, OverLayers, positions
from pipeline.nst.terms.term import ADD, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options

_THOUSANDTHS = 1000.0
# Iterations of Newton and Schulz: as many as Crowson's program makes.
_ITERATIONS = 12
# What is added to the diagonal of a covariance, as a share of its mean: a root of nearly nothing
# has no gradient. Below what bfloat16 tells apart.
_RIDGE = 1e-4
# What rounding leaves of the covariance of features that are the same everywhere: its largest
# eigenvalue, of either sign, as a share of the squared length of their mean. Measured: 4e-6 with 64
# channels at 1400 x 1500 positions, in `_PIECE`s; in one product 4e-3.
_ROUNDING = 1e-5
# Positions that are summed at a time: sums of as many equal numbers go wrong in one direction.
_PIECE = 1024


class Sums(NamedTuple):
    """Σ_k F_ik (N,), Gram matrix (N, N) and the number of positions, all float32."""

    sums: tf.Tensor
    gram: tf.Tensor
    positions: tf.Tensor


class Normal(NamedTuple):
    """Mean (N,) and covariance (N, N), float32."""

    mean: tf.Tensor
    covariance: tf.Tensor


@dataclass(frozen=True)
class Moments(OverLayers):
    """Squared 2-Wasserstein distance of features, taken for normally distributed."""

    layers: tuple[str, ...]
    unit: str
    name: ClassVar[str] = "style"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    def target(self, sources: Sources) -> Target:
        """Mean and covariance of the style, by layer."""
        return guided_target(sources, self, self.layers, _mean)

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Any:
        """Sums over the positions of a layer; of a style with transparency `target` is how much
        each position counts, (height, width); of a picture with regions a tuple of such, and of
        sums."""
        if is_guided(target):
            return tuple(_guided(features, weights) for weights in target)
        if target is not None:
            weights = target[..., tf.newaxis]
            roots = tf.cast(tf.sqrt(weights), features.dtype)
            sums = _sums(weights * tf.cast(features, tf.float32))
            return Sums(sums, gram_matrix(features * roots, _product), tf.reduce_sum(target))
        return Sums(_sums(features), gram_matrix(features, _product), positions(features))

    def distances(self, measured: Measured, target: Target) -> Distances:
        """W² in the unit, by layer."""
        return {layer: over_regions(measured[layer], target.statistics[layer], self._in_unit) for layer in self.layers}

    def _in_unit(self, picture: Sums, style: Normal) -> tf.Tensor:
        squared = squared_wasserstein(normal(picture), style)
        if self.unit != "normalized":
            return squared
        nothing = tf.reduce_mean(style.mean**2) + tf.reduce_mean(tf.linalg.diag_part(style.covariance))
        return _THOUSANDTHS * squared / (nothing + NOTHING)


def _mean(measured: list[tuple[Sums, float]]) -> Normal:
    """The weighted means of means and covariances."""
    normals = [(normal(style), share) for style, share in measured]
    return Normal(
        tf.add_n([each.mean * share for each, share in normals]),
        tf.add_n([each.covariance * share for each, share in normals]),
    )


def _guided(features: tf.Tensor, weights: tf.Tensor) -> Sums:
    """The sums of a region, of weights (height, width) as features' type has their roots."""
    gram, counted = guided_gram(features, weights, _product)
    exact = tf.square(tf.cast(tf.cast(tf.sqrt(weights), features.dtype), tf.float32))
    return Sums(_sums(exact[..., tf.newaxis] * tf.cast(features, tf.float32)), gram, counted)


def _sums(features: tf.Tensor) -> tf.Tensor:
    """Σ_k F_ik (N,) of features (height, width, N), in float32: bfloat16 cannot hold a sum of many
    numbers."""
    pieces, rest = _pieces(tf.cast(tf.reshape(features, (-1, features.shape[-1])), tf.float32))
    return tf.reduce_sum(tf.reduce_sum(pieces, 1), 0) + tf.reduce_sum(rest, 0)


def _product(features: tf.Tensor) -> tf.Tensor:
    """FᵀF of F (M, N)."""
    pieces, rest = _pieces(features)
    whole = tf.reduce_sum(tf.matmul(pieces, pieces, transpose_a=True), 0)
    return whole + tf.matmul(rest, rest, transpose_a=True)


def _pieces(features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Features (M, N) in pieces (M // _PIECE, _PIECE, N), and what is left over."""
    count = tf.shape(features)[0] // _PIECE
    whole = tf.reshape(features[: count * _PIECE], (count, _PIECE, features.shape[-1]))
    return whole, features[count * _PIECE :]


def normal(sums: Sums) -> Normal:
    """Mean and covariance, of sums over positions."""
    mean = sums.sums / sums.positions
    return Normal(mean, sums.gram / sums.positions - mean[:, tf.newaxis] * mean)


def squared_wasserstein(one: Normal, other: Normal) -> tf.Tensor:
    """W² of the two, per channel: a float32 scalar."""
    channels = tf.cast(tf.shape(one.mean)[0], tf.float32)
    first, second = _with_ridge(one), _with_ridge(other)
    root = square_root(second)
    cross = square_root(tf.matmul(tf.matmul(root, first), root))
    apart = tf.linalg.trace(first) + tf.linalg.trace(second) - 2.0 * tf.linalg.trace(cross)
    return tf.reduce_mean((one.mean - other.mean) ** 2) + apart / channels


def _with_ridge(features: Normal) -> tf.Tensor:
    """The covariance (N, N) with a ridge; one that is nothing but rounding has one above that, as
    the iteration wants a positive matrix."""
    mean, covariance = features
    variance, channels = tf.reduce_mean(tf.linalg.diag_part(covariance)), tf.shape(mean)[0]
    rounding = _ROUNDING * tf.reduce_sum(mean**2) - variance
    return covariance + (tf.maximum(_RIDGE * variance, rounding) + NOTHING) * tf.eye(channels)


def square_root(matrix: tf.Tensor) -> tf.Tensor:
    """The root of a symmetric positive matrix (N, N), by Newton and Schulz's iteration
    (Y, Z) -> (½Y(3I - ZY), ½(3I - ZY)Z), which begins at the matrix over its norm and I."""
    size = tf.norm(matrix)
    identity = tf.eye(tf.shape(matrix)[0])
    root, inverse = matrix / size, identity
    for _ in range(_ITERATIONS):
        factor = 1.5 * identity - 0.5 * tf.matmul(inverse, root)
        root, inverse = tf.matmul(root, factor), tf.matmul(factor, inverse)
    return root * tf.sqrt(size)


def from_options(options: Options) -> Weighted:
    """The term that a pair asks for."""
    term = Moments(tuple(sorted(options.style_layers)), options.losses)
    return Weighted(term, options.style_weight, options.style_layers)
