"""Content: the picture's features stay near the photograph's.

Gatys, Ecker & Bethge, "A Neural Algorithm of Artistic Style" (arXiv 1508.06576), Eq. 1:

    E = 1/2 Σ (F - P)²    F, P: features of picture and photograph (height, width, N), M positions

    unit                 per layer
    paper                1/2 Σ(F - P)²                  Eq. 1
    normalized           Σ(F - P)² / ΣP²                the share of what there is to match
    means                mean of (F - P)²               the paper's authors' code
    sums, per_pixel      Σ(F - P)²
    roots                1/2 Σ(F - P)² / √(N·M)         cysmith's neural-style-tf

With `content_mask` each position's (F - P)² counts as the mask says; what it is divided by stays
that of the whole, so that where the mask is white the photograph is kept as without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from pipeline.nst.terms import self_similarity
from pipeline.nst.terms.guides import at_layer
from pipeline.nst.terms.sums import (
    NOTHING,
    Distances,
    OverLayers,
    positions,
    squared_distance,
    sum_of_squares,
    weighted_squared_distance,
)
from pipeline.nst.terms.term import ADD, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options


@dataclass(frozen=True)
class Content(OverLayers):
    """Squared distance to the photograph's features, in one of the units above."""

    layers: tuple[str, ...]
    unit: str
    name: ClassVar[str] = "content"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    def target(self, sources: Sources) -> Target:
        """The photograph's features P; ΣP² where the unit divides by it."""
        features = sources.content.features(self.layers)
        squares = self.unit == "normalized"
        statistics = {layer: sum_of_squares(features[layer]) for layer in self.layers if squares}
        if sources.kept is None:
            return Target(features, statistics)
        size = sources.content.size
        kept = {layer: tf.constant(at_layer(sources.kept, layer, size)) for layer in self.layers}
        return Target({layer: (features[layer], kept[layer]) for layer in self.layers}, statistics)

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> tf.Tensor:
        """Σ(F - P)², a float32 scalar; with weights w (height, width) beside P, Σw(F - P)²."""
        assert target is not None  # content has a map of each of its layers
        if isinstance(target, tuple):
            return weighted_squared_distance(features, *target)
        return squared_distance(features, target)

    def distances(self, measured: Measured, target: Target) -> Distances:
        """Eq. 1 by layer."""
        in_unit = _IN_UNIT[self.unit]
        return {
            layer: in_unit(measured[layer], _photograph(target.maps[layer]), target.statistics.get(layer))
            for layer in self.layers
        }


def _photograph(target: Any) -> tf.Tensor:
    """P, of a map with weights or without."""
    return target[0] if isinstance(target, tuple) else target


def _there(squares: tf.Tensor | None) -> tf.Tensor:
    assert squares is not None  # measured for this unit
    return squares


def _numbers(target: tf.Tensor) -> tf.Tensor:
    return positions(target) * target.shape[-1]


_IN_UNIT: Mapping[str, Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]] = {
    "paper": lambda squared, target, squares: 0.5 * squared,
    "normalized": lambda squared, target, squares: squared / (_there(squares) + NOTHING),
    "means": lambda squared, target, squares: squared / _numbers(target),
    "sums": lambda squared, target, squares: squared,
    "per_pixel": lambda squared, target, squares: squared,
    "roots": lambda squared, target, squares: 0.5 * squared / tf.sqrt(_numbers(target)),
}


def from_options(options: Options) -> Weighted:
    """The content term that a pair asks for, as the option `content_loss` names it."""
    if options.content_loss == "self_similarity":
        return self_similarity.from_options(options)
    term = Content(tuple(sorted(options.content_layers)), options.losses)
    return Weighted(term, options.content_weight, options.content_layers)
