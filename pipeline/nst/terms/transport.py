"""Transport: what the picture is made of can be carried over to what the style is made of.

Kolkin, Salavon, Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and Self-Similarity"
(STROTSS, arXiv 1904.12785), section 2.3. A_i are hypercolumns at n places of the picture, B_j at n
places of the style, d a distance of two, μ and Σ mean and covariance of a set:

    R(d)    = max( mean_i min_j d(A_i, B_j), mean_j min_i d(A_i, B_j) )      relaxed earth mover's
    moments = ½ mean|μ_A - μ_B| / mean|μ_B| + ½ mean|Σ_A - Σ_B| / mean|Σ_B|  mean over layers
    E       = 100 / 3 · ( R(1 - cos) + moments + ½ R(colour) )               a hundred for nothing

R(colour) is of the colours at these places, in a basis of brightness and two differences: the
Euclidean distance plus 1 - cos. Places are new in every round.

A hundred, where other distances have a thousand: a picture that is well painted is at a sixth of
it, where Gram's is at a hundredth of its own, and with a thousand nothing of the content was left
at the usual weight.

Where we differ: layers are those of VGG19, each brought to one scale; moments are of each layer by
itself, which takes a seventh of the time, and shares of the style's, as our network's activations
have no unit; places are evenly spread, and new after some evaluations and not in each; ½ is the
weight of colours that theirs has at its finest size; what moves is the picture itself, by any
optimizer, and not a Laplacian pyramid by RMSprop. Of several styles, each gives as many places as
its share says. With regions (`guides`) each has as many of the places as it has of the area, at
least 64, in the picture and in its style, and E is Σ_r λ_r E_r.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.network import NETWORKS
from pipeline.nst.positions import SAMPLES, column_layers
from pipeline.nst.terms.guides import Guided, area_share, is_guided
from pipeline.nst.terms.matching import directions
from pipeline.nst.terms.sampling import colours, lookups, places, sampled, scaled, scales_of
from pipeline.nst.terms.sums import NOTHING
from pipeline.nst.terms.term import ADD, PICTURE, Combine, Measured, Sources, Target, Weighted
from pipeline.nst.terms.term import Style as Seen
from pipeline.options import Options

_HUNDRED = 100.0
_PARTS = 3.0  # that are 1 or more for nothing in common
_FEWEST = 64  # places of a region: covariances of fewer say little; a sixteenth of a picture's
_PALETTE = 0.5  # theirs is 1 over the content's weight, which ends at 2
# Brightness and differences of colours (n, 3) in 0..1: YUV of ITU-R BT.601.
_BASIS = ((0.299, -0.147, 0.615), (0.587, -0.289, -0.515), (0.114, 0.436, -0.100))


class Style(NamedTuple):
    """Of the style: hypercolumns (m, channels) of length 1; by layer their mean (channels,) and
    covariance (channels, channels); colours (m, 3); by layer what its channels are multiplied with;
    places (n, 2) of the picture. Float32, int32."""

    columns: tf.Tensor
    moments: Mapping[str, tuple[tf.Tensor, tf.Tensor]]
    colours: tf.Tensor
    scales: Mapping[str, tf.Tensor]
    places: tf.Tensor


@dataclass(frozen=True)
class Transport:
    """Relaxed earth mover's distance of sampled hypercolumns, with moments and palette."""

    columns: tuple[str, ...]
    name: ClassVar[str] = "style"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = False

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of hypercolumns, and the picture for its colours."""
        return (*self.columns, PICTURE)

    def target(self, sources: Sources) -> Target:
        """Maps: where to look in the picture. Statistics: what is there in the style."""
        if sources.regions:
            return self._guided(sources)
        here = places(sources.content, SAMPLES, sources.seed)
        statistics = self._of_styles(sources.styles, SAMPLES, sources.seed + 1, here)
        return Target(lookups(self.columns, sources.content.size, here), statistics)

    def _guided(self, sources: Sources) -> Target:
        """Maps of the regions' places, one after the other; statistics by region."""
        found: list[tuple[NDArray[np.int32], Guided]] = []
        seed, whole = sources.seed + 1, sum(area_share(region) for region in sources.regions)
        for number, region in enumerate(sources.regions):
            share = area_share(region)
            count = max(_FEWEST, round(SAMPLES * share / whole))
            here = places(sources.content, count, sources.seed + number, region.mask)
            style = self._of_styles(region.styles, count, seed, here)
            found.append((here, Guided(style, tf.constant(share))))
            seed += len(region.styles)
        everywhere = np.concatenate([here for here, _ in found])
        return Target(lookups(self.columns, sources.content.size, everywhere), tuple(guided for _, guided in found))

    def kinds(self, statistics: Any) -> Any:
        """Regions have places by their area, which changes where masks move."""
        kinds = tf.nest.map_structure(tf.TensorSpec.from_tensor, statistics)
        if not is_guided(statistics):
            return kinds
        return tuple(guided._replace(target=_of_any_number(guided.target)) for guided in kinds)

    def _of_styles(self, styles: Sequence[Seen], samples: int, seed: int, here: NDArray[np.int32]) -> Style:
        """What so many places of the styles are like, to be compared with the places `here` of the
        picture."""
        whole = sum(style.share for style in styles)
        found: dict[str, list[tf.Tensor]] = {layer: [] for layer in self.layers}
        for number, style in enumerate(styles):
            count = max(1, round(samples * style.share / whole))
            at = places(style.image, count, seed + number)
            measured = style.image.measured(self, lookups(self.columns, style.image.size, at))
            for layer in self.columns:
                found[layer].append(measured[layer])
            found[PICTURE].append(colours(measured[PICTURE], tf.constant(at)))
        parts = {layer: tf.concat(pieces, 0) for layer, pieces in found.items()}
        scales = scales_of(parts)
        columns = directions(scaled(parts, scales))
        own = {layer: moments(parts[layer]) for layer in self.columns}
        return Style(columns, own, parts[PICTURE], scales, tf.constant(here))

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> tf.Tensor:
        """A layer's part of hypercolumns, (places, channels); the picture as it is."""
        return features if layer == PICTURE else sampled(features, target)

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """E, a float32 scalar."""
        if not is_guided(target.statistics):
            return self._distance(measured, target.statistics)
        distances, first = [], tf.constant(0)
        for style, share in target.statistics:
            last = first + tf.shape(style.places)[0]
            own = {layer: measured[layer][first:last] for layer in self.columns}
            distances.append(share * self._distance({**own, PICTURE: measured[PICTURE]}, style))
            first = last
        return tf.add_n(distances)

    def _distance(self, measured: Measured, style: Style) -> tf.Tensor:
        columns = directions(scaled(measured, style.scales))
        moved = relaxed(1.0 - tf.matmul(columns, style.columns, transpose_b=True))
        apart = []
        for layer in self.columns:
            (mean, covariance), (its_mean, its_covariance) = moments(measured[layer]), style.moments[layer]
            least = _LEAST_COVARIANCE * tf.square(tf.reduce_mean(tf.abs(its_mean)))
            apart += [0.5 * _share(mean, its_mean), 0.5 * _share(covariance, its_covariance, least)]
        palette = relaxed(colour_distances(colours(measured[PICTURE], style.places), style.colours))
        return _HUNDRED / _PARTS * (moved + tf.add_n(apart) / len(self.columns) + _PALETTE * palette)


def _of_any_number(style: Style) -> Style:
    """The same of tensors' kinds, for any number of places."""
    several = {name: getattr(style, name) for name in ("columns", "colours", "places")}
    return style._replace(
        **{name: tf.TensorSpec([None, *kind.shape[1:]], kind.dtype) for name, kind in several.items()}
    )


def relaxed(distances: tf.Tensor) -> tf.Tensor:
    """R of distances (n, m): the earth mover's distance, with one of its two constraints given up,
    whichever leaves more."""
    return tf.maximum(
        tf.reduce_mean(tf.reduce_min(distances, 1)),
        tf.reduce_mean(tf.reduce_min(distances, 0)),
    )


def moments(columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean (channels,) and covariance (channels, channels) of vectors (n, channels)."""
    mean = tf.reduce_mean(columns, 0)
    apart = columns - mean
    count = tf.cast(tf.shape(columns)[0], tf.float32)
    return mean, tf.matmul(apart, apart, transpose_a=True) / count


# Of a style's covariance, as a share of its mean's square: of a plain style, as bare paper, any is
# infinitely many shares of what rounding leaves. A tenth of the least in eight pictures at 128 px.
_LEAST_COVARIANCE = 1e-2


def _share(one: tf.Tensor, other: tf.Tensor, least: tf.Tensor | float = 0.0) -> tf.Tensor:
    """How far one is from the other, as a share of that, or of `least` where that is less."""
    there = tf.maximum(tf.reduce_mean(tf.abs(other)), least)
    return tf.reduce_mean(tf.abs(one - other)) / (there + NOTHING)


def colour_distances(some: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Euclidean distance plus 1 - cos of colours (n, 3) and (m, 3), in the basis above: (n, m)."""
    a, b = (tf.matmul(each, tf.constant(_BASIS)) for each in (some, others))
    squares = tf.reduce_sum(tf.square(a[:, tf.newaxis] - b), -1)
    # a root has no slope at nothing: a grey level, squared
    euclidean = tf.sqrt(squares + _GREY_LEVEL)
    return euclidean + 1.0 - tf.matmul(directions(a), directions(b), transpose_b=True)


_GREY_LEVEL = (1.0 / 255.0) ** 2


def from_options(options: Options) -> Weighted:
    """The term that a pair asks for."""
    return Weighted(Transport(column_layers(NETWORKS[options.network])), options.style_weight, {})
