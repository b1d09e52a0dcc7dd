"""Self-similarity: places that are alike in the photograph are alike in the picture.

Kolkin, Salavon, Shakhnarovich (STROTSS, arXiv 1904.12785), section 2.2. D_ij is the cosine distance
between the hypercolumns of the picture at places i and j of n, P_ij of the photograph:

    E = 1/n Σ_ij | D_ij / Σ_i D_ij - P_ij / Σ_i P_ij |

It is 0 for a picture whose parts differ from each other as the photograph's do, whatever they look
like, and 2 at most. So a style may change every colour and texture, where the distance of features
holds on to the photograph's. Where we differ from the paper: as in `transport`. With `content_mask`
places are taken as often as the mask says, and E counts for its mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from pipeline.nst.network import NETWORKS
from pipeline.nst.positions import SAMPLES, column_layers
from pipeline.nst.terms.matching import directions
from pipeline.nst.terms.sampling import lookups, places, sampled, scaled, scales_of
from pipeline.nst.terms.term import ADD, Combine, Measured, Sources, Target, Weighted
from pipeline.options import Options


class Photograph(NamedTuple):
    """Of the photograph: P with columns of sum 1, (n, n), by layer what its channels are
    multiplied with, and the share of it that is kept."""

    similarity: tf.Tensor
    scales: Mapping[str, tf.Tensor]
    kept: tf.Tensor


@dataclass(frozen=True)
class SelfSimilarity:
    """Mean absolute difference of cosine distances between places, as shares."""

    layers: tuple[str, ...]
    name: ClassVar[str] = "content"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    def target(self, sources: Sources) -> Target:
        """Maps: where to look. Statistics: the photograph's distances there."""
        content = sources.content
        kept = sources.kept if sources.kept is not None and sources.kept.any() else None
        share = 1.0 if sources.kept is None else float(sources.kept.mean())
        at = lookups(self.layers, content.size, places(content, SAMPLES, sources.seed, kept))
        parts = content.measured(self, at)
        scales = scales_of(parts)
        return Target(at, Photograph(shares(scaled(parts, scales)), scales, tf.constant(share)))

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> tf.Tensor:
        """A layer's part of hypercolumns, (places, channels)."""
        return sampled(features, target)

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """E, a float32 scalar."""
        photograph: Photograph = target.statistics
        here = shares(scaled(measured, photograph.scales))
        count = tf.cast(tf.shape(here)[0], tf.float32)
        return photograph.kept * tf.reduce_sum(tf.abs(here - photograph.similarity)) / count


# What all places are at least apart from one, in the mean, for their shares to have a sum of 1.
# Those of a plain picture are by what rounding leaves, 2e-7 of either sign.
_ROUNDING = 1e-5


def shares(columns: tf.Tensor) -> tf.Tensor:
    """Cosine distances (n, n) between hypercolumns (n, channels), each column's of sum 1; of less
    where nothing is apart."""
    alike = directions(columns)
    distances = 1.0 - tf.matmul(alike, alike, transpose_b=True)
    count = tf.cast(tf.shape(columns)[0], tf.float32)
    return distances / tf.maximum(tf.reduce_sum(distances, 0), _ROUNDING * count)


def from_options(options: Options) -> Weighted:
    """The content term that a pair asks for."""
    return Weighted(SelfSimilarity(column_layers(NETWORKS[options.network])), options.content_weight, {})
