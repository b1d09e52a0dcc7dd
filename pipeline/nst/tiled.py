"""The same losses and gradients in tiles: memory that does not grow with the picture, to rounding
the same numbers.

The objective needs of the network's lower blocks only measures that can be combined from tiles,
and the pooled features that the upper blocks start from. So an evaluation is made in three parts:

    1  forward, tile by tile      lower blocks: each tile's measures, and its pooled features
    2  at once                    upper blocks and losses, with the gradient of the total by the
                                  pooled features and by the measures
    3  backward, tile by tile     lower blocks once more, and from those gradients each tile's
                                  share of the picture's

Each tile counts only its core; a picture's own border is seen as without tiles. The lower blocks
hold nearly all memory, the upper ones do most of the work: cutting below the first pool repeats 5 %
of an evaluation, below the second 13 %.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.nst.combining import Found, Grid, joined, split
from pipeline.nst.extractor import Extractor, Measure, features_themselves
from pipeline.nst.geometry import Geometry, Tile
from pipeline.nst.graphs import Call, Traces, of_any_shape
from pipeline.nst.network import LINEAR, reduction
from pipeline.nst.objective import TOTAL, LossWeights, Objective, Probes, Targets, maps_of
from pipeline.nst.pieces import cut
from pipeline.nst.terms.term import PICTURE, Indexed, Measured, Probe
from pipeline.nst.tiling import Tiling
from pipeline.nst.wrapping import continued

Maps = Mapping[str, Mapping[str, Any]]
"""What probes are compared with, by probe and layer: maps, and tables where these are `Indexed`."""

_FRAMED = " with frame"  # after the name of a pool: its place with its frame, which is no layer's


class _Forward(NamedTuple):
    """The lower blocks' answers: measures of each tile by row and column, and the pooled features
    (1, height, width, channels) of all of them, with the frame."""

    grid: Grid
    pooled: tf.Tensor | None


class TiledEvaluator:
    """Evaluates pictures of one shape (height, width, 3) in tiles, as `Evaluator` says."""

    def __init__(self, objective: Objective, extractor: Extractor, shape: tuple[int, ...], tiling: Tiling) -> None:
        self._objective, self._extractor, self._of_tiles = objective, extractor, extractor.without_wraps()
        names = extractor.network.names_up_to(objective.layers)
        pool = f"block{tiling.split}_pool"
        self._pool = pool if pool in names[:-1] else None
        ends = names.index(pool) + 1 if self._pool else len(names)
        self._lower, self._upper = names[:ends], names[ends:]
        self._geometry = Geometry(
            *shape[:2],
            frame=max(extractor.frames),
            names=self._lower,
            side=tiling.side,
            cell=max((term.combine.cell or 0 for term in objective.terms), default=0),
            wraps=extractor.wraps,
        )
        self._traced = Traces()

    def features(self, image: tf.Tensor, layers: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """As `Evaluator.features`."""
        padded = self._padded(image)
        found = {layer: self._joined(padded, layer, framed=False) for layer in self._below(layers)}
        if self._pool and len(found) < len(layers):
            pooled = self._joined(padded, self._pool, framed=True)[tf.newaxis]
            upper = [layer for layer in layers if layer not in found]
            found |= self._extractor.forward(pooled, self._upper, upper, self._inside(features_themselves))
        return {layer: found[layer] for layer in layers}

    def measured(self, image: tf.Tensor, probe: Probe, maps: Mapping[str, Any] | None = None) -> Measured:
        """As `Evaluator.measured`."""
        found = self._all_measured(image, Probes([probe]), {probe.name: maps} if maps else {})
        return {layer: by_probe[probe.name] for layer, by_probe in found.items() if by_probe}

    def losses(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> dict[str, tf.Tensor]:
        """As `Evaluator.losses`."""
        return self._objective.losses(self._all_measured(picture, self._objective, maps_of(targets)), targets, weights)

    def prepare(self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]) -> None:
        """Nothing: tiles are traced as they come."""

    def __call__(
        self, picture: tf.Tensor, targets: Targets, weights: Mapping[str, LossWeights]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """As `Evaluator.__call__`."""
        maps = maps_of(targets)
        grid, pooled = self._forward(picture, self._objective, maps)
        measured = joined(self._objective, grid)
        key = ("middle", _kinds((measured, targets, weights)))
        middle = self._traced.get(key, lambda: tf.function(self._middles, autograph=False))
        losses, own, by_measured, by_pooled = middle(picture, measured, pooled, targets, weights)
        del pooled
        return losses, own + self._backward(picture, maps, grid, by_measured, by_pooled)

    # ------------------------------------------------------------------------------ the three parts

    def _forward(self, image: tf.Tensor, probes: Probes, maps: Maps) -> _Forward:
        """The lower blocks, tile by tile."""
        padded = self._padded(image)
        forward = self._graph(self._forward_tile, probes, maps)
        grid: Grid = []
        rows: list[tf.Tensor] = []
        for row in self._geometry.grid:
            answers = [
                forward(_pixels(padded, tile), self._places(tile), self._cut_maps(probes, maps, tile)) for tile in row
            ]
            grid.append([measured for measured, _ in answers])
            if self._pool:
                rows.append(tf.concat([pooled for _, pooled in answers], axis=1))
            del answers
        return _Forward(grid, tf.concat(rows, axis=0)[tf.newaxis] if self._pool else None)

    def _middles(
        self,
        picture: tf.Tensor,
        lower: Found,
        pooled: tf.Tensor | None,
        targets: Targets,
        weights: Mapping[str, LossWeights],
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, Found, tf.Tensor | None]:
        """The upper blocks and the losses; the gradients of the total by the picture itself, by
        the lower layers' measures, by the pooled features."""
        measure = self._objective.measure(maps_of(targets))
        own = measure(PICTURE).of(picture)
        sources = [lower, own, *([] if pooled is None else [pooled])]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tf.nest.flatten(sources))
            upper = {} if pooled is None else self._above(self._objective, pooled, maps_of(targets))
            found = {**lower, **upper, PICTURE: own}
            losses = self._objective.losses(found, targets, weights)
        by_lower, by_own, *by_pooled = tape.gradient(
            losses[TOTAL], sources, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        # The picture's own part at the end: what it needs is of the picture's size.
        with tf.control_dependencies(tf.nest.flatten([by_lower, by_pooled])):
            again = tf.identity(picture)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(again)
            results = tf.nest.flatten(measure(PICTURE).of(again))
        by_picture = tape.gradient(
            results,
            again,
            output_gradients=tf.nest.flatten(by_own),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return losses, by_picture, by_lower, by_pooled[0] if by_pooled else None

    def _backward(
        self,
        picture: tf.Tensor,
        maps: Maps,
        grid: Grid,
        by_measured: Found,
        by_pooled: tf.Tensor | None,
    ) -> tf.Tensor:
        """The lower blocks' gradient (height, width, 3), tile by tile."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(picture)
            padded = self._padded(picture)  # once more: the middle has least room
        backward = self._graph(self._backward_tile, self._objective, maps)
        strips: dict[tuple[int, int], tf.Tensor] = {}
        by_tile = split(self._objective, grid, by_measured)
        for tile, incoming in zip(self._geometry, by_tile, strict=True):
            share = backward(
                _pixels(padded, tile),
                self._places(tile),
                self._cut_maps(self._objective, maps, tile),
                incoming,
                {} if by_pooled is None else {self._pool: self._core(by_pooled, tile)},
            )
            across = [[0, 0], [tile.left, padded.shape[2] - tile.right], [0, 0]]
            share, row = tf.pad(share, across), (tile.top, tile.bottom)
            strips[row] = strips[row] + share if row in strips else share
        gathered = tf.zeros(padded.shape[1:])
        for top, bottom in list(strips):
            down = [[top, padded.shape[1] - bottom], [0, 0], [0, 0]]
            gathered += tf.pad(strips.pop((top, bottom)), down)
        return tape.gradient(padded, picture, output_gradients=gathered[tf.newaxis])

    # --------------------------------------------------------------------------------------- graphs

    def _graph(self, function: Callable[..., Any], probes: Probes, maps: Maps) -> Any:
        """A tile's function, traced once for tiles of all shapes: those at the border are
        smaller."""
        kinds = tf.nest.map_structure(of_any_shape, dict(maps))
        key = (function.__name__, probes.probes, repr(kinds))
        return self._traced.get(key, lambda: self._trace(function, probes, maps))

    def _trace(self, function: Callable[..., Any], probes: Probes, maps: Maps) -> Any:
        specification = self._specification(maps)
        if function == self._backward_tile:
            measured, pooled = (
                self._graph(self._forward_tile, probes, maps).get_concrete_function(*specification).structured_outputs
            )
            incoming = tf.nest.map_structure(lambda each: tf.TensorSpec(each.shape, each.dtype), measured)
            features = tf.TensorSpec([None, None, None], self._extractor.dtype)
            specification += [incoming, {} if pooled is None else {self._pool: features}]
        return tf.function(lambda *tile: function(probes, *tile), input_signature=specification, autograph=False)

    def _specification(self, maps: Maps) -> list[Any]:
        """The arguments of a tile's functions: its pixels, places of its core, pieces of maps, and
        their tables."""
        places = dict.fromkeys(self._places(next(iter(self._geometry))), tf.TensorSpec([4], tf.int32))
        pieces = {
            name: {layer: tf.nest.map_structure(of_any_shape, of_layers[layer]) for layer in self._below(of_layers)}
            for name, of_layers in maps.items()
        }
        return [tf.TensorSpec([None, None, 3]), places, pieces]

    def _forward_tile(
        self,
        probes: Probes,
        tile: tf.Tensor,
        places: Mapping[str, tf.Tensor],
        maps: Maps,
    ) -> tuple[Found, tf.Tensor | None]:
        """Measures of a tile's (h, w, 3) core, and its core's pooled features."""
        layers = self._below(probes.layers)
        measure = probes.measure(maps)

        def core(layer: str, features: tf.Tensor) -> tuple[dict[str, Any], list[tf.Tensor]]:
            # The pool where tiles end need not be a layer of the objective.
            inside = cut(features, *tf.unstack(places[layer], 4)) if layer in layers else None
            measured = {} if inside is None else measure(layer).in_full(inside)
            framed = places.get(layer + _FRAMED) if layer == self._pool else None
            return measured, [] if framed is None else [cut(features, *tf.unstack(framed, 4))]

        wanted = [*layers, *([self._pool] if self._pool else [])]
        found = self._of_tiles.forward(
            tile[tf.newaxis], self._lower, wanted, lambda layer: Call(None, functools.partial(core, layer))
        )
        pooled = [framed for _, all_framed in found.values() for framed in all_framed]
        measured = {layer: found[layer][0] for layer in layers}
        return measured, pooled[0] if pooled else None

    def _backward_tile(
        self,
        probes: Probes,
        tile: tf.Tensor,
        places: Mapping[str, tf.Tensor],
        maps: Maps,
        by_measured: Found,
        by_pooled: Mapping[str, tf.Tensor],
    ) -> tf.Tensor:
        """The gradient by a tile's pixels (h, w, 3), given the total's gradients by its measures
        and its pooled features."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tile)
            measured, pooled = self._forward_tile(probes, tile, places, maps)
            results = [*tf.nest.flatten(measured), *([] if pooled is None else [pooled])]
        incoming = [*tf.nest.flatten(by_measured), *by_pooled.values()]
        return tape.gradient(results, tile, output_gradients=incoming)

    def _above(self, probes: Probes, pooled: tf.Tensor, maps: Maps) -> Found:
        """Measures of the upper layers."""
        measure = probes.measure(maps)
        layers = [layer for layer in probes.layers if layer not in self._below([layer])]
        return self._extractor.forward(pooled, self._upper, layers, self._inside(measure))

    def _all_measured(self, image: tf.Tensor, probes: Probes, maps: Maps) -> Found:
        """What is known of an image, by layer and probe, without gradients."""
        grid, pooled = self._forward(image, probes, maps)
        found: Found = {}
        for layer in self._below(probes.layers):  # and its tiles' are gone before the next one's
            found |= joined(probes, [[{layer: tile.pop(layer)} for tile in row] for row in grid])
        if pooled is not None:
            key = ("above", probes.probes, _kinds(maps))
            above = functools.partial(self._above, probes)
            found |= self._traced.get(key, lambda: tf.function(above, autograph=False))(pooled, maps)
        return found | {PICTURE: probes.measure(maps)(PICTURE).of(image)}

    # ----------------------------------------------------------------------------- tiles and wholes

    def _padded(self, image: tf.Tensor) -> tf.Tensor:
        """What tiles are cut out of: the padded input, which goes on where the picture wraps."""
        return continued(self._extractor.padded_input(image), self._geometry.around)

    def _joined(self, padded: tf.Tensor, layer: str, *, framed: bool) -> tf.Tensor:
        """One lower layer's features of the whole picture (height, width, channels)."""
        names = self._extractor.network.names_up_to([layer])
        rows = []
        for row in self._geometry.grid:
            cores = []
            for tile in row:
                pixels = _pixels(padded, tile)[tf.newaxis]
                features = self._of_tiles.forward(pixels, names, [layer])[layer]
                cores.append(cut(features, *self._geometry.in_tile(tile, layer, framed=framed)))
            rows.append(tf.concat(cores, axis=1))
        return tf.concat(rows, axis=0)

    def _places(self, tile: Tile) -> dict[str, tf.Tensor]:
        """Where a tile's core lies in its own features, as (top, left, height, width) by layer; and
        in the pooled features, which keep the frame."""
        layers = self._below(self._objective.layers)
        places = {layer: self._geometry.in_tile(tile, layer, framed=False) for layer in layers}
        if self._pool:
            places[self._pool + _FRAMED] = self._geometry.in_tile(tile, self._pool, framed=True)
        return {layer: tf.constant(place, tf.int32) for layer, place in places.items()}

    def _cut_maps(self, probes: Probes, maps: Maps, tile: Tile) -> dict[str, dict[str, Any]]:
        """The maps of lower layers in a tile's core, with whole tables."""
        cells = {probe.name: probe.combine.cell for probe in probes.probes}

        def piece(layer: str, whole: Any, cell: int | None) -> Any:
            if isinstance(whole, Indexed):
                return whole._replace(map=piece(layer, whole.map, cell))
            if isinstance(whole, tuple):
                return tuple(piece(layer, each, cell) for each in whole)
            geometry = self._geometry
            top, left, height, width = geometry.of_cells(tile, cell) if cell else geometry.of_picture(tile, layer)
            return whole[top : top + height, left : left + width]

        return {
            name: {layer: piece(layer, of_layers[layer], cells[name]) for layer in self._below(of_layers)}
            for name, of_layers in maps.items()
        }

    def _core(self, pooled: tf.Tensor, tile: Tile) -> tf.Tensor:
        """A tile's core of the pooled features (1, height, width, channels) of all tiles."""
        assert self._pool is not None  # or there were no pooled features
        top, left, height, width = self._geometry.of_padded(tile, self._pool)
        return pooled[0, top : top + height, left : left + width]

    def _inside(self, measure: Measure) -> Measure:
        """A measure of what belongs to the picture."""
        size = self._geometry.height, self._geometry.width
        return lambda layer: self._extractor.cropped(measure(layer), reduction(layer), size)

    def _below(self, layers: Sequence[str] | Mapping[str, Any]) -> list[str]:
        """Those layers that are computed in tiles."""
        return [layer for layer in layers if layer.removesuffix(LINEAR) in self._lower]


def _pixels(padded: tf.Tensor, tile: Tile) -> tf.Tensor:
    return padded[0, tile.top : tile.bottom, tile.left : tile.right]


def _kinds(tensors: Any) -> str:
    return repr(tf.nest.map_structure(tf.TensorSpec.from_tensor, tensors))
