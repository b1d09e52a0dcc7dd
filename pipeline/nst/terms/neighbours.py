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

With regions (`guides`) a position looks only among the positions of those styles whose region it
belongs to, each set being centred by itself, and 1 - cos counts as the masks say: E is Σ of that
over all positions of the picture by their number.

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
from pipeline.nst.terms.guides import at_cells, at_layer, claims, strengths
from pipeline.nst.terms.hypercolumns import Picked, alike, columns_at, part
from pipeline.nst.terms.layered import Distances, OverLayers
from pipeline.nst.terms.matching import centred, directions, lengths_inverse, nearest, nearest_with_product
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
        if sources.regions:
            return self._guided(sources)
        style = self._of_styles(sources)
        numbers = _matched(sources.guide.measured(self), style, self.wraps)
        return Target(self._maps(numbers, style), ())

    def _guided(self, sources: Sources) -> Target:
        """The same with regions; statistics are how much each position counts."""
        most, regions = max(1, MOST // len(sources.regions)), sources.regions
        styles = [self._of_styles(sources._replace(styles=region.styles), most) for region in regions]
        weights = [at_cells(region.mask, QUARTER, sources.content.size) for region in regions]
        numbers = _matched_in(sources.guide.measured(self), styles, claims(weights), self.wraps)
        style = {layer: tf.concat([each[layer] for each in styles], 0) for layer in self.layers}
        return Target(self._maps(numbers, style), tf.constant(strengths(weights, regions)))

    def _maps(self, numbers: tf.Tensor, style: Mapping[str, tf.Tensor]) -> dict[str, Indexed]:
        inverse = lengths_inverse(tf.add_n([_squares(each) for each in style.values()]))
        tables = {layer: tf.cast(tf.cast(each, tf.float32) * inverse, each.dtype) for layer, each in style.items()}
        return {layer: Indexed(numbers, table) for layer, table in tables.items()}

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
        alike = product * tf.math.rsqrt(squares + NOTHING)
        if isinstance(target.statistics, tuple):  # no regions
            return _THOUSAND * (1.0 - tf.reduce_mean(alike))
        return _THOUSAND * tf.reduce_mean(target.statistics * (1.0 - alike))

    def _of_styles(self, sources: Sources, most: int = MOST) -> dict[str, tf.Tensor]:
        """The layers' parts (n, channels) of those hypercolumns of the styles that are looked at,
        not many more than `most`."""
        images = [style.image for style in sources.styles]
        shapes = [cells(image.size) for image in images]
        everywhere = [np.arange(height * width) for height, width in shapes]
        seen = [_visible(places, image, QUARTER) for places, image in zip(everywhere, images, strict=True)]
        picked = [
            image.measured(Picked(self.layers, QUARTER), dict.fromkeys(self.layers, _numbered(places, shape)))
            for image, places, shape in zip(images, shared(seen, sources, most), shapes, strict=True)
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
    picture's, whose parts these are."""
    shape = parts[next(iter(style))].shape[:2]
    _products, numbers = _nearest_at(parts, style, np.arange(shape[0] * shape[1]), wraps)
    return tf.reshape(tf.cast(numbers, tf.int32), shape)


def _matched_in(
    parts: Measured,
    styles: Sequence[Mapping[str, tf.Tensor]],
    belongs: Sequence[NDArray[np.bool_]],
    wraps: Wraps = NO_WRAP,
) -> tf.Tensor:
    """The same by region: among all styles' hypercolumns, those of one after those of the other,
    the nearest of any region that a position belongs to."""
    numbers = _Best(belongs[0].size)
    for style, own in zip(styles, belongs, strict=True):
        places, rows = np.flatnonzero(own), next(iter(style.values())).shape[0]
        numbers.add(places, rows, lambda style=style, places=places: _nearest_at(parts, style, places, wraps))  # type: ignore[misc]
    return tf.constant(numbers.numbers.astype(np.int32).reshape(belongs[0].shape))


class _Best:
    """The nearest of several sets by position: its number among the rows of all of them, and which
    set that is of; 0 where there is none."""

    def __init__(self, count: int) -> None:
        self.numbers = np.zeros(count, np.int64)
        self.sets = np.zeros(count, np.int32)
        self._products = np.full(count, -np.inf, np.float32)
        self._rows = self._count = 0

    def add(self, places: Places, rows: int, find: Callable[[], tuple[tf.Tensor, tf.Tensor]]) -> None:
        """Look for neighbours of `places` in the next set, of so many rows: `find` gives products
        and numbers."""
        if len(places):
            products, numbers = find()
            products = tf.cast(products, tf.float32).numpy()
            better = products > self._products[places]
            nearer = places[better]
            self._products[nearer] = products[better]
            self.numbers[nearer] = self._rows + numbers.numpy()[better]
            self.sets[nearer] = self._count
        self._rows, self._count = self._rows + rows, self._count + 1


def _nearest_at(
    parts: Measured, style: Mapping[str, tf.Tensor], places: Places, wraps: Wraps = NO_WRAP
) -> tuple[tf.Tensor, tf.Tensor]:
    """Of those places of a picture the product with the nearest hypercolumn of the style, and its
    number. Hypercolumns of the picture are in float32 a few at a time only."""
    first = next(iter(style))
    kind, shape = style[first].dtype, parts[first].shape[:2]
    parts = {layer: parts[layer] for layer in style}
    apart = {layer: _less_mean(each) for layer, each in style.items()}
    inverse = lengths_inverse(tf.add_n([_squares(each()) for each in apart.values()]))
    others = tf.concat([tf.cast(each() * inverse, kind) for each in apart.values()], -1)

    def columns(begin: int) -> tf.Tensor:
        where = tf.constant(np.stack(np.unravel_index(places[begin : begin + _AT_ONCE], shape), -1), tf.int32)
        return columns_at(parts, where, tf.constant(shape), wraps)

    begins = range(0, len(places), _AT_ONCE)
    total = tf.zeros(others.shape[-1])
    for begin in begins:
        total += tf.reduce_sum(columns(begin), 0)
    mean = total / len(places)
    found = [nearest_with_product(tf.cast(directions(columns(begin) - mean), kind), others) for begin in begins]
    products, numbers = zip(*found, strict=True)
    return tf.concat(products, 0), tf.concat(numbers, 0)


class Matched(NamedTuple):
    """What positions of a layer on the grid are compared with: they less `mean` (channels,), with
    the rows of `style` (positions, channels), each of length 1."""

    mean: tf.Tensor
    style: tf.Tensor


class MatchedIn(NamedTuple):
    """The same with regions: `region` (positions,) says which of `means` (regions, channels) a
    position is less, `weights` (positions,) how much it counts."""

    means: tf.Tensor
    style: tf.Tensor
    region: tf.Tensor
    weights: tf.Tensor


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
        if sources.regions:
            return self._guided(sources)
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
        numbers, table = target
        where = tf.where(numbers >= 0)
        rows = tf.gather_nd(numbers, where)
        guided = isinstance(table, MatchedIn)
        mean = tf.gather(table.means, tf.gather(table.region, rows)) if guided else table.mean
        here = directions(tf.cast(tf.gather_nd(features, where), tf.float32) - mean)
        matched = tf.cast(tf.gather(table.style, rows), tf.float32)
        apart = 1.0 - tf.reduce_sum(here * matched, -1)
        return tf.reduce_sum(tf.gather(table.weights, rows) * apart if guided else apart)

    def _guided(self, sources: Sources) -> Target:
        """The target with regions."""
        random = np.random.default_rng(sources.seed)
        shapes = {layer: _shape(sources.start, layer) for layer in self.layers}
        grids = {layer: _grid(shape, random) for layer, shape in shapes.items()}
        maps = {layer: _numbered(places, shapes[layer]) for layer, places in grids.items()}
        start = sources.start.measured(Picked(self.layers), maps)
        most = max(1, MOST_ON_GRID // len(sources.regions))
        styles = [self._of_styles(sources._replace(styles=region.styles), random, most) for region in sources.regions]
        matched = {}
        for layer, places in grids.items():
            whole = [at_layer(region.mask, layer, sources.content.size) for region in sources.regions]
            belongs = [each.ravel()[places] for each in claims(whole)]
            weights = strengths(whole, sources.regions).ravel()[places]
            matched[layer] = _nearest_in(start[layer], [each[layer] for each in styles], belongs, weights)
        return Target(
            {layer: Indexed(maps[layer].map, table) for layer, table in matched.items()},
            {layer: tf.constant(float(len(places))) for layer, places in grids.items()},
        )

    def _of_styles(self, sources: Sources, random: np.random.Generator, most: int) -> dict[str, tf.Tensor]:
        """By layer, features (n, channels) of the styles at positions of their grids, not many more
        than `most`."""
        images = [style.image for style in sources.styles]
        found: list[dict[str, Indexed]] = [{} for _ in images]
        for layer in self.layers:
            shapes = [_shape(image, layer) for image in images]
            seen = [_visible(_grid(shape, random), image, layer) for shape, image in zip(shapes, images, strict=True)]
            for maps, places, shape in zip(found, shared(seen, sources, most), shapes, strict=True):
                maps[layer] = _numbered(places, shape)
        picked = [image.measured(Picked(self.layers), maps) for image, maps in zip(images, found, strict=True)]
        return {layer: tf.concat([each[layer] for each in picked], 0) for layer in self.layers}

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


def _nearest_in(
    here: tf.Tensor, styles: Sequence[tf.Tensor], belongs: Sequence[NDArray[np.bool_]], weights: NDArray[np.float32]
) -> MatchedIn:
    """The same of features (positions, channels) by region, of whose styles these are."""
    kind, here = here.dtype, tf.cast(here, tf.float32)
    own = [tf.cast(centred(style), kind) for style in styles]
    best, means = _Best(len(weights)), []
    for style, mine in zip(own, belongs, strict=True):
        places = np.flatnonzero(mine)
        vectors = tf.gather(here, places)
        means.append(tf.math.divide_no_nan(tf.reduce_sum(vectors, 0), float(len(places))))
        apart = tf.cast(directions(vectors - means[-1]), kind)
        best.add(places, style.shape[0], lambda apart=apart, style=style: nearest_with_product(apart, style))  # type: ignore[misc]
    style = tf.gather(tf.concat(own, 0), best.numbers)
    return MatchedIn(tf.stack(means), style, tf.constant(best.sets), tf.constant(weights))


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
