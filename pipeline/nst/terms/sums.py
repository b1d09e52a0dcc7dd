"""Sums that several terms need: over positions, in little memory; and over layers, so that each
layer's share can be told without another evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from pipeline.nst.terms.term import Measured, Target

# Keeps a black photograph or style (no features to match) from dividing by zero. Squared
# activations of VGG19 are of the order of 1 to 1e6 a position, so this changes nothing else.
NOTHING = 1e-9
# Numbers that are turned to float32 at a time: 128 MB, the largest temporary of a sum over
# positions.
FLOATS_AT_ONCE = 2**25


@tf.custom_gradient  # type: ignore[untyped-decorator]
def squared_distance(
    a: tf.Tensor, b: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Σ(a - b)², a float32 scalar, of two tensors of one shape, each in its own floating point
    type.

    Its gradient 2(a - b) is made in these types piece by piece. TensorFlow's own holds several
    float32 copies of a photograph's features at once.
    """

    def gradient(incoming: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        by_a, by_b = [], []
        for difference in _differences_in_pieces(a, b):
            scaled = 2.0 * incoming * difference
            by_a.append(tf.cast(scaled, a.dtype))
            by_b.append(tf.cast(-scaled, b.dtype))
        return tf.concat(by_a, 0), tf.concat(by_b, 0)

    squares = [tf.reduce_sum(tf.square(each)) for each in _differences_in_pieces(a, b)]
    return tf.add_n(squares), gradient


def weighted_squared_distance(a: tf.Tensor, b: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Σ_k w_k Σ_c (a_kc - b_kc)², a float32 scalar, of weights w (height, width), float32; else as
    `squared_distance`, and no gradient flows to `b`."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def distance(a: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        pieces = _pieces(a, b)

        def gradient(incoming: tf.Tensor) -> tf.Tensor:
            counted = zip(pieces, _differences_in_pieces(a, b), strict=True)
            return tf.concat([tf.cast(2.0 * incoming * each * column(piece), a.dtype) for piece, each in counted], 0)

        counted = zip(pieces, _differences_in_pieces(a, b), strict=True)
        return tf.add_n([tf.reduce_sum(tf.square(each) * column(piece)) for piece, each in counted]), gradient

    def column(piece: slice) -> tf.Tensor:
        return weights[piece][..., tf.newaxis]

    return distance(a)


def with_gradient_of_length(features: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """The features, whose gradient is brought to an absolute sum of `length`: jcjohnson's
    neural-style (neural_style.lua, `normalize`, at 07c4b82), where the gradient g by a layer's
    features becomes g / (Σ|g| + 1e-8), times the weight. Here g comes multiplied by it already."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def same(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(incoming: tf.Tensor) -> tf.Tensor:
            whole = tf.cast(incoming, tf.float32)
            found = tf.reduce_sum(tf.abs(whole)) + length * _JOHNSONS + _TINY
            return tf.cast(whole * (length / found), incoming.dtype)

        return tf.identity(features), gradient

    result: tf.Tensor = same(features)
    return result


_JOHNSONS, _TINY = 1e-8, 1e-30


def sum_of_squares(a: tf.Tensor) -> tf.Tensor:
    """Σa², a float32 scalar, of a tensor of any floating point type; no gradient is asked of it."""
    return tf.add_n([tf.reduce_sum(tf.square(piece)) for piece in _differences_in_pieces(a, None)])


def _differences_in_pieces(a: tf.Tensor, b: tf.Tensor | None) -> Iterator[tf.Tensor]:
    """a - b, or a where there is no b, in float32, one piece after the other also in a graph."""
    before: list[tf.Tensor] = []
    for piece in _pieces(*([a] if b is None else [a, b])):
        with tf.control_dependencies(before):
            difference = tf.cast(a[piece], tf.float32)
            if b is not None:
                difference -= tf.cast(b[piece], tf.float32)
        yield difference
        before = [difference]


def _pieces(*tensors: tf.Tensor) -> list[slice]:
    """Slices of tensors of one shape along their first axis, of as many numbers as are turned to
    float32 at a time; one slice of all where no shape is known while tracing."""
    shapes = [tf.TensorShape(tensor.shape) for tensor in tensors]
    known = next((shape for shape in shapes if shape.is_fully_defined()), None)
    if known is None or (numbers := known.num_elements()) <= FLOATS_AT_ONCE:
        return [slice(None)]
    rows = known[0]
    length = max(1, rows * FLOATS_AT_ONCE // numbers)
    return [slice(first, min(first + length, rows)) for first in range(0, rows, length)]


def weighted_sum(distances: Mapping[str, tf.Tensor], weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Eq. 5: L = Σ_l w_l E_l. Zero for no layers."""
    parts = [weights[layer] * distance for layer, distance in distances.items()]
    return tf.add_n(parts or [tf.constant(0.0)])


def positions(features: tf.Tensor) -> tf.Tensor:
    """M: how many positions features (height, width, channels) have, as float32."""
    shape = tf.shape(features)
    return tf.cast(shape[0] * shape[1], tf.float32)


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
