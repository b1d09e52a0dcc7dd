"""Histograms: each channel of the picture's features has the style's values, as often.

Risser, Wilmot, Barnes, "Stable and Controllable Neural Texture Synthesis and Style Transfer Using
Histogram Losses" (arXiv 1701.08893), section 4.2. F_kc is channel c at position k of M, N channels:

    E    = Σ_kc (F_kc - R_c(F_kc))²
    R_c  : the style's value of the same rank, held fixed in the gradient

A Gram matrix cannot tell a channel of great mean and small variance from one of small mean and
great variance, and washes contrast out or overshoots; its histogram can. It knows nothing of which
features occur together: it is meant to stand beside `gram`, in a mixture.

Histograms have 1,024 bins a channel, as wide as 3 % of the value, or of 0.1 around 0. Of each bin
are known how many values it has, and their sum and squares about its middle: of these, which add up
over tiles, E is made exactly for an R that is one value in each bin, the mean of the style's values
of those ranks. So picture, style and tiles may have any size. Several styles are one by the
weighted mean of their histograms. With regions (`guides`) a picture has a histogram of each, in
which positions count as its mask says.

    unit              per layer
    normalized        1000 · E/M / mean over positions of ΣF² of the style
    all others        E / (M·N)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.nst.terms.guides import guided_target, is_guided, over_regions
from pipeline.nst.terms.sums import NOTHING, Distances, OverLayers
from pipeline.nst.terms.term import ADD, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options

_THOUSANDTHS = 1000.0
_BINS = 1024
_SMALLEST = 0.1  # values below are told apart by their difference, above by their ratio
# Bins for a factor of e. The outermost are those of ±150,000; VGG's features stay below 50,000.
_BY_FACTOR = 36.0
# Numbers that are counted at a time, 84 MB with what is made of them; channels where the number of
# positions is not known while tracing.
_AT_ONCE = 2**22
_CHANNELS = 8
_MIDDLES = _SMALLEST * np.sinh((np.arange(_BINS) - _BINS // 2) / _BY_FACTOR)


class Counted(NamedTuple):
    """By channel and bin, float32 (N, 1024): how many values, the sum of their differences from the
    bin's middle, the sum of these squared."""

    counts: tf.Tensor
    sums: tf.Tensor
    squares: tf.Tensor


class Histograms(NamedTuple):
    """Of a style, by channel and bin, float64 (N, 1024): the share of positions and the sum of
    values up to and with the bin, per position. Their mean of squares, float32, summed over
    channels."""

    shares: tf.Tensor
    sums: tf.Tensor
    squares: tf.Tensor


@dataclass(frozen=True)
class Histogram(OverLayers):
    """Squared distance from the features with the style's histograms."""

    layers: tuple[str, ...]
    unit: str
    name: ClassVar[str] = "style"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    def target(self, sources: Sources) -> Target:
        """The style's histograms, by layer."""
        return guided_target(sources, self, self.layers, _mean)

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Any:
        """The histograms of a layer; of a style with transparency `target` is how much each
        position counts, (height, width); of a picture with regions a tuple of such, and of
        histograms."""
        by_position = tf.reshape(features, (-1, features.shape[-1]))
        if is_guided(target):
            columns = (tf.reshape(weights, (-1, 1)) for weights in target)
            return tuple(Counted(*_counted_with_gradient(by_position, weights)) for weights in columns)
        if target is not None:
            return Counted(*_counted(by_position, tf.reshape(target, (-1, 1))))
        return Counted(*_counted_with_gradient(by_position, None))

    def distances(self, measured: Measured, target: Target) -> Distances:
        """E in its unit, by layer."""
        return {layer: over_regions(measured[layer], target.statistics[layer], self._in_unit) for layer in self.layers}

    def _in_unit(self, picture: Counted, style: Histograms) -> tf.Tensor:
        counted = tf.maximum(tf.reduce_sum(picture.counts[0]), NOTHING)
        by_position = squared_distance_to(picture, style) / counted
        if self.unit != "normalized":
            return by_position / float(picture.counts.shape[0])
        return _THOUSANDTHS * by_position / (style.squares + NOTHING)


def squared_distance_to(picture: Counted, style: Histograms) -> tf.Tensor:
    """E: a float32 scalar. With b a bin's middle and d = F - b, Σ(F - R)² over a bin is
    Σd² + 2 (b - R) Σd + (b - R)² n."""
    away = tf.constant(_MIDDLES, tf.float32) - remapped(picture.counts, style)
    return tf.reduce_sum(picture.squares + 2.0 * away * picture.sums + away**2 * picture.counts)


def remapped(counts: tf.Tensor, style: Histograms) -> tf.Tensor:
    """R of each bin with so many values, float32 (N, 1024): the mean of the style's values of the
    same ranks. No gradient flows through it."""
    counts = tf.cast(tf.stop_gradient(counts), tf.float64)
    last = tf.cumsum(counts, 1) / tf.maximum(tf.reduce_sum(counts, 1, keepdims=True), NOTHING)
    up_to = _summed_to(last, style)
    before = tf.pad(up_to[:, :-1], [[0, 0], [1, 0]])
    ranks = last - tf.pad(last[:, :-1], [[0, 0], [1, 0]])
    return tf.stop_gradient(tf.cast(tf.math.divide_no_nan(up_to - before, ranks), tf.float32))


def _summed_to(ranks: tf.Tensor, style: Histograms) -> tf.Tensor:
    """The sum of the style's values up to ranks (N, n) in 0..1, per position: the values of a bin
    are taken for equal."""
    bins = tf.minimum(tf.searchsorted(style.shares, ranks), _BINS - 1)

    def in_bin(cumulated: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What there is before the bin, and in it."""
        before = tf.pad(cumulated[:, :-1], [[0, 0], [1, 0]])
        first = tf.gather(before, bins, batch_dims=1)
        return first, tf.gather(cumulated, bins, batch_dims=1) - first

    (shares_before, shares), (sums_before, sums) = in_bin(style.shares), in_bin(style.sums)
    part = tf.clip_by_value(tf.math.divide_no_nan(ranks - shares_before, shares), 0.0, 1.0)
    return sums_before + part * sums


def _mean(counted: list[tuple[Counted, float]]) -> Histograms:
    """The weighted mean of histograms."""
    middles = tf.constant(_MIDDLES)
    shares, sums, squares = [], [], []
    for style, share in counted:
        n, d, d2 = (tf.cast(each, tf.float64) for each in style)
        of_position = tf.constant(share, tf.float64) / tf.reduce_sum(n[0])
        shares.append(n * of_position)
        sums.append((n * middles + d) * of_position)
        squares.append(tf.reduce_sum(n * middles**2 + 2.0 * middles * d + d2) * of_position)
    return Histograms(
        tf.cumsum(tf.add_n(shares), 1), tf.cumsum(tf.add_n(sums), 1), tf.cast(tf.add_n(squares), tf.float32)
    )


def _counted_with_gradient(by_position: tf.Tensor, weights: tf.Tensor | None) -> tuple[tf.Tensor, ...]:
    """The histograms of features (M, N), positions counting as `weights` (M, 1) say; the bin of a
    value is held fixed in the gradient."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def counted(by_position: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable[..., tf.Tensor]]:
        def gradient(_counts: tf.Tensor, sums: tf.Tensor, squares: tf.Tensor) -> tf.Tensor:
            found: list[tf.Tensor] = []
            for group in _groups(by_position):
                with tf.control_dependencies(found):
                    places, apart = _in_bins(by_position[:, group])
                by_sum, by_square = (tf.gather(tf.reshape(each[group], (-1,)), places) for each in (sums, squares))
                by_value = by_sum + 2.0 * apart * by_square
                found.append(tf.cast(by_value if weights is None else weights * by_value, by_position.dtype))
            return tf.concat(found, 1)

        return _counted(by_position, weights), gradient

    result: tuple[tf.Tensor, ...] = counted(by_position)
    return result


def _counted(by_position: tf.Tensor, weights: tf.Tensor | None) -> tuple[tf.Tensor, ...]:
    """The histograms of features (M, N), positions counting as `weights` (M, 1) say."""
    found: list[list[tf.Tensor]] = []
    for group in _groups(by_position):
        with tf.control_dependencies(found[-1] if found else []):
            places, apart = _in_bins(by_position[:, group])
        counts = tf.ones_like(apart) if weights is None else tf.broadcast_to(weights, tf.shape(apart))
        shape = (group.stop - group.start, _BINS)
        found.append(
            [
                tf.reshape(tf.math.unsorted_segment_sum(values, places, shape[0] * _BINS), shape)
                for values in (counts, counts * apart, counts * apart**2)
            ]
        )
    return tuple(tf.concat(each, 0) for each in zip(*found, strict=True))


def _in_bins(by_position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of features (M, N): channel and bin as one number, int32, and the difference from the bin's
    middle, float32."""
    values = tf.cast(by_position, tf.float32)
    bins = tf.cast(tf.round(tf.asinh(values / _SMALLEST) * _BY_FACTOR), tf.int32) + _BINS // 2
    bins = tf.clip_by_value(bins, 0, _BINS - 1)
    apart = values - tf.gather(tf.constant(_MIDDLES, tf.float32), bins)
    return bins + tf.range(by_position.shape[-1]) * _BINS, apart


def _groups(by_position: tf.Tensor) -> list[slice]:
    """The channels of features (M, N) group by group, in which there are as many numbers as are
    counted at a time."""
    count, channels = by_position.shape
    length = _CHANNELS if count is None else max(1, min(channels, _AT_ONCE // max(1, count)))
    return [slice(first, min(first + length, channels)) for first in range(0, channels, length)]


def from_options(options: Options) -> Weighted:
    """The term that a pair asks for."""
    term = Histogram(tuple(sorted(options.style_layers)), options.losses)
    return Weighted(term, options.style_weight, options.style_layers)
