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
is found anew every few evaluations, for the picture as it stands and at other positions of it. The
style's grid is the same all the time, so that a style is measured once: of four pairs at 192 px
losses are what they are with another grid each time, within 0.25 %. E is the mean over layers.

Where we differ: layers are the first ten of VGG19, as theirs are of VGG16; a neighbour is kept for
some evaluations, as theirs is found anew in each; what moves is the picture itself, by any
optimizer, and not a Laplacian pyramid by Adam. Of several styles, each gives as many positions as
its share says.

What is kept of a match is its number in a table of the style, and what is looked up is cut along
with tiles: losses are those of the whole within 1e-5 and gradients within 1e-4, in float32, by
test. A position that the picture's border cuts off goes on from the one before.

With regions (`guides`) a position looks only among the positions of those styles whose region it
belongs to, each set being centred by itself, and 1 - cos counts as the masks say: E is Σ of that
over all positions of the picture by their number.

Where the photograph P is plain, by w_p of 0..1 (`Sources.plain`), G is nearly the picture itself,
so that its strokes grow from size to size, and

    n(p)   = argmax over q of cos(G_p - ḡ, S_q - s̄) + w_p · cos(P_p - p̄, S_q - s̄)

so that a sky becomes strokes of the style's sky, and no roof.

With `coherence` places beside each other are matched together (`terms/coherence`), at sizes at
which all places of the styles are looked at.

In bfloat16 losses are 0.06 % (by layer 0.08 %) above those in float32 and gradients differ by 5 %
(cosine 0.999), each with targets of its own; 99 of 100 positions have the same neighbour, in the
last pass all. Measured at 64 px, the coffee in starry flow, with the 8-bit weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.network import NETWORKS
from pipeline.nst.positions import MOST, QUARTER, cells, matched_layers
from pipeline.nst.terms.candidates import Best, Places, numbered, shared, visible
from pipeline.nst.terms.coherence import Numbers, Rows, coherent, rows_of
from pipeline.nst.terms.guides import at_cells, claims, strengths
from pipeline.nst.terms.hypercolumns import Picked, alike, columns_at, part
from pipeline.nst.terms.matching import directions, lengths_inverse, nearest_with_product
from pipeline.nst.terms.neighbours_by_layer import NeighboursByLayer
from pipeline.nst.terms.sums import NOTHING
from pipeline.nst.terms.term import (
    Combine,
    Concatenate,
    Indexed,
    Measured,
    Sources,
    Target,
    Weighted,
)
from pipeline.nst.wrapping import NO_WRAP, Wraps
from pipeline.options import Options

_THOUSAND = 1000.0
_AT_ONCE = 2048  # hypercolumns in float32, 28 MB


class Alike(NamedTuple):
    """Of a layer, at a quarter of the picture's resolution, float32 (height, width): the product
    with its part of the style's hypercolumn, which is of length 1, and the squared length."""

    product: tf.Tensor
    squares: tf.Tensor


class Asked(NamedTuple):
    """What neighbours are looked up for, by layer: parts of hypercolumns of what is `seen` and,
    where there are `plain` areas, of the photograph, which counts there by `weights`
    (positions,)."""

    seen: Measured
    plain: Measured | None = None
    weights: NDArray[np.float32] = np.zeros(0, np.float32)


class Columns(NamedTuple):
    """The hypercolumns of styles that are looked at: parts (rows, channels) by layer, and where
    they lie, which is None where coherence is not asked for or cannot be had."""

    parts: dict[str, tf.Tensor]
    rows: Rows | None


@dataclass(frozen=True)
class Neighbours:
    """Distance to the nearest hypercolumns of the style. `coherence` is that of `coherent`."""

    layers: tuple[str, ...]
    wraps: Wraps = NO_WRAP
    coherence: float = 0.0
    name: ClassVar[str] = "style"
    alike_by_reduction: ClassVar[bool] = True
    combine: ClassVar[Combine] = Concatenate(cell=QUARTER)
    needs_start: ClassVar[bool] = True

    def target(self, sources: Sources) -> Target:
        """Maps of the numbers of neighbours, int32, and tables of the style's hypercolumns, each of
        length 1."""
        if sources.regions:
            return self._guided(sources)
        style = self._of_styles(sources)
        asked = self._asked(sources)
        shape = asked.seen[self.layers[0]].shape[:2]
        _products, numbers = _nearest_at(asked, style, np.arange(shape[0] * shape[1]), self)
        numbers = tf.reshape(tf.cast(numbers, tf.int32), shape)
        return Target(self._maps(numbers, style.parts, _most_rows(sources)), ())

    def _guided(self, sources: Sources) -> Target:
        """The same with regions; statistics are how much each position counts."""
        most, regions = max(1, MOST // len(sources.regions)), sources.regions
        styles = [self._of_styles(sources._replace(styles=region.styles), most) for region in regions]
        weights = [at_cells(region.mask, QUARTER, sources.content.size) for region in regions]
        numbers = _matched_in(self._asked(sources), styles, claims(weights), self)
        style = {layer: tf.concat([each.parts[layer] for each in styles], 0) for layer in self.layers}
        return Target(self._maps(numbers, style), tf.constant(strengths(weights, regions)))

    def _asked(self, sources: Sources) -> Asked:
        seen, plain = sources.guide.measured(self), sources.plain
        if plain is None:
            return Asked(seen)
        weights = at_cells(plain.levels, QUARTER, sources.guide.size).ravel()
        return Asked(seen, plain.photograph.measured(self), weights)

    def _maps(self, numbers: tf.Tensor, style: Mapping[str, tf.Tensor], rows: int = 0) -> dict[str, Indexed]:
        """Tables of `rows` rows, if that is more than there are."""
        inverse = lengths_inverse(tf.add_n([_squares(each) for each in style.values()]))
        tables = {layer: tf.cast(tf.cast(each, tf.float32) * inverse, each.dtype) for layer, each in style.items()}
        return {layer: Indexed(numbers, _padded(table, rows)) for layer, table in tables.items()}

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

    def _of_styles(self, sources: Sources, most: int = MOST) -> Columns:
        """Those hypercolumns of the styles that are looked at, not many more than `most`."""
        images = [style.image for style in sources.styles]
        shapes = [cells(image.size) for image in images]
        everywhere = [np.arange(height * width) for height, width in shapes]
        seen = [visible(places, image, QUARTER) for places, image in zip(everywhere, images, strict=True)]
        sets = shared(seen, sources, most)
        picked = [
            image.measured(Picked(self.layers, QUARTER), dict.fromkeys(self.layers, numbered(places, shape)))
            for image, places, shape in zip(images, sets, shapes, strict=True)
        ]
        parts = {layer: tf.concat([each[layer] for each in picked], 0) for layer in self.layers}
        # of places that chance takes hardly any two lie beside each other
        whole = sum(map(len, sets)) == sum(map(len, seen))
        return Columns(parts, rows_of(shapes, sets) if whole and self.coherence > 0 else None)


def _most_rows(sources: Sources) -> int:
    """As many as several styles have without sharing: so a clip in which shares change keeps its
    trace."""
    whole = sum(math.prod(cells(style.image.size)) for style in sources.styles)
    return min(MOST, whole) if len(sources.styles) > 1 else 0


def _padded(table: tf.Tensor, rows: int) -> tf.Tensor:
    return tf.pad(table, [(0, max(0, rows - table.shape[0])), (0, 0)])


def _squares(vectors: tf.Tensor) -> tf.Tensor:
    """Squared lengths (n, 1) of vectors (n, channels), in float32."""
    return tf.reduce_sum(tf.square(tf.cast(vectors, tf.float32)), -1, keepdims=True)


def _less_mean(vectors: tf.Tensor) -> Callable[[], tf.Tensor]:
    """Vectors (n, channels) less their mean, in float32, made when they are called for."""
    mean = tf.reduce_mean(tf.cast(vectors, tf.float32), 0)
    return lambda: tf.cast(vectors, tf.float32) - mean


def _matched_in(
    asked: Asked, styles: Sequence[Columns], belongs: Sequence[NDArray[np.bool_]], term: Neighbours
) -> tf.Tensor:
    """The same with regions: the nearest hypercolumn of any region that a position belongs to, by
    its number among those of all styles, one style after the other."""
    numbers = Best(belongs[0].size)
    for style, own in zip(styles, belongs, strict=True):
        places, rows = np.flatnonzero(own), next(iter(style.parts.values())).shape[0]
        numbers.add(places, rows, lambda style=style, places=places: _nearest_at(asked, style, places, term))  # type: ignore[misc]
    return tf.constant(numbers.numbers.astype(np.int32).reshape(belongs[0].shape))


def _nearest_at(asked: Asked, style: Columns, places: Places, term: Neighbours) -> tuple[tf.Tensor, tf.Tensor]:
    """For these places of a picture the product with the nearest hypercolumn of the style, and its
    number. Only a few hypercolumns of the picture at a time are in float32."""
    kind = style.parts[next(iter(style.parts))].dtype
    apart = {layer: _less_mean(each) for layer, each in style.parts.items()}
    inverse = lengths_inverse(tf.add_n([_squares(each()) for each in apart.values()]))
    others = tf.concat([tf.cast(each() * inverse, kind) for each in apart.values()], -1)
    directions_at = _directions_asked(asked, list(style.parts), places, term.wraps)
    found = [
        nearest_with_product(tf.cast(directions_at(some), kind), others) for some in _a_few(np.arange(len(places)))
    ]
    products, numbers = (tf.concat(each, 0) for each in zip(*found, strict=True))
    if style.rows is None:
        return products, numbers

    def likeness(of: Numbers, rows: Numbers) -> NDArray[np.float32]:
        """As `coherence.Products`; a place's hypercolumn is made once for all its rows."""
        asked_of, which = np.unique(of, return_inverse=True)
        order, found = np.argsort(which, kind="stable"), np.zeros(len(of), np.float32)
        begins = np.searchsorted(which[order], np.arange(0, len(asked_of) + _AT_ONCE, _AT_ONCE))
        for some, pairs in zip(_a_few(asked_of), np.split(order, begins[1:-1]), strict=True):
            here = directions_at(some).numpy()
            for few in _a_few(pairs):
                beside = tf.cast(tf.gather(others, rows[few]), tf.float32).numpy()
                found[few] = np.einsum("nc,nc->n", here[which[few] - which[pairs[0]]], beside)
        return found

    shape = next(iter(asked.seen.values())).shape[:2]
    products, numbers = coherent(
        numbers.numpy(), likeness, style.rows, places, tuple(shape), term.coherence, term.wraps
    )
    return tf.constant(products), tf.constant(numbers)


def _a_few(numbers: Numbers) -> list[Numbers]:
    """Numbers in pieces of `_AT_ONCE`."""
    return [numbers[begin : begin + _AT_ONCE] for begin in range(0, len(numbers), _AT_ONCE)]


def _directions_asked(
    asked: Asked, layers: Sequence[str], places: Places, wraps: Wraps
) -> Callable[[Numbers], tf.Tensor]:
    """What neighbours of some of the places, by their numbers, are looked up for."""
    seen = _directions_of({layer: asked.seen[layer] for layer in layers}, places, wraps)
    if asked.plain is None:
        return seen
    plain = _directions_of({layer: asked.plain[layer] for layer in layers}, places, wraps)
    weights = asked.weights[places, np.newaxis]
    return lambda some: seen(some) + tf.constant(weights[some]) * plain(some)


def _directions_of(parts: Measured, places: Places, wraps: Wraps) -> Callable[[Numbers], tf.Tensor]:
    """The hypercolumns at some of those places, by their numbers, less the mean of all of them,
    each of length 1: float32 (n, channels), of at most `_AT_ONCE`."""
    shape = next(iter(parts.values())).shape[:2]

    def columns(some: Numbers) -> tf.Tensor:
        where = tf.constant(np.stack(np.unravel_index(places[some], shape), -1), tf.int32)
        return columns_at(parts, where, tf.constant(shape), wraps)

    total = tf.zeros(sum(part.shape[-1] for part in parts.values()))
    for some in _a_few(np.arange(len(places))):
        total += tf.reduce_sum(columns(some), 0)
    mean = total / len(places)
    return lambda some: directions(columns(some) - mean)


def from_options(options: Options) -> Weighted:
    """The term that a pair asks for."""
    layers = matched_layers(NETWORKS[options.network])
    terms = Neighbours(layers, options.wraps, options.coherence), NeighboursByLayer(layers, options.wraps)
    return Weighted(terms[0], options.style_weight, {}, terms[1])
