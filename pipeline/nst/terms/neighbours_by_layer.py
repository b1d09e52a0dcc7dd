"""Nearest neighbours layer by layer, for the last pass: strokes become crisp.

Section 3.3 of Kolkin et al. (arXiv 2203.13215), as `neighbours` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.pieces import Piece, located
from pipeline.nst.positions import MOST_ON_GRID, grid
from pipeline.nst.terms.candidates import Best, Places, numbered, shape_at, shared, told_apart, visible
from pipeline.nst.terms.guides import at_layer, claims, strengths
from pipeline.nst.terms.hypercolumns import Picked
from pipeline.nst.terms.matching import centred, directions, lengths_inverse, nearest, nearest_with_product
from pipeline.nst.terms.sums import NOTHING, Distances, OverLayers
from pipeline.nst.terms.term import ADD, Combine, Image, Indexed, Measured, Sources, Target
from pipeline.nst.wrapping import NO_WRAP, Wraps

_THOUSAND = 1000.0


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
    alike_by_reduction: ClassVar[bool] = True
    looks_up: ClassVar[bool] = True
    combine: ClassVar[Combine] = ADD
    needs_start: ClassVar[bool] = True

    def target(self, sources: Sources) -> Target:
        """By layer a map that numbers the grid's positions, -1 elsewhere, and what `Matched` says,
        for the picture as it stands; how many they are."""
        if sources.regions:
            return self._guided(sources)
        grids, maps = self._on_grid(sources)
        start = sources.start.measured(Picked(self.layers), maps)
        style = self._of_styles(sources, MOST_ON_GRID)
        return Target(
            {layer: Indexed(maps[layer].map, _nearest_of(start[layer], style[layer])) for layer in self.layers},
            {layer: tf.constant(float(len(places))) for layer, places in grids.items()},
        )

    def _on_grid(self, sources: Sources) -> tuple[dict[str, Places], dict[str, Indexed]]:
        """By layer the places of the picture that this round looks at, and the maps of them."""
        random = np.random.default_rng(sources.seed)
        shapes = {layer: shape_at(sources.start, layer) for layer in self.layers}
        grids = {layer: _grid(shape, random, self.wraps) for layer, shape in shapes.items()}
        return grids, {layer: numbered(places, shapes[layer]) for layer, places in grids.items()}

    def measure(self, layer: str, features: tf.Tensor | Piece, target: Any) -> tf.Tensor:
        """Σ (1 - cos) over the grid's positions, a float32 scalar."""
        numbers, table = target
        where = tf.where(numbers >= 0)
        rows = tf.gather_nd(numbers, where)
        guided = isinstance(table, MatchedIn)
        means = tf.gather(table.means, tf.gather(table.region, rows)) if guided else table.mean
        weights = tf.gather(table.weights, rows) if guided else tf.ones_like(rows, tf.float32)
        return _apart(*located(features, where), means, tf.gather(table.style, rows), weights)

    def _guided(self, sources: Sources) -> Target:
        """The target with regions."""
        grids, maps = self._on_grid(sources)
        start = sources.start.measured(Picked(self.layers), maps)
        most = max(1, MOST_ON_GRID // len(sources.regions))
        styles = [self._of_styles(sources._replace(styles=region.styles), most) for region in sources.regions]
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

    def _of_styles(self, sources: Sources, most: int) -> dict[str, tf.Tensor]:
        """By layer, features (n, channels) of the styles at positions of their grids, not many more
        than `most`: the same in all rounds, so that a style is measured once."""
        random = np.random.default_rng(sources.style_seed)
        images = [style.image for style in sources.styles]
        found: list[dict[str, Places]] = [{} for _ in images]
        for layer in self.layers:
            seen = [visible(_grid(shape_at(image, layer), random), image, layer) for image in images]
            for of_image, places in zip(found, shared(seen, sources, most), strict=True):
                of_image[layer] = places
        picked = [self._picked(image, places) for image, places in zip(images, found, strict=True)]
        return {layer: tf.concat([each[layer] for each in picked], 0) for layer in self.layers}

    def _picked(self, image: Image, places: Mapping[str, Places]) -> Measured:
        maps = {layer: numbered(each, shape_at(image, layer)) for layer, each in places.items()}
        return image.measured(Picked(self.layers), maps, told_apart(places.values()))

    def distances(self, measured: Measured, target: Target) -> Distances:
        """The mean of 1 - cos over the positions of each layer."""
        return {layer: measured[layer] / target.statistics[layer] for layer in self.layers}

    def summed(self, distances: Distances, weights: Mapping[str, Any]) -> tf.Tensor:
        """The mean over layers, in thousandths."""
        return _THOUSAND * tf.add_n(list(distances.values())) / len(distances)

    def shares(self, distances: Distances, weights: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Each layer's part of that mean."""
        return {layer: _THOUSAND * distance / len(distances) for layer, distance in distances.items()}


def _apart(features: tf.Tensor, where: tf.Tensor, means: Any, matched: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Σ w (1 - cos(F - f̄, M)), a float32 scalar, over positions `where` (n, 2) of features (height,
    width, channels), with `means` (n, channels) or (channels,), and `matched` (n, channels), each
    of length 1. With d = F - f̄ its gradient by F is -w (M - (d·M / d·d) d) / |d|. TensorFlow's own
    takes three times as long."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def apart(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        here = tf.cast(tf.gather_nd(features, where), tf.float32) - means
        style = tf.cast(matched, tf.float32)
        squares = tf.reduce_sum(tf.square(here), -1)
        inverse, product = lengths_inverse(squares), tf.reduce_sum(here * style, -1)

        def gradient(incoming: tf.Tensor) -> tf.Tensor:
            # what counts as long as the shortest vector there is stays as long where it moves
            along = tf.where(squares > NOTHING, product * tf.square(inverse), 0.0)[:, tf.newaxis]
            by_here = (-incoming * weights * inverse)[:, tf.newaxis] * (style - along * here)
            return tf.scatter_nd(where, tf.cast(by_here, features.dtype), tf.shape(features, where.dtype))

        return tf.reduce_sum(weights * (1.0 - product * inverse)), gradient

    found: tf.Tensor = apart(features)
    return found


def _nearest_of(here: tf.Tensor, style: tf.Tensor) -> Matched:
    """What features (positions, channels) are compared with, of those of the styles."""
    kind = here.dtype
    here, style = tf.cast(here, tf.float32), tf.cast(centred(style), kind)
    # a row for each position, by whose number it is looked up: a style has as many as it shows
    return Matched(tf.reduce_mean(here, 0), tf.gather(style, nearest(tf.cast(centred(here), kind), style)))


def _nearest_in(
    here: tf.Tensor, styles: Sequence[tf.Tensor], belongs: Sequence[NDArray[np.bool_]], weights: NDArray[np.float32]
) -> MatchedIn:
    """The same of features (positions, channels) by region, of whose styles these are."""
    kind, here = here.dtype, tf.cast(here, tf.float32)
    own = [tf.cast(centred(style), kind) for style in styles]
    best, means = Best(len(weights)), []
    for style, mine in zip(own, belongs, strict=True):
        places = np.flatnonzero(mine)
        vectors = tf.gather(here, places)
        means.append(tf.math.divide_no_nan(tf.reduce_sum(vectors, 0), float(len(places))))
        apart = tf.cast(directions(vectors - means[-1]), kind)
        best.add(places, style.shape[0], lambda apart=apart, style=style: nearest_with_product(apart, style))  # type: ignore[misc]
    style = tf.gather(tf.concat(own, 0), best.numbers)
    return MatchedIn(tf.stack(means), style, tf.constant(best.sets), tf.constant(weights))


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
