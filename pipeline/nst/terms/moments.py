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
from pipeline.nst.terms.layered import Distances, OverLayers
from pipeline.nst.terms.sums import NOTHING, positions
from pipeline.nst.terms.term import ADD, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options

_THOUSANDTHS = 1000.0
# Iterations of Newton and Schulz: as many as Crowson's program makes.
_ITERATIONS = 12
# What is added to the diagonal of a covariance, as a share of its mean: a root of nearly nothing
# has no gradient. Below what bfloat16 tells apart.
_RIDGE = 1e-4


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
            sums = tf.reduce_sum(weights * tf.cast(features, tf.float32), (0, 1))
            return Sums(sums, gram_matrix(features * roots), tf.reduce_sum(target))
        # bfloat16 cannot hold a sum of many numbers
        return Sums(tf.reduce_sum(tf.cast(features, tf.float32), (0, 1)), gram_matrix(features), positions(features))

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
    gram, counted = guided_gram(features, weights)
    exact = tf.square(tf.cast(tf.cast(tf.sqrt(weights), features.dtype), tf.float32))
    return Sums(tf.reduce_sum(exact[..., tf.newaxis] * tf.cast(features, tf.float32), (0, 1)), gram, counted)


def normal(sums: Sums) -> Normal:
    """Mean and covariance, of sums over positions."""
    mean = sums.sums / sums.positions
    return Normal(mean, sums.gram / sums.positions - mean[:, tf.newaxis] * mean)


def squared_wasserstein(one: Normal, other: Normal) -> tf.Tensor:
    """W² of the two, per channel: a float32 scalar."""
    channels = tf.cast(tf.shape(one.mean)[0], tf.float32)
    first, second = _with_ridge(one.covariance), _with_ridge(other.covariance)
    root = square_root(second)
    cross = square_root(tf.matmul(tf.matmul(root, first), root))
    apart = tf.linalg.trace(first) + tf.linalg.trace(second) - 2.0 * tf.linalg.trace(cross)
    return tf.reduce_mean((one.mean - other.mean) ** 2) + apart / channels


def _with_ridge(covariance: tf.Tensor) -> tf.Tensor:
    ridge = _RIDGE * tf.reduce_mean(tf.linalg.diag_part(covariance)) + NOTHING
    return covariance + ridge * tf.eye(tf.shape(covariance)[0])


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
