"""The same loss and gradient in pieces: memory that does not grow with the picture, to rounding the same numbers.

The loss needs of the network's lower blocks only sums over positions, and the pooled features that the upper blocks start
from. So an evaluation is made in three parts:

    1  forward, tile by tile      lower blocks: each tile's share of the sums, and of the pooled features
    2  at once                    upper blocks and the loss, with its gradient by the pooled features and by the sums
    3  backward, tile by tile     lower blocks once more, and from those gradients each tile's share of the picture's

Each tile is computed with a halo as wide as its core's features can see, and counts only its core; a picture's own border is
seen as without tiles. Nearly all memory is held by the lower blocks, where pictures are large, and most of the work is done in
the upper ones: cutting below the first pool repeats 5 % of an evaluation, below the second 13 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.nst.extractor import Vgg19, cut, names_up_to, reduction
from pipeline.nst.objective import Distances, Objective, Sums, Targets, Weights, merged
from pipeline.nst.tiling import Tiling
from pipeline.options import LINEAR


class _Piece(NamedTuple):
    """One tile. Positions are in pixels of the canvas."""

    rows: tuple[int, int]  # core
    columns: tuple[int, int]
    tile: tuple[int, int, int, int]  # top, left, bottom, right, with halo


class Tiles:
    """An objective evaluated in tiles, for pictures of one shape (height, width, 3): its targets, its loss, and, called, its
    loss with the gradient (`Evaluate` of nst/descent)."""

    def __init__(self, objective: Objective, network: Vgg19, shape: tuple[int, ...], tiling: Tiling) -> None:
        self._objective, self._network = objective, network
        self._height, self._width, _ = shape
        layers = [*objective.content_layers, *objective.style_layers]
        names = names_up_to(layers)
        self._pool = f"block{tiling.split}_pool" if f"block{tiling.split}_pool" in names[:-1] else None
        climbed = names.index(self._pool) + 1 if self._pool else len(names)
        self._lower, self._upper = names[:climbed], names[climbed:]
        self._lower_layers = [layer for layer in layers if layer.removesuffix(LINEAR) in self._lower]
        self._upper_layers = [layer for layer in layers if layer.removesuffix(LINEAR) in self._upper]
        self._pieces = list(self._cut(tiling.side))
        # Tiles at the border are smaller than others: one trace for all of them.
        tile, place = tf.TensorSpec([None, None, 3]), tf.TensorSpec([4], tf.int32)
        features, scalar = tf.TensorSpec([None, None, None], network.dtype), tf.TensorSpec([])
        gram = tf.TensorSpec([None, None])
        content = {layer: features for layer in objective.content_layers if layer in self._lower_layers}
        places = dict.fromkeys([*self._lower_layers, *([f"whole {self._pool}"] if self._pool else [])], place)
        grams = {layer: gram for layer in objective.style_layers if layer in self._lower_layers}
        by_sums = Sums(dict.fromkeys(content, scalar), grams, {})
        by_pooled = {self._pool: features} if self._pool else {}

        def traced(function: Callable[..., Any], *specification: Any) -> Callable[..., Any]:
            result: Callable[..., Any] = tf.function(function, input_signature=specification, autograph=False)
            return result

        self._forward = traced(self._forwards, tile, places, content)
        self._forward_style = traced(self._forwards, tile, places, {})
        self._backward = traced(self._backwards, tile, places, content, by_sums, by_pooled)
        self._above = tf.function(self._upper_sums, autograph=False)
        self._middle = tf.function(self._middles, autograph=False)

    def content_targets(self, photograph: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """As `Objective.content_targets`."""
        canvas = self._network.canvas(photograph)
        wanted = self._objective.content_layers
        found = {layer: self._joined(canvas, layer, whole=False) for layer in wanted if layer in self._lower_layers}
        if self._pool and len(found) < len(wanted):
            pooled = self._joined(canvas, self._pool, whole=True)[tf.newaxis]
            upper = [name for name in wanted if name not in found]
            found |= self._network.climb(pooled, self._upper, upper, self._inside)
        return found

    def style_targets(self, painting: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """As `Objective.style_targets`."""
        sums, pooled = self._gathered(self._network.canvas(painting), None)
        if pooled is not None:
            sums = merged(sums, self._above(pooled, {}))
        return {layer: sums.grams[layer] / sums.positions[layer] for layer in self._objective.style_layers}

    def loss(self, picture: tf.Tensor, targets: Targets, weights: Weights) -> Distances:
        """As `Objective.__call__`."""
        sums, pooled = self._gathered(self._network.canvas(picture), targets.content)
        if pooled is not None:
            sums = merged(sums, self._above(pooled, targets.content))
        return self._objective.distances(picture, sums, targets, weights)

    def __call__(self, picture: tf.Tensor, targets: Targets, weights: Weights) -> tuple[Distances, tf.Tensor]:
        """Loss and gradient (height, width, 3) of a picture."""
        sums, pooled = self._gathered(self._network.canvas(picture), targets.content)
        distances, own, by_sums, by_pooled = self._middle(picture, sums, pooled, targets, weights)
        del pooled
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(picture)
            canvas = self._network.canvas(picture)  # once more: there is least room in the middle
        strips: dict[tuple[int, int], tf.Tensor] = {}
        for piece in self._pieces:
            top, left, bottom, right = piece.tile
            incoming = {} if by_pooled is None else {self._pool: self._core(by_pooled, piece)}
            share = self._backward(
                canvas[0, top:bottom, left:right],
                self._places(piece),
                self._content(targets.content, piece),
                by_sums,
                incoming,
            )
            padded = tf.pad(share, [[0, 0], [left, canvas.shape[2] - right], [0, 0]])
            row = (top, bottom)
            strips[row] = strips[row] + padded if row in strips else padded
        gathered = tf.zeros(canvas.shape[1:])
        for top, bottom in list(strips):
            gathered += tf.pad(strips.pop((top, bottom)), [[top, canvas.shape[1] - bottom], [0, 0], [0, 0]])
        return distances, own + tape.gradient(canvas, picture, output_gradients=gathered[tf.newaxis])

    def _gathered(self, canvas: tf.Tensor, content: Mapping[str, tf.Tensor] | None) -> tuple[Sums, tf.Tensor | None]:
        """The lower layers' sums, and the features that the upper blocks start from (1, height, width, channels). Without
        `content` nothing is compared with a photograph."""
        sums: Sums | None = None
        rows: dict[int, list[tf.Tensor]] = {}
        for piece in self._pieces:
            top, left, bottom, right = piece.tile
            tile, places = canvas[0, top:bottom, left:right], self._places(piece)
            if content is None:
                found, pooled = self._forward_style(tile, places, {})
            else:
                found, pooled = self._forward(tile, places, self._content(content, piece))
            sums = found if sums is None else tf.nest.map_structure(tf.add, sums, found)
            rows.setdefault(piece.rows[0], []).append(pooled)
        assert sums is not None  # there is at least one tile
        if self._pool is None:
            return sums, None
        whole = tf.concat([tf.concat(row, axis=1) for row in rows.values()], axis=0)
        return sums, whole[tf.newaxis]

    # ------------------------------------------------------------------------------------------------------------- graphs

    def _forwards(
        self, tile: tf.Tensor, places: Mapping[str, tf.Tensor], content: Mapping[str, tf.Tensor]
    ) -> tuple[Sums, tf.Tensor | None]:
        """A tile's (h, w, 3) sums over its core, and its core's pooled features."""
        wanted = [*self._lower_layers, *([self._pool] if self._pool else [])]
        measure = self._objective.measure(content)

        def measure_core(layer: str, features: tf.Tensor) -> tuple[Sums, list[tf.Tensor]]:
            core = places.get(layer)  # the pool where tiles end need not be a layer of the loss
            sums = measure(layer, cut(features, *tf.unstack(core, 4))) if core is not None else Sums({}, {}, {})
            whole = [cut(features, *tf.unstack(places[f"whole {layer}"], 4))] if layer == self._pool else []
            return sums, whole

        found = self._network.climb(tile[tf.newaxis], self._lower, wanted, measure_core).values()
        pooled = [whole for _, wholes in found for whole in wholes]
        return merged(*(sums for sums, _ in found)), pooled[0] if pooled else None

    def _backwards(
        self,
        tile: tf.Tensor,
        places: Mapping[str, tf.Tensor],
        content: Mapping[str, tf.Tensor],
        by_sums: Sums,
        by_pooled: Mapping[str, tf.Tensor],
    ) -> tf.Tensor:
        """The gradient by a tile's pixels (h, w, 3), given the loss' gradients by its sums and pooled features."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tile)
            sums, pooled = self._forwards(tile, places, content)
            results = [*tf.nest.flatten((sums.content, sums.grams)), *([] if pooled is None else [pooled])]
        incoming = [*tf.nest.flatten((by_sums.content, by_sums.grams)), *by_pooled.values()]
        return tape.gradient(results, tile, output_gradients=incoming)

    def _middles(
        self, picture: tf.Tensor, sums: Sums, pooled: tf.Tensor | None, targets: Targets, weights: Weights
    ) -> tuple[Distances, tf.Tensor, Sums, tf.Tensor | None]:
        """The upper blocks and the loss; its gradients by the picture itself (variation), by the sums, by the features."""
        sources = [(sums.content, sums.grams), *([] if pooled is None else [pooled])]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tf.nest.flatten(sources))
            whole = sums if pooled is None else merged(sums, self._upper_sums(pooled, targets.content))
            distances = self._objective.distances(picture, whole, targets, weights)
        found = tape.gradient(distances.total, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        # The picture's own part at the end: it is of the size of the picture, and so is what it needs.
        with tf.control_dependencies(tf.nest.flatten(found)):
            again = tf.identity(picture)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(again)
            variation = self._objective.variation(again, weights)
        own = tape.gradient(variation, again)
        (by_content, by_grams), *by_pooled = found
        return distances, own, Sums(by_content, by_grams, {}), by_pooled[0] if by_pooled else None

    def _upper_sums(self, pooled: tf.Tensor, content: Mapping[str, tf.Tensor]) -> Sums:
        measure = self._objective.measure(content)

        def measure_inside(layer: str, features: tf.Tensor) -> Sums:
            return measure(layer, self._inside(layer, features))

        return merged(*self._network.climb(pooled, self._upper, self._upper_layers, measure_inside).values())

    def _inside(self, layer: str, features: tf.Tensor) -> tf.Tensor:
        return self._network.inside(features, reduction(layer), self._height, self._width)

    def _core_features(self, tile: tf.Tensor, layer: str, place: tf.Tensor) -> tf.Tensor:
        """A tile's (h, w, 3) core of one lower layer's features."""
        found = self._network.climb(tile[tf.newaxis], names_up_to([layer]), [layer])
        return cut(found[layer], *tf.unstack(place, 4))

    def _joined(self, canvas: tf.Tensor, layer: str, *, whole: bool) -> tf.Tensor:
        """One lower layer's features of the whole picture (height, width, channels), or with the frame."""
        rows: dict[int, list[tf.Tensor]] = {}
        for piece in self._pieces:
            top, left, bottom, right = piece.tile
            core = self._core_features(canvas[0, top:bottom, left:right], layer, self._place(piece, layer, whole=whole))
            rows.setdefault(piece.rows[0], []).append(core)
        return tf.concat([tf.concat(row, axis=1) for row in rows.values()], axis=0)

    # ----------------------------------------------------------------------------------------------------------- geometry

    def _cut(self, side: int) -> Iterator[_Piece]:
        """Tiles whose cores cover the canvas: about square, of about equal size, on whole positions of every lower layer."""
        unit = 2 ** sum(name.endswith("_pool") for name in self._lower)
        halo = -(-radius(self._lower) // unit) * unit
        frame = self._network.frame
        heights, widths = (
            list(_cores(length + 2 * frame, side + 2 * frame, unit)) for length in (self._height, self._width)
        )
        for first, last in heights:
            for left, right in widths:
                tile = (
                    max(0, first - halo),
                    max(0, left - halo),
                    min(self._height + 2 * frame, last + halo),
                    min(self._width + 2 * frame, right + halo),
                )
                yield _Piece((first, last), (left, right), tile)

    def _places(self, piece: _Piece) -> dict[str, tf.Tensor]:
        """Where a tile's core lies in its own features: (top, left, height, width) by layer, and that of the pooled features,
        which keep the frame."""
        places = {layer: self._place(piece, layer, whole=False) for layer in self._lower_layers}
        if self._pool:
            places[f"whole {self._pool}"] = self._place(piece, self._pool, whole=True)
        return places

    def _place(self, piece: _Piece, layer: str, *, whole: bool) -> tf.Tensor:
        (top, height), (left, width) = (
            (first - before // reduction(layer), length)
            for before, (first, length) in zip(piece.tile[:2], self._spans(piece, layer, whole=whole), strict=True)
        )
        return tf.constant([top, left, height, width])

    def _spans(self, piece: _Piece, layer: str, *, whole: bool) -> Iterator[tuple[int, int]]:
        """First position and number of positions of a core in the features of the canvas, down and to the right; without
        those in the frame, unless `whole`."""
        factor, frame = reduction(layer), self._network.frame
        for (first, last), length in ((piece.rows, self._height), (piece.columns, self._width)):
            end = (length + 2 * frame) // factor if last == length + 2 * frame else last // factor
            low, high = first // factor, end
            if not whole:
                low, high = max(low, frame // factor), min(high, frame // factor + length // factor)
            yield low, max(0, high - low)

    def _content(self, content: Mapping[str, tf.Tensor], piece: _Piece) -> dict[str, tf.Tensor]:
        """The photograph's features in a tile's core, for the lower content layers."""
        found = {}
        for layer in self._objective.content_layers:
            if layer in self._lower_layers:
                (top, height), (left, width) = self._spans(piece, layer, whole=False)
                off = self._network.frame // reduction(layer)
                found[layer] = content[layer][top - off : top - off + height, left - off : left - off + width]
        return found

    def _core(self, pooled: tf.Tensor, piece: _Piece) -> tf.Tensor:
        """A tile's core of the pooled features of the whole canvas (1, height, width, channels)."""
        assert self._pool is not None  # or there were no pooled features
        (top, height), (left, width) = self._spans(piece, self._pool, whole=True)
        return pooled[0, top : top + height, left : left + width]


def radius(names: tuple[str, ...]) -> int:
    """How far, in pixels, the features of the deepest of the layers `names`, which start at the picture, see to one side."""
    seen = 0
    for name in names:
        seen += reduction(name) // 2 if name.endswith("_pool") else reduction(name)
    return seen


def _cores(length: int, side: int, unit: int) -> Iterator[tuple[int, int]]:
    """[0, length) in pieces of about equal size, at most `side` where a whole number of `unit` allows it."""
    count = max(1, -(-length // max(side, unit)))
    size = -(-length // count // unit) * unit
    for first in range(0, max(1, length), size):
        yield first, min(first + size, length)
