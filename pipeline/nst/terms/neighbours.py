"""Nearest neighbours: every place of the picture looks like some place of the style.

Kolkin, Kucera, Paris, Sykora, Shechtman, Shakhnarovich, "Neural Neighbor Style Transfer" (arXiv
2203.13215), with our network and descent. F_p is what the network says of position p, S_q of
position q of the style, f̄ a set's mean, cos the cosine between two vectors:

    E      = 1000 · mean over p of 1 - cos(F_p, S_n(p))          a thousand for nothing in common
    n(p)   = argmax over q of cos(G_p - ḡ, S_q - s̄)

`Neighbours`, their section 3.2: F are hypercolumns at a quarter of the picture's resolution, each
layer divided by its number of channels. n is found when a size begins, for G of the photograph with
a quarter of the picture as it stands then, and holds while the size lasts.

`NeighboursByLayer`, their section 3.3, for the last pass, makes strokes crisp: each layer is
matched by itself, on a grid of about 64 positions along the longer side, F and S being centred; n
is found anew every few evaluations, for the picture as it stands. E is the mean over layers.

Where we differ: layers are those of VGG19; a neighbour is kept for some evaluations, as theirs is
found anew in each; what moves is the picture itself, by any optimizer, and not a Laplacian pyramid
by Adam. Of several styles, each gives as many positions as its share says.

What is kept of a match is its number in a table of the style, and what is looked up is cut along
with tiles: losses are those of the whole within 1e-5 and gradients within 1e-4, in float32, by
test. A position that the picture's border cuts off goes on from the one before.

In bfloat16 losses are 0.06 % (by layer 0.08 %) above those in float32 and gradients differ by 5 %
(cosine 0.999), each with targets of its own; 99 of 100 positions have the same neighbour, in the
last pass all. Measured at 64 px, the coffee in starry flow, with the 8-bit weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.network import NETWORKS, reduction
from pipeline.nst.positions import MOST, MOST_ON_GRID, QUARTER, cells, grid, matched_layers
from pipeline.nst.terms.hypercolumns import Picked, alike, columns_at, part
from pipeline.nst.terms.layered import Distances, OverLayers
from pipeline.nst.terms.matching import centred, directions, lengths_inverse, nearest
from pipeline.nst.terms.sums import NOTHING
from pipeline.nst.terms.term import (
    ADD,
    Combine,
    Concatenate,
    Image,
    Indexed,
    Measured,
    Sources,
    Target,
    Weighted,
)
from pipeline.nst.wrapping import NO_WRAP, Wraps
from pipeline.options import Options

Places = NDArray[np.int64]
"""Positions of a map (height, width), counted row by row."""

_THOUSAND = 1000.0
_AT_ONCE = 2048  # hypercolumns in float32, 28 MB


class Alike(NamedTuple):
    """Of a layer, at a quarter of the picture's resolution, float32 (height, width): the product
    with its part of the style's hypercolumn, which is of length 1, and the squared length."""

    product: tf.Tensor
    squares: tf.Tensor


@dataclass(frozen=True)
class Neighbours:
    """Distance to the nearest hypercolumns of the style."""

    layers: tuple[str, ...]
    wraps: Wraps = NO_WRAP
    name: ClassVar[str] = "style"
    combine: ClassVar[Combine] = Concatenate(cell=QUARTER)
    needs_start: ClassVar[bool] = True

    def target(self, sources: Sources) -> Target:
        """Maps of the numbers of neighbours, int32, and tables of the style's hypercolumns, each of
        length 1."""
        style = self._of_styles(sources)
        numbers = _matched(sources.guide.measured(self), style, self.wraps)
        inverse = lengths_inverse(tf.add_n([_squares(each) for each in style.values()]))
        tables = {layer: tf.cast(tf.cast(each, tf.float32) * inverse, each.dtype) for layer, each in style.items()}
        return Target({layer: Indexed(numbers, table) for layer, table in tables.items()}, ())

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Alike | tf.Tensor:
        """What `Alike` says; without a target the layer's own part of hypercolumns, (height,
        width, channels)."""
        if not isinstance(target, Indexed):
            return part(layer, features)
        return Alike(*alike(layer, part(layer, features), *target, self.wraps))

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Mean of 1 - cos over positions, in thousandths."""
        product = tf.add_n([measured[layer].product for layer in self.layers])
        squares = tf.add_n([measured[layer].squares for layer in self.layers])
        return _THOUSAND * (1.0 - tf.reduce_mean(product * tf.math.rsqrt(squares + NOTHING)))

    def _of_styles(self, sources: Sources) -> dict[str, tf.Tensor]:
        """The layers' parts (n, channels) of those hypercolumns of the styles that are looked
        at."""
        images = [style.image for style in sources.styles]
        shapes = [cells(image.size) for image in images]
        everywhere = [np.arange(height * width) for height, width in shapes]
        seen = [_visible(places, image, QUARTER) for places, image in zip(everywhere, images, strict=True)]
        picked = [
            image.measured(Picked(self.layers, QUARTER), dict.fromkeys(self.layers, _numbered(places, shape)))
            for image, places, shape in zip(images, shared(seen, sources, MOST), shapes, strict=True)
        ]
        return {layer: tf.concat([each[layer] for each in picked], 0) for layer in self.layers}


def _squares(vectors: tf.Tensor) -> tf.Tensor:
    """Squared lengths (n, 1) of vectors (n, channels), in float32."""
    return tf.reduce_sum(tf.square(tf.cast(vectors, tf.float32)), -1, keepdims=True)


def _less_mean(vectors: tf.Tensor) -> Callable[[], tf.Tensor]:
    """Vectors (n, channels) less their mean, in float32, made when they are called for."""
    mean = tf.reduce_mean(tf.cast(vectors, tf.float32), 0)
    return lambda: tf.cast(vectors, tf.float32) - mean


def _matched(parts: Measured, style: Mapping[str, tf.Tensor], wraps: Wraps = NO_WRAP) -> tf.Tensor:
    """The nearest hypercolumns of the style, by their numbers: int32 (height, width), of a
    picture's, whose parts these are. Those are in float32 a few at a time only."""
    first = next(iter(style))
    kind, shape = style[first].dtype, parts[first].shape[:2]
    parts = {layer: parts[layer] for layer in style}
    apart = {layer: _less_mean(each) for layer, each in style.items()}
    inverse = lengths_inverse(tf.add_n([_squares(each()) for each in apart.values()]))
    others = tf.concat([tf.cast(each() * inverse, kind) for each in apart.values()], -1)

    def columns(begin: int) -> tf.Tensor:
        places = np.arange(begin, min(begin + _AT_ONCE, shape[0] * shape[1]))
        where = tf.constant(np.stack(np.unravel_index(places, shape), -1), tf.int32)
        return columns_at(parts, where, tf.constant(shape), wraps)

    begins = range(0, shape[0] * shape[1], _AT_ONCE)
    total = tf.zeros(others.shape[-1])
    for begin in begins:
        total += tf.reduce_sum(columns(begin), 0)
    mean = total / (shape[0] * shape[1])
    found = [nearest(tf.cast(directions(columns(begin) - mean), kind), others) for begin in begins]
    return tf.reshape(tf.cast(tf.concat(found, 0), tf.int32), shape)


class Matched(NamedTuple):
    """What positions of a layer on the grid are compared with: they less `mean` (channels,), with
    the rows of `style` (positions, channels), each of length 1."""

    mean: tf.Tensor
    style: tf.Tensor


@dataclass(frozen=True)
class NeighboursByLayer(OverLayers):
    """Distance to the nearest features of the style, layer by layer."""

    layers: tuple[str, ...]
    wraps: Wraps = NO_WRAP
    name: ClassVar[str] = "style"
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = True

    def target(self, sources: Sources) -> Target:
        """By layer a map that numbers the grid's positions, -1 elsewhere, and what `Matched` says,
        for the picture as it stands; how many they are."""
        random = np.random.default_rng(sources.seed)
        images = [sources.start, *(style.image for style in sources.styles)]
        shapes = [{layer: _shape(image, layer) for layer in self.layers} for image in images]
        grids: list[dict[str, Places]] = [{} for _ in images]
        for layer in self.layers:
            ways = (self.wraps, *(NO_WRAP for _style in sources.styles))
            here, *seen = (_grid(each[layer], random, wraps) for each, wraps in zip(shapes, ways, strict=True))
            seen = [_visible(places, image, layer) for places, image in zip(seen, images[1:], strict=True)]
            for of_image, places in zip(grids, [here, *shared(seen, sources, MOST_ON_GRID)], strict=True):
                of_image[layer] = places
        maps = [
            {layer: _numbered(places, each[layer]) for layer, places in of_image.items()}
            for of_image, each in zip(grids, shapes, strict=True)
        ]
        start, *styles = (
            image.measured(Picked(self.layers), numbers) for image, numbers in zip(images, maps, strict=True)
        )
        return Target(
            {
                layer: Indexed(maps[0][layer].map, _nearest_of(start[layer], [style[layer] for style in styles]))
                for layer in self.layers
            },
            {layer: tf.constant(float(len(places))) for layer, places in grids[0].items()},
        )

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> tf.Tensor:
        """Σ (1 - cos) over the grid's positions, a float32 scalar."""
        numbers, (mean, style) = target
        where = tf.where(numbers >= 0)
        here = directions(tf.cast(tf.gather_nd(features, where), tf.float32) - mean)
        matched = tf.cast(tf.gather(style, tf.gather_nd(numbers, where)), tf.float32)
        return tf.reduce_sum(1.0 - tf.reduce_sum(here * matched, -1))

    def distances(self, measured: Measured, target: Target) -> Distances:
        """The mean of 1 - cos over the positions of each layer."""
        return {layer: measured[layer] / target.statistics[layer] for layer in self.layers}

    def summed(self, distances: Distances, weights: Mapping[str, Any]) -> tf.Tensor:
        """The mean over layers, in thousandths."""
        return _THOUSAND * tf.add_n(list(distances.values())) / len(distances)

    def shares(self, distances: Distances, weights: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Each layer's part of that mean."""
        return {layer: _THOUSAND * distance / len(distances) for layer, distance in distances.items()}


def _nearest_of(here: tf.Tensor, styles: Sequence[tf.Tensor]) -> Matched:
    """What features (positions, channels) are compared with, of those of the styles."""
    kind, style = here.dtype, tf.concat(styles, 0)
    here, style = tf.cast(here, tf.float32), tf.cast(centred(style), kind)
    # as many rows as positions: what can be seen of a style differs from round to round
    return Matched(tf.reduce_mean(here, 0), tf.gather(style, nearest(tf.cast(centred(here), kind), style)))


def _shape(image: Image, layer: str) -> tuple[int, int]:
    """A layer's positions, down and across."""
    height, width = (length // reduction(layer) for length in image.size)
    return height, width


def _numbered(places: Places, shape: Sequence[int]) -> Indexed:
    """What `Picked` is compared with: a map (height, width) of this shape."""
    numbers = np.full(shape, -1, np.int32)
    numbers.flat[places] = np.arange(len(places))
    return Indexed(tf.constant(numbers), tf.constant(len(places)))


def _visible(places: Places, image: Image, of: str | int) -> Places:
    """Those places, of a layer or of cells, that show at least half of what the clearest shows; all
    such where none of them does: a style's invisible positions are no neighbours."""
    opacity = image.opacity(of if isinstance(of, int) else reduction(of))
    if opacity is None:
        return places
    if not isinstance(of, int):  # a layer counts whole positions only
        height, width = _shape(image, of)
        opacity = opacity[:height, :width]
    visible = (opacity >= 0.5 * opacity.max()).ravel()
    seen = places[visible[places]]
    return seen if len(seen) else np.flatnonzero(visible)


def shared(sets: Sequence[Places], sources: Sources, most: int) -> list[Places]:
    """Of each style's places as many as its share of `most` says, taken by chance; all of a single
    style that has no more."""
    whole = sum(style.share for style in sources.styles)
    random = np.random.default_rng(sources.seed)
    taken = []
    for places, style in zip(sets, sources.styles, strict=True):
        count = max(1, round(most * style.share / whole))
        if len(places) > count:
            places = places[np.sort(random.choice(len(places), count, replace=False))]
        taken.append(places)
    return taken


def _grid(shape: Sequence[int], random: np.random.Generator, wraps: Wraps = NO_WRAP) -> Places:
    """About 64 positions along the longer side of a map of this shape, as many along the other as
    it is shorter, with an offset of chance; where it wraps, wherever that lies, else in the first
    step."""
    step, counts = grid(shape)
    farthest = [length if wrapped else step for length, wrapped in zip(shape, wraps, strict=True)]
    rows, columns = (
        (offset + step * np.arange(count)) % length if wrapped else np.arange(offset % length, length, step)[:count]
        for offset, length, count, wrapped in zip(random.integers(0, farthest), shape, counts, wraps, strict=True)
    )
    places: Places = (rows[:, np.newaxis] * shape[1] + columns).ravel()
    return places


def from_options(options: Options) -> Weighted:
    """The term that a pair asks for, of the convolutions of blocks 1 to 4."""
    layers = matched_layers(NETWORKS[options.network])
    terms = Neighbours(layers, options.wraps), NeighboursByLayer(layers, options.wraps)
    return Weighted(terms[0], options.style_weight, {}, terms[1])
