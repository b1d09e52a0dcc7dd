"""Gram matrices: which features occur together in the style, wherever they stand.

Gatys, Ecker & Bethge, "A Neural Algorithm of Artistic Style" (arXiv 1508.06576), Eq. 3 and 4:

    G_ij = Σ_k F_ik F_jk                 F: features of one layer, N channels, M positions
    E    = 1/(4 N² M²) Σ (G - A)²        G, A: Gram matrices of picture and style, (N, N)

The paper's style has as many positions as the picture. We compare Gram matrices per position, G/M
and A/M_a, so that a style image may have any size; `paper` and `sums` are the paper's equations
where both have one size.

    unit                 per layer
    paper, roots         1/(4N²) Σ(G/M - A/M_a)²                   Eq. 4
    normalized           1000 · Σ(G/M - A/M_a)² / Σ(A/M_a)²        a thousand for nothing
    means                mean of (G/M - A/M_a)²                    the paper's authors' code
    sums                 Σ(G - A·M/M_a)²
    per_pixel            Σ(G - A·M/M_a)² / pixels²                 Keras' example: per pixel

Thousandths, as a style is well met at some thousandths where content is well kept at some tenths:
this brings both weights near one. Several styles are one by the weighted mean of their A/M_a. With
regions (`guides`) G/M is that of each by itself; M, where a unit has it, is the picture's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from pipeline.nst.terms.guides import guided_target, is_guided, over_regions
from pipeline.nst.terms.sums import (
    FLOATS_AT_ONCE,
    NOTHING,
    Distances,
    OverLayers,
    positions,
    squared_distance,
)
from pipeline.nst.terms.term import ADD, PICTURE, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options

_THOUSANDTHS = 1000.0
Product = Callable[[tf.Tensor], tf.Tensor]
"""FᵀF (N, N) of F (M, N), both float32."""


class GramSum(NamedTuple):
    """A Gram matrix (N, N) and the number of positions that it sums over, both float32."""

    gram: tf.Tensor
    positions: tf.Tensor


@dataclass(frozen=True)
class Gram(OverLayers):
    """Squared distance of Gram matrices per position, in one of the units above."""

    style_layers: tuple[str, ...]
    unit: str
    name: ClassVar[str] = "style"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    @property
    def layers(self) -> tuple[str, ...]:
        """The style layers; `per_pixel` counts the picture's pixels as well."""
        return (*self.style_layers, *([PICTURE] if self.unit == "per_pixel" else []))

    def target(self, sources: Sources) -> Target:
        """A/M of the style; of several, the mean by their shares."""
        return guided_target(sources, self, self.style_layers, _mean)

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Any:
        """G and M of a layer; of the picture itself its pixels. Of a style with transparency,
        `target` is how much each position counts, w (height, width): Σ w_k F_ik F_jk and Σ w_k; of
        a picture with regions a tuple of such, and of measures."""
        if layer == PICTURE:
            return positions(features)
        if is_guided(target):
            return tuple(guided_gram(features, weights) for weights in target)
        if target is not None:
            roots = tf.cast(tf.sqrt(target), features.dtype)[..., tf.newaxis]
            return GramSum(gram_matrix(features * roots), tf.reduce_sum(target))
        return GramSum(gram_matrix(features), positions(features))

    def distances(self, measured: Measured, target: Target) -> Distances:
        """Eq. 4 by layer."""
        return {layer: self._distance(layer, measured, target) for layer in self.style_layers}

    def _distance(self, layer: str, measured: Measured, target: Target) -> tf.Tensor:
        in_unit, pixels = _IN_UNIT[self.unit], measured.get(PICTURE)
        whole = positions(target.maps[layer][0]) if layer in target.maps else None

        def distance(found: GramSum, style: tf.Tensor) -> tf.Tensor:
            here = OfPicture(found.gram / found.positions, found.positions if whole is None else whole)
            return in_unit(here, style, pixels)

        return over_regions(measured[layer], target.statistics[layer], distance)


class OfPicture(NamedTuple):
    """G/M (N, N) of the picture or a region of it, and how many positions the picture has."""

    gram: tf.Tensor
    positions: tf.Tensor


def guided_gram(features: tf.Tensor, weights: tf.Tensor, product: Product | None = None) -> GramSum:
    """Σ w_k F_ik F_jk and Σ w_k, of weights (height, width) as features' type has their roots;
    `product` as in `gram_matrix`."""
    roots = tf.cast(tf.sqrt(weights), features.dtype)
    counted = tf.reduce_sum(tf.square(tf.cast(roots, tf.float32)))
    return GramSum(gram_matrix(features * roots[..., tf.newaxis], product), tf.maximum(counted, NOTHING))


def _mean(measured: list[tuple[GramSum, float]]) -> tf.Tensor:
    """The weighted mean of Gram matrices per position; of a single style, its own."""
    return tf.add_n([style.gram / style.positions * share for style, share in measured])


def _squared(measured: OfPicture, target: tf.Tensor) -> tf.Tensor:
    """Σ(G/M - A/M_a)²."""
    return squared_distance(measured.gram, target)


def _squared_channels(target: tf.Tensor) -> float:
    return float(target.shape[-1]) ** 2


_IN_UNIT: Mapping[str, Callable[[OfPicture, tf.Tensor, tf.Tensor | None], tf.Tensor]] = {
    "paper": lambda measured, target, pixels: _squared(measured, target) / (4.0 * _squared_channels(target)),
    "roots": lambda measured, target, pixels: _squared(measured, target) / (4.0 * _squared_channels(target)),
    "normalized": lambda measured, target, pixels: (
        _THOUSANDTHS * _squared(measured, target) / (tf.reduce_sum(target**2) + NOTHING)
    ),
    "means": lambda measured, target, pixels: _squared(measured, target) / _squared_channels(target),
    "sums": lambda measured, target, pixels: _squared(measured, target) * measured.positions**2,
    "per_pixel": lambda measured, target, pixels: _squared(measured, target) * (measured.positions / pixels) ** 2,
}


def gram_matrix(features: tf.Tensor, product: Product | None = None) -> tf.Tensor:
    """Eq. 3: G_ij = Σ_k F_ik F_jk, the inner products of channels over positions: (height, width,
    N) to (N, N), float32. Not normalised. Where a feature stands does not matter. `product` is how
    FᵀF is taken of F (M, N) in float32, where that is not to be by one product of matrices."""
    return _inner_products(tf.reshape(features, (-1, features.shape[-1])), product or _product)


def _inner_products(by_position: tf.Tensor, product: Product) -> tf.Tensor:
    """FᵀF of F (M, N), in float32 whatever F's type: bfloat16 cannot hold a sum of many squares.

    Its gradient, F (D + Dᵀ) for an incoming D, in F's type, is one product. TensorFlow's own takes
    two, as it cannot know that both factors are one.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def products(by_position: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(incoming: tf.Tensor) -> tf.Tensor:
            both = tf.cast(incoming + tf.transpose(incoming), by_position.dtype)
            return tf.matmul(by_position, both)

        return _sum_of_products(by_position, product), gradient

    result: tf.Tensor = products(by_position)
    return result


def _product(features: tf.Tensor) -> tf.Tensor:
    return tf.matmul(features, features, transpose_a=True)


def _sum_of_products(by_position: tf.Tensor, product: Product) -> tf.Tensor:
    """FᵀF in float32. A float32 copy of F (M, N) that would be large is made piece by piece."""
    count, channels = by_position.shape
    length = FLOATS_AT_ONCE // channels
    if by_position.dtype == tf.float32 or count is None or count <= length:
        return product(tf.cast(by_position, tf.float32))
    products = tf.zeros((channels, channels))
    for first in range(0, count, length):
        with tf.control_dependencies([products]):
            piece = tf.cast(by_position[first : first + length], tf.float32)
        products += product(piece)
    return products


def from_options(options: Options) -> Weighted:
    """The Gram term that a pair asks for."""
    term = Gram(tuple(sorted(options.style_layers)), options.losses)
    return Weighted(term, options.style_weight, options.style_layers)
