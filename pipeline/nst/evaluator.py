"""Losses and gradients of pictures, whole: one protocol, and the way that needs no tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from pipeline.nst.extractor import Extractor
from pipeline.nst.graphs import Traces, of_any_shape
from pipeline.nst.network import reduction
from pipeline.nst.objective import TOTAL, LossWeights, Objective, Probes, Targets, maps_of
from pipeline.nst.terms.term import PICTURE, Measured, Probe, Target, kinds_of


class Evaluator(Protocol):
    """An objective over a network, for pictures float32 (height, width, 3) in 0..255. It knows of
    the terms only what `Term` says."""

    def features(self, image: tf.Tensor, layers: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """Features (height, width, channels) of network layers."""

    def measured(self, image: tf.Tensor, probe: Probe, maps: Mapping[str, Any] | None = None) -> Measured:
        """What one probe's `measure` says of an image, compared with `maps`, by layer."""

    def losses(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> dict[str, tf.Tensor]:
        """The losses by name, `total` first."""

    def __call__(
        self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """The losses, and the gradient (height, width, 3) of the total."""

    def prepare(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> None:
        """Trace what is not traced yet, for arguments like these."""


class WholeEvaluator:
    """Evaluates a picture at once.

    Everything is traced: a graph frees features as it goes, where calls one by one keep all. With
    `shape` (height, width, 3) it is for pictures of that shape, without it for those of all shapes
    up to MOST_OF_ANY_SHAPE pixels.
    """

    def __init__(self, objective: Objective, extractor: Extractor, shape: tuple[int, ...] | None = None) -> None:
        self._objective, self._extractor = objective, extractor
        self._shape = shape
        self._picture = [tf.TensorSpec([None, None, 3])]
        self._traced = Traces()  # features by layers, measures by term, losses and gradients by targets

    def features(self, image: tf.Tensor, layers: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """As `Evaluator.features`."""
        layers = tuple(layers)
        found: Mapping[str, tf.Tensor] = self._once(layers, lambda image: dict(self._extractor(image, layers)))(image)
        return found

    def measured(self, image: tf.Tensor, probe: Probe, maps: Mapping[str, Any] | None = None) -> Measured:
        """As `Evaluator.measured`."""
        height, width, _colours = image.shape
        small = height * width <= MOST_OF_ANY_SHAPE
        apart = small and PICTURE not in probe.layers and Probes([probe]).have_graphs
        return self._measured_apart(image, probe, maps) if apart else self._measured_at_once(image, probe, maps)

    def _measured_apart(self, image: tf.Tensor, probe: Probe, maps: Mapping[str, Any] | None) -> Measured:
        """Measures by the graphs of an evaluation: the network is traced once for all that is
        measured of these layers. It holds their features all at once, as an evaluation does on its
        way back."""
        layers = tuple(probe.layers)
        features = dict(self._extractor.framed(image, layers))
        measure, size = Probes([probe]).measure({probe.name: maps} if maps else {}), tf.constant(image.shape[:2])
        calls = {layer: self._extractor.cropped(measure(layer), reduction(layer), size) for layer in layers}
        return {layer: call.at_any_size(features.pop(layer))[probe.name] for layer, call in calls.items()}

    def _measured_at_once(self, image: tf.Tensor, probe: Probe, maps: Mapping[str, Any] | None) -> Measured:
        given = {probe.name: dict(maps)} if maps else {}
        kinds = tf.nest.map_structure(of_any_shape, given)

        def measure(image: tf.Tensor, maps: Mapping[str, Mapping[str, Any]]) -> Any:
            return self._measured(image, Probes([probe]), maps)

        found: Measured = self._once((probe, repr(kinds)), measure, kinds)(image, given)
        return {layer: by_probe[probe.name] for layer, by_probe in found.items() if by_probe}

    def losses(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> dict[str, tf.Tensor]:
        """As `Evaluator.losses`."""
        found: dict[str, tf.Tensor] = self._of_kind("losses", self._losses, targets, weights)(picture, targets, weights)
        return found

    def __call__(
        self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """As `Evaluator.__call__`."""
        evaluate = self._of_kind("gradient", self._with_gradient, targets, weights)
        result: tuple[dict[str, tf.Tensor], tf.Tensor] = evaluate(picture, targets, weights)
        return result

    def prepare(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> None:
        """As `Evaluator.prepare`."""
        self._of_kind("gradient", self._with_gradient, targets, weights).get_concrete_function()

    def _once(self, key: Any, function: Any, *specification: Any) -> Any:
        """The function, traced once for pictures of all shapes; `specification` is of what it takes
        beside the picture."""

        def trace() -> Any:
            return tf.function(function, input_signature=[*self._picture, *specification], autograph=False)

        return self._traced.get(key, trace)

    def _of_kind(self, name: str, function: Any, targets: Targets, weights: Mapping[str, LossWeights]) -> Any:
        """A function of a picture, traced for targets of this kind. Which graph computes a picture
        follows from its targets alone, and not from what was painted before."""
        kind = tf.TensorSpec.from_tensor if self._shape else _of_any_size
        of_targets = {
            term.name: Target(
                tf.nest.map_structure(kind, targets[term.name].maps),
                kinds_of(term, targets[term.name].statistics),
            )
            for term in self._objective.terms
        }
        of_weights = tf.nest.map_structure(tf.TensorSpec.from_tensor, dict(weights))

        def trace() -> Any:
            signature = [tf.TensorSpec(self._shape or [None, None, 3]), of_targets, of_weights]
            # Written as a graph by hand, so it need not be rewritten into one: tracing takes half
            # the time.
            return tf.function(function, input_signature=signature, autograph=False)

        return self._traced.get(repr((name, of_targets, of_weights)), trace)

    def _losses(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> dict[str, tf.Tensor]:
        measured = self._measured(picture, self._objective, maps_of(targets), weights)
        return self._objective.losses(measured, targets, weights)

    def _with_gradient(
        self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(picture)
            losses = self._losses(picture, targets, weights)
        return losses, tape.gradient(losses[TOTAL], picture)

    def _measured(
        self,
        image: tf.Tensor,
        probes: Probes,
        maps: Mapping[str, Mapping[str, Any]],
        weights: Mapping[str, LossWeights] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """What is known of an image, by layer and probe."""
        measure = probes.measure(maps, weights)
        found = dict(self._extractor(image, probes.layers, measure))
        return found | {PICTURE: measure(PICTURE).of(image)}


# A picture of 512 x 512. Up to it what is taken piece by piece to save memory is one piece
# (`sums.FLOATS_AT_ONCE`, `hypercolumns`), so a size need not be known while tracing.
MOST_OF_ANY_SHAPE = 2**18


def _of_any_size(tensor: tf.Tensor) -> tf.TensorSpec:
    """Maps like this one for pictures of all sizes: with as many channels, where it has some."""
    rank = len(tensor.shape)
    return tf.TensorSpec([None, None, tensor.shape[-1]] if rank == 3 else [None] * rank, tensor.dtype)
