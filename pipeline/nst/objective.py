"""What we want of a picture: targets measured beforehand, and the weighted sum of the distances to them (Eq. 7).

`Objective` holds what is fixed for a traced step (the network, which layers, which unit); what changes from pair to pair,
`Targets` and `Weights`, are arguments, so that a hundred pairs of one shape share one trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from pipeline.nst import losses
from pipeline.options import Options


class Extractor(Protocol):
    """A network."""

    def __call__(
        self, image: tf.Tensor, layers: Sequence[str], measure: Callable[[str, tf.Tensor], Any] = ...
    ) -> Mapping[str, Any]:
        """What `measure` says of a layer's activations (height, width, channels), by the layer's name, for an image (height,
        width, 3), float32 in 0..255; the activations themselves where nothing else is asked."""


class Targets(NamedTuple):
    """What the picture is compared with: features of the photograph (height, width, N) and Gram matrices of the style per
    position (N, N), by layer."""

    content: Mapping[str, tf.Tensor]
    style: Mapping[str, tf.Tensor]


class Weights(NamedTuple):
    """Float32 scalars: the α and β of Eq. 7, the weight of total variation, and the w_l of Eq. 5 by layer."""

    content: tf.Tensor
    style: tf.Tensor
    tv: tf.Tensor
    content_layers: Mapping[str, tf.Tensor]
    style_layers: Mapping[str, tf.Tensor]

    @classmethod
    def of(cls, options: Options) -> Weights:
        """The weights a pair asks for."""

        def scalars(layers: Mapping[str, float]) -> Mapping[str, tf.Tensor]:
            return {layer: tf.constant(weight, tf.float32) for layer, weight in sorted(layers.items())}

        return cls(
            content=tf.constant(options.content_weight, tf.float32),
            style=tf.constant(options.style_weight, tf.float32),
            tv=tf.constant(options.tv_weight, tf.float32),
            content_layers=scalars(options.content_layers),
            style_layers=scalars(options.style_layers),
        )


class Distances(NamedTuple):
    """One evaluation, float32 scalars, each already multiplied by its weight: they sum to `total`."""

    total: tf.Tensor
    content: tf.Tensor
    style: tf.Tensor
    tv: tf.Tensor


class Sums(NamedTuple):
    """What the loss needs to know of a picture's activations, by layer: plain sums over positions, so that those of a picture's
    pieces add up to the picture's. Σ(F - P)², scalars; Gram matrices (N, N); numbers of positions, scalars."""

    content: Mapping[str, tf.Tensor]
    grams: Mapping[str, tf.Tensor]
    positions: Mapping[str, tf.Tensor]


class Objective:
    """The loss of a picture, given targets and weights."""

    def __init__(
        self,
        extract: Extractor,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        unit: str,
        *,
        tv_kind: str | float = "squares",
        tv_unit: str = "losses",
    ) -> None:
        self.extract = extract
        self.content_layers = tuple(sorted(content_layers))
        self.style_layers = tuple(sorted(style_layers))
        self.unit = unit
        self.tv_kind = tv_kind
        self.tv_unit = unit if tv_unit == "losses" else tv_unit

    def content_targets(self, photograph: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """The photograph's features at the content layers, P of Eq. 1."""
        return dict(self.extract(photograph, self.content_layers))

    def style_targets(self, painting: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """The painting's Gram matrices per position at the style layers, A / M of Eq. 4."""
        activations = self.extract(painting, self.style_layers)
        return {layer: losses.gram_per_position(activations[layer]) for layer in self.style_layers}

    def __call__(self, picture: tf.Tensor, targets: Targets, weights: Weights) -> Distances:
        """Eq. 7 with total variation: α·L_content + β·L_style + γ·TV of a picture (height, width, 3) in 0..255."""
        sums = self.extract(picture, [*self.content_layers, *self.style_layers], self.measure(targets.content))
        return self.distances(picture, merged(*sums.values()), targets, weights)

    def measure(self, content: Mapping[str, tf.Tensor]) -> Callable[[str, tf.Tensor], Sums]:
        """What the loss needs to know of a layer, as a function of its name and activations; `content` are the photograph's
        features, of the layers that are to be compared with them."""

        def sums(layer: str, activations: tf.Tensor) -> Sums:
            style = layer in self.style_layers
            return Sums(
                {layer: losses.squared_distance(activations, content[layer])} if layer in content else {},
                {layer: losses.gram_matrix(activations)} if style else {},
                {layer: losses.positions(activations)} if style else {},
            )

        return sums

    def distances(self, picture: tf.Tensor, sums: Sums, targets: Targets, weights: Weights) -> Distances:
        """The loss of a picture (height, width, 3), given the sums over all of its layers' positions."""
        content = weights.content * losses.weighted_sum(
            {
                layer: losses.content_in_unit(self.unit, sums.content[layer], targets.content[layer])
                for layer in self.content_layers
            },
            weights.content_layers,
        )
        pixels = losses.positions(picture)
        style = weights.style * losses.weighted_sum(
            {
                layer: losses.style_in_unit(
                    self.unit, sums.grams[layer], sums.positions[layer], targets.style[layer], pixels
                )
                for layer in self.style_layers
            },
            weights.style_layers,
        )
        tv = self.variation(picture, weights)
        return Distances(content + style + tv, content, style, tv)

    def variation(self, picture: tf.Tensor, weights: Weights) -> tf.Tensor:
        """The loss' term of total variation, γ·TV of a picture (height, width, 3)."""
        return weights.tv * losses.variation_in_unit(self.tv_unit, picture, self.tv_kind)


def merged(*sums: Sums) -> Sums:
    """The sums of all layers, from those of some of them each."""
    return Sums(
        {layer: distance for part in sums for layer, distance in part.content.items()},
        {layer: gram for part in sums for layer, gram in part.grams.items()},
        {layer: count for part in sums for layer, count in part.positions.items()},
    )


def blend(targets: Sequence[Mapping[str, tf.Tensor]], shares: Sequence[float]) -> Mapping[str, tf.Tensor]:
    """Several styles as one: the mean of their Gram matrices, weighted by `shares` (which need not sum to 1)."""
    whole = sum(shares)
    return {
        layer: tf.add_n([target[layer] * (share / whole) for target, share in zip(targets, shares, strict=True)])
        for layer in targets[0]
    }
