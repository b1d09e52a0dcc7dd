"""Distances that are sums over layers, so that each layer's share can be told: for what a loss is
made of, without another evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from pipeline.nst.terms.sums import weighted_sum
from pipeline.nst.terms.term import Measured, Target

Distances = Mapping[str, tf.Tensor]
"""A float32 scalar by layer."""


class OverLayers:
    """A term's distance as Eq. 5 has it, L = Σ_l w_l E_l; one whose sum is another one says so."""

    def distances(self, measured: Measured, target: Target) -> Distances:
        """E_l, without weights."""
        raise NotImplementedError

    def summed(self, distances: Distances, weights: Mapping[str, Any]) -> tf.Tensor:
        """L."""
        return weighted_sum(distances, weights)

    def shares(self, distances: Distances, weights: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """w_l E_l by layer."""
        return {layer: weights[layer] * distance for layer, distance in distances.items()}

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """As `Term.distance`."""
        return self.summed(self.distances(measured, target), weights)
