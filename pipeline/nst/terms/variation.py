"""Total variation: how much neighbouring pixels differ. The paper has no such term.

With down = x_{i+1,j} - x_{i,j} and right = x_{i,j+1} - x_{i,j}, summed over pixels and colours:

    kind        sum
    squares     Σ down² + Σ right²
    absolute    Σ |down| + Σ |right|                 tf.image.total_variation
    a number β  Σ (down² + right²)^(β/2)             Mahendran, Vedaldi, arXiv 1412.0035, 3.2;
                                                     over the pixels that have both neighbours

Where the picture wraps, the last pixels have the first ones as neighbours, and each has both.

2.5 is the power 1.25 of Keras' example; 2 is half the sum whose gradient Johnson's neural-style
has.

    unit                                sum
    normalized                          per pixel and colour, divided by 255^power
    means                               the mean downwards plus the mean to the right
    paper, sums, roots, per_pixel       as it is
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from pipeline.nst.terms.sums import positions
from pipeline.nst.terms.term import ADD, PICTURE, Combine, Measured, Sources, Target, Weighted
from pipeline.nst.wrapping import NO_WRAP, Wraps
from pipeline.options import Options

_GREY_LEVELS = 255.0
_COLOURS = 3.0


class VariationSums(NamedTuple):
    """Sums of differences, downwards and to the right or both in one; how many each sums; the
    picture's pixels. Float32 scalars."""

    sums: list[tf.Tensor]
    counts: list[tf.Tensor]
    pixels: tf.Tensor


@dataclass(frozen=True)
class Variation:
    """Total variation of a kind, in one of the units above."""

    kind: str | float
    unit: str
    wraps: Wraps = NO_WRAP
    name: ClassVar[str] = "tv"
    layers: ClassVar[tuple[str, ...]] = (PICTURE,)
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    def target(self, sources: Sources) -> Target:
        """Nothing: the aim is a plain picture."""
        return Target({}, {})

    def measure(self, layer: str, features: tf.Tensor, target: tf.Tensor | None) -> VariationSums:
        """Sums over a picture (height, width, 3)."""
        found = differences(features, self.kind, self.wraps)
        return VariationSums(
            [tf.reduce_sum(each) for each in found],
            [tf.cast(tf.size(each), tf.float32) for each in found],
            positions(features),
        )

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The sum in its unit."""
        sums, counts, pixels = measured[PICTURE]
        match self.unit:
            case "normalized":
                power = {"squares": 2.0, "absolute": 1.0}.get(str(self.kind)) or float(self.kind)
                return tf.add_n(sums) / (pixels * _COLOURS) / _GREY_LEVELS**power
            case "means":
                return tf.add_n([each / count for each, count in zip(sums, counts, strict=True)])
            case "paper" | "sums" | "roots" | "per_pixel":
                return tf.add_n(sums)
        raise ValueError(f"unit of total variation: {self.unit}")


def differences(image: tf.Tensor, kind: str | float, wraps: Wraps = NO_WRAP) -> list[tf.Tensor]:
    """What is summed of an image (height, width, channels): downwards and to the right, or both in
    one."""
    down, right = neighbour_differences(_with_other_end(image, wraps))
    if any(wraps):
        below, beside = wraps
        down, right = down[:, :-1] if beside else down, right[:-1] if below else right
    if kind == "squares":
        return [down**2, right**2]
    if kind == "absolute":
        return [tf.abs(down), tf.abs(right)]
    down, right = down if wraps[1] else down[:, :-1], right if wraps[0] else right[:-1]
    return [(down**2 + right**2) ** (float(kind) / 2)]


def _with_other_end(image: tf.Tensor, wraps: Wraps) -> tf.Tensor:
    """An image whose first row and column, where it wraps, follow the last ones too."""
    image = tf.concat([image, image[:1]], 0) if wraps[0] else image
    return tf.concat([image, image[:, :1]], 1) if wraps[1] else image


@tf.custom_gradient  # type: ignore[untyped-decorator]
def neighbour_differences(
    image: tf.Tensor,
) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]:
    """x_{i+1,j} - x_{i,j} (height - 1, width, channels) and x_{i,j+1} - x_{i,j} (height, width - 1,
    channels) of an image (height, width, channels).

    The gradient is their transpose, written with pads. TensorFlow's own, of slices, takes 2 % of an
    evaluation.
    """

    def gradient(down: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        return (
            tf.pad(down, [[1, 0], [0, 0], [0, 0]])
            - tf.pad(down, [[0, 1], [0, 0], [0, 0]])
            + tf.pad(right, [[0, 0], [1, 0], [0, 0]])
            - tf.pad(right, [[0, 0], [0, 1], [0, 0]])
        )

    return (image[1:] - image[:-1], image[:, 1:] - image[:, :-1]), gradient


def from_options(options: Options) -> Weighted:
    """The total variation that a pair asks for."""
    unit = options.losses if options.tv_unit == "losses" else options.tv_unit
    return Weighted(Variation(options.tv_kind, unit, options.wraps), options.tv_weight, {})
