"""Temporal: what can be followed from earlier frames of a clip stays as it was painted there.

Ruder, Dosovitskiy, Brox, "Artistic style transfer for videos" (arXiv 1604.08610), Eq. 7 and 9:

    E = 1/D Σ c (x - w)²     x: the picture, w: earlier painted frames carried along the flow
                             (height, width, 3), c (height, width) how reliable that is, 0..1;
                             D: positions times colours, grey levels squared

It is no term of a still picture: `sequence` adds it to those of a pair, from the second frame of a
shot on. Their w is of one earlier frame and further ones have terms of their own; ours is made of
several before it is compared, each where no nearer one is reliable, which is their Eq. 9 in one
sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from pipeline.nst.terms.sums import positions
from pipeline.nst.terms.term import ADD, PICTURE, Combine, Measured, Sources, Target

_COLOURS = 3.0


class TemporalSums(NamedTuple):
    """Σ c (x - w)², and how many positions were looked at. Float32 scalars."""

    squares: tf.Tensor
    positions: tf.Tensor


@dataclass(frozen=True)
class Temporal:
    """Squared distance to what was painted before."""

    name: ClassVar[str] = "temporal"
    layers: ClassVar[tuple[str, ...]] = (PICTURE,)
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    def target(self, sources: Sources) -> Target:
        """Maps w and c. Raises ValueError where nothing was painted before."""
        if sources.earlier is None:
            raise ValueError("the temporal term needs what was painted before")
        pixels, reliable = sources.earlier
        return Target({PICTURE: (tf.constant(pixels, tf.float32), tf.constant(reliable, tf.float32))}, ())

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> TemporalSums:
        """Sums over a picture (height, width, 3)."""
        earlier, reliable = target
        squares = tf.reduce_sum(tf.square(features - earlier), -1)
        return TemporalSums(tf.reduce_sum(reliable * squares), positions(features))

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Their quotient."""
        sums = measured[PICTURE]
        return sums.squares / (sums.positions * _COLOURS)
