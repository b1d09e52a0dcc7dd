"""A term as one of several that make up one loss, as `gram` and `neighbours` do in a mixture.

    L = w Σ_i w_i E_i        E_i: distances of the parts, w_i their weights, w the loss's own

Each part is a term of its own in the objective, under a name like `style.gram`: it keeps its own
layers and weights, its own way to become whole from tiles, and its own last pass. One term that
held the others would need rules of its own for all of these. Trace and reports tell the sum under
what stands before the point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.nst.terms.term import Combine, Measured, Sources, Target, Term, Weighted, kinds_of

POINT = "."


@dataclass(frozen=True)
class Part:
    """A term under another name; all else is the term's."""

    name: str
    term: Term

    @property
    def layers(self) -> tuple[str, ...]:
        """As the term's."""
        return self.term.layers

    @property
    def combine(self) -> Combine:
        """As the term's."""
        return self.term.combine

    @property
    def needs_start(self) -> bool:
        """As the term's."""
        return self.term.needs_start

    def target(self, sources: Sources) -> Target:
        """The term's own: what is measured of a style is kept for it under any name."""
        return self.term.target(sources)

    @property
    def looks_up(self) -> bool:
        """As the term's."""
        return getattr(self.term, "looks_up", False)

    def kinds(self, statistics: Any) -> Any:
        """As the term's."""
        return kinds_of(self.term, statistics)

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Any:
        """As the term's."""
        return self.term.measure(layer, features, target)

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """As the term's."""
        return self.term.distance(measured, target, weights)


def part_of(name: str, weighted: Weighted, share: float) -> Weighted:
    """The weighted term as the part `name` of its loss, with this share of its weight."""

    def named(term: Term) -> Part:
        return Part(f"{term.name}{POINT}{name}", term)

    last = weighted.last_pass
    return Weighted(named(weighted.term), weighted.weight * share, weighted.layers, last and named(last))


def loss_of(term: Term) -> str:
    """The name of the loss that the term is, or is a part of."""
    return term.name.partition(POINT)[0]
